"""Marks as an EPUB: a chapter for each book, to be read where the books are read.

Written with EbookLib. Everything inside is text that was escaped: a book's words never become markup.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ebooklib import epub

from app.html import markup
from engine.marks.export import by_book
from engine.marks.mark import Mark

TITLE = "Notes"
STYLE = """blockquote { margin: 1em 0 .2em; padding-left: .8em; border-left: .25em solid #999; }
blockquote.yellow { border-color: #d9a400; } blockquote.green { border-color: #3f8f4f; }
blockquote.blue { border-color: #3a6ea5; } blockquote.rose { border-color: #b5496b; }
p.place { font-size: .85em; margin: 0; } p.note { margin: .4em 0 0; }"""


def written(marks: Sequence[Mark]) -> bytes:
    """Return the EPUB file of some marks, which are in the order of their books."""
    book = epub.EpubBook()
    book.set_identifier("longmem-notes")
    book.set_title(TITLE)
    book.set_language("en")
    style = epub.EpubItem("style", "style.css", "text/css", STYLE)
    book.add_item(style)
    chapters = []
    for number, (one, group) in enumerate(by_book(marks), 1):
        title = markup.legible(one.title) or "A book"
        chapter = epub.EpubHtml(title=title, file_name=f"book-{number}.xhtml", lang="en")
        chapter.content = page(one, group)
        chapter.add_item(style)
        book.add_item(chapter)
        chapters.append(chapter)
    book.toc = chapters
    book.add_item(epub.EpubNcx())
    book.add_item(epub.EpubNav())
    book.spine = ["nav", *chapters]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "notes.epub"
        epub.write_epub(path, book)
        return path.read_bytes()


def page(book: Mark, marks: Sequence[Mark]) -> str:
    """Write the marks of one book as the body of a page."""
    parts = [markup.tag("h1", book.title or "A book")]
    if book.author:
        parts.append(markup.tag("p", markup.tag("em", book.author)))
    for mark in marks:
        words = markup.tag("p", " ".join(mark.quote.split()))
        parts.append(markup.tag("blockquote", words, class_=mark.colour or mark.kind))
        lost = "; not found in this edition" if mark.lost else ""
        parts.append(markup.tag("p", f"{mark.place}{lost}", class_="place"))
        parts += [markup.tag("p", line, class_="note") for line in mark.note.splitlines() if line]
    return markup.joined(parts)
