"""Everything a SideNet checkpoint depends on. Loading refuses a mismatch and names the field."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from engine.backbone.backbone import Backbone
from ingest.errors import BadInput

MEMORY_VALUES = ("attention", "following")
BRANCH_SCALES = ("learned", "unit", "carried")
CARRIED_GATE = -3.0  # sigmoid 0.05: almost the backbone at first, and memory is already felt
FIXED_BY_BACKBONE = ("fingerprint", "tokenizer_hash", "blocks", "width", "heads", "kv_heads", "head_dim")


@dataclass(frozen=True)
class SideNetConfig:
    """Shape and settings of a SideNet beside one backbone.

    reduction: backbone blocks per side layer. memory_layers: 0-based side layers that read the bank.
    branch_scale: "learned" vectors that start at zero (the identity start), "unit" (the paper) or "carried":
    what values gave passes through the copied blocks above as it would through the backbone.
    null_slot: whether memory attention may take nothing. search: "pooled" finds chunks by a learned map of
    the mean hidden state entering `search_block`; "attention" by the mean attention key (the paper).
    memory_values: what a memory slot gives: "attention" (its value vector, the paper) or "following" (the
    token that came next). values_follow: a slot gives the value of the token after its own, so that it is
    looked for as votes are: by where the book stood, not by what came next. value_layers: memory layers that
    read value vectors though the others give what followed; both kinds then stand in one SideNet.
    memory_block: the block whose keys memory layers read; None: each its own source.
    lexicon: whether the words that what may be read is full of are said more readily.
    state_block: the block whose entering states a bank keeps for the reading layers; None for none.
    reading: what memory attention finds its chunks by, where that is not `search`: the map that finds a
    question's passages need not be the one that finds where a sentence goes on.
    """

    backbone: str
    fingerprint: str
    tokenizer_hash: str
    blocks: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    reduction: int = 2
    memory_layers: tuple[int, ...] = ()
    memory_block: int | None = None
    memory_values: str = "attention"
    value_layers: tuple[int, ...] = ()
    values_follow: bool = False
    branch_scale: str = "learned"
    null_slot: bool = True
    gate_start: float = 0.0
    search: str = "attention"
    reading: str | None = None
    search_block: int | None = None
    search_dim: int = 128
    chunk_size: int = 4
    top_k: int = 16
    dtype: str = "float16"
    state_block: int | None = None
    lexicon: bool = False

    def __post_init__(self) -> None:
        if self.branch_scale not in BRANCH_SCALES:
            raise BadInput(f"branch_scale is '{self.branch_scale}'; choose one of {', '.join(BRANCH_SCALES)}")
        if not set(self.value_layers) <= set(self.memory_layers):
            raise BadInput("value_layers must be among memory_layers")
        if self.search not in ("attention", "pooled"):
            raise BadInput(f"search is '{self.search}'; it must be 'attention' or 'pooled'")
        if self.reading not in (None, "attention", self.search):
            raise BadInput(f"reading is '{self.reading}'; it must be 'attention' or what search is")
        if self.search == "pooled" and self.search_block is None:
            raise BadInput("search 'pooled' needs a search_block")
        if self.memory_values not in MEMORY_VALUES:
            raise BadInput(
                f"memory_values is '{self.memory_values}'; choose one of {', '.join(MEMORY_VALUES)}"
            )
        if self.memory_block is not None and not 0 <= self.memory_block < self.blocks:
            raise BadInput(f"memory_block must lie within 0 … {self.blocks - 1}")
        if self.state_block is not None and not 0 <= self.state_block < self.blocks:
            raise BadInput(f"state_block must lie within 0 … {self.blocks - 1}")
        if any(not 0 <= layer < self.side_layers for layer in self.memory_layers):
            raise BadInput(f"memory_layers must lie within 0 … {self.side_layers - 1}")

    @property
    def reads_by_map(self) -> bool:
        """Tell whether memory attention finds its chunks by the learned map, not by attention keys."""
        return (self.reading or self.search) == "pooled"

    def gives_values(self, layer: int) -> bool:
        """Tell whether a memory layer reads value vectors, and not the tokens that followed."""
        return self.memory_values == "attention" or layer in self.value_layers

    def carries(self, layer: int) -> bool:
        """Tell whether what values gave, below or here, passes through this side layer's copied block."""
        lowest = min(filter(self.gives_values, self.memory_layers), default=self.side_layers)
        votes = layer in self.memory_layers and not self.gives_values(layer)
        return self.branch_scale == "carried" and layer >= lowest and not votes

    @property
    def keeps_values(self) -> bool:
        """Tell whether any memory layer reads value vectors, so that a bank has to hold them."""
        return any(map(self.gives_values, self.memory_layers))

    @property
    def side_layers(self) -> int:
        """Return the number of side layers; a last short span of blocks gets a layer of its own."""
        return -(-self.blocks // self.reduction)

    @property
    def boundaries(self) -> tuple[int, ...]:
        """Return the j of the `H_j` between side layers: layer i spans boundaries[i] … boundaries[i+1]."""
        return (*range(0, self.blocks, self.reduction), self.blocks)

    def states(self, layer: int) -> tuple[int, ...]:
        """Name the `H_j` that side layer `layer` reads."""
        carried = (self.source_block(layer), self.boundaries[layer + 1]) if self.carries(layer) else ()
        return (self.boundaries[layer], *carried)

    def source_block(self, layer: int) -> int:
        """Return the backbone block whose weights side layer `layer` starts from."""
        return self.boundaries[layer + 1] - 1

    def read_block(self, layer: int) -> int:
        """Return the backbone block whose keys (and values) memory layer `layer` reads."""
        return self.source_block(layer) if self.memory_block is None else self.memory_block

    @property
    def memory_blocks(self) -> tuple[int, ...]:
        """Return the backbone blocks whose keys and values go into the bank."""
        return tuple(dict.fromkeys(self.read_block(layer) for layer in self.memory_layers))

    @classmethod
    def for_backbone(cls, backbone: Backbone, **settings: Any) -> "SideNetConfig":
        """Configure the default SideNet beside `backbone`: one memory layer at a fifth of its depth.

        Early, because that is where reading helped most (`engine/FINDINGS.md`), and because a bank then
        needs only the blocks below it."""
        facts = {name: getattr(backbone, name) for name in FIXED_BY_BACKBONE}
        side_layers = -(-backbone.blocks // settings.get("reduction", 2))
        settings.setdefault("memory_layers", (side_layers // 5,))
        if settings.get("branch_scale") == "carried":
            settings.setdefault("gate_start", CARRIED_GATE)
        return cls(backbone=backbone.name, **facts, **settings)

    def require(self, backbone: Backbone) -> None:
        """Refuse a backbone that this checkpoint was not trained beside.

        Raises
        ------
        BadInput
            Names the first field that differs.
        """
        for name in FIXED_BY_BACKBONE:
            ours, theirs = getattr(self, name), getattr(backbone, name)
            if ours != theirs:
                raise BadInput(
                    f"this SideNet was trained beside {self.backbone}: its {name} is {ours}, that of "
                    f"{backbone.name} is {theirs}; choose the checkpoint made for your model"
                )

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "SideNetConfig":
        """Read a configuration. Raises BadInput for a field that this version does not know."""
        values = json.loads(text)
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise BadInput(
                f"the checkpoint has settings unknown here: {', '.join(unknown)}; update LongMem Reader"
            )
        for name in ("memory_layers", "value_layers"):
            values[name] = tuple(values.get(name, ()))
        return cls(**values)
