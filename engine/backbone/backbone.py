"""The frozen language model: raw hidden states after every block, and position-free keys and values.

`llama.Llama` or `transformers` runs the blocks; this class only listens. `H_0` is what enters block 0, `H_j`
the raw output of block `j − 1` (`hidden_states[-1]` of `transformers` is the *normed* last one, which is not
`H_n`). Keys and values of block `b` are its own projections of its own input, `K_b = W_k LN(H_b)`, before any
position.

Nothing above the highest state asked for is computed: filling a bank from block 21 of 30 runs 21 blocks.

A text is written by `rows.FewRows` instead, where the model is built as that expects: token by token, the
calls of `transformers` take longer than the arithmetic.
"""

import copy
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from engine.backbone.families import Projections, family_of, part, per_head
from engine.backbone.fingerprint import fingerprint_of, sampled_positions
from engine.backbone.growing import Cache, GrowingCache
from engine.backbone.llama import Llama
from engine.backbone.packs import Head
from engine.backbone.placement import Placement
from engine.backbone.rows import MOST_ROWS, FewRows, Packs, is_plain
from engine.threads import Crew

if TYPE_CHECKING:  # three seconds that the page does not wait for: see `load`
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from engine.backbone.tokens import OwnTokenizer

TOKENIZER_PROBE = "Call me Ishmael. 1851 — “naïve”\n\n\tمرحبا 漢字 😀"


@dataclass(frozen=True)
class Encoding:
    """One forward pass of the backbone.

    hidden: `{j: H_j}` with `H_j` of shape (batch, time, width), for the states asked for.
    keys, values: `{block: (batch, time, kv_heads, head_dim)}` before any position, for the blocks asked for.
    """

    hidden: dict[int, Tensor]
    keys: dict[int, Tensor]
    values: dict[int, Tensor]


class Backbone:
    """A frozen causal language model and its tokenizer; threads may encode side by side.

    placement: where it runs and why. packs: gives its matrices in few bits, for few rows at a time; with
    them the head, too, is read in a quarter of its bytes. crew: chooses how many threads take it, while it
    works; None keeps their number, as training has to: the last bits of a sum depend on it.
    """

    crew: Crew | None = None

    def __init__(
        self,
        model: "Llama | PreTrainedModel",
        tokenizer: "OwnTokenizer | PreTrainedTokenizerFast",
        name: str,
        placement: Placement | None = None,
        packs: Callable[[], Packs] | None = None,
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.name = name
        self.placement = placement
        self._packs = packs
        self._once = threading.Lock()
        self._writing: FewRows | None = None
        self.family = family_of(model.config.model_type)
        config = model.config
        self.blocks: int = config.num_hidden_layers
        self.width: int = config.hidden_size
        self.heads: int = config.num_attention_heads
        self.kv_heads: int = getattr(config, "num_key_value_heads", None) or self.heads
        self.head_dim: int = getattr(config, "head_dim", None) or self.width // self.heads
        self.context: int = config.max_position_embeddings
        self.parallel = self.family.parallel(config)
        self._modules = list(part(model, self.family.blocks))
        self._stems: dict[int, nn.Module] = {}
        self._recording = threading.local()
        self._listen()

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        return self.model.dtype

    @cached_property
    def in_transformers(self) -> "PreTrainedModel":
        """Return the model as `transformers` runs it, on the same weights: for what only that can do."""
        return self.model.in_transformers() if isinstance(self.model, Llama) else self.model

    @cached_property
    def fingerprint(self) -> str:
        """Hash the weights: up to 4,096 evenly spaced values of every tensor, rounded to bfloat16.

        Rounding makes one fingerprint serve the fp32 and the bf16 copy of a checkpoint.
        """
        if (known := getattr(self.model, "fingerprint", None)) is not None:  # packed: taken before
            return known
        tensors = sorted(self.model.state_dict().items())
        return fingerprint_of(
            (name, one.shape, one.reshape(-1)[sampled_positions(one.shape).to(one.device)])
            for name, one in tensors
        )

    @cached_property
    def tokenizer_hash(self) -> str:
        """Hash the vocabulary and how it cuts a probe text."""
        probe = self.tokenizer(TOKENIZER_PROBE, add_special_tokens=False)["input_ids"]
        content = json.dumps([sorted(self.tokenizer.get_vocab().items()), probe])
        return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()

    def block_part(self, index: int, name: str) -> nn.Module:
        """Return one part of a block by its name in the family's row: attention_norm, mlp_norm or mlp."""
        return part(self._modules[index], getattr(self.family, name))

    def projections(self, index: int) -> Projections:
        """Return the attention of one block as plain linear maps that share the frozen weights."""
        return self.family.projections(part(self._modules[index], self.family.attention), self.heads)

    @property
    def final_norm(self) -> nn.Module:
        """Return the norm between `H_n` and the language-model head."""
        return part(self.model, self.family.final_norm)

    @property
    def head_weight(self) -> Tensor:
        """Return the language-model head (vocabulary, width): row y is the direction that raises logit y."""
        return self.model.get_output_embeddings().weight.detach()

    def head(self, normed: Tensor) -> Tensor:
        """Compute the logits (…, vocabulary) of normed last states (…, width)."""
        rows = normed.numel() // self.width
        if self._packs is not None and rows <= MOST_ROWS and torch.is_inference_mode_enabled():
            return self._small_head.times(normed.reshape(rows, -1)).view(*normed.shape[:-1], -1)
        return self.model.get_output_embeddings()(normed)

    @cached_property
    def _small_head(self) -> Head:
        return Head.of(self.head_weight)

    def _few_rows(self) -> FewRows | None:
        """Return what writes token by token, made once; None where the model is built otherwise."""
        with self._once:  # packing takes seconds: not for two threads at once
            if self._writing is None and is_plain(self.model.config):
                packs = self._packs() if self._packs is not None else {}
                self._writing = FewRows(self.model, packs, partial(self.rotary, 0))
            return self._writing

    def rotary(
        self, start: int, length: int, device: torch.device | None = None
    ) -> tuple[Tensor, Tensor] | None:
        """Return cos and sin (1, length, rotary dimensions) from position `start` on; None without rotary."""
        if self.family.rotary is None:
            return None
        positions = torch.arange(start, start + length, device=device or self.device)[None]
        like = torch.empty(0, dtype=self.dtype, device=positions.device)
        return part(self.model, self.family.rotary)(like, position_ids=positions)

    def new_cache(self) -> Cache:
        """Make an empty key/value cache for `encode(…, cache=…)`."""
        if isinstance(self.model, Llama):
            return GrowingCache(self.blocks)
        from engine.backbone.growing_dynamic import growing_dynamic

        return growing_dynamic(self.model.config)

    @torch.inference_mode()
    def encode(
        self,
        ids: Tensor,
        hidden: Sequence[int] | None = None,
        memory_blocks: Sequence[int] = (),
        cache: "Cache | None" = None,
    ) -> Encoding:
        """Run the blocks over token ids (batch, time), after what `cache` holds.

        hidden: which `H_j` to return (0 … blocks), all by default. memory_blocks: whose keys and values to
        return. With a cache all blocks run, so that it stays whole; without, only those that are needed.
        """
        if self.crew is not None:
            self.crew.gather(ids.numel())
        wanted = set(range(self.blocks + 1) if hidden is None else hidden) | set(memory_blocks)
        depth = self.blocks if cache is not None else max(wanted, default=0)
        few = self._few_rows() if cache is not None and self._are_few(ids, cache) else None
        if few is not None:
            states = few(ids.to(self.device), cache, wanted)
        else:
            with self._noting(wanted) as states:
                self._stem(max(depth, 1))(
                    input_ids=ids.to(self.device), past_key_values=cache, use_cache=cache is not None
                )
        keys, values = {}, {}
        for block in memory_blocks:
            keys[block], values[block] = self._keys_and_values(block, states[block])
        return Encoding(states, keys, values)

    @staticmethod
    def _are_few(ids: Tensor, cache: Cache) -> bool:
        """Tell whether token ids go on with one text by a handful."""
        return len(ids) == 1 and ids.shape[1] <= MOST_ROWS and cache.get_seq_length() > 0

    def logits(self, last: Tensor) -> Tensor:
        """Return the backbone's own logits (…, vocabulary) for `H_n` (…, width)."""
        return self.head(self.final_norm(last))

    @torch.inference_mode()
    def keys_of(self, block: int, entering: Tensor) -> Tensor:
        """Return the position-free keys (…, kv_heads, head_dim) of a block for `H_block` (…, width)."""
        normed = self.block_part(block, "attention_norm")(entering.to(self.device, self.dtype))
        maps = self.projections(block)
        return per_head(normed, maps.key, maps.key_norm, self.head_dim).to(entering)

    def _keys_and_values(self, block: int, entering: Tensor) -> tuple[Tensor, Tensor]:
        """Compute `K_b = W_k LN(H_b)`, `V_b = W_v LN(H_b)`, each (batch, time, kv_heads, head_dim)."""
        normed = self.block_part(block, "attention_norm")(entering)
        maps = self.projections(block)
        keys = per_head(normed, maps.key, maps.key_norm, self.head_dim)
        return keys, per_head(normed, maps.value, None, self.head_dim)

    def _stem(self, depth: int) -> nn.Module:
        """Cut the base model after `depth` blocks, sharing every weight."""
        base = self.model.base_model
        if depth == self.blocks:
            return base
        if depth not in self._stems:
            stem = copy.copy(base)
            stem._modules = dict(base._modules)
            name = self.family.blocks.rsplit(".", 1)[-1]
            stem._modules[name] = nn.ModuleList(self._modules[:depth])
            self._stems[depth] = stem
        return self._stems[depth]

    def _listen(self) -> None:
        """Let every block report its raw states to whichever thread is encoding."""

        def entering(_module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            self._note(0, arguments[0])

        def leaving(index: int, output: Tensor | tuple) -> None:
            self._note(index, output[0] if isinstance(output, tuple) else output)

        self._modules[0].register_forward_pre_hook(entering)
        for index, module in enumerate(self._modules, 1):
            module.register_forward_hook(lambda _module, _inputs, output, j=index: leaving(j, output))

    def _note(self, index: int, state: Tensor) -> None:
        if index in getattr(self._recording, "wanted", ()):
            self._recording.states[index] = state

    @contextmanager
    def _noting(self, wanted: set[int]) -> Iterator[dict[int, Tensor]]:
        """Collect the wanted `H_j` of the forward passes that this thread runs inside."""
        self._recording.wanted, self._recording.states = wanted, {}
        try:
            yield self._recording.states
        finally:
            self._recording.wanted, self._recording.states = (), {}
