"""Plain text: any encoding, Gutenberg boilerplate off, wrapped lines re-flowed, chapters by heading."""

import json
import re
import string

from ingest.charset import decode
from ingest.cyrillic import SET_RIGHT, misread, reread
from ingest.document import Document
from ingest.errors import BadInput
from ingest.gutenberg import Gutenberg, strip_gutenberg
from ingest.headings import is_number_only
from ingest.manuscript import Manuscript
from ingest.outline import find_outline
from ingest.reflow import Paragraph, reflow
from ingest.source import Source

NAME = "text"

_CONTROL = re.compile("[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")
_BY = re.compile(r"by(?:\s+(?P<author>\S.{1,60}))?", re.IGNORECASE)
_TITLE_REACH = 6  # paragraphs in which a title page is looked for
_SUFFIXES = (".txt", ".text")
_TABLES = (".csv", ".tsv", ".tab")
_TEX = re.compile(r"\\(?:documentclass|documentstyle|input |begin\{|[a-zA-Z]{3,20}\*?[\[{])")
_JSON = re.compile(r"""[\[{\s]{1,20}"(?:[^"\\\n]|\\.){0,200}"\s{0,20}:\s{0,20}["\[{\dtfn-]""")
_XML = re.compile(r"<\?xml\b|<([a-zA-Z][\w:.-]{0,60})(?:\s[^<>]{0,2000})?>")
_HTML = re.compile(r"(?i:article|body|blockquote|center|div|font|h[1-6r]|head|[abip]|pre|span|table|[ou]l)")
_TICKET = "<fulfillmentToken "  # of Adobe's shops and lenders
_SOURCE_REACH = 20_000
# of letters and figures as mails and programs write them; a chemist's or a biologist's have no such mixture
_BASE64 = re.compile(r"(?:^[A-Za-z0-9+/]{60,76}\n){3,}", re.MULTILINE)
_MIXED = re.compile(r"(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])[^0-9]*[0-9]")
_UUENCODED = re.compile(r"^begin [0-7]{3} .{1,200}\nM.{60}\n", re.MULTILINE)
_QUOTED_PRINTABLE = re.compile(r"=\n|=[0-9A-F]{2}(?:=[0-9A-F]{2})*")
_QUOTED_SHARE = 100  # letters for each such sign
_BINARY_SHARE = 0.02


def accepts(source: Source) -> bool:
    return True  # the last of the equals: what is no text is refused when it is read


def parse(source: Source) -> Document:
    """Parse plain text. Raises BadInput for binary data, and when a named encoding does not fit."""
    text, warning = decode(source.data, source.encoding)
    refuse_binary(text)
    marks = _source_of(text, source.suffix)
    if marks and source.suffix not in _SUFFIXES:
        raise BadInput(f"this is {marks}")
    cyrillic = misread(text)
    text = reread(text, cyrillic) if cyrillic else text
    text = re.sub("\r\n?|[\x0b\x85\u2028\u2029]", "\n", text.replace("\0", ""))
    stripped = strip_gutenberg(text)
    book = stripped or Gutenberg(text)
    paragraphs = _rows(book.text) if source.suffix in _TABLES else reflow(book.text)
    manuscript = Manuscript(source.limits)
    if warning:
        manuscript.warn(warning)
    if cyrillic:
        manuscript.warn(SET_RIGHT.format(cyrillic))
    if stripped:
        manuscript.expect(text, "the header and the licence of Project Gutenberg")
    if _is_coded(text):
        manuscript.warn(
            "a part of it is coded, as in a mail or a program's file, and was read as it stands: open it in "
            "the program it is from and save its text, or a mail as EML"
        )
    if marks:
        manuscript.warn(f"it was read with all its marks, for this is {marks}")
    write_paragraphs(paragraphs, manuscript)
    if not manuscript.letters:
        raise BadInput("there is no text in this file, only white space: choose another copy")
    title, author = _title_page(paragraphs)
    return manuscript.document(
        title=book.title or title or source.stem,
        author=book.author or author,
        language=book.language,
        format=NAME,
    )


def refuse_binary(text: str) -> None:
    """Raise BadInput when decoded text is mostly not text."""
    sample = text[:200_000].replace("\0", "")
    if len(sample) < 0.5 * len(text[:200_000]) or len(_CONTROL.findall(sample)) > _BINARY_SHARE * len(sample):
        raise BadInput(
            "this is not a text file and no known document: give EPUB, PDF, text, Markdown, HTML or DOCX, "
            "or name the encoding if it is an old text (--encoding cp850)"
        )


def _rows(text: str) -> list[Paragraph]:
    """Take the lines of a table as they are: none goes on in the next."""
    return [Paragraph([line], prose=False) for line in text.split("\n") if line.strip()]


def _source_of(text: str, suffix: str) -> str:
    """Name what is letters but no text, and what to do with it; "" for a text."""
    start = text.lstrip("\ufeff \t\r\n")[:_SOURCE_REACH]
    if start[:1] in ("{", "[") and (_JSON.match(start) or _is_json(text)):
        return "JSON data, not a text to read: save the text in it as plain text or HTML"
    first = next((line.strip() for line in start.split("\n") if line.strip() and line.lstrip()[0] != "%"), "")
    if _TEX.match(first) or suffix in (".tex", ".latex", ".ltx"):
        return "a TeX source, not the text it makes: make a PDF of it and add that"
    opened = _XML.match(start)
    if opened and opened[1] and _HTML.fullmatch(opened[1]) and "</" in start:
        return "a piece of HTML: give its name the ending .html"
    if _TICKET in start:
        return (
            "a ticket that fetches a protected book (ACSM, DRM), not the book: get a copy without protection"
        )
    if opened and (not opened[1] or text.rstrip().endswith(f"</{opened[1]}>")):
        return "XML of a kind that is not known: convert it to EPUB, HTML or plain text"
    return ""


def _is_coded(text: str) -> bool:
    """Tell a text of which a part is bytes or letters in a coding of mails: base64, uuencode, =C3=BC."""
    if any(_MIXED.match(found[0]) for found in _BASE64.finditer(text)) or _UUENCODED.search(text):
        return True
    signs = _QUOTED_PRINTABLE.findall(text)
    return (
        sum(sign != "=\n" for sign in signs) >= 3
        and "=\n" in signs
        and len(signs) * _QUOTED_SHARE > len(text)
    )


def _is_json(text: str) -> bool:
    """Tell JSON, also a piece of it on each line."""
    lines = [line for line in text[:_SOURCE_REACH].split("\n")[:-1] if line.strip()]
    return _is_one_json(text) or (
        len(lines) > 1 and all(line[0] == "{" for line in lines) and all(map(_is_one_json, lines))
    )


def _is_one_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def write_paragraphs(paragraphs: list[Paragraph], manuscript: Manuscript, chapters: bool = True) -> None:
    """Write paragraphs down, with `chapters` by their headings."""
    marks = {mark.index: mark for mark in find_outline(paragraphs)} if chapters else {}
    heading_until = 0
    for index, paragraph in enumerate(paragraphs):
        if index in marks:
            mark = marks[index]
            manuscript.chapter(mark.title, mark.level)
            manuscript.paragraph(mark.title)
            heading_until = index + mark.count
        elif index >= heading_until:
            manuscript.paragraph(paragraph.text, keep_layout=not paragraph.prose)


def _title_page(paragraphs: list[Paragraph]) -> tuple[str, str]:
    """Return (title, author) where a text begins with title and "by …"; a title alone must look like one."""
    lines = [" ".join(paragraph.text.split()) for paragraph in paragraphs[:_TITLE_REACH]]
    if len(paragraphs) < 3 or len(lines[0]) > 120:
        return "", ""
    for index, line in enumerate(lines[1:], 1):
        match = _BY.fullmatch(line.strip("[]"))
        if match:
            author = match["author"] or (lines[index + 1] if index + 1 < len(lines) else "")
            return _cased(lines[0]), _cased(author) if len(author) < 60 else ""
    first = paragraphs[0]
    if is_number_only(lines[0]):  # the first chapter begins at once
        return "", ""
    alone = len(first.lines) == 1 and len(lines[0]) <= 80 and paragraphs[1].blanks > 0
    if alone and lines[0][-1] not in ".,;:!?" and lines[0][0].isalnum() and len(lines[0].split()) <= 12:
        return _cased(lines[0]), ""
    return "", ""


def _cased(words: str) -> str:
    words = words.strip(" .")
    return string.capwords(words) if words.isupper() and not any(map(str.isdigit, words)) else words
