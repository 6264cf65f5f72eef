"""The reranker: a larger language model that reads the likeliest passages together, where one is installed.

    log P(a | read) = Σ_t log P(a_t | passages, question, a_<t)        over the answer's tokens and its end

The reading layers and the cross-reader read each passage by itself, and so cannot compare what two of them
say. This one has read far more before, and sees them side by side. Nothing of it is trained: a checkpoint
tells which model it is, and how its scores count.
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.utils.rnn import pad_sequence

from engine.backbone.backbone import Backbone
from engine.sidenet.reading import Calibration
from engine.whole import write_whole
from ingest.errors import BadInput

CONFIG_FILE = "reranker.json"


@dataclass(frozen=True)
class RerankConfig:
    """Which model a reranker is, and how its scores are taken.

    wheels: packages that hold the parts of its file, each as `part`. sha256: of the whole file. share: τ.
    passages: that it reads together. calibration: of joint scores.
    """

    wheels: tuple[str, ...]
    part: str
    sha256: str
    share: float = 0.5
    passages: int = 5
    calibration: Calibration = dataclasses.field(default_factory=Calibration)


class Reranker:
    """A frozen language model that is asked how likely it would give an answer."""

    def __init__(self, config: RerankConfig, backbone: Backbone) -> None:
        self.config, self.backbone = config, backbone

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


def rerank_config(folder: Path) -> RerankConfig | None:
    """Read which reranker a checkpoint has; None where it has none. Raises BadInput for a damaged file."""
    if not (file := folder / CONFIG_FILE).is_file():
        return None
    try:
        facts = json.loads(file.read_text())
        facts |= {"wheels": tuple(facts["wheels"]), "calibration": Calibration.of(facts["calibration"])}
        return RerankConfig(**facts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{file} is damaged ({error}); download the checkpoint again") from error


def keep_config(folder: Path, config: RerankConfig) -> None:
    """Write which reranker a checkpoint has."""
    write_whole(folder / CONFIG_FILE, json.dumps(dataclasses.asdict(config), indent=2) + "\n")
