"""How `bench fuzz` makes a file hostile: bytes, words, names and the archive around them.

A change takes a random generator and the parts of a file, and returns the bytes of another file. Where a
format has words (tags, control words, numbers), one is repeated, nested or blown up, or refers to what
another one means, so that depth, size and circles of every kind come by themselves.
"""

import io
import random
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable

from app.command_line.fuzz_samples import Parts, packed

LARGEST = 200_000  # letters that one part grows to
MARKUP = re.compile(rb"<!--.*?-->|<[^<>]*>|[^<>]+|.", re.DOTALL)
GROUPS = re.compile(rb"\\[a-z]+-?\d* ?|\\'..|\\.|[{}]|[^\\{}]+|.", re.DOTALL)
OBJECTS = re.compile(rb"<<|>>|[\[\]]|\d+ \d+ R|\d+ \d+ obj|/?[\w.+-]+|\((?:[^()\\]|\\.)*\)|\s+|.", re.DOTALL)
PLAIN = re.compile(rb"\w+|[ \t]+|\r?\n|.", re.DOTALL)
TOKENS = {"rtf": GROUPS, "pdf": OBJECTS, "text": PLAIN, "markdown": PLAIN, "csv": PLAIN, "jsonl": PLAIN}
VALUE = re.compile(rb"=\"[^\"<>]*\"|='[^'<>]*'|-?\d+|#\w+|\w+\.\w+|(?<=\()[^()]*(?=\))")
STRANGE = (
    *(b"-1", b"0", b"65536", b"2147483647", b"-2147483648", b"4294967296", b"18446744073709551616"),
    *(
        b"1e308",
        b"NaN",
        b"9" * 300,
        b"",
        b"\0",
        b"\xff\xfe",
        b"%s%n",
        b"../../../../etc/passwd",
        b"&#x110000;",
    ),
    *(
        "\u202e\u200b\ufeff".encode(),
        "e\u0301".encode() * 50,
        b"\xed\xa0\x80",
        "İıſ".encode(),
        b"&b;&b;&b;&b;",
    ),
)
ENCODINGS = (
    *("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "utf-8-sig", "cp1252", "cp1251", "shift_jis"),
    *(
        "gb18030",
        "big5",
        "euc-jp",
        "iso2022_jp",
        "hz",
        "koi8-r",
        "mac-roman",
        "cp037",
        "idna",
        "unicode_escape",
    ),
)
DECLARED = re.compile(rb"((?:charset|encoding)=[\"']?|ansicpg)[\w-]*")
NAMES = (
    "../../up.xml",
    "/abs.xml",
    "a\\b.xml",
    "a" * 5_000,
    "é.xml",
    "e\u0301.xml",
    "A.XML",
    "con",
    "x\0y",
    "",
)
Change = Callable[[random.Random, Parts, str], bytes]


def hostile(chance: random.Random, parts: Parts, form: str) -> tuple[str, bytes]:
    """Return the name of a change and the file that it made of a sound one."""
    own = [change for change in CHANGES if change not in OF_ARCHIVES or len(parts) > 1]
    change = chance.choice(own)
    return change.__name__, change(chance, parts, form)


def flipped(chance: random.Random, parts: Parts, form: str) -> bytes:
    """Change a few bytes of the file as it lies on the disk."""
    made = bytearray(packed(parts))
    for _ in range(chance.choice((1, 3, 10, 50))):
        made[chance.randrange(len(made))] = chance.choice((0, 255, chance.randrange(256)))
    return bytes(made)


def cut(chance: random.Random, parts: Parts, form: str) -> bytes:
    """Take a piece out, put it in twice, or end there."""
    made = packed(parts)
    first, last = sorted(chance.randrange(len(made)) for _ in range(2))
    return chance.choice((made[:first], made[:first] + made[last:], made[:last] + made[first:]))


def repeated(chance: random.Random, parts: Parts, form: str) -> bytes:
    """Repeat neighbouring words again and again."""

    def change(words: list[bytes]) -> list[bytes]:
        first, last = _run(chance, words)
        run = words[first:last]
        return words[:first] + run * _times(chance, run) + words[last:]

    return _rewritten(chance, parts, form, change)


def nested(chance: random.Random, parts: Parts, form: str) -> bytes:
    """Open again and again what one word opens, and close it as often, or not at all."""

    def change(words: list[bytes]) -> list[bytes]:
        first, last = _run(chance, words)
        middle = chance.randrange(first, last)
        before, behind = words[first : middle + 1], words[middle + 1 : last]
        times = _times(chance, before + behind)
        return words[:first] + before * times + behind * chance.choice((times, times, 0)) + words[last:]

    return _rewritten(chance, parts, form, change)


def opened(chance: random.Random, parts: Parts, form: str) -> bytes:
    """Nest one element in itself, closed in order."""

    def change(words: list[bytes]) -> list[bytes]:
        tags = [at for at, word in enumerate(words) if re.match(rb"<[a-zA-Z]|[{\[(]|<<", word)]
        if not tags:
            return words
        at = chance.choice(tags)
        closing = {b"{": b"}", b"[": b"]", b"<<": b">>"}.get(words[at])
        closing = closing or b"</" + re.sub(rb"[<>/]|\s.*", b"", words[at], flags=re.DOTALL) + b">"
        inside = words[at + 1 : at + 1 + chance.randrange(4)]
        times = _times(chance, [words[at], closing])
        return [*words[:at], *[words[at]] * times, *inside, *[closing] * times, *words[at + 1 :]]

    return _rewritten(chance, parts, form, change)


def woven(chance: random.Random, parts: Parts, form: str) -> bytes:
    """Write words of the file in any order, as long as the file may be."""

    def change(words: list[bytes]) -> list[bytes]:
        first, _ = _run(chance, words)
        chosen = chance.sample(words, min(len(words), chance.randrange(2, 9)))
        return words[:first] + chance.choices(chosen, k=_times(chance, chosen)) + words[first:]

    return _rewritten(chance, parts, form, change)


def crossed(chance: random.Random, parts: Parts, form: str) -> bytes:
    """Let values, numbers and references be those of other places: circles come of it."""
    name = chance.choice(list(parts))
    values = VALUE.findall(parts[name]) or [b""]
    share = chance.choice((0.02, 0.1, 0.5))
    made = VALUE.sub(
        lambda found: chance.choice(values) if chance.random() < share else found[0], parts[name]
    )
    return packed({**parts, name: made})


def strange(chance: random.Random, parts: Parts, form: str) -> bytes:
    """Put numbers and letters that nobody expects in the place of values."""
    name = chance.choice(list(parts))
    share = chance.choice((0.02, 0.2))

    def put(found: re.Match[bytes]) -> bytes:
        if chance.random() > share:
            return found[0]
        word = chance.choice(STRANGE)
        return b'="' + word + b'"' if found[0].startswith((b'="', b"='")) else word

    return packed({**parts, name: VALUE.sub(put, parts[name])})


def giant(chance: random.Random, parts: Parts, form: str) -> bytes:
    """Make one value, or the words between two tags, very long."""
    name = chance.choice(list(parts))
    places = [found.span() for found in VALUE.finditer(parts[name])] or [(0, 0)]
    first, last = chance.choice(places)
    piece = chance.choice(
        (*STRANGE, b"a", b"a ", b". ", b"1", b"I. ", b"-", b"(", b"&amp;", b"\n", b"\t", b"/", b"#", b"%")
    )
    value = parts[name][first:last]
    inside = first + 2 if value[:2] in (b'="', b"='") else first
    return packed(
        {**parts, name: parts[name][:inside] + piece * _times(chance, [piece]) + parts[name][inside:]}
    )


def encoded(chance: random.Random, parts: Parts, form: str) -> bytes:
    """Write a part in another encoding, or say so of it only."""
    name = chance.choice(list(parts))
    text = parts[name].decode("utf-8", errors="replace")
    encoding = chance.choice(ENCODINGS)
    data = parts[name]
    if chance.random() < 0.7:
        try:
            data = (text * chance.choice((1, 1, 20))).encode(encoding, errors="replace")
        except UnicodeError:  # what idna cannot write
            data = text.encode("utf-16")[1:]
    said = chance.choice(ENCODINGS).encode()
    return packed({**parts, name: DECLARED.sub(rb"\g<1>" + said, data)})


def crowded(chance: random.Random, parts: Parts, form: str) -> bytes:
    """Put thousands of further parts in, named in the list of an archive or not."""
    like = chance.choice([name for name in parts if "." in name])
    stem, dot, ending = like.rpartition(".")
    data = chance.choice((b"", parts[like]))[:2_000]
    return packed(
        {**parts, **{f"{stem}{number}{dot}{ending}": data for number in range(chance.choice((500, 4_000)))}}
    )


def renamed(chance: random.Random, parts: Parts, form: str) -> bytes:
    """Give parts the names of others, or names that no part should have."""
    stream = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in parts.items():
            other = chance.choice([name] * 8 + [chance.choice(list(parts)), chance.choice(NAMES)])
            for _ in range(chance.choice((1, 1, 1, 2, 300))):
                made.writestr(zipfile.ZipInfo(other), data)
    return stream.getvalue()


def swollen(chance: random.Random, parts: Parts, form: str) -> bytes:
    """Let a part unpack to very much, or to another size than the archive says."""
    name = chance.choice(list(parts))
    grown = parts[name] + chance.choice((b" ", b"\0", b"<p>", b"<!--", parts[name][-40:])) * chance.choice(
        (9_999, 300_000)
    )
    made = bytearray(packed({**parts, name: grown}))
    if chance.random() < 0.5:  # the sizes in the list at the end
        for found in list(re.finditer(rb"PK\x01\x02", made)):
            at = found.start() + chance.choice((16, 20, 24, 28, 42))
            made[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", bytes(4), b"\1\0\0\0"))
    return bytes(made)


def layered(chance: random.Random, parts: Parts, form: str) -> bytes:
    """Put archives in archives, the file itself, or one packed stream in another."""
    made = packed(parts)
    for _ in range(chance.choice((1, 2, 50))):
        made = packed({chance.choice(("inner.zip", "inner.epub", *parts)): made, "other": b"x"})
    return chance.choice((made, packed({**parts, chance.choice(list(parts)): made}), zlib.compress(made)))


def _rewritten(
    chance: random.Random, parts: Parts, form: str, change: Callable[[list[bytes]], list[bytes]]
) -> bytes:
    """Change the words of one part, now and then twice."""
    name = chance.choice(list(parts))
    pattern = TOKENS.get(form, MARKUP)
    made = parts[name]
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        words = pattern.findall(made[:LARGEST])
        if words:
            made = b"".join(change(words))
    return packed({**parts, name: made[: 2 * LARGEST]})


def _run(chance: random.Random, words: list[bytes]) -> tuple[int, int]:
    first = chance.randrange(len(words))
    return first, min(len(words), first + chance.choice((1, 1, 2, 3, 5, 9, 20)))


def _times(chance: random.Random, run: list[bytes]) -> int:
    """Choose how often: from a few times up to what makes a part as long as it may be."""
    most = max(2, LARGEST // max(1, sum(map(len, run))))
    return int(min(most, 2 ** chance.uniform(1, 19)))


OF_ARCHIVES: tuple[Change, ...] = (crowded, renamed, swollen, layered)
CHANGES: tuple[Change, ...] = (
    *(flipped, cut, repeated, nested, opened, woven, crossed, strange, giant, encoded),
    *OF_ARCHIVES,
)
