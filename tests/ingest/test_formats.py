"""Formats beside EPUB, PDF, Word and text, as rows: a small file each, and what must come of it."""

import base64
import struct
from dataclasses import dataclass, field

import pytest

from ingest.errors import BadInput
from ingest.formats import FORMATS, SUFFIXES
from ingest.huffman import Huffman
from ingest.limits import Limits
from ingest.palm import unpack
from ingest.parse import parse
from ingest.position import find_position
from tests.ingest.build import archive, docx, epub, page
from tests.ingest.invariants import check_document

A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MATH = (
    "<math xmlns='http://www.w3.org/1998/Math/MathML'><semantics><msup><mi>x</mi><mn>2</mn></msup>"
    "<annotation encoding='StarMath 5.0'>x^2</annotation></semantics></math>"
)
XLINK = 'xmlns:l="http://www.w3.org/1999/xlink"'
ODF = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in [("office", "office"), ("text", "text"), ("table", "table"), ("style", "style"),
                         ("draw", "drawing"), ("meta", "meta"), ("svg", "svg-compatible")]
) + ' xmlns:dc="http://purl.org/dc/elements/1.1/"'  # fmt: skip


def fb2(bodies: str, about: str = "", coding: str = "utf-8") -> bytes:
    """A FictionBook of these bodies."""
    text = (
        f'<?xml version="1.0" encoding="{coding}"?><FictionBook {XLINK} xmlns="http://www.gribuser.ru/xml/'
        f'fictionbook/2.0"><description><title-info>{about}</title-info></description>{bodies}'
        '<binary id="i.jpg" content-type="image/jpeg">AAAA</binary></FictionBook>'
    )
    return text.encode(coding)


def odt(body: str, styles: str = "", extra: dict | None = None) -> bytes:
    """An OpenDocument text of this body."""
    content = (
        f"<office:document-content {ODF}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:text>{body}</office:text></office:body></office:document-content>"
    )
    meta = (
        f"<office:document-meta {ODF}><office:meta><dc:title>Of Mills</dc:title><meta:initial-creator>Ann"
        "</meta:initial-creator><dc:language>en</dc:language></office:meta></office:document-meta>"
    )
    entries = {
        "mimetype": "application/vnd.oasis.opendocument.text",
        "content.xml": content,
        "meta.xml": meta,
    }
    return archive(entries | (extra or {}))


def shape(words: str, kind: str = "") -> str:
    place = f'<p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>' if kind else ""
    return f"<p:sp>{place}<p:txBody><a:p><a:r><a:t>{words}</a:t></a:r></a:p></p:txBody></p:sp>"


def pptx(slides: list[str], order: list[int], notes: dict[int, str] | None = None) -> bytes:
    """A presentation: slides in the order of the file, and their order in the show."""
    space = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
    listed = "".join(f'<p:sldId id="{256 + at}" r:id="rId{at}"/>' for at in order)
    related = "".join(
        f'<Relationship Id="rId{at}" Type="{R}/slide" Target="slides/slide{at}.xml"/>' for at in order
    )
    entries = {
        "ppt/presentation.xml": f'<p:presentation {P} xmlns:r="{R}"><p:sldIdLst>{listed}</p:sldIdLst>'
        "</p:presentation>",
        "ppt/_rels/presentation.xml.rels": f"<Relationships {space}>{related}</Relationships>",
    }
    for at, inside in enumerate(slides, 1):
        tree = f"<p:sld {P} {A}><p:cSld><p:spTree>{inside}</p:spTree></p:cSld></p:sld>"
        entries[f"ppt/slides/slide{at}.xml"] = tree
    for at, inside in (notes or {}).items():
        entries[f"ppt/notesSlides/notes{at}.xml"] = f"<p:notes {P} {A}>{inside}</p:notes>"
        entries[f"ppt/slides/_rels/slide{at}.xml.rels"] = (
            f'<Relationships {space}><Relationship Id="r1" Type="{R}/notesSlide" '
            f'Target="../notesSlides/notes{at}.xml"/></Relationships>'
        )
    return archive(entries)


def mhtml(data: bytes, coding: str, charset: str = "utf-8") -> bytes:
    """A saved page: an outer message of two parts, the picture first."""
    inside = f"Content-Type: text/html; charset={charset}\r\nContent-Transfer-Encoding: {coding}\r\n\r\n"
    return (
        b'From: <Saved>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related;\r\n\tboundary="=_B"\r\n\r\n'
        b"--=_B\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBO\r\n--=_B\r\n"
        + inside.encode() + data + b"\r\n--=_B--\r\n"
    )  # fmt: skip


def framed(pages: dict[str, str]) -> bytes:
    """A saved page with others in its frames, by their addresses."""
    parts = "".join(
        "--B\r\nContent-Type: text/html\r\n"
        + (f"Content-ID: <{name[4:]}>" if name.startswith("cid:") else f"Content-Location: {name}")
        + f"\r\n\r\n<html>{words}</html>\r\n"
        for name, words in pages.items()
    )
    return f'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="B"\r\n\r\n{parts}--B--'.encode()


def mobi(markup: bytes, *, version: int = 6, protection: int = 0, packing: int = 1, trailer: bytes = b"",
         about: tuple[tuple[int, bytes], ...] = ()) -> bytes:  # fmt: skip
    """A Kindle book of one text record for each 4,096 bytes."""
    records = [markup[at : at + 4096] + trailer for at in range(0, len(markup), 4096)]
    head = struct.pack(">HHIHHHH", packing, 0, len(markup), len(records), 4096, protection, 0)
    extra = b"".join(struct.pack(">II", kind, 8 + len(words)) + words for kind, words in about)
    extra = b"EXTH" + struct.pack(">II", 12 + len(extra), len(about)) + extra
    mobi_head = bytearray(0xE8)
    struct.pack_into(">4sIIIII", mobi_head, 0, b"MOBI", 0xE8, 2, 65001, 0, version)
    struct.pack_into(">H", mobi_head, 0xE2, 1 if trailer else 0)
    first = head + bytes(mobi_head) + extra
    everything = [first, *records]
    starts, at = [], 78 + 8 * len(everything)
    for record in everything:
        starts.append(at)
        at += len(record)
    listing = b"".join(struct.pack(">II", start, 0) for start in starts)
    front = b"book".ljust(60, b"\0") + b"BOOKMOBI" + bytes(8) + struct.pack(">H", len(everything))
    return front + listing + b"".join(everything)


NOTED = (
    "<body><title><p>Of Mills</p></title><section><title><p>Chapter 1</p><p>The Miller</p></title>"
    "<epigraph><p>Turn.</p></epigraph><p>He <emphasis>ground</emphasis> rye"
    '<a l:href="#n1" type="note">[1]</a>.</p>'
    "<poem><title><p>Song</p></title><stanza><v>One line,</v><v>two lines.</v></stanza></poem><image/>"
    "</section><section><title><p>Chapter 2</p></title><p>Rain.</p>"
    "<table><tr><th>a</th><td>b</td></tr></table>"
    '</section></body><body name="notes"><title><p>Notes</p></title><section id="n1"><title><p>1</p></title>'
    "<p>Black rye.</p><p>More.</p></section><section id='n2'><p>Lost note.</p></section></body>"
)
LISTED = (
    '<text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-format="1" '
    'style:num-suffix="."/><text:list-level-style-number text:level="2" style:num-format="a" '
    'text:display-levels="2" style:num-suffix=")"/></text:list-style>'
    '<style:style style:name="P1" style:parent-style-name="Title"/>'
)
ODT_BODY = (
    "<text:tracked-changes><text:p>Gone</text:p></text:tracked-changes>"
    '<text:p text:style-name="P1">Mills</text:p>'
    '<text:h text:outline-level="1">One</text:h><text:p>Two<text:s text:c="2"/>words'
    "<text:note><text:note-citation>"
    "1</text:note-citation><text:note-body><text:p>The note.</text:p><text:p>More.</text:p></text:note-body>"
    "</text:note>.<text:line-break/>Next</text:p>"
    '<text:list text:style-name="L"><text:list-item><text:p>Rye</text:p></text:list-item>'
    "<text:list-item><text:p>"
    "Oats</text:p><text:list><text:list-item><text:p>Black</text:p></text:list-item></text:list></text:list-item>"
    "</text:list><text:list><text:list-item><text:p>Dot</text:p></text:list-item></text:list><text:section>"
    '<text:h text:outline-level="2">Within</text:h></text:section>'
    "<table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell>"
    "<table:table-cell><text:p>b</text:p></table:table-cell></table:table-row></table:table-header-rows>"
    "</table:table><text:p>Box:<draw:frame><svg:title>Picture</svg:title><draw:text-box><text:p>Boxed.</text:p>"
    "</draw:text-box></draw:frame></text:p>"
)
ODT_TEXT = (
    "Mills\n\nOne\n\nTwo words[1].\nNext\n\n[1] The note.\n\nMore.\n\n1. Rye\n\n2. Oats\n\n"
    "2.a) Black\n\n• Dot\n\n"
    "Within\n\na | b\n\nBox:\n\nBoxed."
)
RTF = rb"""{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Times;}{\f1\fcharset204 Cyr;}}
{\stylesheet{\s1\outlinelevel0 heading 1;}{\s2 Chapter;}{\s3 \'dcberschrift 2;}{\*\cs9 odd;}}
{\info{\title Of Mills}{\author Ann}}{\header Running head}
\pard\s1 One\par\pard Gr\'fc\'dfe \u8217?s {\f1 \'cf\'f0\'e8}{\deleted gone}{\*\unknown nope}.\line Next\par
{\listtext\pard 1.\tab}First{\super\chftn{\footnote\pard\plain The note.\par More.}}\par
{\pntext\f3\'b7\tab}Dot\par
\trowd\pard\intbl a\cell b\cell\row\trowd\pard\intbl c\cell d\cell\row
\pard\s3 Within\par\pard{\upr{ascii}{\*\ud{\u-10179?\u-8704?}}}{\field{\*\fldinst LINK}{\fldrslt link}}\par
{\shp{\*\shpinst{\sp{\sn a}{\sv b}}{\shptxt\pard Boxed.\par}}{\shprslt Boxed.}}{\pict ffff\bin3 }}}\par}"""
SLIDES = [
    shape("Second", "title") + shape("Words.") + shape("7", "sldNum"),
    shape("Under it.") + shape("First", "ctrTitle")
    + "<p:graphicFrame><a:tbl><a:tr>" + "".join(
        f"<a:tc><a:txBody><a:p><a:r><a:t>{words}</a:t></a:r></a:p></a:txBody></a:tc>" for words in "ab"
    ) + "</a:tr></a:tbl></p:graphicFrame>",
]  # fmt: skip
PAGE = "<html><head><title>Of Mills</title></head><body><h1>Grüße</h1><p>Rye =3D black.</p></body></html>"
CONTENTS = (
    b'<html><head><guide><reference type="toc" filepos=%05d/></guide></head><body><p>Front.</p><p>'
    b"<a filepos=%05d>The Miller</a></p><p><a filepos=%05d><b>Rain</b></a></p>"
)
LATER = (b"<p>The Miller</p><p>He ground.</p>", b"<p>It rained.</p></body></html>")
AT = len(CONTENTS % (0, 0, 0))
KINDLE = CONTENTS % (CONTENTS.index(b"<p><a"), AT, AT + len(LATER[0])) + b"".join(LATER)


@dataclass(frozen=True)
class Case:
    """`text` is the whole text, `places` are words of a reader and the text that ends there."""

    file: str
    data: bytes = field(repr=False)
    text: str
    chapters: tuple[str, ...] = ()
    title: str = "Of Mills"
    author: str = ""
    language: str = ""
    form: str = ""
    places: tuple[tuple[str, str], ...] = ()


RAISED = (
    ("10", "5"), (" grains, physics", "1,2"), (" of the 19", "th"), (", 3", "1"), ("/", ""), ("2 mills.", ""),
)  # fmt: skip
HIGH_STYLE = (
    '<style:style style:name="T1"><style:text-properties style:text-position="super 58%"/></style:style>'
)
HIGH = (
    (
        "odt",
        odt(
            "<text:p>"
            + "".join(f'{words}<text:span text:style-name="T1">{up}</text:span>' for words, up in RAISED)
            + "</text:p>",
            HIGH_STYLE,
        ),
        {"title": "Of Mills", "author": "Ann", "language": "en"},
    ),
    (
        "rtf",
        (r"{\rtf1 " + "".join(rf"{words}{{\super {up}}}" for words, up in RAISED) + "}").encode(),
        {"title": "high"},
    ),
    (
        "up.rtf",
        (r"{\rtf1 " + "".join(rf"{words}\up6 {up}\up0 " for words, up in RAISED) + "}").encode(),
        {"title": "high.up", "form": "rtf"},
    ),
    (
        "pptx",
        pptx(
            [
                "<p:sp><p:txBody><a:p>"
                + "".join(
                    f'<a:r><a:t>{words}</a:t></a:r><a:r><a:rPr baseline="30000"/><a:t>{up}</a:t></a:r>'
                    for words, up in RAISED
                )
                + "</a:p></p:txBody></p:sp>"
            ],
            [1],
        ),
        {"title": "high"},
    ),
)

CASES = (
    Case(
        "noted.fb2",
        fb2(
            NOTED,
            "<book-title>Of Mills</book-title><author><first-name>Ann</first-name><last-name>Miller"
            "</last-name></author><lang>en</lang>",
        ),
        "Of Mills\n\nChapter 1: The Miller\n\nTurn.\n\nHe ground rye[1].\n\n[1] Black rye.\n\nMore.\n\n"
        "Song\n\n"
        "One line,\ntwo lines.\n\nChapter 2\n\nRain.\n\na | b\n\nNotes\n\nLost note.",
        ("Of Mills", "Chapter 1: The Miller", "Chapter 2", "Notes"),
        author="Ann Miller",
        language="en",
        places=(("chapter 2", "a | b"),),
    ),
    Case(
        "old.fb2",
        fb2(
            "<body><section><title><p>Глава 1</p></title><p>Мельник.</p></section></body>",
            coding="windows-1251",
        ),
        "Глава 1\n\nМельник.",
        ("Глава 1",),
        title="Глава 1",
    ),
    Case(
        "raised.fb2",
        fb2("<body><p>10<sup>5</sup> grains, physics<sup>1,2</sup> of the 19<sup>th</sup>.</p></body>"),
        "10^5 grains, physics[1,2] of the 19th.",
        title="raised",
    ),
    Case(
        "wide.fb2",
        fb2("<body><section><p>Мельник.</p></section></body>", coding="utf-16"),
        "Мельник.",
        title="wide",
    ),
    Case(
        "text.odt",
        odt(ODT_BODY, LISTED),
        ODT_TEXT,
        ("One", "Within"),
        author="Ann",
        language="en",
        places=(("Within", "Boxed."),),
    ),
    Case(
        "counted.odt",
        odt(
            "<text:h text:outline-level='1'><text:number>3.</text:number>Of rye</text:h><text:p>It is "
            f"<draw:object {XLINK} l:href='./Object 1'/> and <draw:object>{MATH}</draw:object>.</text:p>",
            extra={"Object 1/content.xml": MATH},
        ),
        "3. Of rye\n\nIt is x^2 and x^2.",
        author="Ann",
        language="en",
    ),
    Case(
        "flat.fodt",
        f'<office:document {ODF} office:mimetype="application/vnd.oasis.opendocument.text">'
        "<office:body><office:text><text:p>Flat.</text:p></office:text></office:body></office:document>".encode(),
        "Flat.",
        title="flat",
        form="odt",
    ),
    Case(
        "rich.rtf",
        RTF,
        "One\n\nGrüße ’s При.\nNext\n\n1. First[1]\n\n[1] The note.\n\nMore.\n\n• Dot\n\na | b\nc | d\n\n"
        "Within\n\n"
        "😀link\n\nBoxed.",
        ("Within",),
        author="Ann",
    ),
    Case(
        "greek.rtf",
        rb"{\rtf1{\fonttbl\f0 Times;\f1\fcharset2 Symbol;{\f2\fcharset2 Symbol;}}\f0 a "
        rb"\f1 a\'62\u-3999?\f0  b{\f2 \'b3}{\plain c}.}",
        "a αβα b≥c.",
        title="greek",
    ),
    *(
        Case(f"high.{kind}", data, "10^5 grains, physics[1,2] of the 19th, 3 1/2 mills.", **about)
        for kind, data, about in HIGH
    ),
    Case("hidden.rtf", rb"{\rtf1 See{\v gone} \v gone \v0 here.}", "See here.", title="hidden"),
    Case(
        "slides.pptx",
        pptx(SLIDES, [2, 1], {1: shape("Speak up.", "body") + shape("1", "sldNum")}),
        "First\n\nUnder it.\n\na | b\n\nSecond\n\nWords.\n\nNotes: Speak up.",
        ("First", "Second"),
        title="slides",
        places=(("page 1", "a | b"), ("Second", "Speak up.")),
    ),
    Case(
        "listed-often.pptx",
        pptx([shape("One."), shape("Two.")], [2, 1, 2, 2]),
        "Two.\n\nOne.",
        title="listed-often",
        places=(("page 2", "One."),),
    ),
    Case(
        "page.mht",
        mhtml(PAGE.encode().replace(b"\xc3", b"=C3"), "quoted-printable"),
        "Grüße\n\nRye = black.",
        form="mhtml",
        title="Grüße",
    ),
    Case(
        "page.mhtml",
        mhtml(base64.encodebytes(PAGE.encode("cp1252")), "base64", "windows-1252"),
        "Grüße\n\nRye =3D black.",
        title="Grüße",
    ),
    Case(
        "mail.eml",
        b"MIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n"
        b"Content-Type: text/html; charset=utf-8\n\n" + PAGE.encode().replace(b"\xc3", b"=C3"),
        "Grüße\n\nRye = black.",
        form="mail",
        title="Grüße",
    ),
    Case(
        "frames.mhtml",
        framed(
            {
                "http://a/b/": "<frameset><frame src='menu.html'><frame src='cid:two@x'>"
                "<noframes>No.</noframes></frameset>",
                "http://a/b/menu.html": "<p>First part.<iframe src='/deep.html#x'></iframe></p>",
                "cid:two@x": "<h1>Second</h1><p>Its words.</p><iframe src='menu.html'></iframe>",
                "http://a/deep.html": "<p>Inside.</p><iframe src='deep.html'>",
            }
        ),
        "First part.\n\nInside.\n\nSecond\n\nIts words.",
        title="Second",
    ),
    Case(
        "headed.mobi",
        mobi(
            b"<html><body><h1>One</h1><p>He ground.</p><h1>Two</h1><p>Rain.</p></body></html>",
            about=((100, b"Ann"), (503, b"Of Mills"), (524, b"en")),
        ),
        "One\n\nHe ground.\n\nTwo\n\nRain.",
        ("One", "Two"),
        author="Ann",
        language="en",
    ),
    Case(
        "pointed.azw",
        mobi(KINDLE),
        "Front.\n\nThe Miller\n\nRain\n\nThe Miller\n\nHe ground.\n\nRain\n\nIt rained.",
        ("The Miller", "Rain"),
        title="pointed",
        form="mobi",
    ),
    Case(
        "broken.prc",
        mobi(b"<html><body><p>One<mbp:pagebreak/>two</p></body></html>"),
        "One\n\ntwo",
        title="broken",
        form="mobi",
    ),
    Case(
        "packed.prc",
        mobi(b"<p>Rye and\xf2ye, \x80\x2a.</p>", packing=2),
        "Rye and rye, rye, .",
        title="packed",
        form="mobi",
    ),
    Case(
        "long.azw3",
        mobi(b"<p>" + b"Rye. " * 1600 + b"</p>", version=8, trailer=b"\x00"),
        ("Rye. " * 1600).strip(),
        title="long",
        form="mobi",
    ),
    Case(
        "one.zip",
        archive({"of_mills.fb2": fb2("<body><p>In a ZIP.</p></body>"), "__MACOSX/._of_mills.fb2": b"x"}),
        "In a ZIP.",
        title="of mills",
        form="fb2",
    ),
)


def read(tmp_path, name: str, data: bytes, **options):
    path = tmp_path / name
    path.write_bytes(data)
    document = parse(path, **options)
    check_document(document)
    return document


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)
def test_a_file_of_another_format(tmp_path, case):
    document = read(tmp_path, case.file, case.data)
    assert document.text == case.text
    assert tuple(chapter.title for chapter in document.chapters) == case.chapters
    assert (document.title, document.author, document.language) == (case.title, case.author, case.language)
    assert document.format == (case.form or case.file.rpartition(".")[2])
    assert document.warnings == ()
    for words, ends in case.places:
        assert document.text[: find_position(document, words)].rstrip().endswith(ends)


@pytest.mark.parametrize("case", [case for case in CASES if case.form != "fb2" or ".fb2" in case.file],
                         ids=lambda case: case.file)  # fmt: skip
def test_the_content_decides_whatever_the_name(tmp_path, case):
    document = read(tmp_path, "a name.pdf", case.data)
    assert document.text == case.text and "the name ends in .pdf" in document.warnings[0]


def nested(opening: bytes, closing: bytes, depth: int, inside: bytes = b"x") -> bytes:
    return opening * depth + inside + closing * depth


LOCKED = {"META-INF/manifest.xml": "<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>"}
ENTITIES = b'<!DOCTYPE FictionBook [<!ENTITY a "ten letters"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
REFUSED = [
    ("empty.fb2", fb2("<body><p> </p></body>"), {}, "no text in this FictionBook"),
    ("deep.fb2", fb2("<body>" + "<section>" * 60 + "</section>" * 60 + "</body>"), {}, "more than 50 deep"),
    ("many.fb2", fb2("<body>" + "<p>x</p>" * 100 + "</body>"), {"nodes": 50}, "more than 50 marks"),
    ("locked.odt", odt("<text:p>x</text:p>", extra=LOCKED), {}, "locked"),
    ("empty.odt", odt("<text:p/>"), {}, "no text in this OpenDocument"),
    (
        "deep.odt",
        odt("<text:list><text:list-item>" * 60 + "</text:list-item></text:list>" * 60),
        {},
        "50 deep",
    ),
    (
        "sheet.ods",
        archive({"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": "<x/>"}),
        {},
        "is no text but a table",
    ),
    ("long.rtf", rb"{\rtf1 " + b"ten letter" * 50 + b"}", {"characters": 300}, "more than 300 characters"),
    ("deep.rtf", rb"{\rtf1 " + nested(b"{", b"}", 2000) + b"}", {}, "more than 1,000 deep"),
    ("none.pptx", archive({"ppt/presentation.xml": "<x/>"}), {}, "no slide can be found"),
    ("empty.pptx", pptx([""], [1]), {}, "no text in this presentation"),
    (
        "none.mht",
        b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\n\r\nx\r\n",
        {},
        "no page in this saved web page",
    ),
    ("drm.azw", mobi(b"<p>x</p>", protection=2), {}, r"protected \(DRM\)"),
    ("huff.mobi", mobi(b"<p>x</p>", packing=17480), {}, "damaged"),
    ("odd.mobi", mobi(b"<p>x</p>", packing=9), {}, r"\(method 9\): convert it"),
    ("short.mobi", mobi(b"<p>x</p>")[:70], {}, "damaged"),
    ("large.mobi", mobi(b"<p>" + b"x" * 9000), {"entry_bytes": 5000}, "unpacks to more than"),
    ("book.azw8", b"\xeaDRMION\xee" + bytes(50), {}, "protected"),
    ("comic.cbz", archive({"1.jpg": "x", "2.JPG": "x", "ComicInfo.xml": "x"}), {}, r"pictures of pages.*OCR"),
    ("photo.heic", b"\0\0\0\x18ftypheic" + bytes(40), {}, "a HEIC picture.*: save it as JPEG or PNG first"),
    ("books.zip", archive({"a.epub": "x", "b.epub": "x"}), {}, "ZIP archive of 2 files: unpack it"),
    ("inner.zip", archive({"a.zip": archive({"a.txt": "x"})}), {}, "ZIP archive of 1 files: unpack it"),
]


@pytest.mark.parametrize(("name", "data", "limits", "words"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_refused_says_why_in_one_line(tmp_path, name, data, limits, words):
    with pytest.raises(BadInput, match=words) as error:
        read(tmp_path, name, data, limits=Limits(**limits))
    assert str(error.value).startswith(f"{name}: ") and "\n" not in str(error.value)


def test_entities_of_a_file_are_not_resolved(tmp_path):
    data = fb2("<body><p>Rye &b; and &amp; oats.</p></body>")
    cut = data.index(b"<FictionBook")
    document = read(tmp_path, "a.fb2", data[:cut] + ENTITIES + data[cut:])
    assert "ten letters" not in document.text and "& oats." in document.text


def test_a_damaged_file_is_read_as_far_as_it_goes_and_says_so(tmp_path):
    document = read(tmp_path, "a.fb2", fb2("<body><p>Before.</p><p>After")[:-70])
    assert document.text.startswith("Before.") and "damaged" in document.warnings[0]


def test_every_ending_belongs_to_one_format():
    endings = [suffix for row in FORMATS for suffix in row.suffixes]
    assert len(endings) == len(set(endings)) == len(SUFFIXES)
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in endings)


@pytest.mark.parametrize(
    ("packed", "plain"),
    [
        (b"", b""),
        (b"rye", b"rye"),
        (b"\x02\xff\xfe!", b"\xff\xfe!"),
        (b"a\xe2", b"a b"),
        (b"ab\x80\x11", b"abababab"[:6]),
        (b"\x80\x08", b""),
        (b"a\x80", b"a"),
    ],
)
def test_a_record_is_unpacked(packed, plain):
    assert unpack(packed) == plain


def packed(phrases: list[bytes], plain: set[int]) -> tuple[bytes, bytes]:
    """Tables of HUFF/CDIC in which the byte 255 - n stands for phrase n, whatever its length."""
    huff = b"HUFF" + struct.pack(">III", 24, 24, 24 + 1024) + bytes(8)
    huff += struct.pack(">256I", *[255 << 8 | 0x80 | 8] * 256) + bytes(256)
    listing, words = b"", b""
    for at, phrase in enumerate(phrases):
        listing += struct.pack(">H", 2 * len(phrases) + len(words))
        words += struct.pack(">H", len(phrase) | (0x8000 if at in plain else 0)) + phrase
    return huff, b"CDIC" + struct.pack(">III", 16, len(phrases), 12) + listing + words


@pytest.mark.parametrize(
    ("phrases", "code", "text"),
    [
        ([b"the ", b"mill"], [0, 1], b"the mill"),
        ([b"the ", bytes([255, 254]), b"!"], [1, 2], b"the !"),  # a phrase of phrases, one of them itself
        ([b"a"], [0] * 50, b"a" * 50),
        ([], [], b""),
    ],
)
def test_a_tightly_packed_record_is_unpacked(phrases, code, text):
    plain = {at for at, phrase in enumerate(phrases) if not phrase or phrase[0] < 128}
    tables = Huffman(list(packed(phrases, plain)), Limits())
    assert tables.unpack(bytes(255 - at for at in code)) == text


@pytest.mark.parametrize("depth", [40, 200])
def test_phrases_in_phrases_end_at_a_limit(depth):
    doubling = [b"x" * 100, *(bytes([256 - at, 256 - at]) for at in range(1, min(depth, 150)))]
    tables = Huffman(list(packed(doubling, {0})), Limits(entry_bytes=100_000))
    with pytest.raises(BadInput, match="unpacks to more than|damaged"):
        tables.unpack(bytes([256 - len(doubling)]))


def test_an_entry_without_a_name_is_none(tmp_path):
    data = archive({"mimetype": "x", "content.xml": "x", "q": "x"}).replace(b"q", b"\0")
    with pytest.raises(BadInput, match="content.xml cannot be read|no text but a table"):
        read(tmp_path, "a.odt", data)


def test_other_archives_are_still_what_they_are(tmp_path):
    book = epub({"one.xhtml": page("<body><p>In an EPUB.</p></body>")})
    assert read(tmp_path, "a.zip", book).format == "epub"
    assert (
        read(tmp_path, "b.zip", archive({"a.docx": docx("<w:p><w:r><w:t>x</w:t></w:r></w:p>")})).format
        == "docx"
    )
