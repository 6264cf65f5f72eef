"""Objects: how many a PDF has, and whether its lists of them can be read, told before MuPDF makes room."""

import re

from ingest.errors import BadInput
from ingest.limits import Limits

_WHITE = b"\0\t\n\f\r "
# what stands before "obj": the number and the generation, of however many figures
_OBJECT = re.compile(rb"(?<![0-9.+-])\+?(\d{1,400})[\0\t\n\f\r ]{1,400}[+-]?\d{1,400}[\0\t\n\f\r ]{1,400}\Z")
_REMARK = re.compile(rb"%[^\r\n]{0,1000}")
_NEAR, _FAR = 40, 1000  # bytes before "obj": of nearly every one, and of one with remarks or much white
_LIST, _REACH = b"/XRef", 1000  # a table that is a stream, and the bytes around its name that tell of it
_PROMISED = re.compile(
    rb"/Size[\0\t\n\f\r ]{1,20}(\d{1,20})|/Index[\0\t\n\f\r ]{0,20}\[([\d\0\t\n\f\r ]{1,2000})"
)
_TABLE = re.compile(rb"xref(?<!startxref)[\0-\x20]{0,1000}(?=\d)")
_SECTION = re.compile(rb"\d[^ \r\n]*+(?: (\d{0,10})[^ \r\n]*+)?([^\r\n]*+)(\r\n?|\n)")
_ENTRY = 20  # bytes; some writers leave one out
_LONGEST_LINE = 1000  # of a section's own numbers: two are enough
_START, _HIDDEN = b"startxref", b"-----xref"
_END = 1024  # bytes in which the place of the last table is looked for


def check_objects(count: int, limits: Limits) -> None:
    """Raise BadInput for more objects than a PDF may have."""
    if count > limits.objects:
        raise BadInput(
            f"the PDF has too many parts ({count:,}; the limit is {limits.objects:,}): split the file"
        )


def highest_object(data: bytes) -> int:
    """Return the highest number that an object has, or is to have: room is made for every one up to it."""
    highest, at = _promised(data), data.find(b"obj")
    while at >= 0:
        if at and data[at - 1] in _WHITE:
            near = data[max(0, at - _NEAR) : at]
            found = _OBJECT.search(near)
            if not found or not found.start():
                found = _OBJECT.search(_REMARK.sub(b"", data[max(0, at - _FAR) : at]))
            highest = max(highest, int(found[1]) if found else 0)
        at = data.find(b"obj", at + 1)
    return highest


def _promised(data: bytes) -> int:
    """Return the highest number in what tables that are streams say of themselves."""
    highest, at = 0, data.find(_LIST)
    while at >= 0:
        before, after = max(0, at - _REACH), at + _REACH
        begin, end = data.rfind(b"obj", before, at), data.find(b"stream", at, after)
        for size, index in _PROMISED.findall(data, max(before, begin), end if end >= 0 else after):
            numbers = [int(number) for number in index.replace(b"\0", b" ").split()]
            ends = [first + count for first, count in zip(numbers[::2], numbers[1::2], strict=False)]
            highest = max(highest, int(size or 0), *ends, 0)
        at = data.find(_LIST, at + 1)
    return highest


def without_endless_table(data: bytes) -> bytes:
    """Return a PDF, without the place of its table of objects where a section of one has too long a line.

    The library reads the rest of such a line anew for every two words of it; without a table it repairs.
    """
    seen: set[int] = set()
    if all(_is_readable(data, found.end(), seen) for found in _TABLE.finditer(data)):
        return data
    return data[:-_END] + data[-_END:].replace(_START, _HIDDEN)


def _is_readable(data: bytes, at: int, seen: set[int]) -> bool:
    """Go through the sections of a table from their first letter on, as the library does."""
    while data[at : at + 1].isdigit() and at not in seen:
        seen.add(at)
        line = _SECTION.match(data, at, at + _LONGEST_LINE)
        if line is None:
            return len(data) < at + _LONGEST_LINE
        # where an entry follows on the same line, the library goes back to it
        at = line.end() - (len(line[2]) + 1 if len(line[2]) > 1 else 0)
        size = _ENTRY - (data[at + _ENTRY - 1 : at + _ENTRY] > b" ")
        at += size * int(line[1] or 0)
    return True
