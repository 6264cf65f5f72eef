"""Reading desk: what the page asks about the open document: its leaves, and the ways between its places."""

import contextlib
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from app.desk.books import Books
from app.desk.state import Line, View
from app.html import cast_html, leaves, marks_html, markup, search_hits, shelf_html, wording
from engine.assistant import Assistant
from engine.cast.story import story_so_far
from engine.form import lacks_form, renew_form
from engine.marks.mark import Mark
from engine.shelf.entry import Entry
from engine.shelf.fulltext import Hit
from ingest.errors import BadInput
from ingest.position import find_start

HITS = 60
PAUSE = 12 * 3600.0  # seconds; who was away for longer may want to hear what happened before


class ReadingDesk:
    """One reader's open documents: a view of one becomes HTML, a step in it another view."""

    def __init__(self, books: Books, assistant: Assistant) -> None:
        self.books, self.assistant, self.shelf = books, assistant, assistant.shelf

    def entry(self, view: View) -> Entry | None:
        """Return the document of a view; None when there is none (any more)."""
        try:
            return self.shelf.get(view.document) if view.document else None
        except BadInput:
            return None

    def open(self, identifier: str, view: View | None = None) -> View:
        """Show a document where its reader left it, with the talk that was last used."""
        last = self.away_since(identifier)
        entry = self.shelf.get(identifier)
        self.books.document(identifier)
        threading.Thread(target=self._warm, args=(entry,), name="warm", daemon=True).start()
        talks = self.shelf.talks.about(identifier)
        bound = "book" if view is None or view.is_shelf else view.bound
        return View(identifier, Line(self.left(entry)), talk=talks[0].id if talks else "", bound=bound,
                    led=view.led + 1 if view else 1, last=last)  # fmt: skip

    def away_since(self, identifier: str) -> float | None:
        """Remember that a document is open now; return when it was opened before, if that is long ago."""
        last = self.shelf.get(identifier).opened
        self.shelf.opened(identifier)
        return last if last is not None and time.time() - last >= PAUSE else None

    def left(self, entry: Entry) -> int:
        """Return where a document was left by its reader; of one never read, where its body begins."""
        if entry.place is not None:
            return entry.place
        return entry.position or self.books.document(entry.id).body_start

    def way_back(self, view: View) -> str:
        """Say where `returned` leads; nothing where there is no way back."""
        if view.back is not None:
            return "Back to where I was"
        if self.entry(view) is None or view.at == 0:
            return ""
        return "To the title page" if view.at == self.books.document(view.document).body_start else ""

    def _warm(self, entry: Entry) -> None:
        library = self.assistant.library
        with contextlib.suppress(Exception):
            if entry.state == "ready":
                library.bank(entry.id)
            if library.renews and lacks_form(library, entry.id):
                renew_form(library, entry.id)

    def scrolled(self, view: View, at: int, read: int) -> None:
        """Remember the line at the top of the window, and how far was read where that is further than before.

        What was cited or found stays marked.
        """
        size = len(self.books.document(view.document).text)
        at = max(0, min(at, size))
        mine = self.shelf
        mine.left_at(view.document, at)
        if read > mine.get(view.document).position:
            mine.read_to(view.document, min(read, size))
        view.line.at = at

    def read_to(self, view: View, under: int = 0) -> View:
        """Set the reading position to the end of the chosen paragraph, or of what is seen.

        under: the character at the foot of the window; 0 where that is not known, and the leaf's end counts.
        """
        leaf = self.books.leaf(view)
        seen = max(view.at, min(under, len(self.books.document(view.document).text))) if under else leaf.end
        at = self.books.paragraph_end(view)
        self.shelf.read_to(view.document, seen if at is None else at)
        return replace(view, cursor=None)

    def jumped(self, view: View, identifier: str, start: int, end: int, mark: str) -> View:
        """Lead to what is "cited", to words "found", or with no mark to a place.

        The way back is kept, the reading position is not touched.
        """
        back = view.back or ((view.document, view.at) if view.document else None)
        view = self._beside(view, identifier)
        led = view.led + 1
        size = len(self.books.document(identifier).text)
        start, end = max(0, min(start, size)), max(0, min(end, size))
        cited = (start, end) if mark == "cited" else None
        spans = ((start, end),) if mark == "found" else ()
        return replace(view, line=Line(start), cursor=None, back=back, cited=cited, found=spans, led=led)

    def returned(self, view: View) -> View:
        """Go back to where a citation, a hit or the strip was followed, be it in another book."""
        if view.back is None:
            return self.jumped(view, view.document, 0, 0, "") if self.way_back(view) else view
        document, at = view.back
        if self.entry(View(document)) is None:  # it was removed meanwhile
            return replace(view, back=None)
        view = self._beside(view, document)
        return replace(view, line=Line(at), back=None, cursor=None, cited=None, found=(), led=view.led + 1)

    def _beside(self, view: View, identifier: str) -> View:
        """Put that document in view; a talk about all books goes on beside whichever is open."""
        if identifier == view.document:
            return view
        opened = self.open(identifier, view)
        if not view.is_shelf:
            return opened
        kept = {name: getattr(view, name) for name in ("talk", "bound", "editing", "draft", "answer")}
        return replace(opened, **kept)

    def leaf_html(self, view: View) -> str:
        """Write the leaf in view as HTML, or an invitation."""
        entry = self.entry(view)
        if entry is None:
            return markup.tag("p", "No book is open. Choose one on the shelf.", class_="lm-empty")
        document = self.books.document(view.document)
        marks = self.shelf.marks.of(entry.id)
        article = markup.tag("article", self._sheet(view, entry, marks), class_="lm-leaf",
                             lang=document.language or None, tabindex="0")  # fmt: skip
        # what is chosen or marked on a leaf beside this one draws the book anew too
        marked = f"{len(marks)} {max((one.changed for one in marks), default=0)}"
        # a swipe to the right turns back in the book; the browser would leave the page for the one before
        return markup.tag(
            "div", article, class_="lm-frame", style="touch-action: pan-y pinch-zoom",
            data_document=entry.id, data_at=view.at, data_led=view.led,
            data_read=max(entry.position, min(view.at, document.body_start)), data_size=len(document.text),
            data_leaves=len(self.books.starts(entry.id)), data_cursor=view.cursor, data_marked=marked,
        )  # fmt: skip

    def sheet_html(self, view: View) -> str:
        """Write the leaf in view without its frame; the other leaves are fetched as one scrolls."""
        entry = self.shelf.get(view.document)
        return self._sheet(view, entry, self.shelf.marks.of(entry.id))

    def _sheet(self, view: View, entry: Entry, of_book: Sequence[Mark]) -> str:
        document, leaf = self.books.document(entry.id), self.books.leaf(view)
        marks = [one for one in of_book if not one.lost and one.start < leaf.end and one.end >= leaf.start]
        spans = tuple(
            (one.start, one.end, f"lm-mark lm-{one.colour}") for one in marks if one.end > one.start
        )
        pictures, printed = f"lm/pictures/{entry.id}/", f"lm/pages/{entry.id}/"
        position = entry.position or None
        shown = leaves.Shown(view.cited, view.found, position, view.cursor, pictures, spans, printed)
        return leaves.sheet_html(document, leaf, shown, marks_html.on_leaf(marks))

    def offered(self, view: View) -> str:
        """Offer the story so far to who comes back to a begun book after a pause."""
        entry = self.entry(view)
        if entry is None or view.last is None or entry.position < cast_html.BEGUN:
            return ""
        return cast_html.offer_html(shelf_html.ago(view.last))

    def about_html(self, view: View, kind: str) -> str:
        """Tell what the open book holds, as far as it was read; kind: one of `cast_html.KINDS`."""
        entry = self.entry(view)
        if entry is None:
            return ""
        document, cast = self.books.document(entry.id), self.books.cast(entry.id)
        if kind == "story":
            told = story_so_far(document, cast, entry.position)
            return cast_html.story_html(document, told, entry.position, entry.id)
        lists = {"who": cast_html.who_html, "terms": cast_html.terms_html, "dates": cast_html.dates_html}
        return lists[kind](document, cast, entry.position, entry.id)

    def place_words(self, view: View) -> str:
        """Say where the view is, how long the rest may take, and how far was read."""
        entry = self.entry(view)
        if entry is None:
            return ""
        document, leaf = self.books.document(view.document), self.books.leaf(view)
        place = document.place(max(leaf.start, view.at))
        left = f"{wording.reading_time(len(document.text) - view.at)} left"
        if place.chapter is not None and len(document.chapters) > 1:
            left += (
                f" ({wording.reading_time(document.chapters[place.chapter].end - view.at)} of the chapter)"
            )
        # the end of it may find no room
        return " · ".join([
            leaves.share(document, view.at),
            *(part for part in (place.chapter_name, place.page and f"page {place.page}") if part),
            left,
            f"read {leaves.share(document, entry.position)}",
        ])  # fmt: skip

    def search(self, view: View, query: str, everywhere: bool = False) -> str:
        """Write full-text hits in the open document, or in all; one letter a word may be wrong."""
        if not view.document or not query.strip():
            return ""
        found = self.shelf.fulltext.search_forgiving(query, None if everywhere else view.document, limit=HITS)
        titles = {entry.id: entry.title for entry in self.shelf.entries()} if everywhere else {}

        def place_of(hit: Hit) -> str:
            place = str(self.books.document(hit.document).place(hit.start))
            return f"{titles.get(hit.document, '')}, {place}" if everywhere else place

        return search_hits.hits_html(query, found, place_of, everywhere)

    def led(self, view: View, words: str) -> View:
        """Lead to a place that was typed: a page, a chapter, a paragraph, a share. Raises BadInput."""
        if not view.document:
            raise BadInput("open a book first")
        at = find_start(self.books.document(view.document), words)
        return self.jumped(view, view.document, at, at, "")
