"""Mails: bodies and headers out of their codings, mailboxes as chapters, nothing left out in silence."""

import base64
import quopri

import pytest

from ingest.errors import BadInput
from ingest.message import Part
from ingest.parse import parse
from tests.ingest.build import page
from tests.ingest.test_formats import read
from tests.test_patterns import impatient, is_steep  # noqa: F401 (fixture)

WORDS = "Der Müller mahlt den Roggen."
HEAD = "From: Ann Müller <ann@mill.example>\nTo: ben@mill.example\nDate: Mon, 1 Mar 2021 10:00:00 +0100\n"
SHOWN = "From: Ann Müller <ann@mill.example>\nTo: ben@mill.example\nDate: Mon, 1 Mar 2021 10:00:00 +0100"
HTML = "text/html; charset=utf-8"
PAGE = f"<html><body><p>{WORDS}</p><p>Es regnet.</p></body></html>"
PDF = 'Content-Disposition: attachment;\n filename="=?utf-8?q?M=C3=BChle?=.pdf"\n'


def part(
    words: str, kind: str = "text/plain", charset: str = "utf-8", coding: str = "8bit", more: str = ""
) -> bytes:
    """A part, or a whole message where `more` is the rest of its header."""
    data = words.encode(charset)
    data = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(coding, bytes)(data)
    about = kind if "charset" in kind or not kind.startswith("text/") else f"{kind}; charset={charset}"
    return f"{more}Content-Type: {about}\nContent-Transfer-Encoding: {coding}\n\n".encode() + data


def mail(subject: str = "Of Mills", **about) -> bytes:
    return part(about.pop("words", WORDS), more=f"{HEAD}Subject: {subject}\nMIME-Version: 1.0\n", **about)


def several(kind: str, *parts: bytes, mark: str = "=_B", more: str = "", end: str = "--") -> bytes:
    """A message, or a part, of these parts."""
    inside = b"".join(b"--%b\n%b\n" % (mark.encode(), one) for one in parts)
    head = f'{more}Content-Type: multipart/{kind};\n boundary="{mark}"\n\nFor old programs.\n'
    return head.encode() + inside + f"--{mark}{end}\n".encode()


def sent(kind: str, *parts: bytes, **about) -> bytes:
    return several(kind, *parts, more=f"{HEAD}Subject: Of Mills\nMIME-Version: 1.0\n", **about)


BOTH = [part(WORDS), part(PAGE, HTML, coding="base64")]
RELATED = several("related", part(PAGE, HTML), part("x", "image/png", more="Content-ID: <i>\n"), mark="in")
BOX = (
    b"From ann@mill.example Mon Mar  1 10:00:00 2021\n"
    + mail("One", coding="base64")
    + b"\nFrom ben@mill.example Tue Mar  2 10:00:00 2021\nSubject: \nMessage-ID: <2@x>\n\n>From the mill.\n\n"
    b"From here on it rained.\n"
)
JAPANESE = "水車の話です。"
LEAVE = "To leave the list, write to us."
LONG = " ".join([WORDS] * 9)
MESSAGE = b"Content-Type: message/rfc822\n\n" + mail("More", coding="base64")
QUOTING = "> > Old.\n> He said that it rained, and\n> it did.\nYes.\n"
SHORT = [part(LONG), part("<p>See the text.</p>", HTML)]
TWO = f"{WORDS}\n\nEs regnet."
WITH_PDF = [
    several("alternative", part(WORDS), RELATED, mark="=_B2"),
    part("x", "application/pdf", more=PDF),
]
# name of the file -> its bytes, the text below the header that is shown, words of the warning
CASES = {
    "base64.txt": (mail(coding="base64"), WORDS, "is a mail and was read as such"),
    "quoted.eml": (mail(coding="quoted-printable"), WORDS, ""),
    "lines.eml": (mail(coding="base64").replace(b"\n", b"\r\n"), WORDS, ""),
    "old.eml": (mail(coding="base64").replace(b"\n", b"\r"), WORDS, ""),
    "plain.eml": (mail(), WORDS, ""),
    "beneath.eml": (sent("alternative", *BOTH) + LEAVE.encode(), f"{TWO}\n\n{LEAVE}", ""),
    "below.eml": (sent("mixed", part("One.")) + LEAVE.encode(), f"One.\n\n{LEAVE}", ""),
    "latin.eml": (mail(charset="iso-8859-1"), WORDS, ""),
    "lying.eml": (mail(kind="text/plain; charset=us-ascii"), WORDS, ""),
    "japanese.eml": (mail(words=JAPANESE, charset="iso-2022-jp", coding="7bit"), JAPANESE, ""),
    "page.eml": (mail(words=PAGE, kind=HTML, coding="quoted-printable"), TWO, ""),
    "both.eml": (sent("alternative", *BOTH), TWO, ""),
    "excuse.eml": (sent("alternative", *SHORT), LONG, ""),
    "attached.eml": (sent("mixed", *WITH_PDF), TWO, "1 attachment was left out (Mühle.pdf): save"),
    "signed.eml": (sent("signed", part(WORDS), part("x", "application/pgp-signature")), WORDS, ""),
    "two.eml": (sent("mixed", part("One."), b"\nTwo: no header."), "One.\n\nTwo: no header.", ""),
    "cut.eml": (sent("alternative", *BOTH)[:-60], WORDS, ""),
    "marks.eml": (sent("mixed", part("One.\n--=_Bx\nTwo.")), "One. --=_Bx Two.", ""),
    "none.eml": (sent("mixed").replace(b"=_B", b"=_C", 1), "For old programs. --=_B--", ""),
    "forwarded.eml": (
        sent("mixed", part("See below."), MESSAGE),
        f"See below.\n\nMore\n\n{SHOWN}\n\n{WORDS}",
        "",
    ),
    "listed.eml": (mail(coding="base64") + f"__\n{LEAVE}\n".encode(), f"{WORDS}\n\n__\n{LEAVE}", ""),
    "answer.eml": (mail(words=QUOTING), ">> Old.\n\n> He said that it rained, and it did.\n\nYes.", ""),
    "apple.emlx": (b"%d\n" % len(mail()) + mail() + b"<?xml version='1.0'?><plist></plist>", WORDS, ""),
}
# fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_mail_is_read_as_it_was_written(tmp_path, name):
    data, text, warning = CASES[name]
    document = read(tmp_path, name, data)
    assert document.text == f"Of Mills\n\n{SHOWN}\n\n{text}"
    assert (document.format, document.title, document.author) == ("mail", "Of Mills", "Ann Müller")
    assert (warning in " ".join(document.warnings)) if warning else document.warnings == ()


@pytest.mark.parametrize(
    "coded",
    [
        "=?utf-8?q?Die_M=C3=BChle?=",
        "=?UTF-8?B?RGllIE3DvGhsZQ==?=",
        "=?iso-8859-1?q?Die_M=FChle?=",
        "=?utf-8?q?Die_M=C3?=\n =?utf-8?q?=BChle?=",  # one letter in two words
        "Die =?utf-8?q?M=C3=BChle?=",
        "Die\n Mühle",
        "=?latin1?q?Die_M=FC?= =?utf-8?q?hle?=",
    ],
)
def test_a_subject_is_taken_out_of_its_coding(tmp_path, coded):
    assert read(tmp_path, "a.eml", mail(coded)).title == "Die Mühle"


def test_a_mailbox_is_a_book_of_its_messages(tmp_path):
    document = read(tmp_path, "our box.mbox", BOX)
    assert [chapter.title for chapter in document.chapters] == ["One", "Message 2"]
    assert document.text == f"One\n\n{SHOWN}\n\n{WORDS}\n\nFrom the mill.\n\nFrom here on it rained."
    assert (document.title, document.author) == ("our box", "")


REFUSED = {
    "locked.eml": (sent("encrypted", part("Version: 1", "application/pgp-encrypted")), "encrypted: open it"),
    "pgp.eml": (mail(words="-----BEGIN PGP MESSAGE-----\n\nhQEM\n"), "encrypted: open it"),
    "scan.eml": (sent("mixed", part("x", "application/pdf", more=PDF)), r"attached \(Mühle.pdf\): save"),
    "letter.msg": (b"\xd0\xcf\x11\xe0\xa1\xb1" + "__substg1.0_".encode("utf-16-le"), "Outlook.*: save it as"),
    "winmail.dat": (b"\x78\x9f\x3e\x22" + bytes(50), "Outlook.*: save it as"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_mail_without_words_says_what_to_do(tmp_path, name):
    data, words = REFUSED[name]
    with pytest.raises(BadInput, match=f"^{name}: .*{words}"):
        read(tmp_path, name, data)


@pytest.mark.parametrize(
    "words",
    [
        "From: Ann\nTo: Ben\nSubject: The mill\n\nIt turns.",
        "Message-ID: is what a mail has.\nSo they say.\n",
        "From the mill to the river.\nReceived: nothing.\n\nIt turns.",
        page("<body>Message-ID: one<br>To: Ben</body>"),
    ],
)
def test_what_only_looks_like_a_mail_is_none(tmp_path, words):
    path = tmp_path / "a.txt"
    path.write_text(words)
    assert parse(path).format in ("text", "html")


LONG_FIELDS = {
    "parameters": lambda size: "Content-Type: text/plain" + ";a" * (size // 2),
    "quoted": lambda size: 'Content-Type: text/plain; a="' + ";" * size,
    "names in pieces": lambda size: (
        "Content-Disposition: attachment" + "".join(f";filename*{number}*=x" for number in range(size // 16))
    ),
    "boundary": lambda size: 'Content-Type: multipart/mixed; boundary="' + ";" * size,
}


@pytest.mark.parametrize("name", LONG_FIELDS)
def test_a_long_field_is_read_in_proportion(impatient, name):  # noqa: F811
    def kind_and_name(data: bytes) -> None:
        part = Part.whole(data)
        part.file_name(), part.parts(), part.is_attached()

    assert not is_steep(kind_and_name, lambda size: f"{HEAD}{LONG_FIELDS[name](size)}\n\na\n".encode())


def test_parts_are_counted_over_the_whole_message():
    inner = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\na\n" * 1_500
    data = b"Content-Type: multipart/mixed; boundary=o\n\n" + (b"--o\n" + inner) * 20
    found = list(Part.whole(data).walk())
    assert 2_000 < len(found) < 2_100
    forwarded = b"Content-Type: message/rfc822\n\n" + data
    assert len(list(Part.whole(forwarded).walk())) < 2_100
