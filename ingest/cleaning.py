"""Characters that no reader sees, taken out: controls, soft hyphens, marks that turn the writing direction.

Zero-width joiners stay (emoji and Persian need them); tag characters go, they can hide text from the eye.
"""

import re
import textwrap
import unicodedata

_SPACES = "\u00a0\u1680\u2000-\u2009\u202f\u205f\u3000"
_PLAIN_SPACE = re.compile(f"[{_SPACES}\\t]")
_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_DROP = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200a\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff\U000e0000-\U000e007f\U0010fffe]"
)
_SUSPECT = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\xa0\u00ad\u061c\u1680\u180e\u2000-\u200b\u200e\u200f\u2028-\u202f\u205f-\u206f\u3000"
    "\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f\U0010fffe]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACES_RUN = re.compile(" {2,}")
_LIGATURE = re.compile("[\ufb00-\ufb06]")
# what Adobe's fonts have in places of their own: small capitals, old figures and pieces of high brackets
_PRIVATE = re.compile("[\uf726\uf730-\uf739\uf761-\uf77a\uf7e0-\uf7f6\uf7f8-\uf7fe\uf8e6\uf8e7\uf8eb-\uf8fe]")
_BRACKETS = dict(zip("\uf8eb\uf8ee\uf8f1\uf8f6\uf8f9\uf8fc", "([{)]}", strict=True))  # the upper ends
_PRIVATE_BULLET = re.compile("^[\ue000-\uf8ff](?= )|[\uf0a7\uf0b7\uf0d8\uf0fc\uf06e\uf076]")


def clean(text: str) -> str:
    """Keep plain characters only: spaces are U+0020, line ends "\\n"; indentation and blank lines stay."""
    if not _SUSPECT.search(text):
        return text  # most text is clean, and one look is cheaper than four substitutions
    text = _LINE_END.sub("\n", text)
    text = _PLAIN_SPACE.sub(" ", text)
    text = _DROP.sub("", text)
    return _SURROGATE.sub("\ufffd", text)


def one_line(text: str) -> str:
    """Clean text on one line, for titles and names."""
    return " ".join(clean(text).split())


def flow(text: str) -> str:
    """Clean text with single spaces; line ends stay, blank lines do not."""
    text = clean(text)
    if "  " in text:
        text = _SPACES_RUN.sub(" ", text)
    lines = (line.strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def layout(text: str) -> str:
    """Clean text with its indentation, for code and tables; no blank line inside."""
    lines = [line.rstrip() for line in clean(text.expandtabs(4)).split("\n")]
    return textwrap.dedent("\n".join(line for line in lines if line))


def typeset(text: str) -> str:
    """Replace letters that a typesetter made: ligatures are taken apart, private places get what is meant."""
    text = _LIGATURE.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    text = _PRIVATE.sub(_public, text).replace("c\u20dd", "©")
    return _PRIVATE_BULLET.sub("•", text)


def _public(match: re.Match) -> str:
    """Return the letter or figure of a private place, the bracket of an upper end, "" for other pieces."""
    place = ord(match[0])
    return chr(place & 0xFF) if place < 0xF800 else _BRACKETS.get(match[0], "")
