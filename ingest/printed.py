"""Pages of a printed edition: the marks in a text where each began, and what each is called."""

import re
from itertools import accumulate

from ingest.cleaning import one_line

MARK = (
    "\U0010fffe"  # stands in gathered text where a page begins; `clean` takes it out of every book's own text
)
_LONGEST = 12  # letters of a label
_IDENTITY = re.compile(r"(?:page|pg|p)[-_.]?(\d{1,5}|[ivxlc]{1,7})", re.IGNORECASE)
# how the makers of old books mark a page that have no better way: <span class="pagenum">[Pg 12]</span>
_BY_CLASS = re.compile(
    r"(?:^|[\s_-])(?:page-?_?(?:num(?:ber)?|no|break)|pgnum|newpage)s?(?:$|\s)", re.IGNORECASE
)
_NUMBER = re.compile(r"\d{1,5}[a-z]?|[ivxlcdm]{1,8}", re.IGNORECASE)
_MARKED = ("{*}span", "{*}a", "{*}div", "{*}p", "{*}small", "{*}sup", "{*}b")
_PAGE_WORDS = frozenset(["page", "p", "pg", "pag", "seite", "página", "pagina", "стр"])


def page_label(element) -> str:
    """Read what a page break calls its page, by its title, its text or its id; "" for nothing."""
    told = (element.get("title"), element.get("aria-label"), "".join(element.itertext()))
    for words in told:
        label = plain_label(words or "")
        if label:
            return label
    match = _IDENTITY.fullmatch(element.get("id") or "")
    return match[1] if match else ""


def mark_pages(root) -> None:
    """Make page breaks of the elements of a page whose class calls them the number of a printed one."""
    for element in root.iter(*_MARKED):
        if _BY_CLASS.search(element.get("class") or "") and _NUMBER.fullmatch(page_label(element)):
            element.set("role", "doc-pagebreak")


def plain_label(words: str) -> str:
    """Return "12" for "Page 12." and "[12]"; "" for what is too long to be the label of a page."""
    parts = one_line(words).strip(" .,[](){}-–—").split()
    if len(parts) > 1 and parts[0].casefold().strip(".") in _PAGE_WORDS:
        parts = parts[1:]
    label = " ".join(parts)
    return label if len(label) <= _LONGEST else ""


def without_marks(text: str) -> tuple[str, list[int]]:
    """Cut page marks out of a text, and count the letters (blanks apart) that stand before each."""
    pieces = text.split(MARK)
    counts = list(accumulate(len("".join(piece.split())) for piece in pieces))
    return "".join(pieces), counts[:-1]


def letter_offsets(text: str, counts: list[int]) -> list[int]:
    """Find where in a text so many letters (blanks apart) are over and the next one stands, or its end."""
    if not counts:
        return []
    letters = [offset for offset, letter in enumerate(text) if not letter.isspace()]
    return [letters[count] if count < len(letters) else len(text) for count in counts]
