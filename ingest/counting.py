"""Numbers as lists write them: 3, 03, iii, C, 3rd, 三. What is no such form is written in digits."""

_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
    (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
_MOST_ROMAN = 4999
_MOST_LETTERS = 26 * 10  # "aaaaaaaaaa" is the tenth round; a file must not make a page of one number
_CHINESE = "零一二三四五六七八九"
_CHINESE_UNITS = ((1000, "千"), (100, "百"), (10, "十"))


def roman_numeral(value: int) -> str:
    """Write a Roman numeral: "xiv" for 14; digits where Romans had none."""
    if not 0 < value <= _MOST_ROMAN:
        return str(value)
    written = ""
    for worth, letters in _ROMAN:
        count, value = divmod(value, worth)
        written += letters * count
    return written


def letter_numeral(value: int) -> str:
    """Write a number in letters as Word counts: "c" for 3, "aa" for 27, "bb" for 28."""
    if not 0 < value <= _MOST_LETTERS:
        return str(value)
    rounds, letter = divmod(value - 1, 26)
    return chr(ord("a") + letter) * (rounds + 1)


def ordinal_numeral(value: int) -> str:
    """Write an ordinal number: "1st", "12th", "23rd"."""
    ending = "th" if value % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    return f"{value}{ending}"


def chinese_numeral(value: int) -> str:
    """Write a Chinese numeral: "十二" for 12, "一百零三" for 103; digits from 10,000 on."""
    if not 0 < value < 10_000:
        return str(value)
    written, rest, gap = "", value, False
    for worth, unit in _CHINESE_UNITS:
        digit, rest = divmod(rest, worth)
        if digit:
            written += ("零" if gap else "") + _CHINESE[digit] + unit
        gap = written != "" and digit == 0
    if rest:
        written += ("零" if gap else "") + _CHINESE[rest]
    return written.removeprefix("一") if 10 <= value < 20 else written
