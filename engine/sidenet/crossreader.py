"""The cross-reader: an encoder that reads the words of a question and of a passage together, as text.

    X_0        = LN(E[token] + P[place])                           of "<s> question </s></s> passage </s>"
    Y          = LN(X_i + O softmax(Q Kᵀ / √d + B[distance]) V)    every token sees every other
    X_{i+1}    = LN(Y + W_2 gelu(W_1 Y))
    start, end = S X_n                                             at <s> (it does not tell), the passage

It is MPNet (arXiv 2004.09297), trained on the questions that the reading layers were trained on, and stands
beside them. They read what the frozen backbone wrote into the bank, from left to right; it reads the passages
found anew, both ways, and errs elsewhere. An answer that both find is worth more than one that either finds.
"""

import dataclasses
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import Encoding, Tokenizer
from torch import Tensor, nn

from engine.backbone.grouped import attend_to_few
from engine.sidenet.packed import kept_in_four, packed_in_four, unpacked
from engine.sidenet.reading import Calibration
from engine.whole import whole, write_whole
from ingest.errors import BadInput

WEIGHTS_FILE, CONFIG_FILE, TOKENIZER_FILE = "crossreader.safetensors", "crossreader.json", "crosstokens.json"
BUCKETS, FAR = 32, 128  # of distances; all beyond `FAR` tokens share one
FIRST_PLACE, FILLING = 2, 1  # place of the first token; the token that fills a row
STEP = 32  # lengths of rows: PyTorch keeps 1 MB for each that it meets


@dataclass(frozen=True)
class CrossConfig:
    """The encoder's shape: layers, width and inner width, heads, tokens known, most tokens of a row.

    share: how much of a joint score is the cross-reader's, 0 to 1. alone: the calibration of its own scores,
    for where it answers by itself.
    """

    layers: int
    width: int
    inner: int
    heads: int
    vocabulary: int
    longest: int = 384
    share: float = 0.8
    alone: Calibration = dataclasses.field(default_factory=Calibration)

    @classmethod
    def from_json(cls, text: str) -> "CrossConfig":
        """Read what a checkpoint's file says."""
        facts = json.loads(text)
        return cls(**facts | {"alone": Calibration.of(facts.get("alone", {}))})


@dataclass(frozen=True)
class TextScores:
    """What the cross-reader gives for one passage.

    spans: (tokens, 2) characters of the passage. start, end: (tokens,) logits. null: (2,) logits that it does
    not tell, one beside the starts and one beside the ends.
    """

    spans: np.ndarray
    start: Tensor
    end: Tensor
    null: Tensor


class EncoderLayer(nn.Module):
    """One layer: attention, then two matrices, each added and normed."""

    def __init__(self, config: CrossConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))
        self.attention_norm, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.rise, self.fall = nn.Linear(width, config.inner), nn.Linear(config.inner, width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Return `X_{i+1}` (rows, time, width) of `X_i`; bias (rows, heads, time, time)."""
        query, key, value = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        found = attend_to_few(query, key, value, bias)
        y = self.attention_norm(x + self.output(found.transpose(1, 2).flatten(2)))
        return self.norm(y + self.fall(F.gelu(self.rise(y))))


def unfilled(rows: int, width: int) -> nn.Embedding:
    """Make a table without numbers: filling one on no device makes PyTorch import its compiler, a second."""
    return nn.Embedding(rows, width, _weight=torch.empty(rows, width))


class CrossReader(nn.Module):
    """The encoder with its two heads, and the tokenizer it was trained with."""

    def __init__(self, config: CrossConfig, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.config, self.tokenizer = config, tokenizer
        tokenizer.no_padding()
        tokenizer.enable_truncation(config.longest, strategy="longest_first")
        self.tokens = unfilled(config.vocabulary, config.width)
        self.places = unfilled(config.longest + FIRST_PLACE, config.width)
        self.distances = unfilled(BUCKETS, config.heads)
        self.norm = nn.LayerNorm(config.width)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))
        self.span = nn.Linear(config.width, 2)

    def rows(self, questions: Sequence[str], passages: Sequence[str]) -> list[Encoding]:
        """Return the tokens of questions and passages side by side; what is too long loses its end."""
        asked = [" ".join(question.split()) for question in questions]
        return self.tokenizer.encode_batch(list(zip(asked, passages, strict=True)))

    def forward(self, rows: Sequence[Encoding]) -> Tensor:
        """Return logits of start and end (rows, time, 2); −inf where neither <s> nor the passage stands."""
        time = -(-max(len(one) for one in rows) // STEP) * STEP
        shape = len(rows), min(time, self.config.longest)
        ids, told = np.full(shape, FILLING), np.zeros(shape, bool)
        inside = np.zeros(shape, bool)
        for number, one in enumerate(rows):
            ids[number, : len(one)], inside[number, : len(one)] = one.ids, True
            told[number, : len(one)] = [at == 0 or side == 1 for at, side in enumerate(one.sequence_ids)]
        x = self.tokens(torch.from_numpy(ids)).float()
        x = self.norm(x + self.places(torch.arange(FIRST_PLACE, FIRST_PLACE + shape[1])).float())
        bias = self.distances(buckets(shape[1])).float().permute(2, 0, 1)
        bias = bias.masked_fill(~torch.from_numpy(inside)[:, None, None], float("-inf"))
        for layer in self.layers:
            x = layer(x, bias)
        return self.span(x).float().masked_fill(~torch.from_numpy(told)[..., None], float("-inf"))

    def read(self, question: str, passages: Sequence[str]) -> list[TextScores]:
        """Read a question beside each of the passages, all in one batch."""
        rows = self.rows([question] * len(passages), passages)
        found = []
        for row, logits in zip(rows, self(rows), strict=True):
            places = [at for at, side in enumerate(row.sequence_ids) if side == 1]
            spans = np.array([row.offsets[at] for at in places], np.int64).reshape(-1, 2)
            start, end = logits[places].unbind(-1)
            found.append(TextScores(spans, start, end, logits[0]))
        return found


def buckets(time: int) -> Tensor:
    """Return the bucket (time, time) of each token's distance to each: near ones alone, far ones together."""
    behind = torch.arange(time)[:, None] - torch.arange(time)
    one_way, near = BUCKETS // 2, BUCKETS // 4
    far = behind.abs().clamp(min=1).float().div(near).log() / math.log(FAR / near) * (one_way - near)
    far = (near + far.long()).clamp(max=one_way - 1)
    return torch.where(behind.abs() < near, behind.abs(), far) + (behind < 0) * one_way


def joint(one: float, other: float, share: float, least: float = math.exp(-9)) -> float:
    """Return the weighted geometric mean of two scores, each taken as `least` at least."""
    return max(one, least) ** (1 - share) * max(other, least) ** share


def save_crossreader(reader: CrossReader, folder: Path, scales: Mapping[str, Tensor] | None = None) -> None:
    """Write weights (matrices in four bits), configuration and tokenizer into a checkpoint's folder.

    scales: of matrices that were rounded already, by name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, value in reader.state_dict().items():
        tensors |= packed_in_four(name, value, (scales or {}).get(name))
    with whole(folder / WEIGHTS_FILE) as file:
        save_file(tensors, file)
        reader.tokenizer.save(str(folder / TOKENIZER_FILE))
        keep_cross_config(folder, reader.config)


def copy_crossreader(folder: Path, to: Path) -> CrossConfig:
    """Copy a checkpoint's cross-reader beside another backbone's: it reads text, whoever wrote the bank.

    There it answers alone. Returns its configuration.

    Raises
    ------
    FileNotFoundError
        `folder` holds none.
    """
    for name in (WEIGHTS_FILE, TOKENIZER_FILE):
        shutil.copy(folder / name, to)
    config = CrossConfig.from_json((folder / CONFIG_FILE).read_text())
    return keep_cross_config(to, dataclasses.replace(config, share=1.0))


def keep_cross_config(folder: Path, config: CrossConfig) -> CrossConfig:
    """Write the configuration of a checkpoint's cross-reader, and return it."""
    write_whole(folder / CONFIG_FILE, json.dumps(dataclasses.asdict(config), indent=2) + "\n")
    return config


def load_crossreader(folder: Path, to_learn: bool = False) -> CrossReader | None:
    """Read the cross-reader of a checkpoint's folder, None where it has none.

    to_learn: whether its matrices are unpacked to be changed; else they stay in four bits.

    Raises
    ------
    BadInput
        Its files are damaged or do not fit each other.
    """
    if not (folder / CONFIG_FILE).is_file():
        return None
    try:
        config = CrossConfig.from_json((folder / CONFIG_FILE).read_text())
        with torch.device("meta"):
            reader = CrossReader(config, Tokenizer.from_file(str(folder / TOKENIZER_FILE)))
        weights = load_file(folder / WEIGHTS_FILE)
        reader.load_state_dict(unpacked(weights) if to_learn else kept_in_four(reader, weights), assign=True)
    except Exception as error:  # what `tokenizers` raises of a damaged file has no class of its own
        raise BadInput(f"{folder} holds no cross-reader ({error}); download the checkpoint again") from error
    return reader.eval()
