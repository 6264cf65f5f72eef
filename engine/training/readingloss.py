"""What the reading layers are trained on: the loss of a batch of questions, and scores of what they answer.

    own    = −log P(start | its passage or null) − log P(end | its passage or null)     every passage
    shared = −log P(start | all passages of the question) − the same of the end         where there are more

The first makes a passage that does not tell say so; the second makes scores of different passages comparable
(shared normalisation). Where an answer stands several times, the probabilities of all its places add up.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from engine.sidenet.reading import KINDS, ReadingLayers, ReadingScores, best_spans
from engine.training.answers import Exercise, overlap, words_of
from engine.training.states import StateStore

KIND_WEIGHT = 0.3
SHARED_WEIGHT = 0.5
TOGETHER = 8  # rows
SCORED = 32  # exercises at a time


@dataclass(frozen=True)
class Reading:
    """A question beside one of its passages: row of a batch.

    question: number in the batch. window: the tokens of the passage that are read. spans: (start, end) tokens
    of the window, ends included; none where it does not tell. kind: "span", "yes" or "no".
    """

    question: int
    text: str
    passage: str
    spans: tuple[tuple[int, int], ...]
    kind: str
    window: slice = field(default_factory=lambda: slice(None))

    def cut(self, tokens: int, rng: random.Random, longest: int) -> "Reading":
        """Return the row with a window of at most `longest` of its passage's tokens, around the first answer.

        A bank's states know of what stands before a window; so do these, which are cut out of a segment.
        """
        if tokens <= longest:
            return self
        first, last = self.spans[0] if self.spans else (rng.randrange(tokens),) * 2
        low, high = max(0, last + 1 - longest), min(first, tokens - longest)
        start = rng.randint(min(low, high), high)
        inside = tuple((a - start, b - start) for a, b in self.spans if start <= a and b < start + longest)
        return replace(self, window=slice(start, start + longest), spans=inside)


def token_spans(spans: Sequence[Sequence[int]], wanted: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return first and last token of each stretch of characters, given the characters of every token."""
    found = []
    for start, end in wanted:
        inside = [at for at, (first, last) in enumerate(spans) if last > start and first < end]
        if inside:
            found.append((inside[0], inside[-1]))
    return found


def reading_of(store: StateStore, exercise: Exercise, question: int = 0) -> Reading | None:
    """Return an exercise as a row of a batch; None where its answer was cut off with the passage's end."""
    spans = token_spans(store.spans(exercise.passage), exercise.spans)
    if len(spans) < len(exercise.spans):
        return None
    return Reading(question, exercise.question, exercise.passage, tuple(spans), exercise.kind)


def scores_of(layers: ReadingLayers, store: StateStore, rows: Sequence[Reading]) -> ReadingScores:
    """Read the rows of a batch, `TOGETHER` of similar length at a time: little is spent on padding."""
    passages = [store.states(row.passage)[row.window] for row in rows]
    order = sorted(range(len(rows)), key=lambda at: len(passages[at]))
    parts = [
        layers([store.question(rows[at].text) for at in some], [passages[at] for at in some])
        for some in (order[first : first + TOGETHER] for first in range(0, len(rows), TOGETHER))
    ]
    back = torch.tensor(order).argsort()
    start, end = (
        pad_sequence([row for part in parts for row in getattr(part, side)], True, float("-inf"))[back]
        for side in ("start", "end")
    )
    null, kind = (torch.cat([getattr(part, name) for part in parts])[back] for name in ("null", "kind"))
    return ReadingScores(start, end, null, kind)


def batch_loss(scores: ReadingScores, rows: Sequence[Reading]) -> Tensor:
    """Return the loss of the rows of a batch, a mean over rows."""
    kinds = torch.tensor([KINDS.index(row.kind) for row in rows])
    loss = KIND_WEIGHT * F.cross_entropy(scores.kind, kinds)
    asked = [at for at, row in enumerate(rows) if row.kind == "span"]
    if not asked:
        return loss
    for column, logits in enumerate((scores.start, scores.end)):
        gold = torch.zeros_like(logits, dtype=torch.bool)
        for at, row in enumerate(rows):
            for span in row.spans:
                gold[at, span[column]] = True
        whole = torch.cat((logits, scores.null[:, column : column + 1]), 1)
        right = torch.cat((gold, ~gold.any(1, keepdim=True)), 1)
        own = whole.logsumexp(1) - whole.masked_fill(~right, float("-inf")).logsumexp(1)
        loss = loss + own[asked].mean() / 2
        loss = loss + SHARED_WEIGHT * shared_loss(logits, gold, [row.question for row in rows]) / 2
    return loss


def shared_loss(logits: Tensor, gold: Tensor, questions: Sequence[int]) -> Tensor:
    """Return −log of the gold tokens' share (rows, tokens) among all passages of a question, a mean.

    questions: the number of each row's question.
    """
    of_question = torch.tensor(questions)
    total = logits.new_zeros(())
    count = 0
    for question in of_question.unique():
        mine = of_question == question
        if mine.sum() > 1 and gold[mine].any():
            among, right = logits[mine], gold[mine]
            total = total + among.flatten().logsumexp(0) - among[right].logsumexp(0)
            count += 1
    return total / max(1, count)


@torch.inference_mode()
def gold_passage_scores(
    layers: ReadingLayers, store: StateStore, exercises: Sequence[Exercise]
) -> tuple[float, float]:
    """Return mean exact match and F1 of the best span of each exercise's own passage."""
    found = []
    order = sorted(exercises, key=lambda one: len(store.spans(one.passage)))
    for at in range(0, len(order), SCORED):
        part = order[at : at + SCORED]
        scores = scores_of(layers, store, [Reading(0, one.question, one.passage, (), "span") for one in part])
        for one, start, end in zip(part, scores.start, scores.end, strict=True):
            found.append(span_score(one, store.spans(one.passage), start, end))
    return mean_scores(found)


def span_score(
    exercise: Exercise, spans: Sequence[Sequence[int]] | np.ndarray, start: Tensor, end: Tensor
) -> tuple[float, float]:
    """Return exact match and F1 of the best span of an exercise's passage.

    spans: characters (tokens, 2). start, end: logits of these tokens, and then of others.
    """
    starts, ends = (side[: len(spans)].log_softmax(0) for side in (start, end))
    ((first, last, _),) = best_spans(starts, ends, count=1)
    said = words_of(exercise.passage[spans[first][0] : spans[last][1]])
    accepted = [words_of(answer) for answer in exercise.answers]
    return float(said in accepted), max(overlap(said, words) for words in accepted)


def mean_scores(found: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the means of exact match and F1, 0 of nothing."""
    exact, f1 = (sum(column) / len(found) for column in zip(*found, strict=True)) if found else (0.0, 0.0)
    return exact, f1
