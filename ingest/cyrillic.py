"""Cyrillic in one byte a letter: which encoding it is, also where it was read as Western letters long ago.

"Ïðåäèñëîâèå" is "Предисловие": a text has whole words of letters with accents then, which no Western
language has. Each letter stands for one other, so a text that is set right keeps its length and its places.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from ingest.document import Document

SET_RIGHT = (
    "its letters were Western ones that stand for Cyrillic ({}) and were set right; "
    "get another copy if words look wrong"
)
_ENCODINGS = ("cp1251", "koi8_r", "koi8_u", "cp866", "cp1125", "iso8859_5", "mac_cyrillic")
_COMMON = frozenset("оеаинтсрвлі")
_COMMON_SHARE = 0.5  # of the letters; they are two thirds of a Russian or Ukrainian text
_LEAST_WORDS, _LEAST_LETTERS = 10, 15  # that differ
_MOST_MIXED = 0.1  # words with Latin letters too, for each that is made of such letters
_HIGH_WORD = re.compile(rb"[A-Za-z\x80-\xff]{3,}")
_ODD = re.compile(r"(?<=[а-яё])[А-ЯЁ]|[^\w ]")
_WESTERN_WORD = re.compile("[A-Za-zÀ-ÿ]{3,}")
_WESTERN = re.compile("[À-ÿ]+")
_WORD = re.compile("[A-Za-zÀ-ÿ¸¼¹ºª¨³²¿¯£]+")
_LATIN = re.compile("[A-HJ-Za-hj-z]")  # Ukrainian is often set with the Latin "i"
_LETTERS = bytes(range(0xC0, 0x100))
# behind the letters from À on: ë, є, і and ї as Windows has them, then as TeX has
_SIGNS = {"cp1251": ("¸¨ºª³²¿¯¼¹", "ёЁєЄіІїЇёє"), "koi8_r": ("£³", "ёЁ")}
_TABLES = {
    name: str.maketrans(_LETTERS.decode("latin-1") + signs, _LETTERS.decode(name) + meant)
    for name, (signs, meant) in _SIGNS.items()
}


def cyrillic_encoding(sample: bytes) -> str | None:
    """Find the encoding in which a sample is Cyrillic, be it only in part; None for any other text."""
    words = [word.decode("latin-1") for word in _HIGH_WORD.findall(sample)]
    return _best(words, _ENCODINGS, lambda word, name: word.encode("latin-1").decode(name, errors="replace"))


def misread(text: str) -> str | None:
    """Find the encoding in which a text is Cyrillic that was read as Western letters; None for any other."""
    words = _WESTERN_WORD.findall(text)
    return _best(words, tuple(_TABLES), lambda word, name: word.translate(_TABLES[name]))


def _best(words: list[str], names: tuple[str, ...], read: Callable[[str, str], str]) -> str | None:
    """Choose the encoding in which words have the letters that Cyrillic texts have most of."""
    beyond = [word for word in words if not word.isascii()]
    whole = [word for word in beyond if not _LATIN.search(word)]
    if len(set(whole)) < _LEAST_WORDS or len(beyond) - len(whole) > _MOST_MIXED * len(whole):
        return None
    texts = {name: read(" ".join(whole), name) for name in names}
    best = max(texts, key=lambda name: _fit(texts[name]))
    return best if _fit(texts[best]) >= _COMMON_SHARE and len(set(texts[best])) >= _LEAST_LETTERS else None


def _fit(text: str) -> float:
    """Return the share of the commonest letters, less that of what stands in no word."""
    known = sum(map(text.count, _COMMON)) - len(_ODD.findall(text))
    return known / (len(text) - text.count(" "))


def reread(text: str, encoding: str) -> str:
    """Set right the words of a text that are Cyrillic; those with other Latin letters than "i" stay."""
    table = _TABLES[encoding]

    def right(match: re.Match) -> str:
        word = match[0]
        is_other = _WESTERN.search(word) is None or _LATIN.search(word) is not None
        return word if is_other else word.translate(table)

    return _WORD.sub(right, text)


def set_right(document: Document) -> Document:
    """Set right a document whose fonts give Western letters for Cyrillic ones, and say so; else as it is."""
    encoding = misread(document.text)
    if encoding is None:
        return document
    return replace(
        document,
        text=reread(document.text, encoding),
        title=reread(document.title, encoding),
        author=reread(document.author, encoding),
        chapters=[replace(one, title=reread(one.title, encoding)) for one in document.chapters],
        warnings=[*document.warnings, SET_RIGHT.format(encoding)],
    )
