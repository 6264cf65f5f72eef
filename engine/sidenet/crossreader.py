"""The cross-reader: a small encoder that reads the words of a question and of a passage together, as text.

    X_0        = LN(E[token] + P[place] + K[question or passage])    over "[CLS] question [SEP] passage [SEP]"
    X_{i+1}    = LN(Y + W_2 gelu(W_1 Y)),  Y = LN(X_i + Attn X_i)    every token sees every other
    start, end = W X_n                                               at [CLS] (it does not tell), the passage

It stands beside the reading layers and was trained on the same questions. They read what the frozen backbone
wrote into the bank, from left to right; it reads a few hundred words of the passages found anew, both ways,
and errs elsewhere. An answer that both find is worth more than one that either finds (`agreed`).
"""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Encoding, Tokenizer
from torch import Tensor, nn

from engine.sidenet.packed import packed, unpacked
from ingest.errors import BadInput

WEIGHTS_FILE, CONFIG_FILE, TOKENIZER_FILE = "crossreader.safetensors", "crossreader.json", "crosstokens.json"
SIDES = 2  # of a row: the question and the passage
STEP = 32  # lengths of rows: PyTorch keeps 1 MB for each that it meets


@dataclass(frozen=True)
class CrossConfig:
    """The encoder's shape: layers, width and inner width, heads, tokens known, most tokens of a row.

    share: how much of a joint score is the cross-reader's, 0 to 1.
    """

    layers: int
    width: int
    inner: int
    heads: int
    vocabulary: int
    longest: int = 384
    share: float = 0.5


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


class CrossReader(nn.Module):
    """The encoder with its two heads, and the tokenizer it was trained with."""

    def __init__(self, config: CrossConfig, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.config, self.tokenizer = config, tokenizer
        tokenizer.no_padding()
        tokenizer.enable_truncation(config.longest, strategy="longest_first")
        self.tokens = nn.Embedding(config.vocabulary, config.width)
        self.places = nn.Embedding(config.longest, config.width)
        self.sides = nn.Embedding(SIDES, config.width)
        self.norm = nn.LayerNorm(config.width, eps=1e-12)
        layer = nn.TransformerEncoderLayer(
            config.width, config.heads, config.inner, dropout=0.0, activation="gelu",
            layer_norm_eps=1e-12, batch_first=True,
        )  # fmt: skip
        self.layers = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.span = nn.Linear(config.width, 2)

    def rows(self, questions: Sequence[str], passages: Sequence[str]) -> list[Encoding]:
        """Return the tokens of questions and passages side by side; what is too long loses its end."""
        asked = [" ".join(question.split()) for question in questions]
        return self.tokenizer.encode_batch(list(zip(asked, passages, strict=True)))

    def forward(self, rows: Sequence[Encoding]) -> Tensor:
        """Return logits of start and end (rows, time, 2); −inf where neither [CLS] nor the passage stands."""
        time = -(-max(len(one) for one in rows) // STEP) * STEP
        shape = len(rows), min(time, self.config.longest)
        ids, sides = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        inside, told = np.zeros(shape, bool), np.zeros(shape, bool)
        for number, one in enumerate(rows):
            end = len(one)
            ids[number, :end], sides[number, :end], inside[number, :end] = one.ids, one.type_ids, True
            told[number, :end] = [at == 0 or side == 1 for at, side in enumerate(one.sequence_ids)]
        x = self.tokens(torch.from_numpy(ids)) + self.places.weight[: shape[1]]
        x = self.norm(x + self.sides(torch.from_numpy(sides)))
        x = self.layers(x, src_key_padding_mask=~torch.from_numpy(inside))
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


def joint(one: float, other: float, share: float, least: float = math.exp(-9)) -> float:
    """Return the weighted geometric mean of two scores, each taken as `least` at least."""
    return max(one, least) ** (1 - share) * max(other, least) ** share


def save_crossreader(reader: CrossReader, folder: Path) -> None:
    """Write weights (int8 with a scale a row), configuration and tokenizer into a checkpoint's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, value in reader.state_dict().items():
        tensors |= packed(name, value)
    partial = folder / (WEIGHTS_FILE + ".partial")
    save_file(tensors, partial)
    reader.tokenizer.save(str(folder / TOKENIZER_FILE))
    (folder / CONFIG_FILE).write_text(json.dumps(dataclasses.asdict(reader.config), indent=2) + "\n")
    partial.replace(folder / WEIGHTS_FILE)


def load_crossreader(folder: Path) -> CrossReader | None:
    """Read the cross-reader of a checkpoint's folder, None where it has none.

    Raises
    ------
    BadInput
        Its files are damaged or do not fit each other.
    """
    if not (folder / CONFIG_FILE).is_file():
        return None
    try:
        config = CrossConfig(**json.loads((folder / CONFIG_FILE).read_text()))
        reader = CrossReader(config, Tokenizer.from_file(str(folder / TOKENIZER_FILE)))
        reader.load_state_dict(unpacked(load_file(folder / WEIGHTS_FILE)))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise BadInput(f"{folder} holds no cross-reader ({error}); download the checkpoint again") from error
    return reader.eval()
