"""Answers found in a book: words, the places where they stand, and how two readers' answers are joined.

score(answer)     = Σ P(span | passage) · (1 + rank)^−ρ    over the passages in which the same words stand
score(both)       = score(layers)^(1−σ) · score(cross-reader)^σ
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.shelf.words import words
from engine.sidenet.crossreader import joint

PARAGRAPH = "\n\n"
ARTICLES = frozenset(("a", "an", "the"))


@dataclass(frozen=True)
class Span:
    """Words of a document, `text` = its characters [start, end), and the probability that they answer.

    rank: of the passage that they stand in among those found, 0 the first.
    """

    document: str
    start: int
    end: int
    text: str
    probability: float
    rank: int = 0

    def weighed(self, rho: float) -> float:
        """Return the probability by the passage's rank as well."""
        return self.probability * (1 + self.rank) ** -rho


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
class Findings:
    """What each reader found, before it is weighed: spans with their words.

    by_layers: of the reading layers. by_text: of the cross-reader, None where there is none.
    """

    by_layers: tuple[Span, ...] = ()
    by_text: tuple[Span, ...] | None = None

    def answers(self, rho: float, share: float) -> tuple[Found, ...]:
        """Return the answers with their scores, best first. share: σ."""
        answers = joined(self.by_layers, rho)
        return answers if self.by_text is None else agreed(answers, joined(self.by_text, rho), share)


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


def joined(spans: Iterable[Span], rho: float) -> tuple[Found, ...]:
    """Return the answers that spans give, best first: places with the same words are one answer.

    Windows overlap: a place that was read twice counts once, with the higher probability.
    """
    places: dict[tuple[str, int, int], Span] = {}
    for span in spans:
        one = replace(span, probability=span.weighed(rho))
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


def best_scores(answers: Sequence[Found]) -> tuple[float, float]:
    """Return the scores of the best answer and of the second, 0 for one that is not there."""
    best, second = (*(one.score for one in answers[:2]), 0.0, 0.0)[:2]
    return best, second


def ranked(answers: Iterable[tuple[list[Span], float]]) -> tuple[Found, ...]:
    """Return answers with their scores, best first, and so the places of each."""
    found = (Found(tuple(sorted(spans, key=lambda one: -one.probability)), score) for spans, score in answers)
    return tuple(sorted(found, key=lambda one: -one.score))
