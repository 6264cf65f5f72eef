"""From an answer back to sentences of the book.

Whether anything is cited is decided by `Chosen.sure`: below `LEAST_SURE` nothing is, a threshold taken from
the curve that `evaluate citations` draws. What is cited are sentences of the best passage, for what they hold
of the answer's own words and of the question's.
"""

from collections.abc import Callable

from engine.answering.answer import Citation
from engine.answering.evidence import LEAST_SURE, content_stems, stems_of
from engine.answering.reread import Chosen
from ingest.document import Document
from ingest.passages import sentences

CITED = 3
LEAST_SCORE = 0.35
ANSWER_SHARE = 0.6

DocumentOf = Callable[[str], Document]


def cite(
    answer: str, chosen: Chosen, document_of: DocumentOf, least: float = LEAST_SURE
) -> tuple[Citation, ...]:
    """Up to three sentences that hold what the answer says, best first; none below `least`.

    The score of each is how sure its passage is, so that answers can be compared.
    """
    if chosen.sure < least or not chosen.passages:
        return ()
    best = chosen.passages[0]
    document = document_of(best.document)
    said = content_stems(answer) - chosen.question
    scored = []
    for start, end in sentences(document.text, best.start, best.end):
        if _is_heading(document, start, end):  # it says nothing
            continue
        held = stems_of(document.text[start:end])
        score = chosen.weights.coverage(chosen.question, held)
        if said:
            score = ANSWER_SHARE * len(said & held) / len(said) + (1 - ANSWER_SHARE) * score
        if score >= LEAST_SCORE:
            scored.append((-score, start, end))
    return tuple(
        citation(document, best.document, start, end, chosen.sure) for _, start, end in sorted(scored)[:CITED]
    )


def looked_at(chosen: Chosen, document_of: DocumentOf) -> tuple[Citation, ...]:
    """The passages that were read again, best first, as places to look at where nothing can be cited."""
    return tuple(
        citation(document_of(hit.document), hit.document, hit.start, hit.end, chosen.sure)
        for hit in chosen.passages
    )


def citation(document: Document, name: str, start: int, end: int, score: float) -> Citation:
    """The characters [start, end) of a document as a citation."""
    place = document.place(start, end)
    return Citation(name, document.text[start:end], start, end, place, round(score, 3))


def _is_heading(document: Document, start: int, end: int) -> bool:
    """Whether a sentence is all or part of its chapter's heading."""
    place = document.place(start)
    if place.chapter is None or place.paragraph:
        return False
    return end - start <= len(document.chapters[place.chapter].title)
