"""Lines to paragraphs: hard-wrapped prose flows again, verse and tables keep their lines.

A line is "full" when the first word of the next would not have fitted on it. Prose is made of full lines;
the lines of a poem, an address or a table end earlier, because somebody ended them.
"""

import re
from dataclasses import dataclass, field

_COLUMNS = re.compile(r"\S {3,}\S|\t")
_MARKED = re.compile(r"(?<![\w_])_(?=[^\s_])([^_]{1,1500}?)(?<=[^\s_])_(?![\w_])")
_ILLUSTRATION = re.compile(r"\[Illustration\]\s?", re.IGNORECASE)
_SPACELESS = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uff60\u3001-\u303f]")
_LONG_LINE = 130  # no hard-wrapped text has many longer lines
_FULL_SHARE = 0.7
_SLACK = 0.86  # ragged wrapping: a line counts as full from this share of the width on


@dataclass
class Paragraph:
    """Lines between blank lines. `blanks` empty lines stood before it; `prose` is one flowing line."""

    lines: list[str]
    blanks: int = 1
    prose: bool = field(default=False)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def reflow(text: str) -> list[Paragraph]:
    """Read the paragraphs of a plain text with "\\n" line ends; prose comes as one line each."""
    raw = _split(text)
    lengths = sorted(len(line) for paragraph in raw for line in paragraph.lines)
    if not lengths:
        return []
    width = lengths[int(len(lengths) * 0.9)]
    unwrapped = sum(length > _LONG_LINE for length in lengths) > 0.04 * len(lengths)
    if not unwrapped and is_spaceless(text):
        # lines that somebody wrapped are of one length there, for no word is kept whole; a paragraph is set
        # in by a wide blank, and so is no other line
        indented = sum(line[0] == "\u3000" for paragraph in raw for line in paragraph.lines)
        unwrapped = sum(length >= width - 2 for length in lengths) < 0.4 * len(lengths)
        unwrapped = unwrapped or 2 * indented > len(lengths)
    found: list[Paragraph] = []
    for paragraph in raw:
        found += _each_line(paragraph) if unwrapped else _rewrap(paragraph, width)
    for paragraph in found:
        paragraph.lines = _without_marks(paragraph.lines)
    return [paragraph for paragraph in found if paragraph.lines]


def is_spaceless(text: str) -> bool:
    """Tell whether most of a text is in Chinese or Japanese, which know no blanks between words."""
    sample = "".join(text[:20_000].split())
    return 2 * len(_SPACELESS.findall(sample)) > len(sample) > 0


def _split(text: str) -> list[Paragraph]:
    found: list[Paragraph] = []
    lines: list[str] = []
    blanks, waiting = 2, 0
    for line in text.split("\n"):
        line = line.rstrip().replace("\f", "")
        if line:
            if not lines:
                blanks = max(blanks, waiting) if not found else waiting
            lines.append(line)
            waiting = 0
            continue
        if lines:
            found.append(Paragraph(lines, blanks))
            lines = []
        waiting += 1
    if lines:
        found.append(Paragraph(lines, blanks))
    return found


def _each_line(paragraph: Paragraph) -> list[Paragraph]:
    """Split a paragraph of a text whose lines are paragraphs, unless all are short (verse, an address)."""
    short = 16 if is_spaceless(paragraph.text) else 60
    if all(len(line) < short for line in paragraph.lines) and len(paragraph.lines) > 1:
        return [Paragraph(_dedent(paragraph.lines), paragraph.blanks)]
    blanks = [paragraph.blanks] + [0] * (len(paragraph.lines) - 1)
    return [
        Paragraph([line.strip()], before, prose=True)
        for line, before in zip(paragraph.lines, blanks, strict=True)
    ]


def _rewrap(paragraph: Paragraph, width: int) -> list[Paragraph]:
    if len(paragraph.lines) == 1:
        return [Paragraph([paragraph.lines[0].strip()], paragraph.blanks, prose=True)]
    if not _is_prose(paragraph.lines, width):
        return [Paragraph(_dedent(paragraph.lines), paragraph.blanks)]
    return [
        Paragraph([_join(lines)], paragraph.blanks if first else 0, prose=True)
        for first, lines in _indented_starts(paragraph.lines)
    ]


def _is_prose(lines: list[str], width: int) -> bool:
    if sum(bool(_COLUMNS.search(line.strip())) for line in lines) > 0.3 * len(lines):
        return False
    indent = min(len(line) - len(line.lstrip()) for line in lines)
    right = max(map(len, lines))
    # quotations are set narrower than the page, but their lines still run up to a common edge
    edge = min(width, right) if indent and len(lines) > 3 and right > 0.6 * width else width
    full = counted = 0
    for line, following in zip(lines, lines[1:], strict=False):
        if 2 <= len(following) - len(following.lstrip()) - indent <= 8:
            continue  # perhaps the last line of a paragraph before an indented first one
        word = following.split(None, 1)[0]
        word = word[:2] if _SPACELESS.match(word) else word
        counted += 1
        full += len(line) + 1 + len(word) >= _SLACK * edge
    return counted > 0 and full >= _FULL_SHARE * counted


def _indented_starts(lines: list[str]) -> list[tuple[bool, list[str]]]:
    """Divide lines into the paragraphs that only an indented first line tells apart."""
    groups: list[tuple[bool, list[str]]] = [(True, [lines[0]])]
    indents = [len(line) - len(line.lstrip()) for line in lines]
    base = min(indents)
    few = sum(indent > base for indent in indents[1:]) <= len(lines) / 2
    for line, indent in zip(lines[1:], indents[1:], strict=True):
        if few and base + 2 <= indent <= base + 8:
            groups.append((False, [line]))
        else:
            groups[-1][1].append(line)
    return groups


def _join(lines: list[str]) -> str:
    joined = lines[0].strip()
    for line in lines[1:]:
        line = line.strip()
        # "to-" + "morrow" and "stopped--" + "then" were one word or two without a space
        tight = joined.endswith(("--", "—")) or (
            joined.endswith("-") and joined[-2:-1].isalpha() and line[:1].islower()
        )
        tight = tight or bool(_SPACELESS.match(joined[-1:]) and _SPACELESS.match(line))
        joined += line if tight else " " + line
    return joined


def _dedent(lines: list[str]) -> list[str]:
    indent = min(len(line) - len(line.lstrip()) for line in lines)
    return [line[indent:] for line in lines]


def _without_marks(lines: list[str]) -> list[str]:
    """Take out mark-up: underscores around emphasis, and "[Illustration]"."""
    text = "\n".join(lines)
    if "_" in text:
        text = _MARKED.sub(r"\1", text)
    if "[" in text:
        text = _ILLUSTRATION.sub("", text)
    return [line for line in text.split("\n") if line.strip()]
