"""Symbols: the letters of the font Symbol, which files name by their places in it, as letters of Unicode."""

_FONT = "symbol"
_ROWS = {
    0x20: " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼",
    0xA0: "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊〈®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪",
    0xF1: "〉∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭",
}
_LETTERS = {first + at: letter for first, row in _ROWS.items() for at, letter in enumerate(row)}
PRIVATE = 0xF000  # where Windows puts the places of such fonts


def symbol(font: str, code: str) -> str:
    """Return the letter at a place, written as hexadecimal digits, of a font; "" where that is not known."""
    try:
        place = int(code, 16)
    except ValueError:
        return ""
    if place < PRIVATE and place > 0xFF:
        return chr(place) if place < 0xD800 else ""  # a letter of Unicode in whatever font
    return _LETTERS.get(place & 0xFF, "") if font.casefold() == _FONT else ""
