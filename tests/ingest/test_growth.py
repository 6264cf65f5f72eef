"""What a stranger's file repeats costs in step with its number: growth decides, not seconds."""

import random
import time

import pytest
from markdown_it import MarkdownIt

from ingest.errors import BadInput
from ingest.limits import Limits
from ingest.parse import parse
from ingest.parsers.markdown import _Markdown
from tests.ingest.build import Piece, docx, epub, page, typeset

FEW, MANY = 300, 2_400
STEEP = 30  # times the work for eight times the number; in proportion it is 8 at most, with the square 64
ROUNDS = 3  # in each of which it must be steep: a machine that is busy only looks so at times


def contents_of_lost_parts(count: int) -> bytes:
    """An EPUB whose damaged package file names none of the parts that its contents name."""
    files = {f"x{number}.xhtml": page("<body><p>w</p></body>") for number in range(count)}
    links = "".join(f'<li><a href="{name}">{name[:-6]}</a></li>' for name in files)
    extra = {"OPS/book.opf": b"<package>", **{f"OPS/{name}": text.encode() for name, text in files.items()}}
    return epub({}, nav=f"<ol>{links}</ol>", extra=extra)


def lists_of_pages(count: int) -> bytes:
    """An EPUB whose lists of printed pages stand in one another."""
    lists = '<nav epub:type="page-list">' * (count // 12)
    nav = page(f"<body>{lists}{'<a href=d.xhtml#x>7</a> ' * count}")
    return epub({"d.xhtml": page("<body><p>word</p></body>")}, nav="", extra={"OPS/nav.xhtml": nav.encode()})


def chain_of_styles(count: int) -> bytes:
    """A Word document whose every paragraph has a style that is based on all others."""
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    styles = "".join(
        f'<w:style w:styleId="s{number}"><w:basedOn w:val="s{number + 1}"/></w:style>'
        for number in range(count)
    )
    body = '<w:p><w:pPr><w:pStyle w:val="s0"/></w:pPr><w:r><w:t>x</w:t></w:r></w:p>' * count
    return docx(body, {"word/styles.xml": f"<w:styles {space}>{styles}</w:styles>"})


REPEATED = {
    "lists of pages in one another": (".epub", lists_of_pages),
    "parts that only the contents name": (".epub", contents_of_lost_parts),
    "styles based on one another": (".docx", chain_of_styles),
    "pictures in one paragraph": (
        ".html",
        lambda count: b"<p>" + b'<img src="a.png" alt="p">' * count + b"x",
    ),
    "pictures before the first word": (".html", lambda count: b'<p><img src="a.png" alt="p">' * count + b"x"),
    "forms between empty lines": (".html", lambda count: b"<p>" + b"<i>x</i><br><br>" * count),
    "first letters that a style floats": (
        ".html",
        lambda count: b"<style>.q{float:left}</style>" + b"<div><p class=q>S</p>" * (count // 2) + b"ummer",
    ),
    "boundaries of a mail": (
        ".eml",
        lambda count: (
            b"From: a\nSubject: b\nContent-Type: multipart/mixed; boundary=B\n\n" + b"--B\n\nx\n" * count
        ),
    ),
    "messages in one another": (
        ".eml",
        lambda count: b"From: a\nSubject: b\nContent-Type: message/rfc822\n\n" * count + b"x" * 300 * count,
    ),
    "coded words of a subject": (
        ".eml",
        lambda count: b"From: a\nSubject: " + b"=?utf-8?q?a?= " * count + b"\n\nx",
    ),
    "words on the line of a table's section": (
        ".pdf",
        lambda count: (
            # the second line is what a longest line leaves of the first one, over and over
            typeset([[Piece(10, 100, "words")]]).replace(b"\n0000000000 ", b"\n" + b"0 0 " * 40 * count, 1)
        ),
    ),
    "forms in one another": (".html", lambda count: b"<form><b>" * (count // 20) + b"<i>word</i> " * count),
    "quotes in one another": (".html", lambda count: b"<blockquote>" * (count // 2) + b"<p>word" * count),
}


@pytest.mark.parametrize(("ending", "made"), REPEATED.values(), ids=REPEATED)
def test_reading_takes_time_in_step_with_what_is_repeated(tmp_path, ending, made):
    def seconds(count: int) -> float:
        path = tmp_path / f"hostile{ending}"
        path.write_bytes(made(count))
        began = time.process_time()
        parse(path)
        return time.process_time() - began

    seconds(FEW)  # imports are not counted
    grown = []
    while len(grown) < ROUNDS and (not grown or grown[-1] > STEEP):
        grown.append(seconds(MANY) / seconds(FEW))
    assert min(grown) <= STEEP, grown


@pytest.mark.parametrize(
    "sign", ["|\n", ">*\n", "[", "$\n", "[\n\n", "| 1 \n", "## Two boats\n", "12. oars\n"]
)
def test_markdown_that_is_little_but_signs_is_read_as_plain_text(tmp_path, sign):
    path = tmp_path / "hostile.md"
    path.write_text(f"# One\n\nA ferry *came*.\n\n{sign * 30_000}")
    document = parse(path)
    assert "A ferry *came*." in document.text and "".join(sign.split()) * 3 in document.text.replace(" ", "")
    assert any("read as plain text" in warning for warning in document.warnings)
    path.write_text(f"# One\n\nA ferry *came*.\n\n{sign * 300}")
    assert "A ferry came." in parse(path).text


OPEN = {
    "forms of letters": '<div class="italic bold smallcaps">' * 50,
    "links that blocks part": '<a href="#x">back<div>' * 50,
    "forms of blocks": "<blockquote>" * 50 + "<ul><li>" * 50 + '<div class="verse">' * 50,
}


@pytest.mark.parametrize("opened", OPEN.values(), ids=OPEN)
def test_what_is_open_over_thousands_of_paragraphs_is_not_said_of_each(tmp_path, opened):
    path = tmp_path / "hostile.html"
    path.write_text(f"<body id=x>{opened}" + "<p>A" * 10_000)
    document = parse(path)
    assert len(document.paragraphs) >= 10_000
    assert len(document.spans) < 60_000
    path.write_text(f"<body id=x>{opened}" + "<p>A" * 100)
    document = parse(path)
    for at in (len(document.text) - 1, len(document.text) - 100):
        assert sum(span.start <= at < span.end for span in document.spans) >= 50


def test_links_to_one_long_address_take_the_room_of_some(tmp_path):
    path = tmp_path / "hostile.md"
    path.write_text("# One\n\n[x]: /" + "é" * 2_000 + "\n\n" + "[x] word " * 15_000)
    assert parse(path).text.count("x word") == 15_000


@pytest.mark.parametrize(
    "address", ["/" + "é" * 3_000, "/a%20b?c=(d)&e=" + "~" * 3_000, "#" + "Überschrift-" * 300]
)
def test_a_long_address_is_written_as_a_short_one_is_without_going_through_its_letters(monkeypatch, address):
    written = MarkdownIt().normalizeLink(address)
    monkeypatch.delattr("mdurl.encode")
    assert _Markdown().normalizeLink(address) == written


def few_letters(times: int) -> str:
    """Letters that do not shrink to nothing where they are packed."""
    return "".join(random.Random(1).choices("abcdefghij", k=times))


PACKED = {
    "Word": (
        ".docx",
        lambda words: docx("".join(f"<w:p><w:r><w:t>{word}</w:t></w:r></w:p>" for word in words)),
    ),
    "EPUB": (".epub", lambda words: epub({"a.xhtml": page("".join(f"<p>{word}</p>" for word in words))})),
}


@pytest.mark.parametrize(("ending", "made"), PACKED.values(), ids=PACKED)
def test_a_packed_file_of_far_more_paragraphs_than_its_size_may_hold_is_refused(tmp_path, ending, made):
    path = tmp_path / f"hostile{ending}"
    path.write_bytes(made(few_letters(60_000)))
    most = Limits().of_size(path.stat().st_size).paragraphs
    assert 30_000 < most < 50_000
    with pytest.raises(BadInput, match=f"more than {most:,} paragraphs: split the file"):
        parse(path)
    path.write_bytes(made(few_letters(20_000)))
    assert len(parse(path).paragraphs) == 20_000
