"""Marks as HTML: the bar beside selected words, a leaf's notes, and the list of all. All text escaped."""

from collections.abc import Sequence

from app.html import markup
from app.html.markup import Html
from engine.marks.export import by_book
from engine.marks.mark import COLOURS, Mark

SHOWN = 220
KINDS = {"highlight": "Highlight", "note": "Note", "bookmark": "Bookmark"}


def bar() -> Html:
    """Write the bar that the page's script shows beside words that are selected, or marked already."""
    colours = [
        markup.tag("button", "", type="button", class_=f"lm-colour lm-{colour}", data_action="mark",
                   data_colour=colour, aria_label=f"Highlight {colour}", title=f"Highlight {colour}")
        for colour in COLOURS
    ]  # fmt: skip
    note = {"ask": "Your note on these words", "title": "Write a note"}
    return markup.tag(
        "div", *colours, markup.button("Note", "note", **note), markup.button("Bookmark", "bookmark"),
        markup.button("Copy", "copy-place", title="Copy with the place"),
        markup.button("Ask", "ask", title="Ask about this", field="#lm-question"),
        markup.button("Remove", "unmark", class_="lm-danger lm-known"),
        class_="lm-bar-row", role="toolbar", aria_label="What to do with these words",
    )  # fmt: skip


def on_leaf(marks: Sequence[Mark]) -> Html:
    """List the notes and bookmarks of a leaf, to stand below its text."""
    shown = [mark for mark in marks if mark.note or mark.kind == "bookmark"]
    if not shown:
        return markup.NOTHING
    head = markup.tag("h4", "Your notes here")
    rows = [markup.tag("li", _words(mark), _note(mark)) for mark in shown]
    return markup.tag("aside", head, markup.tag("ul", *rows, class_="lm-noted"), class_="lm-leaf-notes")


def listed(marks: Sequence[Mark], query: str, of_one_book: bool) -> Html:
    """List marks under the titles of their books, each with what can be done about it."""
    if not marks:
        words = (
            "No note has these words."
            if query.strip()
            else "No notes yet. Select words in a book to highlight them or to write a note."
        )
        return markup.tag("p", words, class_="lm-empty")
    parts = [markup.tag("p", f"{len(marks)} {'note' if len(marks) == 1 else 'notes'}", class_="lm-facts")]
    for book, group in by_book(marks):
        if not of_one_book:
            author = markup.tag("span", f" {book.author}", class_="lm-author")
            parts.append(markup.tag("h3", book.title or "A book", author, class_="lm-title"))
        parts.append(markup.tag("ul", *[row(mark) for mark in group], class_="lm-noted"))
    return markup.joined(parts)


def row(mark: Mark) -> Html:
    """Write one mark of the list."""
    facts = [KINDS[mark.kind], mark.place]
    if mark.lost:
        facts.append("not found in this edition")
    if mark.document is None:
        facts.append("its book is not on the shelf")
    buttons = []
    if mark.document is not None and not mark.lost:
        buttons.append(_lead(mark, "Open"))
    buttons.append(markup.button("Edit note", "edit-note", mark=mark.id, ask="Your note (empty: none)",
                                 preset=mark.note))  # fmt: skip
    buttons.append(markup.button("Delete", "delete-mark", mark=mark.id, class_="lm-danger",
                                 confirm="Delete this note?"))  # fmt: skip
    return markup.tag(
        "li", markup.tag("p", " · ".join(facts), class_="lm-facts"), _words(mark), _note(mark),
        markup.tag("div", *buttons, class_="lm-row lm-small"),
        class_=f"lm-edge lm-{mark.colour or mark.kind}",
    )  # fmt: skip


def _lead(mark: Mark, label: str) -> Html:
    kind = "jump" if mark.kind == "bookmark" else "hit"
    return markup.button(
        label,
        kind,
        document=mark.document,
        start=mark.start,
        end=mark.end,
        **{"from": mark.start, "to": mark.end},
    )


def _words(mark: Mark) -> Html:
    words = " ".join(mark.quote.split())
    return markup.tag("p", words if len(words) <= SHOWN else words[:SHOWN] + " …", class_="lm-quote")


def _note(mark: Mark) -> Html:
    return markup.tag("p", mark.note, class_="lm-said") if mark.note else markup.NOTHING
