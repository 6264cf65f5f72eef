"""Records: what the command line and the public events tell of a thing, as plain dictionaries for JSON."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.answering.answer import Answer
    from engine.cast.person import Cast
    from engine.cast.story import Told
    from engine.demonstrations.classifier import Classification
    from engine.shelf.entry import Entry
    from ingest.document import Document


def entry(entry: "Entry") -> dict:
    """Describe a document of the shelf, for JSON."""
    names = ("id", "title", "author", "tokens", "bank_bytes", "state")
    return {name: getattr(entry, name) for name in names} | {"warnings": entry.warnings}


def answer(answer: "Answer") -> dict:
    """Describe an answer, for JSON."""
    return {
        "answer": answer.text,
        "answered": answer.answered,
        "span": answer.span,
        "confidence": answer.confidence,
        "citations": [one.as_dict() for one in answer.citations],
        "looked_at": [one.as_dict() for one in answer.looked],
        "tokens": answer.tokens,
        "seconds_to_first_token": answer.seconds_to_first_token,
        "tokens_per_second": answer.tokens_per_second,
        "memory_tokens": answer.memory_tokens,
    }


def classification(found: "Classification") -> dict:
    """Describe a label with its probabilities and the demonstrations behind it, for JSON."""
    return {
        "label": found.label,
        "probabilities": {label: round(p, 4) for label, p in found.probabilities.items()},
        "read": [
            {"text": one.text, "label": one.label, "weight": one.weight, "where": one.where}
            for one in found.read
        ],
        "memory_examples": found.memory_examples,
        "seconds": round(found.seconds, 3),
    }


def cast(document: "Document", cast: "Cast", until: int) -> list[dict]:
    """Describe the figures of a document that were met before a character, for JSON."""
    return [
        {
            "kind": one.kind,
            "name": one.name(until),
            "aliases": list(one.aliases(until)),
            "mentions": len(seen),
            "first": [seen[0].start, seen[0].end],
            "last": [seen[-1].start, seen[-1].end],
            "introduced": sentence(document, one.introduction(until)),
            "with": [{"name": other.name(until), "paragraphs": count}
                     for other, count in cast.company(one, until)],
        }
        for one in cast.known(until)
        if (seen := one.seen(until))
    ]  # fmt: skip


def story(document: "Document", told: "Iterable[Told]") -> list[dict]:
    """Describe the story so far, for JSON: chapters with their sentences."""
    names = document.chapter_names
    return [
        {"chapter": None if one.chapter is None else names[one.chapter],
         "sentences": [sentence(document, span) for span in one.sentences]}
        for one in told
    ]  # fmt: skip


def terms(document: "Document", cast: "Cast", until: int) -> list[dict]:
    """Describe the terms that were explained before a character, for JSON."""
    return [
        {"term": one.word, "explained": sentence(document, (one.start, one.end))}
        for one in cast.explained(until)
    ]


def dates(document: "Document", cast: "Cast", until: int) -> list[dict]:
    """Describe the dates that were named before a character, for JSON."""
    return [
        {"date": one.words} | dict(zip(("year", "month", "day"), one.when, strict=True))
        | {"told": sentence(document, (one.start, one.end))}
        for one in cast.dated(until)
    ]  # fmt: skip


def sentence(document: "Document", span: tuple[int, int] | None) -> dict | None:
    """Describe a stretch of a document with its text and place, for JSON; None for none."""
    if span is None:
        return None
    start, end = span
    place = str(document.place(start, end))
    return {"text": document.text[start:end], "start": start, "end": end, "place": place}
