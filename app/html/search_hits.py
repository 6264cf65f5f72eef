"""Search hits: what a full-text search found, as a list; each leads to its place."""

from collections.abc import Callable, Sequence

from app.html import markup
from engine.shelf.fulltext import Hit

AROUND = 90


def hits_html(query: str, hits: Sequence[Hit], total: int, place_of: Callable[[Hit], str]) -> str:
    """Write what a search found, with the words that matched marked."""
    if not query.strip():
        return ""
    if not hits:
        return markup.tag(
            "p", markup.text(f"“{query.strip()}” does not stand in this book."), class_="lm-empty"
        )
    shown = f"the first {len(hits)} of {total}" if total > len(hits) else str(total)
    head = markup.tag("p", markup.text(f"{shown} {'place' if total == 1 else 'places'}"), class_="lm-facts")
    rows = [markup.tag("li", row(hit, place_of(hit))) for hit in hits]
    return markup.tag("div", head, markup.tag("ol", *rows, class_="lm-hits"), role="region",
                      aria_label="search results")  # fmt: skip


def around(hit: Hit, first: int, last: int) -> tuple[int, int]:
    """Find where the words shown around a match begin and end: whole words, where a space parts them."""
    begin, end = max(0, first - hit.start - AROUND), min(len(hit.text), last - hit.start + AROUND)
    if begin:
        begin = hit.text.find(" ", begin, first - hit.start) + 1 or begin
    if end < len(hit.text):
        space = hit.text.rfind(" ", last - hit.start, end)
        end = space if space >= 0 else end
    return hit.start + begin, hit.start + end


def row(hit: Hit, place: str) -> str:
    """Write one hit: its place, and the words around the first match."""
    first, last = hit.spans[0] if hit.spans else (hit.start, hit.start)
    begin, end = around(hit, first, last)
    words = hit.text[begin - hit.start : end - hit.start].replace("\n", " ")
    inside = markup.marked(words, list(hit.spans), begin, "found")
    dots_before, dots_after = ("… " if begin > hit.start else ""), (" …" if end < hit.end else "")
    label = markup.tag("span", markup.text(place), class_="lm-place")
    return markup.tag(
        "button", label, markup.tag("span", dots_before, inside, dots_after), type="button", class_="lm-hit",
        data_action="hit", data_document=hit.document, data_start=hit.start, data_end=hit.end,
        data_from=first, data_to=last,
    )  # fmt: skip
