"""Every advice in an error line is followed here, to its end: one table for files, tables, places and shelf.

A row is what goes wrong, the words of the advice, what somebody does who follows it, and what must hold then.
"""

import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.desk import uploads
from app.desk.marks_desk import exported
from engine.bank.derived import DerivedKeys
from engine.demonstrations.columns import chosen_columns
from engine.demonstrations.task import Task
from engine.errors import Failure
from engine.marks.mark import LONGEST
from engine.paths import Paths
from engine.retrieval.kinds import make_index
from engine.shelf import repair
from engine.shelf.accounts import Accounts
from engine.shelf.backup import back_up
from engine.shelf.identifiers import checked
from engine.shelf.restore import restore
from engine.shelf.shelf import Shelf
from ingest.document import Document
from ingest.errors import BadInput
from ingest.gathering import gather
from ingest.limits import Limits
from ingest.parse import parse
from ingest.position import find_chapter, find_position
from ingest.recognition.sheet import Row, Sheet, keep_sheet
from ingest.tables import pasted_table, read_table
from ingest.unpacking import unpack
from tests.app.made import uploaded
from tests.ingest.build import archive, docx, epub, page, printed

SAID = "The lamp burned all night."
TEXT = SAID.encode()
LINES = [(60, 100, SAID)]
PDF = printed([LINES])
PAGES = printed([LINES, LINES, LINES])
EPUB = epub({"a.xhtml": page(f"<body><p>{SAID}</p></body>")})
DOCX = docx(f"<w:p><w:r><w:t>{SAID}</w:t></w:r></w:p>")
KEYS = np.zeros((4, 8), dtype=np.float16)
GERMAN = "Der Wärter hörte früh die Glocken läuten, und über die Brücke fuhren die müden Fischer."


def locked(password: str) -> bytes:
    """A PDF that a password opens."""
    import pymupdf

    return pymupdf.open("pdf", PDF).tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw=password)


def picture(kind: str = "PNG") -> bytes:
    """A picture of a page."""
    stream = io.BytesIO()
    Image.new("L", (400, 300), 255).save(stream, kind)
    return stream.getvalue()


def scan() -> bytes:
    """A PDF of a picture of a page."""
    import pymupdf

    book = pymupdf.open()
    book.new_page(width=400, height=300).insert_image((0, 0, 400, 300), stream=picture())
    return book.tobytes()


def recognised(path: Path) -> dict[str, Any]:
    """Let its page be recognised, by an engine that read it well."""
    keep_sheet(path.parent / "sheets", 0, Sheet((Row(30, 60, 300, 72, SAID, 95.0),)))
    return {"sheets": path.parent / "sheets"}


def unpacked(data: bytes) -> bytes:
    """Take the first file out of a ZIP archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        return found.read(found.namelist()[0])


def protected(data: bytes) -> bytes:
    """Mark each file of a ZIP archive as encrypted, as its list and its own header say it."""
    found = bytearray(data)
    for sign, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        for header in re.finditer(re.escape(sign), data):
            found[header.start() + at] |= 1
    return bytes(found)


def half(data: bytes) -> bytes:
    """Split a PDF."""
    import pymupdf

    return pymupdf.open("pdf", data).convert_to_pdf(0, 0)


BOTH = archive({"a.txt": TEXT, "b.txt": b"Another."})
TIGHT = Limits(entry_bytes=100)
P = "http://schemas.openxmlformats.org/presentationml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
SLIDE = archive(
    {
        "ppt/presentation.xml": f'<p:presentation xmlns:p="{P}" xmlns:r="{R}"><p:sldIdLst>'
        '<p:sldId id="256" r:id="rId1"/></p:sldIdLst></p:presentation>',
        "ppt/_rels/presentation.xml.rels": "<Relationships xmlns="
        '"http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
        f'Type="{R}/slide" Target="slides/slide1.xml"/></Relationships>',
        "ppt/slides/slide1.xml": f'<p:sld xmlns:p="{P}" xmlns:a="{A}"><p:cSld><p:spTree><p:sp><p:txBody>'
        f"<a:p><a:r><a:t>{SAID}</a:t></a:r></a:p></p:txBody></p:sp></p:spTree></p:cSld></p:sld>",
    }
)
ODT = {
    "mimetype": b"application/vnd.oasis.opendocument.text",
    "content.xml": '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:text>'
    f"<text:p>{SAID}</text:p></office:text></office:body></office:document-content>",
}
BROKEN = {"content.xml": b"\0\0"}
WEB = f"<html><p>{SAID}".encode()
LOCKED = {"META-INF/manifest.xml": b"<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>"}
DRAWING = archive(
    {
        "mimetype": b"application/vnd.oasis.opendocument.text",
        "content.xml": b"<office><body><drawing/></body></office>",
    }
)
MAIL = b"From: a@b.example\nTo: c@d.example\nSubject: Lamps\nMIME-Version: 1.0\nContent-Type: "
SEALED = MAIL + b"application/pkcs7-mime; smime-type=enveloped-data\n\nMIIB"
PLAIN_MAIL = MAIL + b"text/plain\n\n" + TEXT
ATTACHED = MAIL + b'application/pdf\nContent-Disposition: attachment; filename="lamp.pdf"\n\n%PDF'
OUTLOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "__substg1.0_".encode("utf-16-le")
NESTED = archive(
    {
        "mimetype": b"application/vnd.oasis.opendocument.text",
        "content.xml": b"<office><body><text>"
        + b"<list><list-item>" * 60
        + b"</list-item></list>" * 60
        + b"</text>"
        b"</body></office>",
    }
)
FEW = Limits(pages=2, characters=100)
# (name and bytes of a file, how it is read, words of the line; then name, bytes and the way that they advise)
FILES: list[tuple[str, bytes, dict, str, str, bytes, Any]] = [
    (
        "a.pdf",
        locked("bell"),
        {},
        "encrypted: give its password",
        "a.pdf",
        locked("bell"),
        {"password": "bell"},
    ),
    (
        "a.pdf",
        locked("bell"),
        {"password": "no"},
        "try another",
        "a.pdf",
        locked("bell"),
        {"password": "bell"},
    ),
    ("a.pdf", scan(), {}, r"text recognition \(OCR\) read it", "a.pdf", scan(), recognised),
    ("a.png", picture(), {}, r"text recognition \(OCR\) read it", "a.png", picture(), recognised),
    (
        "a.cbz",
        archive({"1.png": picture()}),
        {},
        r"text recognition \(OCR\) read it",
        "a.cbz",
        archive({"1.png": picture()}),
        recognised,
    ),
    (
        "a.heic",
        b"\0\0\0\x18ftypheic" + bytes(40),
        {},
        "save it as JPEG or PNG",
        "a.jpg",
        picture("JPEG"),
        recognised,
    ),
    ("a.pdf", PDF[:40], {}, "damaged.*another copy", "a.pdf", PDF, {}),
    ("a.pdf", PAGES, {"limits": FEW}, "split the file", "a.pdf", half(PAGES), {"limits": FEW}),
    ("a.epub", EPUB[:200], {}, "another copy", "a.epub", EPUB, {}),
    (
        "a.txt",
        TEXT * 9,
        {"limits": Limits(file_bytes=100)},
        "too large.*split it",
        "a.txt",
        TEXT,
        {"limits": Limits(file_bytes=100)},
    ),
    ("a.docx", DOCX[:200], {}, "another copy", "a.docx", DOCX, {}),
    ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1" + bytes(99), {}, "save it as DOCX", "a.docx", DOCX, {}),
    ("a.txt", b"", {}, "empty.*choose another copy", "a.txt", TEXT, {}),
    ("a.txt", b" \n\n", {}, "only white space: choose another copy", "a.txt", TEXT, {}),
    ("a.txt", TEXT * 9, {"limits": FEW}, "too long.*split the file", "a.txt", TEXT, {"limits": FEW}),
    (
        "a.txt",
        gzip.compress(TEXT),
        {},
        "gzip archive.*unpack it first",
        "a.txt",
        gzip.decompress(gzip.compress(TEXT)),
        {},
    ),
    ("a.zip", BOTH, {}, " files: unpack it and add the files inside", "a.txt", unpacked(BOTH), {}),
    ("a.zip", archive({"xl/a.xml": b"x"}), {}, "Excel.*save it as PDF", "a.pdf", PDF, {}),
    ("a.ps", b"%!PS-Adobe", {}, "convert it to PDF", "a.pdf", PDF, {}),
    ("a.azw", b"TPZ0" + bytes(99), {}, "convert it to EPUB", "a.epub", EPUB, {}),
    (
        "a.json",
        json.dumps({"text": SAID}).encode(),
        {},
        "save the text in it as plain text",
        "a.txt",
        TEXT,
        {},
    ),
    ("a.tex", b"\\documentclass{book}", {}, "make a PDF of it and add that", "a.pdf", PDF, {}),
    (
        "a.xml",
        b"<?xml version='1.0'?><TEI>x</TEI>",
        {},
        "convert it to EPUB, HTML or plain text",
        "a.epub",
        EPUB,
        {},
    ),
    ("a.html", b"<html><script>x</script></html>", {}, "save it as text or PDF", "a.txt", TEXT, {}),
    (
        "a.mht",
        b"MIME-Version: 1.0\r\nContent-Type: image/png\r\n\r\nx",
        {},
        "save it again, or as HTML",
        "a.html",
        f"<html><p>{SAID}".encode(),
        {},
    ),
    (
        "a.txt",
        TEXT,
        {"encoding": "klingon"},
        "no encoding called.*try utf-8",
        "a.txt",
        TEXT,
        {"encoding": "utf-8"},
    ),
    (
        "a.txt",
        "ä".encode("cp1252") + TEXT,
        {"encoding": "utf-8"},
        "leave the encoding out or name another",
        "a.txt",
        "ä".encode("cp1252") + TEXT,
        {"encoding": "cp1252"},
    ),
    ("a.bin", bytes(range(1, 32)) * 50, {}, "give EPUB, PDF, text", "a.txt", TEXT, {}),
    ("a.odt", DRAWING, {}, "no text but a table or a drawing: save it as PDF", "a.pdf", PDF, {}),
    (
        "a.docx",
        archive({"word/document.xml": b"<"}),
        {},
        "damaged .*: save it again as DOCX",
        "a.docx",
        DOCX,
        {},
    ),
    ("a.odt", NESTED, {}, "deep: save it as text or PDF", "a.txt", TEXT, {}),
    ("a.epub", EPUB, {"limits": TIGHT}, "save the text as plain text", "a.txt", TEXT, {"limits": TIGHT}),
    ("a.epub", protected(EPUB), {}, "is encrypted: remove the protection first", "a.epub", EPUB, {}),
    ("a.html", b"<!doctype html>", {}, "page has no text: choose another file", "a.html", WEB, {}),
    ("a.pptx", archive({"ppt/presentation.xml": b"<x/>"}), {}, "save it again as PPTX", "a.pptx", SLIDE, {}),
    ("a.msg", OUTLOOK, {}, r"\(MSG\): save it as EML or text first", "a.eml", PLAIN_MAIL, {}),
    ("a.eml", SEALED, {}, "message is encrypted: open it in your mail program", "a.txt", TEXT, {}),
    ("a.eml", ATTACHED, {}, "but what is attached .*: save what you need", "lamp.pdf", PDF, {}),
    (
        "a.pptx",
        archive({"ppt/presentation.xml": b"<presentation/>"}),
        {},
        "no slides in this presentation",
        "a.pptx",
        SLIDE,
        {},
    ),
    (
        "a.ott",
        archive({"mimetype": ODT["mimetype"], "styles.xml": b"<styles/>"}),
        {},
        "only styles in this OpenDocument",
        "a.odt",
        archive(ODT),
        {},
    ),
    ("a.odt", archive(ODT | LOCKED), {}, "locked: save it without a password", "a.odt", archive(ODT), {}),
    ("a.odt", archive(ODT | BROKEN), {}, "cannot be read.: save it again as ODT", "a.odt", archive(ODT), {}),
]


@pytest.mark.parametrize("row", FILES, ids=[f"{row[0]} {row[3][:40]}" for row in FILES])
def test_a_file_is_read_where_the_advice_is_followed(tmp_path, row):
    name, data, way, words, better, good, followed = row
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadInput, match=words) as refusal:
        parse(tmp_path / name, **way)
    assert "\n" not in str(refusal.value)
    (tmp_path / better).write_bytes(good)
    way = followed(tmp_path / better) if callable(followed) else followed
    assert SAID in parse(tmp_path / better, **way).text


# --- what is told of a file that was read ---

WARNED = [
    ("a.txt", GERMAN.encode("cp1250"), "name the right one", {"encoding": "cp1250"}, GERMAN),
    ("a.txt", GERMAN.encode("utf-16-le"), "name the right one", {"encoding": "utf-16-le"}, GERMAN),
]


@pytest.mark.parametrize(("name", "data", "words", "way", "text"), WARNED)
def test_what_was_not_sure_is_sure_where_the_advice_is_followed(tmp_path, name, data, words, way, text):
    (tmp_path / name).write_bytes(data)
    assert any(words in one for one in parse(tmp_path / name).warnings)
    document = parse(tmp_path / name, **way)
    assert document.text == text and not document.warnings


# --- tables ---

SEMICOLON = b'text;label\n"a; b";good\n'
TABLES: list[tuple[str, bytes, dict, str, str, bytes, dict]] = [
    ("a.csv", b"text;label\na; b; c;good\n", {}, "quotation marks around", "a.csv", SEMICOLON, {}),
    ("a.csv", b"", {}, "no rows in it|is empty", "a.csv", SEMICOLON, {}),
    (
        "a.jsonl",
        b'{"text": "a"}\n{"text": \n',
        {},
        "give one JSON object in each line",
        "a.jsonl",
        b'{"text": "a; b", "label": "good"}\n',
        {},
    ),
    ("a.csv", b"text,label\n\0\0a,b\n", {}, "no text: give a CSV", "a.csv", SEMICOLON, {}),
    (
        "a.jsonl",
        b'{"text": "a", "label": "b"}\n[1]\n',
        {},
        "no JSON object: write",
        "a.jsonl",
        b'{"text": "a; b", "label": "good"}\n',
        {},
    ),
    ("a.csv", b"a," * 501 + b"b\n" * 2, {}, "leave some out", "a.csv", SEMICOLON, {}),
    ("a.parquet", b"PAR1" + bytes(50) + b"PAR1", {}, "save it as CSV", "a.csv", SEMICOLON, {}),
    (
        "a.xlsx",
        archive({"xl/workbook.xml": b"x"}),
        {},
        "save the sheet as CSV and give that",
        "a.csv",
        SEMICOLON,
        {},
    ),
    ("a.csv", b"text,label\n" + b"a,b\n" * 500_001, {}, "give a part of it, such as", "a.csv", SEMICOLON, {}),
    (
        "a.csv",
        "text,label\nä,good\n".encode("cp1252"),
        {"encoding": "utf-8"},
        "leave the encoding out|name",
        "a.csv",
        SEMICOLON,
        {},
    ),
]


@pytest.mark.parametrize("row", TABLES, ids=[f"{row[0]} {row[3][:30]}" for row in TABLES])
def test_a_table_is_read_where_the_advice_is_followed(tmp_path, row):
    name, data, way, words, better, good, followed = row
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadInput, match=words):
        read_table(tmp_path / name, **way)
    (tmp_path / better).write_bytes(good)
    table = read_table(tmp_path / better, **followed)
    assert table.columns == ("text", "label")
    assert [list(row) for row in table.rows] == [["a; b", "good"]]


# --- places in a book ---

BOOK = "# One\n\nFirst words.\n\n# The old bell\n\nSecond words.\n\n# An old bell again\n\nThird words.\n"
PLACES = [
    (find_position, "120%", "percentage from 0 to 100", "100%"),
    (find_position, "char 9999", "has 79 characters", "char 79"),
    (find_position, "line 999", r"has 11 lines", "line 11"),
    (find_position, "page 4", "chapter", "chapter 2"),
    (find_position, "nowhere", "its chapters are 'One'.*'45%' or 'char 1234' works too", "char 12"),
    (find_position, "The old bell, paragraph 9", "has 1", "The old bell, paragraph 1"),
    (find_chapter, "Nine", "its chapters are 'One'", "One"),
    (find_chapter, "old bell", "could be any of.*say which", "An old bell again"),
]


@pytest.mark.parametrize(("find", "wrong", "words", "right"), PLACES, ids=[row[1] for row in PLACES])
def test_a_place_is_found_where_the_advice_is_followed(tmp_path, find, wrong, words, right):
    (tmp_path / "book.md").write_text(BOOK)
    document = parse(tmp_path / "book.md")
    with pytest.raises(BadInput, match=words):
        find(document, wrong)
    found = find(document, right)
    assert found == document.chapters[-1] if right == "An old bell again" else found is not None


# --- the shelf and what lies beside it ---


class Home:
    """A data folder with one book that was read, and its shelf."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.paths = folder, Paths(folder / "home")
        self.shelf = Shelf(self.paths)
        self.file = folder / "lamp.txt"
        self.file.write_text(SAID)
        self.id = self.add(self.file)

    def add(self, file: Path) -> str:
        entry, _ = self.shelf.add(file)
        if not self.shelf.is_stored(entry.id):
            self.shelf.store(entry.id, Document(entry.source_name, "", "en", "text", file.read_text()))
        return entry.id

    def again(self) -> Shelf:
        """The shelf as the next start finds it."""
        self.shelf.close()
        self.shelf = Shelf(self.paths)
        return self.shelf

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.folder / "accounts.json", self.folder)

    def reads(self) -> bool:
        """Tell whether the book is on the shelf with its text."""
        return [one.id for one in self.shelf.entries()] == [self.id] and SAID in self.shelf.document(
            self.id
        ).text


def spoil_database(home: Home) -> None:
    home.shelf.close()
    home.paths.database.write_bytes(b"something else entirely " * 100)
    home.again().entries()


def repaired(home: Home) -> bool:
    home.shelf.close()
    repair.rebuild(home.paths)
    home.again()
    return home.reads()


def lose_source(home: Home) -> None:
    for file in home.shelf.source(home.id).parent.glob("source*"):
        file.unlink()
    home.shelf.source(home.id)


def spoil_source(home: Home) -> None:
    home.shelf.source(home.id).write_text("other words")
    home.shelf.check_source(home.id)


def added_again(home: Home) -> bool:
    home.add(home.file)
    home.shelf.check_source(home.id)
    return home.reads()


def two_alike(home: Home) -> None:
    (home.folder / "lamplight.txt").write_text("Another lamp.")
    home.add(home.folder / "lamplight.txt")
    home.shelf.find("lam")


def backup_over_a_file(home: Home) -> None:
    (home.folder / "kept.zip").write_bytes(b"mine")
    back_up(home.paths, home.folder / "kept.zip")


def backed_up(home: Home, name: str = "other.zip") -> bool:
    (home.folder / name).parent.mkdir(exist_ok=True)
    back_up(home.paths, home.folder / name)
    there = Paths(home.folder / "there")
    restore(there, home.folder / name)
    return [one.id for one in Shelf(there).entries()] == [home.id]


def restore_half(home: Home) -> None:
    back_up(home.paths, home.folder / "whole.zip")
    data = (home.folder / "whole.zip").read_bytes()
    (home.folder / "half.zip").write_bytes(data[: len(data) // 2])
    restore(Paths(home.folder / "there"), home.folder / "half.zip")


def restored(home: Home) -> bool:
    restore(Paths(home.folder / "there"), home.folder / "whole.zip")
    return [one.id for one in Shelf(Paths(home.folder / "there")).entries()] == [home.id]


def spoil_accounts(home: Home) -> None:
    home.accounts.add("ann", "a long password")
    (home.folder / "accounts.json").write_text("{")
    home.accounts.all()


def accounts_anew(home: Home) -> bool:
    (home.folder / "accounts.json").rename(home.folder / "away.json")
    home.accounts.add("ann", "a long password")
    return list(home.accounts.all()) == ["ann"] and home.reads()


def account_twice(home: Home) -> None:
    home.accounts.add("ann", "a long password")
    home.accounts.add("ann", "another password")


def new_password(home: Home) -> bool:
    home.accounts.set_password("ann", "another password")
    return "ann" in home.accounts.all()


def token_twice(home: Home) -> None:
    home.accounts.add("ann", "a long password")
    home.accounts.grant("ann", "phone")
    home.accounts.grant("ann", "phone")


def token_anew(home: Home) -> bool:
    home.accounts.revoke("ann", "phone")
    return home.accounts.of_token(home.accounts.grant("ann", "phone")) == "ann"


def never_read(home: Home) -> None:
    (home.folder / "new.txt").write_text("Not read yet.")
    entry, _ = home.shelf.add(home.folder / "new.txt")
    home.shelf.document(entry.id)


def read_then(home: Home) -> bool:
    identifier = home.add(home.folder / "new.txt")
    read = home.shelf.document(identifier).text
    home.shelf.remove(identifier)
    return read == "Not read yet." and home.reads()


def marked(home: Home, start: int, end: int, document: Document | None = None) -> object:
    return home.shelf.marks.add(home.id, document or home.shelf.document(home.id), start, end)


def marked_much(home: Home) -> object:
    return marked(home, 0, LONGEST + 1, Document("lamp", "", "en", "text", "lamp " * LONGEST))


def columns_of(text: str, label: str) -> object:
    return chosen_columns(pasted_table("text,label\na,b\n"), text, label)


Deed = Callable[[Home], object]
SHELF: dict[str, tuple[Deed, str, Deed]] = {
    "a damaged database": (spoil_database, "damaged or not ours.*--repair, which keeps every book", repaired),
    "a file that is gone": (lose_source, "is gone from the shelf: add it again", added_again),
    "a file that was changed": (spoil_source, "is damaged on the shelf: add it again", added_again),
    "a title of two": (
        two_alike,
        "may be .*give the id",
        lambda home: home.shelf.find(home.id).id == home.id,
    ),
    "a title of none": (
        lambda home: home.shelf.find("bell"),
        "no document .*lamp",
        lambda home: home.shelf.find("lamp").id == home.id,
    ),
    "no title": (
        lambda home: home.shelf.rename(home.id, " "),
        "needs a title",
        lambda home: home.shelf.rename(home.id, "Night").title == "Night",
    ),
    "a backup over a file": (backup_over_a_file, "name another", backed_up),
    "a backup into no folder": (
        lambda home: back_up(home.paths, home.folder / "new" / "a.zip"),
        "make it first",
        lambda home: backed_up(home, "new/a.zip"),
    ),
    "half a backup": (restore_half, "no whole backup.*nothing was changed, take another copy", restored),
    "damaged accounts": (
        spoil_accounts,
        "move it away and add the accounts again; no book is lost",
        accounts_anew,
    ),
    "an account twice": (account_twice, "account password changes its password", new_password),
    "an account of none": (
        lambda home: home.accounts.set_password("ann", "a long password"),
        "no account .*: see account list",
        lambda home: "ann" not in home.accounts.all() and not home.accounts.add("ann", "a long password"),
    ),
    "a token of none": (
        lambda home: home.accounts.add("ann", "a long password") or home.accounts.revoke("ann", "phone"),
        "has no token .*: see account list",
        lambda home: home.accounts.grant("ann", "phone") and not home.accounts.revoke("ann", "phone"),
    ),
    "a token twice": (token_twice, "account revoke takes it back", token_anew),
    "a book that was not read": (never_read, "has not been parsed yet: add it again", read_then),
    "nothing to mark": (
        lambda home: marked(home, 3, 4),
        "select some words of the book first",
        lambda home: marked(home, 0, 8),
    ),
    "a mark beyond the book": (
        lambda home: marked(home, 3, 9999),
        "open it again",
        lambda home: home.again() and marked(home, 0, 8),
    ),
    "a mark of too much": (
        marked_much,
        "choose .* characters at most",
        lambda home: marked(home, 0, 8),
    ),
    "an id of none": (
        lambda home: checked("../.."),
        "give the id that `shelf` lists",
        lambda home: checked(home.shelf.entries()[0].id),
    ),
    "one column for both": (
        lambda home: columns_of("text", "text"),
        "cannot be the same column: choose two",
        lambda home: columns_of("text", "label"),
    ),
    "two labels of one word": (
        lambda home: Task("{} is {}", {"a": "good", "b": "good"}),
        "give each its own",
        lambda home: Task("{} is {}", {"a": "good", "b": "bad"}),
    ),
    "an index of no kind": (
        lambda home: make_index(KEYS, "none"),
        "there is no index .* choose one of",
        lambda home: make_index(KEYS, "resident"),
    ),
    "keys of no name": (
        lambda home: DerivedKeys(home.folder, "../a"),
        "use letters, digits",
        lambda home: DerivedKeys(home.folder, "a-1"),
    ),
    "no notes to export": (
        lambda home: exported(home.shelf.marks.all(), "markdown"),
        "mark something first",
        lambda home: marked(home, 0, 8) and exported(home.shelf.marks.all(), "markdown"),
    ),
    "a file of nobody": (
        lambda home: uploads.inside(home.file),
        "upload it first",
        lambda home: uploads.inside(uploaded("lamp.txt")),
    ),
    "no file": (
        lambda home: list(gather([str(home.folder / "none.txt")])) and parse(home.folder / "none.txt"),
        "check the name",
        lambda home: SAID in parse(home.file).text,
    ),
    "a folder": (
        lambda home: parse(home.folder),
        "is a folder: give a file",
        lambda home: SAID in parse(home.file).text,
    ),
}


@pytest.mark.parametrize(("wrong", "words", "followed"), SHELF.values(), ids=SHELF)
def test_no_book_is_lost_where_the_advice_is_followed(tmp_path, wrong, words, followed):
    home = Home(tmp_path)
    try:
        with pytest.raises((BadInput, Failure), match=words) as refusal:
            wrong(home)
        assert "\n" not in str(refusal.value)
        assert followed(home), "as the line says"
        assert SAID in home.again().document(home.id).text
    finally:
        home.shelf.close()


def test_a_zip_of_several_books_is_unpacked_as_it_says(tmp_path):
    (tmp_path / "both.zip").write_bytes(BOTH)
    books = json.loads(unpack(tmp_path / "both.zip", {}, str(tmp_path / "out")))
    assert sorted(re.sub(r".*/", "", name) for name in books) == ["a.txt", "b.txt"]
    assert SAID in parse(min(books)).text
