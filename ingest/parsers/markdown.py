"""Markdown: rendered by markdown-it and read like HTML, so no mark-up is left in the text."""

import re

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore

from ingest.charset import decode
from ingest.document import Document
from ingest.errors import BadInput
from ingest.manuscript import Manuscript
from ingest.markup import blocks
from ingest.parsers.html import LEFT_OUT, write_blocks
from ingest.parsers.text import refuse_binary
from ingest.pictures import Gallery
from ingest.source import Source
from ingest.tree import every_word, parse_markup

NAME = "markdown"

_SUFFIXES = (".md", ".markdown", ".mdown", ".mkd")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
# a list in a list is two; each bracket in a line is read on for as many as may stand in one another
_DEEPEST_BLOCKS, _DEEPEST_WORDS = 60, 12
_FIELDS = frozenset(["title", "author", "lang", "language"])


def accepts(source: Source) -> bool:
    return source.suffix in _SUFFIXES and b"\0" not in source.head.replace(b"\xff\xfe", b"")


def parse(source: Source) -> Document:
    """Title, author and language come from the front matter if there is one. Raises BadInput without text."""
    text, warning = decode(source.data, source.encoding)
    refuse_binary(text)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    fields: dict[str, str] = {}
    match = _FRONT_MATTER.match(text)
    if match:
        fields = _fields(match[1])
        text = text[match.end() :]
    root = parse_markup(f"<html><body>{_rendered(text)}</body></html>", limits=source.limits)
    manuscript = Manuscript(source.limits, Gallery(source.pictures))
    if warning:
        manuscript.warn(warning)
    if root is not None:
        manuscript.expect(every_word(root), LEFT_OUT)
    title = "" if root is None else write_blocks(blocks(root), manuscript)
    if not manuscript.letters:
        raise BadInput("there is no text in this Markdown file: choose another copy")
    return manuscript.document(
        title=fields.get("title") or title or source.stem,
        author=fields.get("author", ""),
        language=fields.get("lang") or fields.get("language", ""),
        format=NAME,
    )


def _rendered(text: str) -> str:
    """Write Markdown as HTML."""
    options = {"html": True, "maxNesting": _DEEPEST_BLOCKS}
    markdown = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    markdown.core.ruler.before("inline", "shallow", _shallow)
    return markdown.render(text)


def _shallow(state: StateCore) -> None:
    state.md.options["maxNesting"] = _DEEPEST_WORDS


def _fields(front_matter: str) -> dict[str, str]:
    lines = (line.partition(":") for line in front_matter.split("\n"))
    named = {name.strip().lower(): value.strip().strip("\"'") for name, _, value in lines}
    return {name: value for name, value in named.items() if name in _FIELDS and value}
