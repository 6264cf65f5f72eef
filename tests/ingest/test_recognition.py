"""Text recognition: pages drawn here as pictures and read by whatever engine is on this machine."""

import io
import json
import re

import pymupdf
import pytest
from PIL import Image

from ingest import apart
from ingest.album import find_album
from ingest.errors import BadInput
from ingest.limits import Limits
from ingest.parse import parse
from ingest.recognition import engines, tesseract
from ingest.recognition.page import unread_pages
from ingest.recognition.sheet import Row, Sheet, keep_sheet, read_sheets, sheet_path
from ingest.source import read_source
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
    assert any("2 recognised lines were too unsure to be text" in words for words in document.warnings)
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


def picture(kind: str, **save) -> bytes:
    """A printed page as a picture, as a file of a kind that Pillow names."""
    drawn = pymupdf.open("pdf", scan(1))[0].get_pixmap(dpi=200)
    stream = io.BytesIO()
    drawn.pil_image().save(stream, kind, **save)
    return stream.getvalue()


def sideways() -> bytes:
    """A photograph by a camera that was held upright, which says so beside it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture("JPEG", exif=exif)


ALBUMS = (
    ("a.png", picture("PNG"), "a PNG picture", [(625.5, 417.0)]),
    ("a.jpg", sideways(), "a JPEG picture", [(417.0, 625.5)]),
    ("a.webp", picture("WEBP"), "a WEBP picture", [(625.5, 417.0)]),
    ("a.avif", picture("AVIF"), "an AVIF picture", [(625.5, 417.0)]),
    ("a.bmp", picture("BMP"), "a BMP picture", [(625.5, 417.0)]),
    ("a.tif", picture("TIFF", save_all=True, append_images=[Image.new("L", (40, 80))]), "a TIFF picture",
     [(625.5, 417.0), (30.0, 60.0)]),
    ("a.cbz", archive({"p10.avif": picture("AVIF"), "p9.webp": b"no picture", "ComicInfo.xml": b"<x/>"}),
     "a comic, CBZ", [(595.0, 842.0), (625.5, 417.0)]),
)  # fmt: skip


@pytest.mark.parametrize(("name", "data", "what", "sizes"), ALBUMS, ids=[row[0] for row in ALBUMS])
def test_an_album_of_pictures_is_a_book_of_recognised_pages(tmp_path, name, data, what, sizes):
    path, sheets = tmp_path / name, tmp_path / "sheets"
    path.write_bytes(data)
    with pytest.raises(BadInput, match=rf"{what}.*\(--ocr\)"):
        parse(path)
    assert find_album(read_source(path)).sizes() == sizes
    assert json.loads(unread_pages(path, {})) == list(range(len(sizes)))
    for number in range(len(sizes)):
        keep_sheet(sheets, number, sheet(number))
    document = parse(path, sheets=sheets)
    check_document(document)
    assert [page.sure for page in document.pages] == [90] * len(sizes)
    assert "recognised in pictures (OCR), 90 % sure" in document.warnings[0]


@needs_engine
def test_photographed_pages_are_read_and_what_is_none_is_told_of(tmp_path):
    path, sheets = tmp_path / ALBUMS[-1][0], tmp_path / "sheets"
    path.write_bytes(ALBUMS[-1][1])
    apart.recognise(path, sheets)
    document = apart.parse(path, sheets=sheets)
    assert "slept in his tower, while all the bells of the town rang." in document.text
    assert any("gave up on page 1" in one for one in document.warnings)


def test_a_picture_is_drawn_upright_on_paper(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGBA", (60, 40), (0, 0, 0, 0)).save(path)
    assert find_album(read_source(path)).picture(0).getpixel((5, 5)) == (255, 255, 255)
    path.write_bytes(sideways())
    assert find_album(read_source(path)).picture(0).size == (556, 834)


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
