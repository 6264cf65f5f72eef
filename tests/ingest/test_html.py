"""HTML pages made on the spot: what they declare, what they hide, what stands around the text."""

import pytest

from tests.ingest.test_text import ARABIC, CZECH, JAPANESE, POLISH

NAME = "page.html"


def a_page(text: str, head: str = "") -> str:
    links = "".join(f'<p class="first"><a href="page{n}.html">{text}</a></p>' for n in range(3))
    return f"<html><head>{head}<style>p {{margin: 0}}</style></head><body>{links}</body></html>"


UNNAMED = ((ARABIC, "cp1256"), (CZECH, "cp1250"), (CZECH, "iso8859_2"), (POLISH, "iso8859_2"))


@pytest.mark.parametrize(("text", "encoding"), UNNAMED, ids=lambda value: value if len(value) < 10 else "")
def test_pages_that_name_no_encoding_are_guessed_by_their_letters(read, text, encoding):
    document = read(a_page(text).encode(encoding))
    assert document.text.startswith(text.strip())
    assert encoding in document.warnings[0]


DECLARED = (
    ("utf-16", "utf-16", "Größe und Übermut"),
    ("utf-16-le", "", "Größe und Übermut"),
    ("cp932", "shift_jis", "①㈱ " + JAPANESE),
    ("cp949", "euc-kr", "똠방각하의 이야기"),
    ("gb18030", "gb2312", "朱镕基的故事"),
    ("cp1252", "iso-8859-1", "“Fünf” – 3 €"),
    ("cp1254", "iso-8859-9", "İstanbul’da yağmur"),
    ("utf-8", "iso-8859-1", "“Fünf” Größen über Übermut"),
)


@pytest.mark.parametrize(("encoding", "label", "text"), DECLARED, ids=lambda value: value[:12])
@pytest.mark.parametrize("far", [0, 9_000], ids=["near", "far"])
def test_labels_are_read_as_browsers_read_them(read, encoding, label, text, far):
    head = f"<!-- {'.' * far} --><meta http-equiv='Content-Type' content='text/html; charset={label}'>"
    assert read(a_page(text, head).encode(encoding)).text.startswith(text)


def test_a_declared_encoding_with_a_few_bad_bytes_is_taken(read):
    page = a_page(JAPANESE, "<meta charset=shift_jis>").encode("cp932").replace(b"</a>", b"\xeb\xff</a>", 1)
    document = read(page)
    assert document.text.count(JAPANESE) == 3
    assert "a few bytes are not valid cp932" in document.warnings[0]


@pytest.mark.parametrize("label", ["punycode", "unicode_escape", "utf-7", "hex", "klingon"])
def test_what_is_no_encoding_of_pages_is_not_taken(read, label):
    assert read(a_page("Plain words &amp; more.", f"<meta charset={label}>")).text.startswith(
        "Plain words & more."
    )


def test_a_form_around_a_page_keeps_the_page(read):
    body = "<h1>Opening hours</h1><div>Daily from ten to five.</div><p>Children come in free.</p>"
    search = "<form action=/find>Search <input name=q><button>Go</button></form>"
    state = "<input type=hidden name=state value=x><select><option>Deutsch</select>"
    document = read(f"<body><div>Mill Museum</div>{search}<form>{state}{body}</form></body>")
    assert document.text == (
        "Mill Museum\n\nOpening hours\n\nDaily from ten to five.\n\nChildren come in free."
    )
    assert read(f"<body><form>{state}<div>{'Long ago. ' * 30}</div></form></body>").text.startswith(
        "Long ago."
    )


def test_a_drawing_is_read_by_its_words(read):
    drawing = "<svg xmlns='http://www.w3.org/2000/svg'><title>x</title><text>The fox</text></svg>"
    assert read(drawing, "a.svg").text == "The fox"
    assert read(drawing, "a.txt").format == "html"


def test_a_style_sheet_beside_a_saved_page_raises_letters(read):
    head = "From: <Saved>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=B\r\n\r\n--B\r\n"
    words = "<html><body><p>A ferry<span class=n>2</span> came.</p></body></html>"
    sheet = "\r\n--B\r\nContent-Type: text/css\r\n\r\n.n { vertical-align: super }\r\n--B--\r\n"
    page = f"{head}Content-Type: text/html\r\n\r\n{words}"
    assert read(f"{page}{sheet}", "page.mht").text == "A ferry[2] came."
    assert read(f"{page}\r\n--B--\r\n", "page.mht").text == "A ferry2 came."
