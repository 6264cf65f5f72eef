"""Rich text files: headings by style and outline level, tables row by row, notes behind their paragraph."""

from ingest.document import Document
from ingest.errors import BadInput
from ingest.manuscript import Manuscript
from ingest.parsers.html import write_blocks
from ingest.rtf import Reader
from ingest.source import Source

NAME = "rtf"

_MARK = b"{\\rtf"


def accepts(source: Source) -> bool:
    return source.head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(_MARK)


def parse(source: Source) -> Document:
    """Parse a rich text file. Raises BadInput for a file without text."""
    reader = Reader(source.data, source.limits)
    found = reader.blocks()
    if not found:
        raise BadInput("there is no text in this rich text file (pictures only?): choose another copy")
    manuscript = Manuscript(source.limits)
    manuscript.expect(reader.plain, "comments, deleted text, running heads and what stands in no paragraph")
    title = write_blocks(found, manuscript)
    return manuscript.document(
        title=reader.about["title"].strip() or title or source.stem,
        author=reader.about["author"].strip(),
        language="",
        format=NAME,
    )
