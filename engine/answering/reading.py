"""Reading: which words of the passages found answer a question, where they stand, and how sure that is.

    P(span | passage) = P(start) · P(end),     over the passage's tokens and "this passage does not tell"
    score(answer)     = Σ P(span | passage) · (1 + rank)^−ρ    over the passages in which the same words stand
    score(both)       = score(layers)^(1−σ) · score(cross-reader)^σ

The passages' states come out of the memory bank; only the question is run through the backbone. A document
that has no bank yet is read all the same: its passages are encoded for this one question. A checkpoint may
have a cross-reader beside its layers, which reads the same passages as text.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from engine.answering.passages import Ranges
from engine.backbone.backbone import Backbone
from engine.backbone.placement import multiplies_bfloat16
from engine.bank.bank import MemoryBank
from engine.library import Library
from engine.shelf.fulltext import Hit
from engine.shelf.words import words
from engine.sidenet.crossreader import CrossReader, joint
from engine.sidenet.reading import ReadingLayers, best_spans, question_tokens
from ingest.passages import sentences
from ingest.segments import plain_tokens

READ = 20  # passages
READ_AGAIN = 8  # of them, by the cross-reader
MARGIN = 100  # characters of neighbouring sentences, on either side
QUESTION_TOKENS = 128
PARAGRAPH = "\n\n"
ARTICLES = frozenset(("a", "an", "the"))


@dataclass(frozen=True)
class Span:
    """Words of a document, `text` = its characters [start, end), and the probability that they answer."""

    document: str
    start: int
    end: int
    text: str
    probability: float


@dataclass(frozen=True)
class Found:
    """One answer: where its words stand, most probable place first. score: sum of their probabilities."""

    spans: tuple[Span, ...]
    score: float

    @property
    def text(self) -> str:
        """Return the words as they stand at the best place."""
        return self.spans[0].text


@dataclass(frozen=True)
class Reading:
    """What was read for a question. answers: best first. kind: probabilities of a span, yes and no."""

    answers: tuple[Found, ...]
    kind: tuple[float, ...]

    @property
    def scores(self) -> tuple[float, float]:
        """Return the scores of the best answer and of the second, 0 for one that is not there."""
        best, second = (*(one.score for one in self.answers[:2]), 0.0, 0.0)[:2]
        return best, second


@dataclass(frozen=True)
class Source:
    """The text of a document, and the bank that holds its states; None while there is none."""

    text: str
    bank: MemoryBank | None


@dataclass(frozen=True)
class Window:
    """A passage with its neighbouring sentences: spans (tokens, 2) characters, states (tokens, width).

    rank: its place among the passages found, 0 the first.
    """

    document: str
    rank: int
    spans: np.ndarray
    states: Tensor


def read(question: str, library: Library, hits: Sequence[Hit], ranges: Ranges) -> Reading:
    """Read the passages found, nothing outside `ranges`, with the library's reading layers."""
    layers, backbone = library.model.reader, library.model.backbone
    assert layers is not None
    sources = {name: source_of(library, name, layers.block) for name in {hit.document for hit in hits}}
    every = (
        window(backbone, layers.block, sources[hit.document], hit, rank, ranges[hit.document])
        for rank, hit in enumerate(hits)
    )
    windows = [one for one in every if one is not None]
    if not windows:
        return Reading((), (1.0, 0.0, 0.0))
    asked = states_of(backbone, layers.block, question_tokens(backbone, question)[:QUESTION_TOKENS])
    texts = {name: source.text for name, source in sources.items()}
    parts = list(batched(windows))
    of_parts = [read_windows(layers, asked, part) for part in parts]
    windows = [one for part in parts for one in part]
    found = [spans for of_windows, _ in of_parts for spans in of_windows]
    answers = joined(said((one for spans in found for one in spans), texts, question))
    if (cross := library.model.crossreader) is not None:
        again = worth_reading_again(windows, found)
        spans = [
            one
            for part in batched(again)
            for one in read_texts(cross, question, part, texts, layers.calibration.rank)
        ]
        answers = agreed(answers, joined(said(spans, texts, question)), cross.config.share)
    return Reading(answers, tuple(torch.cat([kind for _, kind in of_parts]).mean(0).tolist()))


def source_of(library: Library, document: str, block: int) -> Source:
    """Open the text of a document, and its bank where that holds states of the block."""
    found = library.ready_bank(document)
    holds = found is not None and found.bank.layout.state_block == block
    return Source(library.document(document).text, found.bank if found is not None and holds else None)


def states_of(backbone: Backbone, block: int, ids: Sequence[int]) -> Tensor:
    """Run the frozen backbone: states (tokens, width) entering the block."""
    return backbone.encode(torch.tensor([list(ids)]), hidden=(block,)).hidden[block][0]


def window(
    backbone: Backbone, block: int, source: Source, hit: Hit, rank: int, span: tuple[int, int | None]
) -> Window | None:
    """Return a passage as the reading layers take it, None where no whole token of `span` may be read."""
    text, bank = source.text, source.bank
    low, high = span
    start, end = widened(text, hit.start, hit.end, low, len(text) if high is None else high)
    if start > low and text[start - 1] == " ":
        start -= 1  # a word's first token holds the blank before it
    if bank is None:
        ids, spans = plain_tokens(backbone.tokenizer, text[start:end])
        if not ids:
            return None
        return Window(hit.document, rank, np.array(spans) + start, states_of(backbone, block, ids))
    first, last = bank.token_range(start, end)
    if first == last:
        return None
    states = torch.from_numpy(bank.states(np.arange(first, last)))
    return Window(hit.document, rank, np.asarray(bank.spans[first:last], np.int64), states)


def widened(text: str, start: int, end: int, low: int, high: int) -> tuple[int, int]:
    """Widen a passage by the sentences before and after it that lie within `MARGIN` characters."""
    least, most = max(low, start - 2 * MARGIN), min(high, end + 2 * MARGIN)
    before = [one for one in sentences(text, least, start) if start - one[0] <= MARGIN]
    after = [one for one in sentences(text, end, most) if one[1] - end <= MARGIN]
    return before[0][0] if before else start, after[-1][1] if after else end


def batched(windows: Sequence[Window], tokens: int = 4096) -> Iterable[list[Window]]:
    """Yield windows of similar length together, up to so many tokens."""
    part: list[Window] = []
    for one in sorted(windows, key=lambda one: len(one.states)):
        if part and (len(part) + 1) * len(one.states) > tokens:
            yield part
            part = []
        part.append(one)
    yield part


@torch.inference_mode()
def read_windows(
    layers: ReadingLayers, asked: Tensor, windows: Sequence[Window]
) -> tuple[list[list[Span]], Tensor]:
    """Return the most probable spans of each window, without their text, and the kinds (windows, 3)."""
    with torch.autocast("cpu", torch.bfloat16, enabled=multiplies_bfloat16()):
        scores = layers([asked] * len(windows), [one.states for one in windows])
    found = []
    for row, one in enumerate(windows):
        start, end = (logits[row, : len(one.states)] for logits in (scores.start, scores.end))
        found.append(spans_of(one, one.spans, start, end, scores.null[row], layers.calibration.rank))
    return found, scores.kind.softmax(-1)


def worth_reading_again(windows: Sequence[Window], found: Sequence[Sequence[Span]]) -> list[Window]:
    """Return the windows that the cross-reader is to read, `READ_AGAIN` at most.

    They are those found first and those with the likeliest answers, by turns: of 134 questions about eight
    books the best answer of eight windows is right for 68, of twelve for 67.
    """
    ranked_first = sorted(range(len(windows)), key=lambda at: windows[at].rank)
    likely = sorted(ranked_first, key=lambda at: -max(span.probability for span in found[at]))
    turns = dict.fromkeys(at for pair in zip(likely, ranked_first, strict=True) for at in pair)
    return [windows[at] for at in list(turns)[:READ_AGAIN]]


@torch.inference_mode()
def read_texts(
    cross: CrossReader, question: str, windows: Sequence[Window], texts: Mapping[str, str], rank: float
) -> list[Span]:
    """Return the most probable spans of each window by the cross-reader, without their text."""
    starts = [int(one.spans[0][0]) for one in windows]
    passages = [
        texts[one.document][start : int(one.spans[-1][1])] for one, start in zip(windows, starts, strict=True)
    ]
    with torch.autocast("cpu", torch.bfloat16, enabled=multiplies_bfloat16()):
        read = cross.read(question, passages)
    found = []
    for one, start, scores in zip(windows, starts, read, strict=True):
        found += spans_of(one, scores.spans + start, scores.start, scores.end, scores.null, rank)
    return found


def spans_of(
    window: Window, places: np.ndarray, start: Tensor, end: Tensor, null: Tensor, rank: float
) -> list[Span]:
    """Return the most probable spans of a window, without their text.

    places: (tokens, 2) characters. start, end: (tokens,) logits. null: (2,) logits of "does not tell". rank:
    the calibration's ρ.
    """
    weight = (1 + window.rank) ** -rank
    starts, ends = (
        torch.cat((logits, null[side : side + 1])).log_softmax(0)[:-1]
        for side, logits in enumerate((start, end))
    )
    return [
        Span(window.document, int(places[first][0]), int(places[last][1]), "", chance * weight)
        for first, last, chance in best_spans(starts, ends)
    ]


def same_words(text: str) -> tuple[str, ...]:
    """Return the words by which answers are compared: without case, marks and articles."""
    return tuple(one.word for one in words(text) if one.word not in ARTICLES) or (text,)


def repeats(answer: str, question: str) -> bool:
    """Tell whether an answer says nothing that the question does not: "Mr. Darcy" of Mr. Darcy's aunt."""
    return set(same_words(answer)) <= set(same_words(question))


def said(spans: Iterable[Span], texts: Mapping[str, str], question: str) -> Iterator[Span]:
    """Yield spans with their words, without those that say nothing which the question does not."""
    for one in spans:
        span = trimmed(replace(one, text=texts[one.document][one.start : one.end]))
        if not repeats(span.text, question):
            yield span


def trimmed(span: Span) -> Span:
    """Return a span without blanks and stray marks at its ends."""
    text = span.text
    lead = len(text) - len(text.lstrip(' \n\t,;:.“"‘(—–-'))
    kept = text[lead:].rstrip(' \n\t,;:“”"‘(—–-')
    if kept.endswith(".") and "." not in kept[:-1]:
        kept = kept[:-1]
    return replace(span, start=span.start + lead, end=span.start + lead + len(kept), text=kept)


def joined(spans: Iterable[Span]) -> tuple[Found, ...]:
    """Return the answers that spans give, best first: places with the same words are one answer.

    Windows overlap: a place that was read twice counts once, with the higher probability.
    """
    places: dict[tuple[str, int, int], Span] = {}
    for one in spans:
        key = one.document, one.start, one.end
        if (
            one.text
            and PARAGRAPH not in one.text
            and (key not in places or places[key].probability < one.probability)
        ):
            places[key] = one
    answers: dict[tuple[str, ...], list[Span]] = {}
    for one in places.values():
        answers.setdefault(same_words(one.text), []).append(one)
    return ranked((same, sum(one.probability for one in same)) for same in answers.values())


def agreed(one: Sequence[Found], other: Sequence[Found], share: float) -> tuple[Found, ...]:
    """Join what two readers found, best first: scores of answers and of places are the `joint` of both.

    share: of the second in a joint score.
    """
    ours, theirs = ({same_words(found.text): found for found in side} for side in (one, other))
    answers = []
    for said_words in ours | theirs:
        mine, their = ours.get(said_words), theirs.get(said_words)
        places, others = (
            {(s.document, s.start, s.end): s for s in found.spans} if found else {} for found in (mine, their)
        )

        def chance(spans: dict[tuple[str, int, int], Span], place: tuple[str, int, int]) -> float:
            return spans[place].probability if place in spans else 0.0

        spans = [
            replace(span, probability=joint(chance(places, at), chance(others, at), share))
            for at, span in (others | places).items()
        ]
        scores = mine.score if mine else 0.0, their.score if their else 0.0
        answers.append((spans, joint(*scores, share)))
    return ranked(answers)


def ranked(answers: Iterable[tuple[list[Span], float]]) -> tuple[Found, ...]:
    """Return answers with their scores, best first, and so the places of each."""
    found = (Found(tuple(sorted(spans, key=lambda one: -one.probability)), score) for spans, score in answers)
    return tuple(sorted(found, key=lambda one: -one.score))
