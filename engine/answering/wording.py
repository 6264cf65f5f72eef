"""The words of an answer that was read: the book's own, between quotation marks, or that none is sure.

A confidence is a calibrated probability that the answer is right; below the checkpoint's threshold nothing is
answered. Both are data of the checkpoint (`Calibration`), fitted by `evaluate readers --fit`.
"""

import re
from dataclasses import dataclass

from engine.answering.found import Found, Span
from engine.answering.reading import Reading
from engine.sidenet.reading import Calibration

NOT_SURE = "I did not find a sure answer."
LISTED = re.compile(
    r"\W*(?:please )?(?:list|enumerate|name (?:all|every|some|the)|give (?:all|a list))\b", re.I
)
YES_NO = re.compile(
    r"\W*(?:and |but |so )?(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|shall|should|may|"
    r"might)(?:n['’]t)?\b",
    re.I,
)
INNER = str.maketrans('“”"', "‘’'")
OR = re.compile(r"\bor\b", re.I)
LEAST_LISTED = 0.15  # of the best answer's score
MOST_LISTED = 12
SECOND_PLACE = 0.3  # of the best place's probability, for a further citation of the same words


@dataclass(frozen=True)
class Wording:
    """What is said. spans: the places it rests on, best first; none where nothing is answered."""

    text: str
    spans: tuple[Span, ...]
    confidence: float

    @property
    def answered(self) -> bool:
        """Tell whether it is an answer."""
        return bool(self.spans)


def worded(question: str, reading: Reading, calibration: Calibration) -> Wording:
    """Put what was read for a question into words."""
    if not reading.answers:
        return Wording(NOT_SURE, (), 0.0)
    best = reading.answers[0]
    if asks_yes_or_no(question):
        return _yes_or_no(reading, best, calibration)
    confidence = calibration.confidence(*reading.scores)
    if confidence < calibration.least:
        return Wording(NOT_SURE, (), confidence)
    if LISTED.match(question):
        return _list(reading, confidence)
    return Wording(f"“{best.text}”", places(best), confidence)


def quoted(sentence: str) -> str:
    """Return a sentence of a book between quotation marks: its own become single ones, a lone one goes.

    quoted("He pleases.”") = "“He pleases.”", quoted("“Come,” said Anne.") = "“‘Come,’ said Anne.”"
    """
    words = " ".join(sentence.split())
    opens, closes = (words.count(one) + words.count('"') / 2 for one in "“”")
    if opens > closes or opens % 1:
        words = words.removeprefix("“") if opens > closes else words.removeprefix('"').removesuffix('"')
    elif closes > opens:
        words = words.removesuffix("”")
    elif opens == 1 and (words[0], words[-1]) in (("“", "”"), ('"', '"')):
        words = words[1:-1]
    return f"“{words.translate(INNER)}”"


def places(found: Found) -> tuple[Span, ...]:
    """Return the places of an answer that are worth citing."""
    least = SECOND_PLACE * found.spans[0].probability
    return tuple(one for one in found.spans if one.probability >= least)


def asks_yes_or_no(question: str) -> bool:
    """Tell whether a question wants yes or no: "Is he rich?", not "Is he rich or poor?"."""
    return YES_NO.match(question) is not None and OR.search(question) is None


def wants_one(question: str) -> bool:
    """Tell whether a question wants one answer: neither yes or no, nor a list."""
    return not asks_yes_or_no(question) and LISTED.match(question) is None


def _yes_or_no(reading: Reading, best: Found, calibration: Calibration) -> Wording:
    """Say yes or no, with the place that tells; the share of the two is what the layers give them."""
    _, yes, no = reading.kind
    chance = max(yes, no) / max(1e-9, yes + no)
    confidence = chance * min(1.0, best.score + yes + no)
    if confidence < calibration.least:
        return Wording(NOT_SURE, (), confidence)
    return Wording("Yes." if yes > no else "No.", places(best)[:1], confidence)


def _list(reading: Reading, confidence: float) -> Wording:
    """Name every answer that is probable enough, in the order of the book."""
    least = LEAST_LISTED * reading.answers[0].score
    named = [found.spans[0] for found in reading.answers if found.score >= least][:MOST_LISTED]
    named.sort(key=lambda one: (one.document, one.start))
    *others, last = (f"“{one.text}”" for one in named)
    text = f"{', '.join(others)} and {last}" if others else last
    return Wording(text, tuple(named), confidence)
