"""What other programs write in their own way: a small file each, and the text that must come of it."""

import base64

import pytest

from ingest.errors import BadInput
from tests.ingest.build import archive, docx, page
from tests.ingest.test_docx import style, styles
from tests.ingest.test_formats import fb2, odt, pptx, read

LOOSE = fb2(
    "<body><section><a l:href='x'>One</a><a l:href='y'>Two</a><p>Rye.</p>The <code>mill</code> turns"
    "<p>and</p>stands.<code>E = mc^2</code></section><section>Alone.</section></body>"
)
CODE = "<p><code>if rye:</code></p>\n<p><code>    grind()</code></p><p><code/></p><p><code>stop()</code></p>"
CODE_TEXT = "if rye:\n    grind()\nstop()"
READ = [
    ("loose.fb2", LOOSE, "One\n\nTwo\n\nRye.\n\nThe mill turns\n\nand\n\nstands.E = mc^2\n\nAlone."),
    ("code.fb2", fb2(f"<body><p>So:</p>{CODE}<p>Rye.</p></body>"), f"So:\n\n{CODE_TEXT}\n\nRye."),
    (
        "boxed.fb2",
        fb2(f"<body><table><tr><td><empty-line/>{CODE}<empty-line/></td></tr></table></body>"),
        CODE_TEXT,
    ),
    (
        "cells.fb2",
        fb2("<body><table><tr><td>a</td><td><p>One.</p><p>Two.</p></td></tr></table></body>"),
        "a | One. Two.",
    ),
    ("list.html", b"<ol>\n<li value='100'>Rye</li><li>Oats</li></ol>", "100. Rye\n\n101. Oats"),
    ("lines.htm", b"<pre>Rye\n  Oats</pre>\n", "Rye\n  Oats"),
    (
        "named.html",
        "<html><meta charset='iso-2022-jp'><p>水車の話</p></html>".encode("iso2022_jp"),
        "水車の話",
    ),
    ("high.html", b"2<sup>x</sup> = 4\n", "2^x = 4"),
]

SIGNED = page(
    "<body><section id='b'><h1>Tutorial<a class='headerlink' href='#b' title='Permalink'>¶</a></h1>"
    "<h2>Mills <span><a class='mark' href='#mills' id='mills'>#</a></span></h2><h2>Rye<a href='#'>🔗</a></h2>"
    "<dl><dt>f(x)<a class='copiable-anchor' href='#f'> ¶</a></dt><dd>See <a href='#mills'>it</a>, "
    "<a href='#b'>§</a> 2.</dd></dl><table><tr><th>a</th><th>b<a class='hash-link' href='#t'>#</a></th></tr>"
    "<tr><td>c</td><td>d</td></tr></table></section></body>"
)


def test_a_sign_for_the_address_of_a_heading_is_no_word_of_it(tmp_path):
    document = read(tmp_path, "a.html", SIGNED.encode())
    assert document.text == "Tutorial\n\nMills\n\nRye\n\nf(x)\n\nSee it, § 2.\n\na | b\nc | d"
    assert document.title == "Tutorial"
    assert [one.value for one in document.spans if one.kind == "link"][0] == document.text.index("Mills")


@pytest.mark.parametrize(("name", "data", "text"), READ, ids=[row[0] for row in READ])
def test_all_of_it_is_read(tmp_path, name, data, text):
    document = read(tmp_path, name, data)
    assert (document.text, document.warnings) == (text, ())


@pytest.mark.parametrize("name", ["code.fb2", "boxed.fb2"])
def test_code_is_told_from_prose(tmp_path, name):
    document = read(tmp_path, name, next(data for file, data, _ in READ if file == name))
    code = [document.text[one.start : one.end] for one in document.spans if one.kind == "code"]
    assert code == [CODE_TEXT]


def line(words: str, kind: str = "SourceCode") -> str:
    """A paragraph of a Word document, a line end for "|"."""
    runs = "<w:r><w:br/></w:r>".join(
        f'<w:r><w:t xml:space="preserve">{part}</w:t></w:r>' for part in words.split("|")
    )
    return f'<w:p><w:pPr><w:pStyle w:val="{kind}"/></w:pPr>{runs}</w:p>'


@pytest.mark.parametrize(
    "lines",
    [line("if rye:|    grind()||stop()"), line("if rye:") + line("    grind()") + line("") + line("stop()")],
    ids=["one paragraph", "a paragraph a line"],
)
def test_code_in_a_word_document_keeps_its_indentation(tmp_path, lines):
    body = line("  So:", "Normal") + lines + line("Rye.", "Normal")
    document = read(tmp_path, "a.docx", docx(body, styles(style("SourceCode", "Source Code"))))
    assert document.text == f"So:\n\n{CODE_TEXT}\n\nRye."
    code = [document.text[one.start : one.end] for one in document.spans if one.kind == "code"]
    assert code == [CODE_TEXT]


ODT_KIND = {"mimetype": "application/vnd.oasis.opendocument.text"}
EMPTY = [
    ("a.pptx", pptx([], []), "no slides in this presentation"),
    ("b.pptx", archive({"ppt/presentation.xml": "<p:presentation"}), "damaged"),
    ("a.ott", archive(ODT_KIND | {"styles.xml": "<styles/>"}), "only styles in this OpenDocument file"),
    ("b.ott", archive(ODT_KIND | {"content.xml": "", "styles.xml": "<styles/>"}), "damaged"),
]


@pytest.mark.parametrize(("name", "data", "words"), EMPTY, ids=[row[0] for row in EMPTY])
def test_a_template_is_not_called_damaged(tmp_path, name, data, words):
    with pytest.raises(BadInput, match=words):
        read(tmp_path, name, data)


@pytest.mark.parametrize("body", ["Rye.\n", "  Rye.\n"])
@pytest.mark.parametrize("header", ["To: b@x\nSubject: \n", "Subject: Of\n \nTo: b@x\n"])
def test_a_line_of_blanks_ends_the_header_of_a_mail(tmp_path, header, body):
    coded = base64.encodebytes(body.encode()).decode()
    inside = f"--B\nContent-Transfer-Encoding: base64\n\n{coded}--B--\n"
    start = f"From: a@x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n{header} \n"
    assert read(tmp_path, "a.eml", (start + inside).encode()).text.endswith("To: b@x\n\nRye.")
    start = f"From: a@x\n{header} \n"
    assert read(tmp_path, "b.eml", (start + body).encode()).text.endswith("To: b@x\n\nRye.")


UNSEEN = (
    "<text:tracked-changes><text:changed-region><text:deletion><office:change-info><dc:creator>Ann Miller"
    "</dc:creator></office:change-info>{}</text:deletion></text:changed-region></text:tracked-changes>"
    "<text:p>Rye and oats.<draw:frame><draw:image><office:binary-data>iVBORw0KGgoAAAANSU</office:binary-data>"
    "</draw:image></draw:frame></text:p><text:illustration-index><text:illustration-index-source>"
    "<text:index-title-template>All the pictures</text:index-title-template></text:illustration-index-source>"
    "</text:illustration-index>"
)


@pytest.mark.parametrize("gone", ["", "<text:p>And some barley.</text:p>"], ids=["nothing", "deleted"])
def test_what_is_no_text_is_not_missed(tmp_path, gone):
    document = read(tmp_path, "a.odt", odt(UNSEEN.format(gone)))
    assert document.text == "Rye and oats."
    assert bool(gone) == any("13 of 23 letters" in one for one in document.warnings)
    assert bool(gone) == bool(document.warnings)


FRONT = [
    ("title: 'Of: Mills'\nauthor: Ann\nseries:\n  title: Others\n  author: Ben", "Of: Mills", "Ann"),
    ("title: Of Mills\nauthors:\n- Ann\n- \"Ben\"\nparts:\n- Rye", "Of Mills", "Ann, Ben"),
    ("author: [Ann, 'Ben']\nlabels: x", "Rye", "Ann, Ben"),
    ("author:\n  - name: Ann\n    place: Mill\ntitle: ''", "Rye", ""),
]  # fmt: skip


@pytest.mark.parametrize(("front", "title", "author"), FRONT)
def test_front_matter_names_title_and_authors(tmp_path, front, title, author):
    document = read(tmp_path, "a.md", f"---\n{front}\n---\n\n# Rye\n\nOats.\n".encode())
    assert (document.title, document.author, document.text) == (title, author, "Rye\n\nOats.")
