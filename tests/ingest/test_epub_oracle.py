"""Our EPUB parser against EbookLib's reading of the same book: every paragraph, in the same order.

EbookLib stays an independent witness and not the parser: one missing file fails its whole book, and a chapter
of 40 MB silently became 282 bytes.
"""

import re

import ebooklib
import pytest
from ebooklib import epub
from lxml import html

from ingest.parse import parse
from tests.conftest import PROJECT, SHARED_DATA

BOOKS = [
    "love-among-the-chickens",
    "herman-melville_moby-dick",
    "arthur-conan-doyle_the-adventures-of-sherlock-holmes",
]


def squeezed(text: str) -> str:
    return re.sub(r"[\s\u00ad\u2060\u200b\ufeff]+", "", text)


@pytest.mark.parametrize("name", BOOKS)
def test_every_paragraph_of_the_spine_is_there_in_order(name):
    path = PROJECT / "assets" / "samples" / f"{name}.epub"
    if not path.is_file():
        path = SHARED_DATA / "samples" / "novels" / f"{name}.epub"
    if not path.is_file():
        pytest.skip("this novel is not on this machine")
    book = epub.read_epub(str(path), {"ignore_ncx": True})
    ours, at, paragraphs, missing = squeezed(parse(path).text), 0, 0, []
    for identifier, _ in book.spine:
        item = book.get_item_with_id(identifier)
        if item is None or item.get_type() != ebooklib.ITEM_DOCUMENT or "endnotes" in item.get_name():
            continue
        for paragraph in html.fromstring(item.get_content()).iter("p"):
            for mark in paragraph.xpath(".//a[contains(@href, 'endnotes')]"):
                mark.drop_tree()
            words = squeezed(paragraph.text_content())
            if len(words) < 40:
                continue
            paragraphs += 1
            found = ours.find(words, at)
            if found < 0:
                missing.append(words[:60])
            else:
                at = found
    assert paragraphs > 900
    assert len(missing) <= paragraphs * 0.01, missing[:5]
