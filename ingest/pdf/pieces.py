"""Pieces of a printed line that MuPDF keeps apart, for a sign in it is small and high: put together again."""

import re

UPRIGHT = 0.9
_SMALL = 0.92  # of the size around it; what is raised is smaller
_HIGHER, _HIGHEST = 0.15, 1.0  # of the size around it
_TIGHT, _LOOSE = 0.2, 0.4  # of the size around it: the gap before a sign, and before an exponent
_BLANK = 0.12
_LONGEST_SIGN = 12  # letters; more of them stand beside a large initial
_FLAG = 1 << 0
_BASE = re.compile(r"\d\)?$")
_EXPONENT = re.compile(r"[+−–-]?\d{1,3}")


def is_raised(span: dict, main: dict, upright: bool) -> bool:
    """Tell whether a span is smaller and stands higher than the main one of its line."""
    if span["size"] >= _SMALL * main["size"]:
        return False
    # MuPDF measures from the first letter of a line, which may be a raised one itself
    higher = upright and span["origin"][1] < main["origin"][1] - _HIGHER * main["size"]
    return bool(span["flags"] & _FLAG or higher)


def whole_lines(lines: list[dict]) -> list[dict]:
    """Join lines of MuPDF's dictionary of a page where one meets the other in a raised sign."""
    found: list[dict] = []
    for line in lines:
        if found and (gap := _gap(found[-1], line)) is not None:
            found[-1] = _joined(found[-1], line, gap)
        else:
            found.append(line)
    return found


def _gap(before: dict, after: dict) -> float | None:
    """Return the gap between two such lines, in points; None for lines that do not meet so."""
    if not before["spans"] or not after["spans"] or min(before["dir"][0], after["dir"][0]) < UPRIGHT:
        return None
    last, first = before["spans"][-1], after["spans"][0]
    large, small = (last, first) if last["size"] > first["size"] else (first, last)
    if len(small["text"].strip()) > _LONGEST_SIGN:
        return None
    shift = large["origin"][1] - small["origin"][1]
    gap = first["bbox"][0] - last["bbox"][2]
    most = _LOOSE if small is last or _is_power(last, first, after["spans"][1:]) else _TIGHT
    near = -_TIGHT * large["size"] <= gap <= most * large["size"]
    return gap if near and is_raised(small, large, True) and shift <= _HIGHEST * large["size"] else None


def _joined(before: dict, after: dict, gap: float) -> dict:
    first, *rest = after["spans"]
    size = max(first["size"], before["spans"][-1]["size"])
    if first["size"] == size and gap > _BLANK * size:
        first = first | {"text": f" {first['text'].lstrip()}"}
    one, other = before["bbox"], after["bbox"]
    upper, lower = (one[1], one[3]) if one[3] - one[1] >= other[3] - other[1] else (other[1], other[3])
    box = (min(one[0], other[0]), upper, max(one[2], other[2]), lower)
    return before | {"spans": [*before["spans"], first, *rest], "bbox": box}


def without_gaps(spans: list[dict], main: dict) -> list[dict]:
    """Leave out the blanks that MuPDF sees between letters and a raised sign close behind them."""
    return [
        span
        for at, span in enumerate(spans)
        if span["text"] != " "
        or not 0 < at < len(spans) - 1
        or not is_raised(spans[at + 1], main, True)
        or span["bbox"][2] - span["bbox"][0]
        > main["size"] * (_LOOSE if _is_power(spans[at - 1], spans[at + 1], spans[at + 2 :]) else _TIGHT)
    ]


def _is_power(base: dict, sign: dict, after: list[dict]) -> bool:
    """Tell a number to a power from one with the number of a verse behind it."""
    following = after[0]["text"][:1] if after else ""
    return bool(
        _BASE.search(base["text"]) and _EXPONENT.fullmatch(sign["text"].strip()) and not following.isalpha()
    )
