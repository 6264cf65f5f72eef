"""Numbers as chapter headings write them: 12, XII, twelve, the twelfth."""

import re
import unicodedata

_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}
_ROMAN_SHAPE = re.compile(r"(?=[ivxlcdm])m{0,3}(cm|cd|d?c{0,4})(xc|xl|l?x{0,4})(ix|iv|v?i{0,4})")
_UNITS = re.findall(
    r"\w+",
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen",
)
_TENS = re.findall(r"\w+", "twenty thirty forty fifty sixty seventy eighty ninety")
_ORDINALS = re.findall(
    r"\w+",
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth",
)
_CHINESE = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {
    "〇": 0,
    "○": 0,
    "两": 2,
    "兩": 2,
}
_CHINESE_UNITS = {"十": 10, "百": 100, "千": 1000}
_HEBREW = re.compile("(ת{0,2}[קרש]?)(ט[וז]|[יכלמנסעפצ]?[א-ט]?)")
_HEBREW_VALUES = dict(zip("אבגדהוזחטיכלמנסעפצקרשת", [*range(1, 10), *range(10, 100, 10), 100, 200, 300, 400],
                          strict=True))  # fmt: skip
_HEBREW_WORDS = {
    word: number
    for number, words in enumerate(
        ("ראשון ראשונה", "שני שנייה", "שלישי שלישית", "רביעי רביעית", "חמישי חמישית", "שישי שישית",
         "שביעי שביעית", "שמיני שמינית", "תשיעי תשיעית", "עשירי עשירית"), 1
    )
    for word in words.split()
}  # fmt: skip
_WORDS = (
    {word: number for number, word in enumerate(_UNITS)}
    | {word: number for number, word in enumerate(_ORDINALS)}
    | {word: 10 * number for number, word in enumerate(_TENS, 2)}
    | {word[:-1] + "ieth": 10 * number for number, word in enumerate(_TENS, 2)}
    | {"last": -1}
)


def roman(text: str) -> int | None:
    """Read a Roman numeral in either case ("XIV", "xiiii"); None for anything else."""
    text = text.lower()
    if not _ROMAN_SHAPE.fullmatch(text):
        return None
    total = 0
    for letter, following in zip(text, text[1:] + " ", strict=True):
        value = _ROMAN[letter]
        total += -value if value < _ROMAN.get(following, 0) else value
    return total


def chinese(text: str) -> int | None:
    """Read a Chinese numeral below ten thousand ("一百零三", "二十", "一〇三"); None for anything else."""
    if not text or any(sign not in _CHINESE and sign not in _CHINESE_UNITS for sign in text):
        return None
    if not any(sign in _CHINESE_UNITS for sign in text):
        return int("".join(str(_CHINESE[sign]) for sign in text)) if len(text) <= 4 else None
    total, digit = 0, None
    for sign in text:
        if sign in _CHINESE_UNITS:
            total += (1 if digit is None else digit) * _CHINESE_UNITS[sign]
            digit = None
        else:
            digit = _CHINESE[sign] or None
    return total + (digit or 0)


def hebrew(text: str) -> int | None:
    """Read Hebrew letters as a number ("י״ב", "ט״ו"), or a first to tenth in words; None for others."""
    plain = re.sub("[׳'״\"]", "", text)
    if not plain or not _HEBREW.fullmatch(plain):
        return _HEBREW_WORDS.get(text)
    return sum(_HEBREW_VALUES[letter] for letter in plain)


def numeral(text: str) -> int | None:
    """Read digits, a Roman, Chinese or Hebrew numeral or number words; "last" is -1; None for others."""
    text = unicodedata.normalize("NFKC", text.strip().strip(".:")).casefold()
    if text.isascii() and text.isdigit():
        return int(text) if len(text) <= 6 else None
    digits = re.fullmatch(r"(\d{1,4})(st|nd|rd|th)", text)
    if digits:
        return int(digits[1])
    for read in (roman, chinese, hebrew):
        if (value := read(text)) is not None:
            return value
    words = re.split(r"[\s-]+", text.removeprefix("the "))
    if not words or any(word not in _WORDS for word in words) or len(words) > 2:
        return None
    if len(words) == 2:
        tens, unit = _WORDS[words[0]], _WORDS[words[1]]
        return tens + unit if tens >= 20 and 0 < unit < 10 else None
    return _WORDS[words[0]]
