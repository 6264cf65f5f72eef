"""Search hits: what a full-text search found, as a list; each leads to its place."""

from collections.abc import Callable

from app.html import markup
from app.html.markup import Html
from engine.shelf.fulltext import Found, Hit

AROUND = 90


def hits_html(query: str, found: Found, place_of: Callable[[Hit], str], everywhere: bool = False) -> Html:
    """Write what a search found, with the words that matched marked and the way from one to the next."""
    hits, total = found.hits, found.total
    other = markup.button("In all books", "everywhere", query=query)
    if everywhere:
        other = markup.button("In this book", "here", query=query)
    if not hits:
        where = "any of your books" if everywhere else "this book"
        words = f"“{query.strip()}” does not stand in {where}."
        return markup.tag("p", words, class_="lm-empty") + markup.tag("p", other)
    words = f"{total} {'place' if total == 1 else 'places'}"
    if total > len(hits):
        words += f", the first {len(hits)} of them here"
    if found.query != query:
        words = f"Nothing has “{query.strip()}”; “{found.query.strip()}” stands in {words}"
    facts = markup.tag("p", words, class_="lm-facts", role="status")
    steps = [markup.button("← Previous", "step", by=-1), markup.button("Next →", "step", by=1)]
    head = markup.tag("div", facts, *steps, other, class_="lm-row lm-small")
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


def row(hit: Hit, place: str) -> Html:
    """Write one hit: its place, and the words around the first match."""
    first, last = hit.spans[0] if hit.spans else (hit.start, hit.start)
    begin, end = around(hit, first, last)
    words = hit.text[begin - hit.start : end - hit.start].replace("\n", " ")
    inside = markup.marked(words, list(hit.spans), begin, "found")
    dots_before, dots_after = ("… " if begin > hit.start else ""), (" …" if end < hit.end else "")
    label = markup.tag("span", place, class_="lm-place")
    return markup.tag(
        "button", label, markup.tag("span", dots_before, inside, dots_after), type="button", class_="lm-hit",
        data_action="hit", data_document=hit.document, data_start=hit.start, data_end=hit.end,
        data_from=first, data_to=last,
    )  # fmt: skip
