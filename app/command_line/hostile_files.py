"""Hostile files: what took a page down or held it up once, and the worst that `bench fuzz` makes, by name."""

import hashlib
import io
import zipfile
from collections.abc import Iterator

from app.command_line.bench_fuzz import made as fuzzed
from engine.bench.subject import LAMP

SLOWEST = (("markdown", 990), ("markdown", 2104))  # of seed 0, where reading takes most for their size
FUZZED = 2  # files of each of these formats besides
FORMS = ("html", "mhtml", "mail", "fb2", "rtf", "mobi", "pdf", "docx", "epub", "odt", "pptx")
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def made() -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of one after another."""
    yield "notes.docx", noted(20_000)
    yield "rows.csv", b"text,label\n" + b"a,b\n" * 3_000_000
    yield "names.txt", " ".join(f"Mr. {name(number)} said." for number in range(100_000)).encode()
    yield "one word.txt", b"a" * 20_000_000
    yield "one line.txt", b"-" * 8_000_000
    yield "one chain.txt", b"a-" * 4_000_000
    yield "chapters.md", "".join(f"# {name(number)}\n\na\n\n" for number in range(50_000)).encode()
    yield "zeros.docx", packed({"word/document.xml": "<a>" + " " * 150_000_000})
    yield "comments.txt", b"<!---->" * 29
    yield "doctypes.html", b"<!DOCTYPE [" * 8_000
    yield "nested.html", b"<div><q>" * 50_000
    yield "long.txt", (LAMP * 20_000).encode()
    for form, number in SLOWEST:
        ending, _, data = fuzzed(0, form, number)
        yield f"{form} {number}{ending}", data
    for form in FORMS:
        for number in range(FUZZED):
            ending, _, data = fuzzed(0, form, number)
            yield f"{form} {number}{ending}", data


def name(number: int) -> str:
    """Write another name for each number below 17,576."""
    return "".join(chr(97 + number // 26**place % 26) for place in (2, 1, 0)).capitalize()


def noted(times: int) -> bytes:
    """Make a Word file that refers to its one long note again and again."""
    space = f'xmlns="{PACKAGE}"><Relationship Id="a" Type="{OFFICE}'
    reference = '</w:t><w:footnoteReference w:id="2"/></w:r></w:p>'
    # words that do not shrink, or it is refused for unpacking to too much
    said = (f"<w:p><w:r><w:t>{hashlib.sha1(bytes([at % 256, at // 256])).hexdigest()}" for at in range(times))
    note = "".join(f"<w:p><w:r><w:t>{LAMP}</w:t></w:r></w:p>" for _ in range(50))
    related = {
        "_rels/.rels": f'{space}/officeDocument" Target="word/document.xml"/>',
        "word/_rels/document.xml.rels": f'{space}/footnotes" Target="footnotes.xml"/>',
    }
    words = {
        "document": f"<w:body>{reference.join(said)}{reference}</w:body>",
        "footnotes": f'<w:footnote w:id="2">{note}</w:footnote>',
    }
    return packed(
        {path: f"<Relationships {content}</Relationships>" for path, content in related.items()}
        | {f"word/{of}.xml": f'<w:{of} xmlns:w="{WORD}">{content}</w:{of}>' for of, content in words.items()}
    )


def packed(entries: dict[str, str]) -> bytes:
    """Pack a ZIP archive."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in entries.items():
            archive.writestr(path, content)
    return held.getvalue()
