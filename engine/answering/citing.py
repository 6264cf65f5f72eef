"""From an answer back to sentences of the book.

Candidates are the sentences of the re-read passages and those that the trace read most. A sentence is cited
for what it holds of the answer's own words and of the question's; weak evidence gives no citation.
"""

from collections.abc import Callable, Iterable, Sequence

from engine.answering.answer import Citation, Read
from engine.answering.evidence import content_stems, stems_of
from engine.answering.reread import Chosen
from ingest.document import Document
from ingest.passages import sentences

CITED = 3
LEAST_SCORE = 0.35
TRACED = 6
ANSWER_SHARE = 0.6
AROUND = 600

DocumentOf = Callable[[str], Document]


def gathered(reads: Iterable[Read]) -> list[Read]:
    """Reads of the same characters summed up, most read first."""
    masses: dict[tuple[str, int, int], float] = {}
    for read in reads:
        key = (read.document, read.start, read.end)
        masses[key] = masses.get(key, 0.0) + read.mass
    ordered = sorted(masses.items(), key=lambda item: -item[1])
    return [Read(*key, mass) for key, mass in ordered]


def cite(
    answer: str,
    chosen: Chosen,
    reads: Sequence[Read],
    document_of: DocumentOf,
    limits: dict[str, tuple[int, int]],
) -> tuple[Citation, ...]:
    """Up to three sentences that hold what the answer says, best first; none where the evidence is weak.

    limits: characters of each document that may be read; a sentence that runs out of them is cut there.
    """
    said = content_stems(answer) - chosen.question
    scored = []
    for document, start, end in _candidates(chosen, reads, document_of, limits):
        held = stems_of(document_of(document).text[start:end])
        asked = chosen.weights.coverage(chosen.question, held)
        score = asked
        if said:
            score = ANSWER_SHARE * len(said & held) / len(said) + (1 - ANSWER_SHARE) * asked
        if score >= LEAST_SCORE:
            scored.append((score, document, start, end))
    scored.sort(key=lambda one: (-one[0], one[1:]))
    return tuple(
        citation(document_of(name), name, start, end, score) for score, name, start, end in scored[:CITED]
    )


def citation(document: Document, name: str, start: int, end: int, score: float) -> Citation:
    """The characters [start, end) of a document as a citation."""
    place = document.place(start, end)
    return Citation(name, document.text[start:end], start, end, place, round(score, 3))


def _candidates(
    chosen: Chosen, reads: Sequence[Read], document_of: DocumentOf, limits: dict[str, tuple[int, int]]
) -> list[tuple[str, int, int]]:
    """(document, start, end) of every sentence to be considered, each once."""
    found: dict[tuple[str, int, int], None] = {}
    for hit in chosen.passages:
        document = document_of(hit.document)
        for start, end in sentences(document.text, hit.start, hit.end):
            place = document.place(start)
            if place.chapter is None or place.paragraph:  # a heading says nothing
                found[hit.document, start, end] = None
    for read in reads[:TRACED]:
        low, high = limits.get(read.document, (0, 0))
        text = document_of(read.document).text
        around = sentences(text, max(low, read.start - AROUND), min(high, read.end + AROUND))
        for start, end in around:
            if start < read.end and end > read.start:
                found[read.document, start, end] = None
    return list(found)
