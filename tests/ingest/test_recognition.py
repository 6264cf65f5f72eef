"""Text recognition: pages drawn here as pictures and read by whatever engine is on this machine."""

import json
import re

import pymupdf
import pytest

from ingest import apart
from ingest.errors import BadInput
from ingest.limits import Limits
from ingest.recognition import engines, tesseract
from ingest.recognition.page import unread_pages
from ingest.recognition.sheet import Row, Sheet, keep_sheet, read_sheets, sheet_path
from tests.ingest.build import archive, printed
from tests.ingest.invariants import check_document

WORDS = (
    "The harbour master slept in his tower,",
    "while all the bells of the town rang.",
    "Nobody knew why.",
)
needs_engine = pytest.mark.skipif(
    not engines.installed(), reason="neither tesseract nor RapidOCR is on this machine"
)


def scan(pages: int, *, words: bool = False) -> bytes:
    """A PDF of pictures of printed pages, and of one page with words."""
    drawn, made = pymupdf.open(), pymupdf.open()
    for _ in range(pages):
        page = drawn.new_page(width=300, height=200)
        for number, line in enumerate(WORDS):
            page.insert_text((30, 60 + 18 * number), line, fontname="tiro", fontsize=13)
        picture = page.get_pixmap(dpi=200, colorspace=pymupdf.csGRAY)
        made.new_page(width=300, height=200).insert_image(page.rect, pixmap=picture)
    if words:
        made.insert_pdf(pymupdf.open("pdf", printed([[(40, 100, "A page of text that a font names.")]])))
    return made.tobytes(deflate=True)


@pytest.fixture
def scanned(tmp_path):
    path = tmp_path / "scan.pdf"
    path.write_bytes(scan(2, words=True))
    return path


def sheet(number: int, sure: float = 90.0, text: str = "") -> Sheet:
    rows = [Row(30, 50 + 18 * at, 250, 62 + 18 * at, line, sure) for at, line in enumerate(WORDS)]
    rows += [Row(30, 150, 200, 160, text, 12.0)] if text else []
    return Sheet(tuple(rows))


@needs_engine
def test_a_scan_is_read_page_by_page_and_goes_on_where_it_stopped(scanned, tmp_path):
    sheets, told = tmp_path / "sheets", []

    def stop(done, total):
        told.append((done, total))
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apart.recognise(scanned, sheets, report=stop)
    assert set(read_sheets(sheets)) == {0} and told[-1] == (1, 2)
    first = sheet_path(sheets, 0).stat().st_mtime_ns
    apart.recognise(scanned, sheets, report=lambda done, total: told.append((done, total)))
    assert told[-1] == (2, 2) and sheet_path(sheets, 0).stat().st_mtime_ns == first
    document = apart.parse(scanned, sheets=sheets)
    check_document(document)
    assert document.text.count("harbour master slept in his tower, while all the bells") == 2
    assert [page.sure is None for page in document.pages] == [False, False, True]
    assert re.search(r"2 pages was recognised in pictures \(OCR\), [5-9]\d % sure", document.warnings[0])


def test_only_pages_without_words_need_it(scanned, tmp_path):
    assert json.loads(unread_pages(scanned, {})) == [0, 1]
    note = tmp_path / "note.txt"
    note.write_text("Words.")
    assert json.loads(unread_pages(note, {})) == []


def test_what_was_recognised_is_read_as_columns_and_paragraphs(scanned, tmp_path):
    for number in range(2):
        keep_sheet(tmp_path, number, sheet(number, text="~ ;.l"))
    document = apart.parse(scanned, sheets=tmp_path)
    assert document.paragraphs[0] == (0, len(" ".join(WORDS)))
    assert document.pages[0].sure == 90 and "~" not in document.text
    assert "2 recognised lines were too unsure to be text and left out" in document.warnings
    assert Sheet.from_json(sheet(0).to_json()) == sheet(0)


def test_a_page_on_which_the_engine_gives_up_is_told_of_and_tried_again(scanned, tmp_path, monkeypatch):
    keep_sheet(tmp_path, 0, sheet(0))
    keep_sheet(tmp_path, 1, Sheet(trouble="page 2: too slow"))
    assert any("gave up on page 2" in one for one in apart.parse(scanned, sheets=tmp_path).warnings)
    asked = []

    def read(request, *_):
        asked.append(request.get("number"))
        return "[0, 1]" if request["what"] == "unread" else sheet(1).to_json()

    monkeypatch.setattr(apart, "choose_engine", lambda language: (tesseract, language))
    monkeypatch.setattr(apart, "_read", read)
    apart.recognise(scanned, tmp_path)
    assert asked == [None, 1] and not read_sheets(tmp_path)[1].trouble


def test_a_scan_in_which_no_word_is_found_says_so(tmp_path):
    path = tmp_path / "blank.pdf"
    path.write_bytes(scan(1))
    keep_sheet(tmp_path, 0, Sheet())
    with pytest.raises(BadInput, match="found no words"):
        apart.parse(path, sheets=tmp_path, limits=Limits())


def test_an_album_of_pictures_is_a_book_of_recognised_pages(tmp_path):
    pictures = {
        f"{page.number}.png": page.get_pixmap().tobytes("png") for page in pymupdf.open("pdf", scan(2))
    }
    for name, data, pages in (("a.cbz", archive(pictures), 2), ("a.png", pictures["0.png"], 1)):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(BadInput, match=r"picture.*\(--ocr\)"):
            apart.parse(path)
        assert json.loads(unread_pages(path, {})) == list(range(pages))
        for number in range(pages):
            keep_sheet(tmp_path / name[2:], number, sheet(number))
        document = apart.parse(path, sheets=tmp_path / name[2:])
        check_document(document)
        assert [page.sure for page in document.pages] == [90] * pages and document.warnings


def test_engines_are_chosen_by_language(monkeypatch):
    there = {"tesseract": ("deu", "eng"), "RapidOCR": ("latin", "chinese")}
    for engine in engines.ENGINES:
        monkeypatch.setattr(engine, "languages", lambda name=engine.NAME: there[name])
    for asked, chosen in (
        ("auto", ("tesseract", "eng")),
        ("deu + eng", ("tesseract", "deu+eng")),
        ("latin", ("RapidOCR", "latin")),
    ):
        engine, language = engines.choose_engine(asked)
        assert (engine.NAME, language) == chosen
    with pytest.raises(BadInput, match=r"reads “klingon”.*tesseract: deu, eng; RapidOCR: latin"):
        engines.choose_engine("klingon")
    there.update(dict.fromkeys(there, ()))
    with pytest.raises(BadInput, match="install tesseract"):
        engines.choose_engine("auto")
