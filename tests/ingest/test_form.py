"""The form of a text: what is italic, a quotation, a note, a table or a picture, beside its characters."""

import base64
import io
from pathlib import Path

import pymupdf
import pytest
from lxml import etree
from PIL import Image

from ingest import apart
from ingest.document import Document
from ingest.parse import parse
from ingest.pictures import NAME as PICTURE_NAME
from ingest.pictures import checked_picture
from tests.ingest.build import PAGE, docx, epub, page

NAME = "book.epub"


def picture(kind: str = "PNG", size: tuple[int, int] = (4, 3)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size).save(stream, kind)
    return stream.getvalue()


DATA = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"


def told(document: Document, *kinds: str) -> list[tuple[str, str]]:
    """What stands in the spans of these kinds (of all, where none is named)."""
    return [(one.kind, document.text[one.start : one.end]) for one in document.spans
            if one.kind in kinds or not kinds]  # fmt: skip


def one_page(body: str) -> bytes:
    return epub({"one.xhtml": page(f"<body>{body}</body>")})


@pytest.mark.parametrize(("body", "spans"), [
    ("<p>So <i>very  \n odd</i> it was</p>", [("italic", "very odd")]),
    ("<p>So<em> very</em><b> odd </b>it</p>", [("italic", "very"), ("bold", "odd")]),
    ("<p><strong><em>Both</em></strong> at once</p>", [("bold", "Both"), ("italic", "Both")]),
    ("<p><span class='smcap'>Sir</span> <span style='font-style: italic'>Tom</span></p>",
     [("smallcaps", "Sir"), ("italic", "Tom")]),
    ("<p>A<br/><i>two<br/>lines</i></p>", [("italic", "two\nlines")]),
    ("<p><i>one<br/><br/>two</i> three</p>", [("italic", "one"), ("italic", "two")]),
    ("<blockquote><p>One.</p><p>Two <i>x</i>.</p></blockquote><p>Three.</p>",
     [("quote", "One.\n\nTwo x."), ("italic", "x")]),
    ("<blockquote epub:type='z3998:verse'><p><span>Roses</span><br/><span>violets</span></p></blockquote>",
     [("verse", "Roses\nviolets")]),
    ("<ul><li>One</li><li>Two <i>x</i></li></ul>", [("item", "• One"), ("item", "• Two x"), ("italic", "x")]),
    ("<ol><li><b>B</b>, c</li></ol>", [("item", "1. B, c"), ("bold", "B")]),
    ("<pre>a = <b>1</b>\n  b</pre>", [("code", "a = 1\n  b"), ("bold", "1")]),
    ("<h2>A <i>head</i></h2><p>Text.</p>", [("heading", "A head"), ("italic", "head")]),
    ("<h2>II</h2><h3>The <i>Sea</i></h3><p>Text.</p>", [("heading", "II: The Sea"), ("italic", "Sea")]),
    ("<table><tr><th>A</th><th>B</th></tr><tr><td></td><td colspan='2'>2</td></tr></table>",
     [("table", "A | B\n2"), ("row", "A | B"), ("header", "A"), ("header", "B"), ("row", "2"), ("cell", ""),
      ("cell", "2")]),
    ("<p>See <a href='#b'>there</a>, <a href='http://192.0.2.7/'>out</a>, <a href='javascript:x()'>run</a>, "
     "<a href='#no'>nowhere</a>.</p><p id='b'>Here.</p>", [("link", "there")]),
])  # fmt: skip
def test_spans_stand_where_their_author_set_them(read, body, spans):
    found = told(read(one_page(body)))
    assert sorted(found) == sorted(spans)


def test_the_text_is_the_same_with_and_without_form(read):
    plain = read(one_page("<p>It was a very odd thing; so it was.</p><p>Next.</p>")).text
    form = "<p>It <b>was</b> a <i>very</i> <i> odd</i> thing; <span class='sc'>so</span> it<i> </i>was.</p>"
    assert read(one_page(f"{form}<p><i>Next.</i></p>")).text == plain


def test_a_note_and_its_reference_know_each_other(read):
    body = ("<p>Word<a href='two.xhtml#n1' epub:type='noteref'>1</a> and "
            "more<a href='#f1' epub:type='noteref'>2</a>.</p>"
            "<aside epub:type='footnote' id='f1'><p>At the <i>foot</i>.</p></aside><p>Last.</p>")  # fmt: skip
    ends = "<h2>Notes</h2><ol><li id='n1' epub:type='endnote'><p>At the end.</p><p>On.</p></li></ol>"
    document = read(
        epub({"one.xhtml": page(f"<body>{body}</body>"), "two.xhtml": page(f"<body>{ends}</body>")})
    )
    first, second = (one for one in document.spans if one.kind == "reference")
    assert document.text[first.value :].startswith("1. At the end.")
    assert document.text[second.value :].startswith("[2] At the foot.")
    assert told(document, "note") == [("note", "[2] At the foot."), ("note", "1. At the end.\n\nOn.")]
    assert told(document, "italic") == [("italic", "foot")]


def test_pictures_stand_in_place_and_are_kept_by_their_content(read, tmp_path):
    cover = (
        "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'>"
        "<image xlink:href='c.jpg'/></svg>"
    )
    body = (
        "<p>Before.</p><figure><img src='../OPS/p.png' alt='A cat'/></figure>"
        "<p>In <img src='p.png' alt='a line'/>here.</p><p>End.</p><img src='gone.png' alt='Lost'/>"
    )
    parts = {"cover.xhtml": cover, "one.xhtml": body, "two.xhtml": "<p>Two.</p>"}
    files = {name: page(f"<body>{inside}</body>") for name, inside in parts.items()}
    extra = {"OPS/p.png": picture(), "OPS/c.jpg": picture("JPEG")}
    folder = tmp_path / "pictures"
    folder.mkdir()
    document = read(epub(files, extra=extra), pictures=folder)
    cover, cat, line, lost = document.pictures
    assert (cover.at, cover.name[-4:], cat.name[-4:]) == (0, ".jpg", ".png")
    assert (cat.words, document.text[cat.at :][:2], line.name) == ("A cat", "In", cat.name)
    assert document.text[line.at :].startswith("here.")
    assert (lost.words, lost.name, document.text[: lost.at][-4:]) == ("Lost", "", "End.")
    assert {one.name for one in folder.iterdir()} == {cover.name, cat.name}
    assert (folder / cat.name).read_bytes() == extra["OPS/p.png"]


@pytest.mark.parametrize(("name", "data"), [
    ("page.html", f"<html><body><p>One <i>two</i>.</p><img src='{DATA}' alt='w'></body></html>"),
    ("page.md", f"One *two*.\n\n![w]({DATA})\n"),
])  # fmt: skip
def test_pages_show_pictures_that_they_hold_and_no_others(read, name, data):
    document = read(data, name)
    assert told(document, "italic") == [("italic", "two")]
    assert [(one.words, bool(one.name)) for one in document.pictures] == [("w", True)]
    elsewhere = read(data.replace(DATA, "http://192.0.2.7/x.png"), name)
    assert [(one.words, one.name) for one in elsewhere.pictures] == [("w", "")]


SVG = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'{}>{}</svg>"
NO_PICTURES = [
    b"",
    b"<html><script>1</script></html>",
    b"\x89PNG\r\n\x1a\n",
    picture()[:30],
    b"<svg xmlns='http://www.w3.org/2000/svg'><g>",
    b"%PDF-1.4",
    picture("BMP"),
]


@pytest.mark.parametrize("data", NO_PICTURES, ids=range(len(NO_PICTURES)))
def test_what_is_no_picture_is_not_kept(data):
    assert checked_picture(data) is None


def test_a_picture_that_would_fill_the_memory_is_not_kept():
    wide = bytearray(picture(size=(1, 1)))
    wide[16:24] = (60_000).to_bytes(4, "big") * 2
    assert checked_picture(bytes(wide)) is None


@pytest.mark.parametrize(("values", "inside"), [
    ("", "<script>x</script>"),
    (" onload='x()'", "<g onclick='x()'><path d='M0 0'/></g>"),
    ("", "<foreignObject><body xmlns='http://www.w3.org/1999/xhtml'><b>x</b></body></foreignObject>"),
    ("", "<image href='http://192.0.2.7/'/><use href='http://192.0.2.7/#a'/><a href='javascript:x'>t</a>"),
    (" style='background:url(http://192.0.2.7/)'", "<path d='M0 0' fill='url(http://192.0.2.7/#a)'/>"),
    ("", "<style>@import 'http://192.0.2.7/'</style><animate attributeName='href' to='javascript:x'/>"),
    (" xml:base='http://192.0.2.7/'", "<set attributeName='onload' to='x'/>"),
])  # fmt: skip
def test_of_a_drawing_nothing_is_kept_but_its_shapes(values, inside):
    kind, data = checked_picture(SVG.format(values, f"{inside}<rect width='3'/>").encode())
    kept = data.decode()
    assert kind == "svg" and "<rect" in kept and "viewBox" in kept
    for word in ("script", "on", "192.0.2.7", "foreign", "style", "image", "href", "animate", "set", "<a"):
        assert word not in kept.replace("http://www.w3.org/2000/svg", "").replace("version", ""), word


def test_a_drawing_keeps_the_pictures_it_holds_and_its_plain_rules():
    """As the covers of Standard Ebooks are made: a painting, and over it a box with the title."""
    inside = (
        "<style>path{fill:#fff} .box{fill:#000;fill-opacity:.75} .far{fill:url(http://192.0.2.7/)}</style>"
        f"<image width='9' href='{DATA}'/><path class='box' style='opacity:.5' d='M0 0'/>"
        "<path class='far' d='M1 1'/>"
        "<image href='data:image/svg+xml;base64,PHN2Zy8+'/><image href='data:image/png;base64,aGVsbG8='/>"
    )
    _, data = checked_picture(SVG.format("", inside).encode())
    root = etree.fromstring(data)
    assert [one.get("href") for one in root.iter("{*}image")] == [DATA]
    styles = [one.get("style") for one in root.iter("{*}path")]
    assert styles == ["fill:#fff;fill:#000;fill-opacity:.75;opacity:.5", "fill:#fff"]
    assert b"192.0.2.7" not in data


def test_a_rule_named_a_million_times_does_not_fill_the_memory():
    rule = f"<style>.a, .b{{fill:{'#' * 480}}} .c{{fill:{'#' * 600}}}</style>"
    drawn = checked_picture(SVG.format("", rule + "<path class='a b c'/>" * 5_000).encode())
    assert drawn is not None and len(drawn[1]) < 1_000_000


def test_form_crosses_the_process_that_reads(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(epub({"one.xhtml": page("<body><p>So <i>odd</i>.<img src='p.png' alt='w'/></p></body>")},
                          extra={"OPS/p.png": picture()}))  # fmt: skip
    document = apart.parse(path, pictures=tmp_path / "kept")
    assert document == parse(path)
    assert told(document) == [("italic", "odd")]
    (kept,) = Path(tmp_path / "kept").iterdir()
    assert kept.name == document.pictures[0].name and PICTURE_NAME.fullmatch(kept.name)


def test_a_document_without_form_still_opens():
    line = Document("T", "", "", "text", "One.").to_json()
    old = line.replace('"version": 2', '"version": 1').replace(
        ', "spans": [], "pictures": [], "cover": ""', ""
    )
    assert "spans" not in old
    assert Document.from_json(old) == Document("T", "", "", "text", "One.")


def run(words: str, *forms: str) -> str:
    """A run of a Word document with these properties."""
    return f"<w:r><w:rPr>{''.join(forms)}</w:rPr><w:t xml:space='preserve'>{words}</w:t></w:r>"


ITALIC, OFF, STRONG = "<w:i/>", '<w:b w:val="0"/>', '<w:rStyle w:val="Strong"/>'


@pytest.mark.parametrize(("body", "spans"), [
    (f"<w:p>{run('So ')}{run('very', ITALIC)}{run(' odd  ', '<w:b/>', ITALIC)}{run('it', OFF)}</w:p>",
     [("italic", "very"), ("bold", "odd"), ("italic", "odd")]),
    (f"<w:p>{run('Sir', '<w:smallCaps/>')} {run('x', STRONG)}</w:p>",
     [("smallcaps", "Sir"), ("bold", "x")]),
    (f"<w:p><w:pPr><w:pStyle w:val='Quote'/></w:pPr>{run('Said.')}</w:p>", [("quote", "Said.")]),
    (f"<w:p>{run('See ')}<w:hyperlink w:anchor='b'>{run('there')}</w:hyperlink></w:p>"
     f"<w:p><w:bookmarkStart w:name='b'/>{run('Here.')}</w:p>", [("link", "there")]),
    ("<w:tbl>" + "".join(f"<w:tr>{''.join(f'<w:tc><w:p>{run(cell)}</w:p></w:tc>' for cell in row)}</w:tr>"
                         for row in (("a", "", "b"), ("", "c", "d"))) + "</w:tbl>",
     [("table", "a | b\nc | d"), ("row", "a | b"), ("cell", "a"), ("cell", ""), ("cell", "b"),
      ("row", "c | d"), ("cell", ""), ("cell", "c"), ("cell", "d")]),
])  # fmt: skip
def test_form_of_a_word_document(read, body, spans):
    assert sorted(told(read(docx(body), "file.docx"))) == sorted(spans)


def test_notes_and_pictures_of_a_word_document(read, tmp_path):
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    note = (
        f'<w:footnotes {space}><w:footnote w:id="2"><w:p>{run("A ")}{run("note", ITALIC)}</w:p></w:footnote>'
    )
    kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/image"
    relation = f'<Relationship Id="r1" Type="{kinds}" Target="media/p.png"/>'
    drawing = '<w:drawing><d><docPr descr="A cat"/><blip r:embed="r1" xmlns:r="r"/></d></w:drawing>'
    body = (
        f"<w:p>{run('Word')}<w:r><w:footnoteReference w:id='2'/></w:r></w:p><w:p><w:r>{drawing}</w:r></w:p>"
    )
    extra = {
        "word/footnotes.xml": f"{note}</w:footnotes>",
        "word/_rels/document.xml.rels": f"<Relationships>{relation}</Relationships>",
        "word/media/p.png": picture(),
    }
    document = read(docx(f"{body}<w:p>{run('After.')}</w:p>", extra), "file.docx")
    assert document.text == "Word[1]\n\n[1] A note\n\nAfter."
    (reference,) = (one for one in document.spans if one.kind == "reference")
    assert document.note_at(reference.value) == (9, 19)
    assert told(document, "italic", "note") == [("note", "[1] A note"), ("italic", "note")]
    (shown,) = document.pictures
    assert (shown.words, bool(shown.name), shown.at) == ("A cat", True, document.text.index("After"))


def printed(*pages: str) -> bytes:
    """A PDF of pages written in HTML; a link "#page2" leads to its second page."""
    stream = io.BytesIO()
    writer = pymupdf.DocumentWriter(stream)
    for markup in pages:
        story = pymupdf.Story(markup)
        device = writer.begin_page(PAGE)
        story.place(PAGE + (48, 60, -48, -56))
        story.draw(device)
        writer.end_page()
    writer.close()
    return stream.getvalue()


FILLER = (
    "<p>" + "It was told of the miller and the heron that they waited by the sluice for long. " * 6 + "</p>"
)


def test_form_of_a_pdf(read):
    book = pymupdf.open("pdf", printed(f"<p>So <i>very odd</i> it was, <b>and</b> more.</p>{FILLER}", FILLER))
    place = book[0].search_for("more")[0]
    book[0].insert_link({"kind": pymupdf.LINK_GOTO, "from": place, "page": 1, "to": pymupdf.Point(0, 0)})
    out = {"kind": pymupdf.LINK_URI, "from": book[0].search_for("was")[0], "uri": "http://192.0.2.7/"}
    book[0].insert_link(out)
    other = {"kind": pymupdf.LINK_GOTOR, "from": book[0].search_for("odd")[0], "file": "b.pdf", "page": 1}
    book[0].insert_link(other | {"to": pymupdf.Point(0, 0)})
    document = read(book.tobytes(), "file.pdf")
    assert told(document) == [("italic", "very odd"), ("bold", "and"), ("link", "more")]
    (link,) = (one for one in document.spans if one.kind == "link")
    assert link.value == document.pages[1].start


def test_a_pdf_all_in_italics_has_none(read):
    assert told(read(printed(f"<i>{FILLER}</i>"), "file.pdf")) == []
