"""A talk as Markdown: questions, answers, and under each answer the quotes with their places.

Quotes come from books and answers from a model that read them, so both are hostile: every character that
could become a tag, a link, a picture or a heading in somebody's viewer is escaped and stays a character.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from engine.shelf.talks import Message, Talk

# the marks of inline Markdown and HTML, and what makes a bare mail address a link
INLINE_MARKS = re.compile(r"([\\`*_{}\[\]<>&#|~!$@])")
LINE_MARKS = re.compile(r"^([^\S\n]*)([-+=]|\d+[.)])", re.MULTILINE)
SPEAKERS = {"user": "Question", "assistant": "Answer", "system": "Note"}


def transcript(talk: Talk, messages: Sequence[Message], title: str = "", author: str = "") -> str:
    """Write a talk about the document `title` (empty: about the whole shelf) as Markdown."""
    shown, by = f"*{literal(title)}*" if title else "", literal(author)
    parts = [f"# {literal(talk.title) or 'Talk'}", about(talk, shown, by)]
    for message in messages:
        parts.append(f"## {SPEAKERS[message.role]}")
        parts.append(literal(message.text.strip()))
        parts += [quote(citation) for citation in message.citations]
        if footnote := _footnote(message.statistics):
            parts.append(footnote)
    return "\n\n".join(part for part in parts if part) + "\n"


def about(talk: Talk, title: str, author: str) -> str:
    """Tell what a talk is about, and its day."""
    book = f"{title} by {author}" if title and author else title or "all books"
    return f"A talk about {book}, {datetime.fromtimestamp(talk.created, UTC).strftime('%Y-%m-%d')}."


def quote(citation: Mapping[str, Any]) -> str:
    """Write one citation as a block quote with its place (and its book, where `title` says which)."""
    lines = literal(str(citation.get("text", "")).strip()).split("\n")
    place = where(citation)
    ending = [">", f"> — {literal(place)}"] if place else []
    return "\n".join([f"> {line}".rstrip() for line in lines] + ending)


def where(citation: Mapping[str, Any]) -> str:
    """Name the place of a citation, and its book, where `title` says which."""
    return ", ".join(str(citation[name]) for name in ("title", "place") if citation.get(name))


def literal(text: str) -> str:
    """Escape `text` so that Markdown shows these very characters; its lines stay lines."""
    escaped = INLINE_MARKS.sub(r"\\\1", text.replace("\r\n", "\n").replace("\r", "\n"))
    escaped = LINE_MARKS.sub(_escape_line_mark, escaped)
    # four leading spaces would make a code block
    escaped = re.sub(r"^[ \t]+", "", escaped, flags=re.MULTILINE)
    # a bare address must not become a link
    return re.sub(r"(?i)\b(https?|ftp|mailto|www)([:.])", r"\1\\\2", escaped)


def _escape_line_mark(match: re.Match[str]) -> str:
    space, mark = match.groups()
    return f"{space}\\{mark}" if not mark[0].isdigit() else f"{space}{mark[:-1]}\\{mark[-1]}"


def _footnote(statistics: Mapping[str, Any]) -> str:
    parts = []
    if statistics.get("tokens"):
        parts.append(f"{int(statistics['tokens'])} tokens")
    if statistics.get("tokens") and statistics.get("seconds_to_first_token"):
        parts.append(f"the first after {float(statistics['seconds_to_first_token']):.1f} s")
    if statistics.get("memory_tokens"):
        parts.append(f"{int(statistics['memory_tokens'])} tokens of memory")
    return f"({', '.join(parts)})" if parts else ""
