"""The reading layers: side layers that read a question and a passage of the memory bank together.

    X_0     = [H_b(question) + e_question ; H_b(passage) + e_passage]
    X_{i+1} = X_i + Attn_i(LN X_i) + MLP_i(LN X_i)        a copy of block b + i; every token sees every other
    start, end = W (LN X_n)                               at the tokens of the passage
    null       = N (mean of LN X_n over the question)     "this passage does not tell"
    kind       = K (the same mean)                        a span, yes, or no

`H_b` is what enters block b of the frozen backbone. That of the passage was written into the bank when the
book was added; only the question is new. So nothing of a book is encoded again to answer.
"""

import copy
import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engine.backbone.backbone import Backbone
from engine.backbone.grouped import attend_to_few, grouped_attention
from engine.sidenet.attention import rotate
from engine.sidenet.block import CopiedBlock
from engine.sidenet.packed import packed, unpacked
from engine.whole import whole
from ingest.errors import BadInput
from ingest.segments import plain_tokens

READER_FILE, READER_CONFIG = "reader.safetensors", "reader.json"
KINDS = ("span", "yes", "no")
LONGEST_SPAN = 30  # tokens of an answer
KEPT = 6  # spans of a passage
STEP = 16  # lengths of rows: PyTorch keeps 1 MB for each that it meets


def opening(backbone: Backbone) -> list[int]:
    """Return the token that stands before a text of its own, so that no word of it takes its place."""
    tokenizer = backbone.tokenizer
    mark = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    return [] if mark is None else [mark]


def question_tokens(backbone: Backbone, question: str) -> list[int]:
    """Return the token ids of a question as the reading layers see it."""
    return [*opening(backbone), *plain_tokens(backbone.tokenizer, " ".join(question.split()))[0]]


@dataclass(frozen=True)
class ReadingScores:
    """What the reading layers give for rows of a question and a passage each.

    start, end: (rows, longest passage) logits, −inf beyond a passage. null: (rows, 2) logits that the passage
    does not tell, one beside the starts and one beside the ends. kind: (rows, 3) logits of `KINDS`.
    """

    start: Tensor
    end: Tensor
    null: Tensor
    kind: Tensor


@dataclass(frozen=True)
class Calibration:
    """How scores of answers become probabilities of being right, fitted on questions with known answers.

    confidence = σ(offset + slope · logit(score) + margin · logit(score / (score + second)))

    rank: a passage counts by its place r = 0, 1 … among those found, as (1 + r)^−rank. least: below which
    confidence nothing is answered.
    """

    offset: float = 0.0
    slope: float = 1.0
    margin: float = 0.0
    rank: float = 0.4
    least: float = 0.3

    @classmethod
    def of(cls, facts: Mapping[str, float]) -> "Calibration":
        """Read what a checkpoint's file says; a number that earlier ones had is passed over."""
        return cls(**{name: value for name, value in facts.items() if name != "least_told"})

    def confidence(self, score: float, second: float) -> float:
        """Return the probability (0 to 1) that the best answer is right, given its score and the second's."""
        evidence = self.offset + self.slope * logit(score) + self.margin * logit(ahead(score, second))
        return 1 / (1 + math.exp(-evidence))


def logit(share: float) -> float:
    """Return the log odds of a share, kept within what 1e-4 and .9999 give."""
    share = min(max(share, 1e-4), 1 - 1e-4)
    return math.log(share / (1 - share))


def best_spans(start: Tensor, end: Tensor, count: int = KEPT) -> list[tuple[int, int, float]]:
    """Return first and last token and probability of the best spans, given log probabilities (tokens,)."""
    pairs = start[:, None] + end[None]
    allowed = torch.ones_like(pairs, dtype=torch.bool).triu().tril(LONGEST_SPAN - 1)
    values, places = pairs.masked_fill(~allowed, -math.inf).flatten().topk(min(count, pairs.numel()))
    return [
        (at // len(end), at % len(end), math.exp(value))
        for value, at in zip(values.tolist(), places.tolist(), strict=True)
        if value > -math.inf
    ]


def ahead(score: float, second: float) -> float:
    """Return the best answer's share of the two best scores, 0 where both are."""
    return score / max(1e-9, score + second)


class ReadingLayer(CopiedBlock):
    """One layer, started as a copy of a backbone block, without the causal mask."""

    def __init__(self, backbone: Backbone, block: int) -> None:
        super().__init__(backbone, block)
        self.requires_grad_(True)

    def forward(self, x: Tensor, cos_sin: tuple[Tensor, Tensor] | None, bias: Tensor) -> Tensor:
        """Return `X_{i+1}` (rows, time, width) of `X_i`; bias (rows, 1, 1, time): −inf at no token."""
        attended = self._attention(self.attention_norm(x), cos_sin, bias)
        return x + attended + self.mlp(self.mlp_norm(x if self.parallel else x + attended))

    def _attention(self, normed: Tensor, cos_sin: tuple[Tensor, Tensor] | None, bias: Tensor) -> Tensor:
        query, key, value = (one.transpose(1, 2) for one in self.project(normed))
        query, key = (rotate(one, cos_sin).to(value.dtype) for one in (query, key))
        found = grouped_attention(query, key, value, bias, attend_to_few)
        return self.output(found.transpose(1, 2).flatten(2))


class ReadingLayers(nn.Module):
    """The reading layers above `H_block`, with their heads."""

    def __init__(self, backbone: Backbone, block: int, layers: int) -> None:
        super().__init__()
        self.block = block
        self.layers = nn.ModuleList(ReadingLayer(backbone, block + i) for i in range(layers))
        self.norm = copy.deepcopy(backbone.final_norm).requires_grad_(True)
        self.role = nn.Parameter(torch.zeros(2, backbone.width))  # e_question, e_passage
        self.span = nn.Linear(backbone.width, 2)
        self.null = nn.Linear(backbone.width, 2)
        self.kind = nn.Linear(backbone.width, len(KINDS))
        self.rotary = backbone.rotary
        self.calibration = Calibration()

    def forward(self, questions: Sequence[Tensor], passages: Sequence[Tensor]) -> ReadingScores:
        """Read rows of a question's states (tokens, width) and a passage's (tokens, width), side by side."""
        asked = torch.tensor([len(one) for one in questions])
        ends = asked + torch.tensor([len(one) for one in passages])
        rows = [
            torch.cat((question.to(self.role) + self.role[0], passage.to(self.role) + self.role[1]))
            for question, passage in zip(questions, passages, strict=True)
        ]
        x = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        x = F.pad(x, (0, 0, 0, -x.shape[1] % STEP))
        at = torch.arange(x.shape[1])
        inside, of_question = at < ends[:, None], at < asked[:, None]
        cos_sin = self.rotary(0, x.shape[1], x.device)
        bias = torch.zeros(inside.shape).masked_fill(~inside, -math.inf)[:, None, None].to(x.device)
        for layer in self.layers:
            x = layer(x, cos_sin, bias)
        normed = self.norm(x)
        share = (of_question / asked[:, None]).to(normed)
        mean = (share[:, None] @ normed)[:, 0]
        longest = int((ends - asked).max())
        places = (asked[:, None] + torch.arange(longest)).clamp(max=x.shape[1] - 1)
        beyond = (torch.arange(longest) >= (ends - asked)[:, None]).to(x.device)
        spans = self.span(normed).float()
        spans = spans.gather(1, places.to(x.device)[..., None].expand(-1, -1, 2))
        spans = spans.masked_fill(beyond[..., None], float("-inf"))
        return ReadingScores(spans[..., 0], spans[..., 1], self.null(mean).float(), self.kind(mean).float())


def save_reader(layers: ReadingLayers, backbone: Backbone, folder: Path) -> None:
    """Write `reader.safetensors` and `reader.json`: block, layers, the backbone they belong to."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, value in layers.state_dict().items():
        tensors |= packed(name, value) if name.startswith("layers.") else {name: value.bfloat16()}
    facts = {"block": layers.block, "layers": len(layers.layers), "fingerprint": backbone.fingerprint}
    facts["calibration"] = dataclasses.asdict(layers.calibration)
    with whole(folder / READER_FILE) as file:
        save_file(tensors, file)
        (folder / READER_CONFIG).write_text(json.dumps(facts, indent=2) + "\n")


def keep_calibration(folder: Path, calibration: Calibration) -> None:
    """Write another calibration into a checkpoint's `reader.json`."""
    facts = json.loads((folder / READER_CONFIG).read_text())
    facts["calibration"] = dataclasses.asdict(calibration)
    (folder / READER_CONFIG).write_text(json.dumps(facts, indent=2) + "\n")


def has_reader(folder: Path) -> bool:
    """Tell whether a checkpoint's folder holds reading layers."""
    return (folder / READER_CONFIG).is_file()


def load_reader(folder: Path, backbone: Backbone) -> ReadingLayers:
    """Read the reading layers that `save_reader` wrote.

    Raises
    ------
    BadInput
        The folder holds none, or some that were trained beside another backbone.
    """
    try:
        facts = json.loads((folder / READER_CONFIG).read_text())
        if facts["fingerprint"] != backbone.fingerprint:
            raise BadInput(
                f"the reader in {folder} was trained beside another model; train one for {backbone.name}"
            )
        layers = ReadingLayers(backbone, facts["block"], facts["layers"])
        layers.load_state_dict(unpacked(load_file(folder / READER_FILE)))
        layers.calibration = Calibration.of(facts.get("calibration", {}))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{folder} holds no reader ({error}); name the folder of a run") from error
    return layers.eval()
