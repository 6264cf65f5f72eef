"""Notes and talks as EPUBs, to be read where the books are read: notes with a chapter for each book.

Written with EbookLib. Everything inside is text that was escaped: a book's words never become markup.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ebooklib import epub

from app.html import markup
from app.html.markup import Html
from engine.marks.export import by_book
from engine.marks.mark import Mark
from engine.shelf.talks import Message, Talk
from engine.shelf.transcript import SPEAKERS, about, where

STYLE = """blockquote { margin: 1em 0 .2em; padding-left: .8em; border-left: .25em solid #999; }
blockquote.yellow { border-color: #d9a400; } blockquote.green { border-color: #3f8f4f; }
blockquote.blue { border-color: #3a6ea5; } blockquote.rose { border-color: #b5496b; }
p.place { font-size: .85em; margin: 0; } p.note { margin: .4em 0 0; }"""


def of_marks(marks: Sequence[Mark]) -> bytes:
    """Return the EPUB file of some marks, which are in the order of their books."""
    chapters = [
        (markup.legible(book.title) or "A book", marked(book, group)) for book, group in by_book(marks)
    ]
    return written("longmem-notes", "Notes", chapters)


def of_talk(talk: Talk, messages: Sequence[Message], title: str = "", author: str = "") -> bytes:
    """Return the EPUB file of a talk about the document `title` (empty: about the whole shelf)."""
    name = markup.legible(talk.title) or "Talk"
    return written(f"longmem-talk-{talk.id}", name, [(name, said(talk, messages, title, author))])


def written(identifier: str, title: str, chapters: Sequence[tuple[str, str]]) -> bytes:
    """Return an EPUB file of chapters: (title, body as HTML). Titles hold only what XML may."""
    book = epub.EpubBook()
    book.set_identifier(identifier)
    book.set_title(title)
    book.set_language("en")
    style = epub.EpubItem("style", "style.css", "text/css", STYLE)
    book.add_item(style)
    pages = []
    for number, (name, body) in enumerate(chapters, 1):
        page = epub.EpubHtml(title=name, file_name=f"chapter-{number}.xhtml", lang="en")
        page.content = body
        page.add_item(style)
        book.add_item(page)
        pages.append(page)
    book.toc = pages
    book.add_item(epub.EpubNcx())
    book.add_item(epub.EpubNav())
    book.spine = ["nav", *pages]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "written.epub"
        epub.write_epub(path, book)
        return path.read_bytes()


def marked(book: Mark, marks: Sequence[Mark]) -> str:
    """Write the marks of one book as the body of a page."""
    parts = [markup.tag("h1", book.title or "A book")]
    if book.author:
        parts.append(markup.tag("p", markup.tag("em", book.author)))
    for mark in marks:
        lost = "; not found in this edition" if mark.lost else ""
        parts += quoted(mark.quote, f"{mark.place}{lost}", mark.colour or mark.kind)
        parts += lines(mark.note, "note")
    return markup.joined(parts)


def said(talk: Talk, messages: Sequence[Message], title: str, author: str) -> str:
    """Write a talk as the body of a page: questions, answers, and what they cite."""
    parts = [markup.tag("h1", talk.title or "Talk"), markup.tag("p", about(talk, title, author))]
    for message in messages:
        parts.append(markup.tag("h2", SPEAKERS[message.role]))
        parts += lines(message.text)
        for cited in message.citations:
            parts += quoted(str(cited.get("text", "")), where(cited))
    return markup.joined(parts)


def quoted(words: str, place: str, kind: str | None = None) -> list[Html]:
    """Write a book's own words, and under them their place."""
    quote = markup.tag("blockquote", *lines(words), class_=kind)
    return [quote, markup.tag("p", place, class_="place")]


def lines(words: str, kind: str | None = None) -> list[Html]:
    """Write each line as a paragraph: verse keeps its lines."""
    return [
        markup.tag("p", " ".join(line.split()), class_=kind) for line in words.splitlines() if line.strip()
    ]
