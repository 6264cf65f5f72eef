"""Errands: what a command has done in its own process, or by the page that runs on the same data folder.

Each takes plain values and yields plain dictionaries, so that both go through a socket as they are. Only the
standard library is loaded before one is done. `SPOKEN` are those that need the model, which speaks for one at
a time: they take the assistant, the others the library or its texts alone (`engine.texts`).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from threading import Event
from typing import Any

from app.desk import records

Errand = Callable[..., Iterator[dict]]


def ask(
    assistant: Any,
    stop: Event | None,
    *,
    document: str | None,
    question: str,
    until: str | None,
    within: str | None,
    sampling: dict,
) -> Iterator[dict]:
    """Yield the words of an answer as they come, then its record. sampling: what differs from the default."""
    from engine.sampling import ANSWERING

    how = replace(ANSWERING, **sampling)
    yield from _told(assistant.ask(document, question, until=until, within=within, sampling=how, stop=stop))


def go_on(
    assistant: Any,
    stop: Event | None,
    *,
    document: str | None,
    at: str | None,
    prompt: str | None,
    tokens: int,
    memory: bool,
    sampling: dict,
) -> Iterator[dict]:
    """Yield how a text goes on, as `ask` does an answer."""
    from engine.sampling import CONTINUING

    how = replace(CONTINUING, **sampling)
    yield from _told(
        assistant.continue_(
            document, at=at, prompt=prompt, tokens=tokens, memory=memory, sampling=how, stop=stop
        )
    )


def shelf(library: Any, stop: Event | None) -> Iterator[dict]:
    """Yield the documents."""
    yield {"documents": [records.entry(entry) for entry in library.shelf.entries()]}


def search(
    library: Any, stop: Event | None, *, document: str | None, words: str, limit: int
) -> Iterator[dict]:
    """Yield what was looked for, how many places have it, and the first of them; a letter may be wrong."""
    where = library.find(document).id if document else None
    found = library.shelf.fulltext.search_forgiving(words, where, limit=limit)
    titles = {entry.id: entry.title for entry in library.shelf.entries()}
    rows = [
        {"document": hit.document, "title": titles.get(hit.document, ""), "start": hit.start, "end": hit.end,
         "place": str(library.document(hit.document).place(hit.start, hit.end)), "text": hit.text}
        for hit in found.hits
    ]  # fmt: skip
    yield {"query": found.query, "total": found.total, "hits": rows}


def read(library: Any, stop: Event | None, *, document: str, at: str | None, html: bool) -> Iterator[dict]:
    """Yield the text of a document, or of the leaf that a place stands on; or that as a page of HTML."""
    from app.html import leaves
    from engine.paths import ASSETS
    from ingest.position import find_start

    entry = library.find(document)
    text = library.document(entry.id)
    start, end = 0, len(text.text)
    if at:
        leaf = leaves.leaf_of(leaves.leaf_starts(text), end, find_start(text, at))
        start, end = leaf.start, leaf.end
    if html:
        pictures = library.paths.pictures(entry.id).as_uri() + "/"
        style = (ASSETS / "style.css").read_text(encoding="utf-8")
        yield {"html": leaves.page_html(text, start, end, pictures, style)}
        return
    words = text.text[start:end].strip("\n")
    yield {"place": str(text.place(start)), "start": start, "end": end, "text": words}


SPOKEN: dict[str, Errand] = {"ask": ask, "continue": go_on}
ERRANDS: dict[str, Errand] = SPOKEN | {"shelf": shelf, "search": search, "read": read}


def _told(events: Iterable[Any]) -> Iterator[dict]:
    for event in events:
        if event.text:
            yield {"text": event.text}
        if event.answer is not None:
            yield {"answer": records.answer(event.answer)}
