"""Styles of a Word document: which paragraphs are headings, of which level, and which lists they belong to.

A style says so by its name, in the language of the program that wrote it, by its outline level, or by the
style it is based on; a paragraph may overrule its style.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.xmlparts import value

# "heading" in the languages of Word and of programs that write its files
_HEADING_WORDS = (
    "heading", "überschrift", "titre", "título", "titolo", "encabezado", "cabeçalho", "títol", "títulu",
    "kop", "opskrif", "rubrik", "overskrift", "fyrirsögn", "yvirskrift", "otsikko", "nagłówek", "nadpis",
    "címsor", "başlık", "başlıq", "titlu", "titull", "naslov", "antraštė", "pealkiri", "virsraksts",
    "izenburua", "pennawd", "ceannteideal", "ceannsgrìobhadh", "judul", "tajuk", "sarlavha",
    "kichwa", "đầu đề", "tiêu đề", "заголовок", "загаловак", "заглавие", "наслов", "тақырып", "гарчиг",
    "επικεφαλίδα", "վերնագիր", "სათაური", "כותרת", "عنوان", "العنوان", "سرخی",
    "शीर्षक", "मथळा", "শিরোনাম", "শীর্ষক", "ਸਿਰਲੇਖ", "શીર્ષક", "મથાળું", "தலைப்பு", "శీర్షిక", "ಶೀರ್ಷಿಕೆ",
    "തലക്കെട്ട്", "ശീർഷകം", "หัวเรื่อง", "ຫົວຂໍ້", "ចំណងជើង", "ခေါင်းစဉ်", "标题", "標題", "見出し", "제목",
)  # fmt: skip
_WORD = unicodedata.normalize("NFC", "|".join(_HEADING_WORDS))
# Basque and Kazakh have the number first; figures may be those of any script
_HEADING = re.compile(rf"(?:{_WORD})\s*(?P<after>\d)|(?P<before>\d)[.-]?\s?(?:{_WORD})")
_TITLES = frozenset(
    ["title", "titel", "titre", "título", "titolo", "títol", "rubrik", "otsikko", "tytuł", "název", "cím",
     "titlu", "naslov", "название", "назва", "заглавие", "наслов", "τίτλος".casefold(), "başlık", "judul",
     "العنوان", "عنوان", "ชื่อเรื่อง", "标题", "標題", "表題", "제목"]
)  # fmt: skip
_CODE = re.compile(
    r"(?:source|program)? ?code(?: block| listing)?|(?:html )?preformatted(?: text)?|html vorformatiert|"
    r"préformaté html|html con formato previo|preformattato html|стандартный html|macro|verbatim|"
    r"(?:program ?)?listing"
)
TITLE_LEVEL = 1  # "Title" stands above "heading 1"
_DEEPEST = 6
_LONGEST_CHAIN = 50  # styles, each based on the next
_BODY_TEXT = 9  # the outline level of what is no heading


@dataclass(frozen=True)
class Style:
    """`level`: 1 to 6, 0 for body text, None where the style does not say; `number`: its list and depth;
    `is_code`: whether its name says that its paragraphs are lines of a program."""

    based_on: str
    level: int | None
    number: tuple[str, str]
    is_code: bool = False


class Styles:
    """Styles by id; an id without a style says nothing."""

    def __init__(self, root):
        self._styles: dict[str, Style] = {}
        self._letters: dict[str, tuple[str, bool | None]] = {}  # style of letters -> its base, whether raised
        self._default = ""
        for element in () if root is None else root.iter("{*}style"):
            if value(element, "type") == "character":
                based_on, high = value(element.find("{*}basedOn")), _height(element.find("{*}rPr"))
                self._letters[value(element, "styleId")] = based_on, high
            if value(element, "type") not in ("paragraph", "", "numbering"):
                continue
            identity = value(element, "styleId")
            properties = element.find("{*}pPr")
            name = value(element.find("{*}name"))
            level = named_level(name)
            if level is None:
                level = _outline_level(properties)
            based_on = value(element.find("{*}basedOn"))
            is_code = _CODE.fullmatch(name.casefold()) is not None
            self._styles[identity] = Style(based_on, level, list_of(properties), is_code)
            if value(element, "default") in ("1", "true") and value(element, "type") == "paragraph":
                self._default = identity

    def level(self, properties) -> int:
        """Return the heading level (1 to 6) of a paragraph's properties (`pPr` or None), 0 for body text."""
        level = _outline_level(properties)
        if level is None:
            level = next((style.level for _, style in self._chain(properties) if style.level is not None), 0)
        return level

    def is_code(self, properties) -> bool:
        """Tell whether a paragraph with these properties is a line of a program, without a number of ours."""
        return any(style.is_code for _, style in self._chain(properties)) and not (
            self.level(properties) or self.number(properties)[0].strip("0")
        )

    def is_raised(self, properties) -> bool:
        """Tell whether letters with these properties (`rPr`) stand above the line."""
        high, identity = _height(properties), value(properties.find("{*}rStyle"))
        for _ in range(_LONGEST_CHAIN):
            if high is not None or identity not in self._letters:
                break
            identity, high = self._letters[identity]
        return high is True

    def number(self, properties) -> tuple[str, str, str]:
        """Return (list, depth, style whose level it is) of a paragraph; "" for what nothing says."""
        number, depth = list_of(properties)
        if number:
            return number, depth, ""
        for identity, style in self._chain(properties):
            if style.number[0]:
                return style.number[0], depth or style.number[1], "" if depth else identity
        return "", depth, ""

    def list_style(self, identity: str) -> str:
        """Return the list that a numbering style stands for."""
        return self._styles[identity].number[0] if identity in self._styles else ""

    def _chain(self, properties) -> Iterator[tuple[str, Style]]:
        """Yield a paragraph's style and those it is based on."""
        named = None if properties is None else properties.find("{*}pStyle")
        identity = self._default if named is None else value(named)
        seen: set[str] = set()
        while identity in self._styles and identity not in seen and len(seen) < _LONGEST_CHAIN:
            seen.add(identity)
            yield identity, self._styles[identity]
            identity = self._styles[identity].based_on


def list_of(properties) -> tuple[str, str]:
    """Return (list, depth) that properties name themselves."""
    number = None if properties is None else properties.find("{*}numPr")
    if number is None:
        return "", ""
    return value(number.find("{*}numId")), value(number.find("{*}ilvl"))


def named_level(name: str) -> int | None:
    """Return the level that the name of a style says, 1 to 6; None for other names."""
    name = " ".join(unicodedata.normalize("NFC", name).casefold().split())
    match = _HEADING.fullmatch(name)
    number = int(match["after"] or match["before"]) if match else 0
    if number:
        return min(TITLE_LEVEL + number, _DEEPEST)
    return TITLE_LEVEL if name in _TITLES else None


def _outline_level(properties) -> int | None:
    element = None if properties is None else properties.find("{*}outlineLvl")
    written = value(element)
    if not (written.isascii() and written.isdigit()):
        return None
    outline = int(written[:3])
    return 0 if outline >= _BODY_TEXT else min(TITLE_LEVEL + 1 + outline, _DEEPEST)


def _height(properties) -> bool | None:
    """Tell whether properties raise letters; None where they do not say."""
    if properties is None:
        return None
    align, position = properties.find("{*}vertAlign"), value(properties.find("{*}position"))
    if align is not None:
        return value(align) == "superscript"
    return not position.startswith("-") and position.strip("0") != "" if position else None
