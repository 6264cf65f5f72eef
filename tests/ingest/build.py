"""Small documents made on the spot: what a test says about a file it made itself holds on any machine."""

import html
import io
import zipfile
from dataclasses import dataclass

import pymupdf

CONTAINER = (
    '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">'
    '<rootfiles><rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles>'
    "</container>"
)
XHTML = '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">'
METADATA = "<dc:title>A Book</dc:title><dc:creator>A. Writer</dc:creator><dc:language>en</dc:language>"
PAGE = pymupdf.paper_rect("a5")


def page(body: str, head: str = "") -> str:
    """An XHTML document of an EPUB."""
    return f'<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html>{XHTML}<head>{head}</head>{body}</html>'


def epub(
    files: dict[str, str | bytes],
    *,
    nav: str | None = None,
    ncx: str | None = None,
    spine: list[str] | None = None,
    metadata: str = METADATA,
    guide: str = "",
    extra: dict[str, bytes] | None = None,
    version: str = "3.0",
) -> bytes:
    """An EPUB: `files` are documents in manifest order, `spine` their reading order (default the same)."""
    items = [(f"d{number}", name) for number, name in enumerate(files)]
    identities = {name: identity for identity, name in items}
    manifest = [
        f'<item id="{identity}" href="{html.escape(name)}" media-type="application/xhtml+xml"/>'
        for identity, name in items
    ]
    for name in spine or []:
        if name not in identities:  # named by the package, missing from the archive
            identities[name] = f"x{len(identities)}"
            manifest.append(
                f'<item id="{identities[name]}" href="{name}" media-type="application/xhtml+xml"/>'
            )
    if nav is not None:
        manifest.insert(
            0, '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
        )
    if ncx is not None:
        manifest.append('<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>')
    order = "".join(f'<itemref idref="{identities[name]}"/>' for name in spine or files)
    package = (
        f'<package xmlns="http://www.idpf.org/2007/opf" version="{version}">'
        f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">{metadata}</metadata>'
        f'<manifest>{"".join(manifest)}</manifest><spine toc="ncx">{order}</spine>{guide}</package>'
    )
    entries: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OPS/book.opf": package,
    }
    entries |= {f"OPS/{name}": text for name, text in files.items()}
    if nav is not None:
        entries["OPS/nav.xhtml"] = page(f'<body><nav epub:type="toc">{nav}</nav></body>')
    if ncx is not None:
        entries["OPS/toc.ncx"] = (
            f'<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>{ncx}</navMap></ncx>'
        )
    return archive(entries | (extra or {}))


def archive(entries: dict[str, str | bytes]) -> bytes:
    """A ZIP archive of these entries."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in entries.items():
            made.writestr(name, data)
    return stream.getvalue()


def docx(body: str, extra: dict[str, str] | None = None) -> bytes:
    """A Word document whose body is this WordprocessingML (prefix w)."""
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    styles = "".join(
        f'<w:style w:styleId="Heading{level}"><w:name w:val="heading {level}"/></w:style>'
        for level in (1, 2, 3)
    )
    entries = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "word/document.xml": f"<w:document {space}><w:body>{body}</w:body></w:document>",
        "word/styles.xml": f"<w:styles {space}>{styles}</w:styles>",
    }
    return archive(entries | (extra or {}))


def storybook(title: str, author: str, note: str, stories: list[tuple[str, list[str]]]) -> bytes:
    """A book as a PDF: title page "i", then pages 1, 2 … with running header, page numbers and outline."""
    stream = io.BytesIO()
    writer = pymupdf.DocumentWriter(stream)
    outline: list[list] = []
    headers: list[str] = []
    css = "body {font-family: serif; font-size: 10.5pt} p {margin: 0; text-indent: 14pt; text-align: justify}"
    front = f"<h1 style='text-align:center'>{html.escape(title)}</h1>"
    front += f"<p style='text-align:center;text-indent:0'>{html.escape(author)}</p>"
    front += (
        f"<p style='text-align:center;text-indent:0;margin-top:220pt;font-size:8pt'>{html.escape(note)}</p>"
    )
    sections = [("", front)]
    for name, paragraphs in stories:
        inner = "".join(f"<p>{html.escape(text)}</p>" for text in paragraphs)
        sections.append((name, f"<h2 style='text-align:center'>{html.escape(name)}</h2>{inner}"))
    for name, markup in sections:
        story = pymupdf.Story(markup, user_css=css)
        if name:
            outline.append([1, name, len(headers) + 1])
        more = True
        while more:
            device = writer.begin_page(PAGE)
            more, _ = story.place(PAGE + (48, 60, -48, -56))
            story.draw(device)
            writer.end_page()
            headers.append(name)
    writer.close()
    book = pymupdf.open("pdf", stream.getvalue())
    for number, name in enumerate(headers):
        if number:
            header = f"{author}" if number % 2 else name
            centre(book[number], header, 40, 8)
            centre(book[number], str(number), PAGE.height - 30, 9)
    book.set_toc(outline)
    book.set_page_labels([{"startpage": 0, "style": "r"}, {"startpage": 1, "style": "D", "firstpagenum": 1}])
    book.set_metadata({"title": title, "author": author})
    book.set_language("en")
    return book.tobytes(garbage=4, deflate=True)


def centre(leaf: pymupdf.Page, text: str, y: float, size: float) -> None:
    """One line in the middle of a page."""
    width = pymupdf.get_text_length(text, "tiro", size)
    leaf.insert_text(((leaf.rect.width - width) / 2, y), text, fontname="tiro", fontsize=size)


def printed(pages: list[list[tuple[float, float, str]]], size: float = 10, **save) -> bytes:
    """A PDF of lines put at (x, y) in points, page by page."""
    book = pymupdf.open()
    for lines in pages:
        leaf = book.new_page(width=420, height=595)
        for x, y, text in lines:
            leaf.insert_text((x, y), text, fontsize=size, fontname="helv")
    return book.tobytes(**save)


@dataclass(frozen=True)
class Piece:
    """Words put at (x, y) in points, in letters of a size; `turn` in degrees against the clock."""

    x: float
    y: float
    text: str
    size: float = 11
    bold: bool = False
    turn: int = 0


def typeset(pages: list[list[Piece]], width: float = 420, height: float = 595, **save) -> bytes:
    """A PDF of pieces, page by page."""
    book = pymupdf.open()
    for pieces in pages:
        leaf = book.new_page(width=width, height=height)
        for piece in pieces:
            font = "hebo" if piece.bold else "helv"
            leaf.insert_text(
                (piece.x, piece.y), piece.text, fontsize=piece.size, fontname=font, rotate=piece.turn
            )
    return book.tobytes(**save)
