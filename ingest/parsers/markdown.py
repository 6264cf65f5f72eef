"""Markdown: rendered by markdown-it and read like HTML, so no mark-up is left in the text.

Footnotes ("[^1]", and "[^1]: …" as a paragraph) are written as those of HTML before that.
"""

import html
import re
from collections.abc import Iterator
from urllib.parse import quote

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline

from ingest.charset import decode
from ingest.document import Document
from ingest.errors import BadInput
from ingest.form import attach_footnotes
from ingest.manuscript import Manuscript, count_letters
from ingest.markup import Book, blocks
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
# every sign and every line is weighed by each rule: what is little else takes the longest, and has no words
_SIGN = re.compile(r"[!-/:-@\[-`{-~\n]")
_BETWEEN_SIGNS = re.compile(r"(?<=[!-/:-@\[-`{-~])\n{2,}(?=[!-/:-@\[-`{-~])")
_MOST_SIGNS = 20_000
# nor is a text one whose lines nearly all begin a heading, a quotation, an item or a row
_BEGINNING = re.compile(r"^[ \t>]{0,12}(?:#{1,6}|[-*+|>]|\d{1,9}[.)]|```|~~~)", re.MULTILINE)
_LINE = re.compile(r"[^\n]{2,}")
_MOST_BEGINNINGS = 15_000
# the library goes through an address letter by letter, copying what it has; one that is defined once may be
# meant by thousands of links, so many letters of addresses and titles are in a text beyond its own
_LONG_ADDRESS, _MOST_ADDRESSES = 2_000, 1_000_000
_ADDRESS_SIGNS = ";/?:@&=+$,-_.!~*'()#%"  # which stay as they are
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_NOTE = re.compile(r" {0,3}\[\^([^\[\]\s]{1,80})\]:[ \t]*(.*)")
_REFERENCE = re.compile(r"\[\^([^\[\]\s]{1,80})\]")
_FIELDS = frozenset(["title", "author", "authors", "lang", "language"])
_ITEM = re.compile(r"[ \t]{0,20}- (?!\s{0,20}\S{1,40}:\s)(.*)")  # of a list, and no field of an item


def accepts(source: Source) -> bool:
    return source.suffix in _SUFFIXES and b"\0" not in source.head.replace(b"\xff\xfe", b"")


def parse(source: Source) -> Document:
    """Parse Markdown. Raises BadInput without text.

    Title, author and language come from the front matter if there is one.
    """
    text, warning = decode(source.data, source.encoding)
    refuse_binary(text)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    fields: dict[str, str] = {}
    match = _FRONT_MATTER.match(text)
    if match:
        fields = _fields(match[1])
        text = text[match.end() :]
    is_noise = _is_noise(text)
    markup = _rendered(text, "zero" if is_noise else "commonmark")
    root = parse_markup(f"<html><body>{markup}</body></html>", limits=source.limits)
    manuscript = Manuscript(source.limits, Gallery(source.pictures))
    if is_noise:
        manuscript.warn(
            "this file is little but signs, headings or items: it is read as plain text, without its form"
        )
    if warning:
        manuscript.warn(warning)
    if root is not None:
        manuscript.expect(every_word(root), LEFT_OUT)
    found = [] if root is None else attach_footnotes(blocks(root, book=Book(source.limits)))
    title = write_blocks(found, manuscript)
    if not manuscript.letters:
        raise BadInput("there is no text in this Markdown file: choose another copy")
    return manuscript.document(
        title=fields.get("title") or title or source.stem,
        author=fields.get("author") or fields.get("authors", ""),
        language=fields.get("lang") or fields.get("language", ""),
        format=NAME,
    )


def _is_noise(text: str) -> bool:
    signs = len(_SIGN.findall(text))
    if signs <= _MOST_SIGNS:
        return False
    if 2 * signs > len(text) or 2 * signs > 3 * count_letters(text):
        return True
    beginnings = len(_BEGINNING.findall(text))
    return beginnings > _MOST_BEGINNINGS and 5 * beginnings > 4 * len(_LINE.findall(text))


class _Markdown(MarkdownIt):
    """Writes long addresses at once."""

    def normalizeLink(self, url: str) -> str:  # noqa: N802  the library's name
        """Write an address with every letter that is none of ASCII as "%C3%A9"."""
        if len(url) > _LONG_ADDRESS:
            return quote(url, _ADDRESS_SIGNS, errors="replace")
        return super().normalizeLink(url)


def _rendered(text: str, rules: str) -> str:
    """Write Markdown as HTML. rules: "commonmark", or "zero" for paragraphs alone."""
    markdown = _Markdown(rules, {"html": True, "maxNesting": _DEEPEST_BLOCKS})
    if rules == "zero":
        return markdown.render(_BETWEEN_SIGNS.sub("\n", text))
    markdown.enable(["table", "strikethrough"])
    markdown.core.ruler.before("inline", "shallow", _shallow)
    markdown.core.ruler.after("inline", "lean", _lean)
    markdown.inline.ruler.before("link", "note", _reference)
    notes: dict[str, int] = {}
    return markdown.render("\n".join(_with_notes(text, notes)), {"notes": notes})


def _with_notes(text: str, notes: dict[str, int]) -> Iterator[str]:
    """Yield the lines of a text, its notes as elements of HTML, and fill in their numbers by name."""
    fence, inside, after_blank = "", False, False
    for line in text.split("\n"):
        if mark := _FENCE.match(line):
            fence = ("" if mark[1].startswith(fence) else fence) if fence else mark[1]
        note = None if fence else _NOTE.match(line)
        is_indented = line.startswith(("    ", "\t"))
        if inside and (note or (after_blank and line.strip() and not is_indented)):
            yield from ("", "</aside>", "")
            inside = False
        after_blank = not line.strip()
        if note:
            inside = True
            number = notes.setdefault(note[1], len(notes) + 1)
            yield from ("", f'<aside role="doc-footnote" id="note-{number}">', "", note[2])
        else:
            yield (line[4:] if line[0] == " " else line[1:]) if inside and is_indented else line
    if inside:
        yield from ("", "</aside>")


def _reference(state: StateInline, silent: bool) -> bool:
    """Write a reference to a note that there is as one of HTML."""
    match = _REFERENCE.match(state.src, state.pos)
    number = state.env["notes"].get(match[1]) if match else None
    if match is None or number is None:
        return False
    if not silent:
        link = f'<a role="doc-noteref" href="#note-{number}">'
        state.push("html_inline", "", 0).content = f"{link}{html.escape(match[1])}</a>"
    state.pos = match.end()
    return True


def _shallow(state: StateCore) -> None:
    state.md.options["maxNesting"] = _DEEPEST_WORDS


def _lean(state: StateCore) -> None:
    """Let links be words where the addresses of those before take far more room than the text."""
    left = _MOST_ADDRESSES + len(state.src)
    for token in state.tokens:
        for part in token.children or ():
            left -= sum(len(str(value)) for value in part.attrs.values())
            if left < 0:
                part.attrs = {}


def _fields(front_matter: str) -> dict[str, str]:
    """Read the fields that are known; what is indented belongs to another one, and lists are joined."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in front_matter.split("\n"):
        if item := _ITEM.match(line):
            found.setdefault(name, []).append(item[1])
        elif line[:1].strip():
            name, _, given = line.partition(":")
            name = name.strip().lower()
            given = given.strip()
            is_list = given.startswith("[") and given.endswith("]")
            found[name] = given[1:-1].split(",") if is_list else [given]
    words = {name: ", ".join(filter(None, map(_plain, parts))) for name, parts in found.items()}
    return {name: said for name, said in words.items() if name in _FIELDS and said}


def _plain(part: str) -> str:
    return part.strip().strip("\"'")
