"""`train-crossreader`: teach a small pretrained encoder to answer from passages, beside the reading layers.

A run goes on where it was killed, with the same losses. What it writes to `--out`: the cross-reader (the mean
of the weights over the last steps), `state.pt` (to go on), `log.csv`, `curve.png`.
"""

import argparse
import dataclasses
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Encoding, Tokenizer
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

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
from engine.training.readerquestions import reader_exercises
from engine.training.readingloss import (
    SHARED_WEIGHT,
    TOGETHER,
    mean_scores,
    shared_loss,
    span_score,
    token_spans,
)
from engine.training.rounding import round_reader
from ingest.errors import BadInput

THEIR_CONFIG, THEIR_WEIGHTS, THEIR_TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
MAY_TELL = 3
ROUNDED_BY = 192  # held-out questions
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
    that stay as they are. beside: passages of the same book that look like an answer and are none, beside
    that which answers; of a question that is not about a book there is one, taken from all passages. often:
    how often a question as readers put it is asked while each other one is asked once.
    """

    questions: int = 12
    letters: int = 650
    frozen: int = 6
    beside: int = 3
    often: int = 1
    rate: float = 2e-4
    steady: float = 0.3
    average: float = 0.995


@dataclass(frozen=True)
class Row:
    """A question beside a passage. spans: characters that answer; none where it does not tell. number: of the
    question in its step.
    """

    question: str
    passage: str
    spans: tuple[tuple[int, int], ...]
    number: int = 0

    def cut(self, rng: random.Random, letters: int) -> "Row":
        """Return the row with about so many letters of its passage around the first answer."""
        if len(self.passage) <= letters:
            return self
        first, last = self.spans[0] if self.spans else (rng.randrange(len(self.passage)),) * 2
        low, high = max(0, last - letters), max(0, min(first, len(self.passage) - letters))
        start = self.passage.rfind(" ", 0, rng.randint(min(low, high), high)) + 1
        end = max(last, start + letters)
        spans = tuple((a - start, b - start) for a, b in self.spans if start <= a and b <= end)
        return replace(self, passage=self.passage[start:end], spans=spans)


def rows_loss(reader: CrossReader, rows: Sequence[Row]) -> Tensor:
    """Return the loss of the rows of a step, a mean, as that of the reading layers.

    own    = −log P(start) − log P(end) of each row; what does not tell, or was cut off with the end of its
             row, is answered by <s>, and where an answer stands twice, both places count. Of several
             passages of a question that hold an accepted word, the likeliest alone counts, for two others
    shared = the same over all passages of a question together, without <s>
    """
    encodings = reader.rows([row.question for row in rows], [row.passage for row in rows])
    logits = read_by_length(reader, encodings)
    gold = torch.zeros(logits.shape, dtype=torch.bool)
    for at, (row, encoding) in enumerate(zip(rows, encodings, strict=True)):
        places = [place for place, side in enumerate(encoding.sequence_ids) if side == 1]
        spans = token_spans([encoding.offsets[place] for place in places], row.spans)
        for first, last in spans:
            gold[at, places[first], 0] = gold[at, places[last], 1] = True
        if not spans:
            gold[at, 0] = True
    numbers = [row.number for row in rows]
    own = (logits.logsumexp(1) - logits.masked_fill(~gold, float("-inf")).logsumexp(1)).sum(1) / 2
    weights = weights_of(own.detach(), ~gold[:, 0, 0], torch.tensor(numbers))
    shared = [shared_loss(logits[:, 1:, side], gold[:, 1:, side], numbers) for side in (0, 1)]
    return 2 * (own * weights).sum() / weights.sum() + SHARED_WEIGHT * (shared[0] + shared[1]) / 2


def weights_of(losses: Tensor, told: Tensor, numbers: Tensor) -> Tensor:
    """Return how much each row counts: of the passages that tell, for each question the likeliest, twice."""
    weights = torch.where(told, 0.0, 1.0)
    for number in numbers[told].unique():
        mine = ((numbers == number) & told).nonzero().flatten()
        weights[mine[losses[mine].argmin()]] = 2.0
    return weights


def read_by_length(reader: CrossReader, encodings: Sequence[Encoding]) -> Tensor:
    """Return logits (rows, time, 2), read `TOGETHER` rows of similar length at a time: little is padding."""
    order = sorted(range(len(encodings)), key=lambda at: len(encodings[at]))
    parts = [
        reader([encodings[at] for at in order[first : first + TOGETHER]])
        for first in range(0, len(order), TOGETHER)
    ]
    rows = pad_sequence([row for part in parts for row in part], True, float("-inf"))
    return rows[torch.tensor(order).argsort()]


def batches(
    groups: Sequence[list[Exercise]], near: Neighbours, settings: CrossSettings
) -> Iterator[list[Row]]:
    """Yield the rows of one step after another, endlessly; the same settings give the same rows."""
    everything = [one for group in groups for one in group if one.kind == "span"]
    everything += [one for one in everything if one.among] * (settings.often - 1)
    for turn in range(2**30):
        rng = random.Random(f"{settings.seed} {turn}")
        order = rng.sample(everything, len(everything))
        for first in range(0, len(order), settings.questions):
            step = enumerate(order[first : first + settings.questions])
            rows = [row for number, one in step for row in rows_of(one, number, near, rng, settings.beside)]
            yield [row.cut(rng, settings.letters) for row in rows]


def rows_of(
    exercise: Exercise, number: int, near: Neighbours, rng: random.Random, beside: int
) -> Iterator[Row]:
    """Yield an exercise beside passages that may tell, `MAY_TELL` at most, and beside some that do not."""
    first, *more = exercise.among or ((exercise.passage, exercise.spans),)
    for passage, spans in (first, *rng.sample(more, min(MAY_TELL - 1, len(more)))):
        yield Row(exercise.question, passage, spans, number)
    own = rng.sample(exercise.beside, min(beside, len(exercise.beside)))
    for other in own or near.of(exercise, min(beside, 1)):
        yield Row(exercise.question, other, (), number)


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
        some = sorted(self.held_out[:ROUNDED_BY], key=lambda one: len(one.passage))
        scales = {}
        if some:
            rows = self.trained.rows([one.question for one in some], [one.passage for one in some])
            with self.multiplying():
                scales = round_reader(self.trained, rows)
        save_crossreader(self.trained, folder, scales)


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
        "--readers", nargs=2, type=Path, action="append", default=[], metavar=("QUESTIONS", "BOOKS"),
        help="questions as readers put them, as for evaluate readers, and the folder of their books",
    )  # fmt: skip
    parser.add_argument(
        "--start", type=Path, required=True, metavar="DIR", help="an MPNet, or an earlier run"
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, save; return the exit code 0."""
    asked = (
        one
        for questions, books in arguments.readers
        for one in reader_exercises(questions, books, arguments.parse_file)
    )
    settings, groups, held_out = begin(arguments, CrossSettings, asked)
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
