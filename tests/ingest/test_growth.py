"""What a stranger's file repeats costs in step with its number: growth decides, not seconds."""

import time

import pytest

from ingest.parse import parse
from tests.ingest.build import docx, epub, page

FEW, MANY = 300, 2_400
STEEP = 30  # times the work for eight times the number; in proportion it is 8 at most, with the square 64
ROUNDS = 3  # in each of which it must be steep: a machine that is busy only looks so at times


def contents_of_lost_parts(count: int) -> bytes:
    """An EPUB whose damaged package file names none of the parts that its contents name."""
    files = {f"x{number}.xhtml": page("<body><p>w</p></body>") for number in range(count)}
    links = "".join(f'<li><a href="{name}">{name[:-6]}</a></li>' for name in files)
    extra = {"OPS/book.opf": b"<package>", **{f"OPS/{name}": text.encode() for name, text in files.items()}}
    return epub({}, nav=f"<ol>{links}</ol>", extra=extra)


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


@pytest.mark.parametrize("sign", ["|\n", ">*\n", "[", "$\n", "[\n\n"])
def test_markdown_that_is_little_but_signs_is_read_as_plain_text(tmp_path, sign):
    path = tmp_path / "hostile.md"
    path.write_text(f"# One\n\nA ferry *came*.\n\n{sign * 30_000}")
    document = parse(path)
    assert "A ferry *came*." in document.text and sign.strip() * 3 in document.text.replace(" ", "")
    assert any("read as plain text" in warning for warning in document.warnings)
    path.write_text(f"# One\n\nA ferry *came*.\n\n{sign * 300}")
    assert "A ferry came." in parse(path).text
