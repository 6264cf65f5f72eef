"""Who is who and the story so far on the page: escaped, each line a place, nothing from ahead."""

import html
import re

from app.html import cast_html
from engine.cast.casting import make_cast
from engine.cast.story import story_so_far
from ingest.document import Chapter, Document
from tests.engine.test_cast import BOOK, HALF, TEXT

TAGS = {"section", "h3", "h4", "button", "ul", "li", "strong", "span", "div", "p"}


def test_every_line_leads_to_its_place_in_its_book():
    cast = make_cast(BOOK)
    shown = cast_html.who_html(BOOK, cast, HALF, "b1")
    shown += cast_html.story_html(BOOK, story_so_far(BOOK, cast, HALF), HALF, "b1")
    shown += cast_html.terms_html(BOOK, cast, HALF, "b1") + cast_html.dates_html(BOOK, cast, HALF, "b1")
    assert set(re.findall(r"<(\w+)", shown)) <= TAGS
    places = re.findall(r'data-action="(?:jump|cite)" data-document="b1" data-start="(\d+)"', shown)
    assert places and all(int(start) < HALF for start in places)
    lines = re.findall(r'data-start="(\d+)" data-end="(\d+)">(.*?)</button>', shown)
    assert lines and all(html.unescape(words) == TEXT[int(a) : int(b)] for a, b, words in lines)
    assert "Captain Brand" not in shown and "Robert" not in shown


def test_a_reader_is_told_why_there_is_no_more():
    cast, whole = make_cast(BOOK), len(TEXT)
    for until, is_said in ((HALF, True), (whole, False)):
        shown = cast_html.who_html(BOOK, cast, until, "b"), cast_html.story_html(
            BOOK, story_so_far(BOOK, cast, until), until, "b"
        )  # fmt: skip
        assert [f"As far as you have read: {100 * until / whole:.0f} %." in one for one in shown] == [
            is_said
        ] * 2


def test_what_was_not_read_is_not_told():
    cast = make_cast(BOOK)
    for shown in (cast_html.who_html(BOOK, cast, 0, "b"), cast_html.story_html(BOOK, [], 0, "b")):
        assert "You have not read anything" in shown and "Hale" not in shown


def test_a_hostile_book_is_told_as_its_characters():
    said = "Mr. Crook <script>x()</script> said {{y}} to Mr. Crook and went away with all of it at once."
    text = f"One <b>\n\n{said} {said}"
    book = Document("T", "", "en", "text", text, [Chapter("One <b>", 0, len(text))])
    cast = make_cast(book)
    told = story_so_far(book, cast, len(text))
    shown = cast_html.who_html(book, cast, len(text), "b") + cast_html.story_html(book, told, len(text), "b")
    assert set(re.findall(r"<(\w+)", shown)) <= TAGS and "{{" not in shown
    assert "Crook" in shown and "&#60;script&#62;" in shown


def test_terms_and_dates_lead_to_their_sentences_and_no_further_than_was_read():
    text = "A <i>sonnet</i> is one. A ballad is a song that tells a story. In 1798 came {{y}}, in 1800 more."
    book = Document("T", "", "en", "text", f"{text}\n\nAn epic is a poem of great length. It began in 1667.")
    cast, far = make_cast(book), len(book.text)
    shown = cast_html.terms_html(book, cast, far, "b") + cast_html.dates_html(book, cast, far, "b")
    assert set(re.findall(r"<(\w+)", shown)) <= TAGS and "{{" not in shown
    assert re.findall(r"<strong>(.*?)</strong>", shown) == ["ballad", "epic", "1667", "1798", "1800"]
    shown = cast_html.terms_html(book, cast, len(text), "b") + cast_html.dates_html(
        book, cast, len(text), "b"
    )
    assert re.findall(r"<strong>(.*?)</strong>", shown) == ["ballad", "1798", "1800"]
