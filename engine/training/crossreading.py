"""`train-crossreader`: teach a small pretrained encoder to answer from passages, beside the reading layers.

A run goes on where it was killed, with the same losses. What it writes to `--out`: the cross-reader (the mean
of the weights over the last steps), `state.pt` (to go on), `log.csv`, `curve.png`.
"""

import argparse
import dataclasses
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from engine.sidenet.crossreader import (
    FIRST_PLACE,
    CrossConfig,
    CrossReader,
    load_crossreader,
    save_crossreader,
)
from engine.training.answers import Exercise
from engine.training.averagedrun import PRECISIONS, AveragedRun, Descent, add_run_arguments, begin
from engine.training.checkpoint import keep_options
from engine.training.neighbours import Neighbours
from engine.training.reading import SORTED
from engine.training.readingloss import mean_scores, span_score, token_spans
from ingest.errors import BadInput

THEIR_CONFIG, THEIR_WEIGHTS, THEIR_TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
OF_A_LAYER = {  # our parts, and MPNet's
    "query": "attention.attn.q",
    "key": "attention.attn.k",
    "value": "attention.attn.v",
    "output": "attention.attn.o",
    "attention_norm": "attention.LayerNorm",
    "rise": "intermediate.dense",
    "fall": "output.dense",
    "norm": "output.LayerNorm",
}


@dataclass(frozen=True)
class CrossSettings(Descent):
    """questions: of one step. letters: of a passage, as many as an answer's window has. frozen: lowest layers
    that stay as they are. apart: share of the questions that come beside a passage which looks like an
    answer and is none.
    """

    questions: int = 16
    letters: int = 650
    frozen: int = 6
    apart: float = 0.25
    rate: float = 2e-4
    steady: float = 0.3
    average: float = 0.995


@dataclass(frozen=True)
class Row:
    """A question beside a passage. spans: characters that answer; none where it does not tell."""

    question: str
    passage: str
    spans: tuple[tuple[int, int], ...]

    def cut(self, rng: random.Random, letters: int) -> "Row":
        """Return the row with about so many letters of its passage around the first answer."""
        if len(self.passage) <= letters:
            return self
        first, last = self.spans[0] if self.spans else (rng.randrange(len(self.passage)),) * 2
        low, high = max(0, last - letters), max(0, min(first, len(self.passage) - letters))
        start = self.passage.rfind(" ", 0, rng.randint(min(low, high), high)) + 1
        end = max(last, start + letters)
        spans = tuple((a - start, b - start) for a, b in self.spans if start <= a and b <= end)
        return Row(self.question, self.passage[start:end], spans)


def rows_loss(reader: CrossReader, rows: Sequence[Row]) -> Tensor:
    """Return −log P(start) − log P(end) of the rows, a mean; where an answer stands twice, both places count.

    What does not tell, or was cut off with the end of its row, is answered by <s>.
    """
    encodings = reader.rows([row.question for row in rows], [row.passage for row in rows])
    logits = reader(encodings)
    gold = torch.zeros(logits.shape, dtype=torch.bool)
    for number, (row, encoding) in enumerate(zip(rows, encodings, strict=True)):
        places = [at for at, side in enumerate(encoding.sequence_ids) if side == 1]
        spans = token_spans([encoding.offsets[at] for at in places], row.spans)
        for first, last in spans:
            gold[number, places[first], 0] = gold[number, places[last], 1] = True
        if not spans:
            gold[number, 0] = True
    return (logits.logsumexp(1) - logits.masked_fill(~gold, float("-inf")).logsumexp(1)).mean()


def batches(
    groups: Sequence[list[Exercise]], near: Neighbours, settings: CrossSettings
) -> Iterator[list[Row]]:
    """Yield the rows of one step after another, endlessly; the same settings give the same rows."""
    everything = [one for group in groups for one in group if one.kind == "span"]
    size = settings.questions * SORTED
    for turn in range(2**30):
        rng = random.Random(f"{settings.seed} {turn}")
        order = rng.sample(everything, len(everything))
        for first in range(0, len(order), size):
            rows = [
                row_of(one, near, rng, settings.apart).cut(rng, settings.letters)
                for one in order[first : first + size]
            ]
            rows.sort(key=lambda row: len(row.passage))
            steps = [rows[at : at + settings.questions] for at in range(0, len(rows), settings.questions)]
            rng.shuffle(steps)
            yield from steps


def row_of(exercise: Exercise, near: Neighbours, rng: random.Random, apart: float) -> Row:
    """Return an exercise beside its own passage, or, with chance `apart`, beside one that does not tell."""
    if rng.random() < apart and (others := exercise.beside or near.of(exercise, 3)):
        return Row(exercise.question, rng.choice(others), ())
    return Row(exercise.question, exercise.passage, exercise.spans)


@torch.inference_mode()
def passage_scores(reader: CrossReader, held_out: Sequence[Exercise]) -> tuple[float, float]:
    """Return mean exact match and F1 of the best span of each exercise's own passage."""
    found = []
    for one in held_out:
        (scores,) = reader.read(one.question, [one.passage])
        found.append(span_score(one, scores.spans, scores.start, scores.end))
    return mean_scores(found)


class CrossRun(AveragedRun[CrossReader, list[Row]]):
    """The cross-reader in training. held_out: exercises that are scored."""

    faster = ("span",)

    def __init__(
        self, reader: CrossReader, descent: Descent, precision: torch.dtype, held_out: Sequence[Exercise]
    ) -> None:
        super().__init__(reader, descent, precision)
        self.held_out = held_out

    def loss(self, batch: list[Row]) -> Tensor:
        return rows_loss(self.trained, batch)

    def scores(self) -> tuple[float, float]:
        return passage_scores(self.trained, self.held_out)

    def ship(self, folder: Path) -> None:
        save_crossreader(self.trained, folder)


def starting_reader(folder: Path) -> CrossReader:
    """Return the cross-reader in a folder, or one made of an MPNet there, whose heads may be new.

    Raises
    ------
    BadInput
        The folder holds neither.
    """
    if (known := load_crossreader(folder, to_learn=True)) is not None:
        return known
    try:
        facts = json.loads((folder / THEIR_CONFIG).read_text())
        config = CrossConfig(
            facts["num_hidden_layers"], facts["hidden_size"], facts["intermediate_size"],
            facts["num_attention_heads"], facts["vocab_size"],
        )  # fmt: skip
        reader = CrossReader(config, Tokenizer.from_file(str(folder / THEIR_TOKENIZER)))
        reader.load_state_dict(of_mpnet(load_file(folder / THEIR_WEIGHTS), config), strict=False)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise BadInput(
            f"{folder} holds no MPNet ({error}); name one with {THEIR_CONFIG}, {THEIR_WEIGHTS} and "
            f"{THEIR_TOKENIZER}"
        ) from error
    return reader


def of_mpnet(theirs: Mapping[str, Tensor], config: CrossConfig) -> dict[str, Tensor]:
    """Return the weights of an MPNet, with heads or without, under the names of a `CrossReader`."""
    theirs = {name.removeprefix("mpnet."): value for name, value in theirs.items()}
    ours = {
        "tokens.weight": theirs["embeddings.word_embeddings.weight"],
        "places.weight": theirs["embeddings.position_embeddings.weight"][: config.longest + FIRST_PLACE],
        "distances.weight": theirs["encoder.relative_attention_bias.weight"],
    }
    for kind in ("weight", "bias"):
        ours[f"norm.{kind}"] = theirs[f"embeddings.LayerNorm.{kind}"]
        if (span := theirs.get(f"qa_outputs.{kind}")) is not None:
            ours[f"span.{kind}"] = span
        for layer in range(config.layers):
            for part, name in OF_A_LAYER.items():
                ours[f"layers.{layer}.{part}.{kind}"] = theirs[f"encoder.layer.{layer}.{name}.{kind}"]
    return ours


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_run_arguments(parser, CrossSettings())
    parser.add_argument(
        "--start", type=Path, required=True, metavar="DIR", help="an MPNet, or an earlier run"
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, save; return the exit code 0."""
    settings, groups, held_out = begin(arguments, CrossSettings)
    torch.manual_seed(settings.seed)
    reader = starting_reader(arguments.start)
    keep_options(arguments.out, dataclasses.asdict(settings))
    frozen = (reader.tokens, reader.places, reader.norm, reader.distances, *reader.layers[: settings.frozen])
    for part in frozen:
        part.requires_grad_(False)
    training = CrossRun(reader, settings, PRECISIONS[arguments.precision], held_out)
    training.restore(arguments.out)
    near = Neighbours(dict.fromkeys(group[0].passage for group in groups))
    training.train(batches(groups, near, settings), arguments.out, arguments.every)
    return 0
