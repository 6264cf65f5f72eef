"""What holds for every Document, whatever file it came from."""

import re

from ingest.document import Document, split_paragraphs
from ingest.form import BLOCKWISE, INLINE
from ingest.position import find_position

FORBIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u200b\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def check_document(document: Document) -> None:
    """Clean text, ordered and nested chapters, pages without gaps, places that can be read back."""
    text = document.text
    assert text == text.strip("\n ") and text
    assert "\n\n\n" not in text
    assert not FORBIDDEN.search(text), repr(FORBIDDEN.search(text))
    assert document.paragraphs == split_paragraphs(text)
    assert document.title.strip()
    _check_chapters(document)
    _check_pages(document)
    _check_places(document)
    _check_form(document)
    assert Document.from_json(document.to_json()) == document


def _check_chapters(document: Document) -> None:
    paragraph_starts = {start for start, _ in document.paragraphs}
    for index, chapter in enumerate(document.chapters):
        assert chapter.title.strip() and "\n" not in chapter.title
        assert 0 <= chapter.start < chapter.end <= len(document.text) or chapter.start == chapter.end
        assert chapter.start in paragraph_starts
        later = document.chapters[index + 1 :]
        closing = next((other.start for other in later if other.level <= chapter.level), len(document.text))
        assert chapter.end == closing
    starts = [chapter.start for chapter in document.chapters]
    assert starts == sorted(starts)
    names = [name.casefold() for name in document.chapter_names]
    assert len(set(names)) == len(names)


def _check_pages(document: Document) -> None:
    pages = document.pages
    if pages:
        assert pages[-1].end == len(document.text)
        assert all(before.end == after.start for before, after in zip(pages, pages[1:], strict=False))
        assert len({page.label.casefold() for page in pages}) == len(pages)


def _check_form(document: Document) -> None:
    size = len(document.text)
    starts = [span.start for span in document.spans]
    assert starts == sorted(starts)
    for span in document.spans:
        assert (
            0 <= span.start < span.end <= size or span.kind in ("cell", "header") and span.start == span.end
        )
        words = document.text[span.start : span.end]
        assert words == (words.strip("\n") if span.kind == "code" else words.strip()), (span, words)
        assert span.kind in INLINE | BLOCKWISE
        assert span.kind not in ("link", "reference") or 0 <= span.value < size
    ats = [picture.at for picture in document.pictures]
    assert ats == sorted(ats) and all(0 <= at <= size for at in ats)


def _check_places(document: Document) -> None:
    step = max(1, len(document.text) // 60)
    for offset in range(0, len(document.text), step):
        place = document.place(offset)
        assert place.start == offset and place.end == offset + 1
        end = find_position(document, str(place))
        inside = any(start <= offset < stop for start, stop in document.paragraphs)
        assert end > offset or not inside, (offset, str(place), end)
        assert str(document.place(end - 1)) == str(place)
        span = document.place(offset, min(len(document.text), offset + 3 * step))
        written = len(document.text[: span.end].rstrip())
        assert find_position(document, str(span)) >= written or not inside, str(span)
