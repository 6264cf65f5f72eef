"""`train-search`: learn the search map from questions with known passages, everything frozen computed once.

    loss = −log Σ_{P answers} e^{s·score(P)} / Σ_P e^{s·score(P)},   score(P) = Σ_t w_t max_{c ∈ P} q_t · k_c

over the passages of several texts laid side by side: what is trained is the ranking that answering uses
(`engine.retrieval.votes`). Both maps start as one random projection of whitened states, which already finds
most passages before the first step; un-whitened states find none.
"""

import argparse
import hashlib
import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.arguments import add_settings, natural, positive, settings_of
from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.bank.layout import SEGMENT
from engine.paths import Paths
from engine.quantise import FP16_LARGEST
from engine.retrieval.votes import owners, question_states
from engine.sidenet.search import SearchMap
from engine.training.books import book_texts
from engine.training.questions import Reading, apart, made_questions, paired, sectioned
from engine.whole import whole
from ingest.document import Document
from ingest.errors import BadInput
from ingest.segments import segments

CHUNK = 4
MAP_FILE, MAP_SETTINGS_FILE = "search.safetensors", "search.json"


@dataclass(frozen=True)
class SearchSettings:
    """texts: laid side by side in a step. questions: asked in a step. shrink: of the whitening, in medians of
    the variances. drop: share of whitened dimensions dropped in training. scale: s of the loss at the start.
    """

    block: int = 4
    dim: int = 128
    steps: int = 600
    texts: int = 8
    questions: int = 48
    learning_rate: float = 2e-3
    warmup: int = 30
    shrink: float = 0.1
    drop: float = 0.15
    scale: float = 3.6
    seed: int = 0


@dataclass(frozen=True)
class FrozenReading:
    """What training needs of a text: pooled (chunks, width) fp16, the passage of each chunk (−1 left out),
    how many passages, and per question the states (tokens, width) fp16 and the right passages.
    """

    pooled: Tensor
    owner: Tensor
    passages: int
    states: tuple[Tensor, ...]
    gold: tuple[tuple[int, ...], ...]


def freeze_text(backbone: Backbone, text: str, block: int) -> tuple[Tensor, Tensor, Tensor]:
    """Compute pooled states (chunks, width) fp16, chunk starts (chunks,), spans (tokens, 2): as in a bank."""
    pooled: list[Tensor] = []
    starts: list[int] = []
    spans: list[tuple[int, int]] = []
    count = 0
    for segment in segments(text, backbone.tokenizer, SEGMENT):
        hidden = backbone.encode(torch.tensor([segment.token_ids]), hidden=(block,)).hidden[block][0]
        pooled += [part.mean(0) for part in hidden.float().cpu().split(CHUNK)]
        starts += range(count, count + len(hidden), CHUNK)
        spans += segment.spans
        count += len(hidden)
    return (
        torch.stack(pooled).clamp(-FP16_LARGEST, FP16_LARGEST).half(),
        torch.tensor(starts),
        torch.tensor(spans),
    )


def freeze_reading(
    backbone: Backbone, reading: Reading, block: int, folder: Path | None = None
) -> FrozenReading:
    """Run the backbone over a text and its questions, or read what an earlier run kept in `folder`."""
    key = f"{backbone.fingerprint}:{block}:{reading!r}:{reading.text}:{reading.spans}:{reading.questions}"
    name = f"{hashlib.blake2b(key.encode(), digest_size=12).hexdigest()}.safetensors"
    file = folder / name if folder else None
    if file is not None and file.is_file():
        kept = load_file(file)
    else:
        pooled, starts, spans = freeze_text(backbone, reading.text, block)
        owner = owners(spans.numpy(), starts.numpy(), torch.tensor(reading.spans).numpy())
        asked = [question_states(backbone, one.text, block).cpu().half() for one in reading.questions]
        kept = {
            "pooled": pooled,
            "owner": torch.from_numpy(owner),
            "states": torch.cat(asked) if asked else torch.empty(0, backbone.width).half(),
            "lengths": torch.tensor([len(one) for one in asked], dtype=torch.int64),
        }
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            with whole(file, shared=True) as place:
                save_file(kept, place)
    states = kept["states"].split(kept["lengths"].tolist()) if len(kept["lengths"]) else ()
    gold = tuple(one.gold for one in reading.questions)
    return FrozenReading(kept["pooled"], kept["owner"], len(reading.spans), tuple(states), gold)


def whitening(states: Tensor, shrink: float) -> tuple[Tensor, Tensor]:
    """Compute the mean (width,) and matrix (width, width) that whiten states (n, width).

    Afterwards they vary alike in every direction.
    """
    mean = states.mean(0)
    centred = states - mean
    variance, directions = torch.linalg.eigh((centred.T @ centred / len(states)).double())
    variance = variance.clamp_min(0)
    return mean, (directions * (variance + shrink * variance.median() + 1e-12).rsqrt()).float()


class MapInTraining(torch.nn.Module):
    """The search map over whitened states; `folded()` gives the plain `SearchMap` it amounts to."""

    def __init__(self, pooled: Tensor, asked: Tensor, settings: SearchSettings) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(settings.seed)
        mean, white = whitening(pooled, settings.shrink)
        width = pooled.shape[1]
        start = torch.linalg.qr(torch.randn(width, width, generator=generator))[0][:, : settings.dim]
        self.register_buffer("mean", mean)
        self.register_buffer("asked_mean", asked.mean(0))
        self.register_buffer("white", white)
        self.key = torch.nn.Parameter(start.clone())
        self.query = torch.nn.Parameter(start.clone())
        self.weight = torch.nn.Parameter(torch.zeros(width))
        self.bias = torch.nn.Parameter(torch.tensor(0.5))
        self.log_scale = torch.nn.Parameter(torch.tensor(math.log(settings.scale)))
        self.drop = settings.drop

    def keys(self, pooled: Tensor) -> Tensor:
        white = F.dropout((pooled - self.mean) @ self.white, self.drop, self.training)
        return F.normalize(white @ self.key, dim=-1)

    def ask(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Compute queries (tokens, dim) and weights (tokens,)."""
        white = F.dropout((states - self.asked_mean) @ self.white, self.drop, self.training)
        return F.normalize(white @ self.query, dim=-1), F.softplus(white @ self.weight + self.bias)

    @torch.no_grad()
    def folded(self) -> SearchMap:
        """Multiply whitening and means into the weights, and return the search map."""
        search = SearchMap(*self.key.shape)
        shift = self.mean - self.asked_mean
        query, weight = self.white @ self.query, self.white @ self.weight
        search.key.weight.copy_((self.white @ self.key).T)
        search.query.weight.copy_(query.T)
        search.query.bias.copy_(shift @ query)
        search.weight.weight.copy_(weight[None])
        search.weight.bias.copy_(self.bias + shift @ weight)
        search.mean.copy_(self.mean)
        return search.eval()


def votes(keys: Tensor, owner: Tensor, passages: int, queries: Tensor) -> Tensor:
    """Return max_{c ∈ P} q_t · k_c as (passages, tokens), −1 without chunks; owner rises from 0."""
    lengths = torch.bincount(owner, minlength=passages)
    best = torch.segment_reduce(keys @ queries.T, "max", lengths=lengths, axis=0, unsafe=True)
    return torch.where((lengths > 0)[:, None], best, -torch.ones_like(best))


def step_loss(
    model: MapInTraining, texts: Sequence[FrozenReading], asked: Sequence[tuple[int, int]]
) -> Tensor:
    """Average the loss of the questions `asked` (text, question) against the passages of all the texts."""
    first = [0]
    for text in texts:
        first.append(first[-1] + text.passages)
    inside = [text.owner >= 0 for text in texts]
    owner = torch.cat([text.owner[kept] + at for text, kept, at in zip(texts, inside, first, strict=False)])
    keys = model.keys(
        torch.cat([text.pooled[kept] for text, kept in zip(texts, inside, strict=True)]).float()
    )
    states = [texts[text].states[question] for text, question in asked]
    which = torch.repeat_interleave(torch.tensor([len(one) for one in states]))
    queries, weights = model.ask(torch.cat(states).float())
    weighed = votes(keys, owner, first[-1], queries) * weights
    scores = torch.zeros(len(asked), first[-1]).index_add(0, which, weighed.T) * model.log_scale.exp()
    right = torch.full_like(scores, float("-inf"))
    for row, (number, question) in enumerate(asked):
        right[row, [first[number] + index for index in texts[number].gold[question]]] = 0.0
    return (scores.logsumexp(1) - (scores + right).logsumexp(1)).mean()


def train_map(
    readings: Sequence[FrozenReading],
    settings: SearchSettings,
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> SearchMap:
    """Train on frozen texts; `report` gets every step's number and loss.

    Raises
    ------
    BadInput
        No text has a question.
    """
    texts = [reading for reading in readings if reading.states]
    if not texts:
        raise BadInput("there are no questions to learn from; name question files or books")
    torch.manual_seed(settings.seed)
    rng = random.Random(settings.seed)
    # the first chunk of a text holds the token that all attention sinks into: an outlier
    pooled = torch.cat([text.pooled[1:] for text in texts])
    pooled = pooled[torch.randperm(len(pooled))[:60_000]].float()
    model = MapInTraining(pooled, torch.cat([one for text in texts for one in text.states]).float(), settings)
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98))
    for step in range(1, settings.steps + 1):
        chosen = rng.sample(texts, min(settings.texts, len(texts)))
        pool = [(text, question) for text, one in enumerate(chosen) for question in range(len(one.states))]
        loss = step_loss(model, chosen, rng.sample(pool, min(settings.questions, len(pool))))
        rate = min(1.0, step / settings.warmup) * max(
            0.02, 0.5 + 0.5 * math.cos(math.pi * step / settings.steps)
        )
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * rate
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        report(step, loss.item())
    return model.eval().folded()


def save_map(search: SearchMap, block: int, fingerprint: str, folder: Path) -> None:
    """Write search.safetensors and search.json: the map, its block, and the backbone it belongs to."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in search.state_dict().items()}, folder / MAP_FILE)
    facts = {"block": block, "dim": search.key.out_features, "fingerprint": fingerprint}
    (folder / MAP_SETTINGS_FILE).write_text(json.dumps(facts, indent=2) + "\n")


def load_map(folder: Path, backbone: Backbone) -> tuple[SearchMap, int]:
    """Load a map that `save_map` wrote, and its block.

    Raises
    ------
    BadInput
        The folder holds no map, or one made beside another backbone.
    """
    try:
        facts = json.loads((folder / MAP_SETTINGS_FILE).read_text())
        tensors = load_file(folder / MAP_FILE)
        search = SearchMap(backbone.width, facts["dim"])
        if facts["fingerprint"] == backbone.fingerprint:
            search.load_state_dict(tensors)
            return search.eval(), facts["block"]
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise BadInput(
            f"{folder} holds no search map ({error}); name the folder of a training run"
        ) from error
    raise BadInput(f"the search map in {folder} was made beside another model; train one for {backbone.name}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    two: dict[str, Any] = {"nargs": 2, "type": Path, "action": "append", "default": []}
    two["metavar"] = ("DOCUMENTS", "QUESTIONS")
    parser.add_argument("--sections", **two, help="documents in sections, and questions that name them")
    parser.add_argument("--held-out", **two, help="the same, for texts that must not be learned from")
    parser.add_argument(
        "--pairs", type=Path, action="append", default=[], metavar="FILE", help="rows of passage and question"
    )
    parser.add_argument("--books", type=Path, metavar="DIR", help="books to make questions from")
    parser.add_argument("--max-books", type=natural, default=12, metavar="N")
    parser.add_argument("--characters", type=positive, default=60_000, metavar="N", help="read of one book")
    parser.add_argument("--made", type=natural, default=160, metavar="N", help="questions made from one book")
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep frozen states here")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the map")
    add_settings(parser, SearchSettings())


def run(arguments: argparse.Namespace) -> int:
    """Freeze, train, save; the exit code is 0."""
    settings = settings_of(arguments, SearchSettings)
    backbone = load_backbone(Paths.default(), arguments.model)
    frozen = []
    for reading in training_readings(arguments):
        frozen.append(freeze_reading(backbone, reading, settings.block, arguments.cache))
        print(
            f"{reading.name}: {len(reading.spans)} passages, {len(reading.questions)} questions", flush=True
        )
    losses: list[float] = []

    def report(step: int, loss: float) -> None:
        losses.append(loss)
        if step % 50 == 0 or step == settings.steps:
            print(f"step {step}: loss {sum(losses[-50:]) / len(losses[-50:]):.4f}", flush=True)

    search = train_map(frozen, settings, report)
    save_map(search, settings.block, backbone.fingerprint, arguments.out)
    return 0


def training_readings(arguments: argparse.Namespace) -> list[Reading]:
    """Read all texts that the command names, less those that share text with what is held out."""
    readings = [one for pair in arguments.sections for one in sectioned(*pair)]
    readings += [one for file in arguments.pairs for one in paired(file)]
    if arguments.books is not None:
        for name, text in book_texts(arguments.books, arguments.parse_file, arguments.max_books).items():
            readings.append(book_reading(name, text(), arguments.characters, arguments.made))
    held_out = [one for pair in arguments.held_out for one in sectioned(*pair)]
    return apart(readings, held_out)


def book_reading(name: str, text: str, characters: int, made: int) -> Reading:
    """Take a stretch of a book, from a paragraph near its middle on, with questions made from it."""
    middle = max(0, (len(text) - characters) // 2)
    first = text.find("\n\n", middle) + 2 if middle else 0
    part = text[first : first + characters].strip()
    return made_questions(Document(name, "", "en", "text", part), name, made)
