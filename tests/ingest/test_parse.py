"""The front door: content decides, names only warn; HTML, Markdown and DOCX; what is refused and how."""

import ast
import io
import zipfile
from pathlib import Path

import pytest

import ingest
from ingest.errors import BadInput
from ingest.limits import Limits
from ingest.parse import PARSERS, parse
from ingest.position import find_chapter
from tests.ingest.build import archive, docx, epub, page, printed
from tests.ingest.invariants import check_document

EPUB = epub({"one.xhtml": page("<body><h1>One</h1><p>In an EPUB.</p></body>")})
PDF = printed([[(40, 100, "In a PDF there is this line.")]])
DOCX = docx("<w:p><w:r><w:t>In a Word file.</w:t></w:r></w:p>")
STORY = "The harbour master slept while the tide came in. "
HTML = b"<!DOCTYPE html><title>A Page</title><body><p>In a page.</p></body>"


@pytest.mark.parametrize(
    "name", ["right", "wrong.txt", "wrong.pdf", "wrong.epub", "wrong.docx", "wrong.html", "wrong.md"]
)
@pytest.mark.parametrize(("data", "form"), [(EPUB, "epub"), (PDF, "pdf"), (DOCX, "docx"), (HTML, "html")])
def test_content_decides_and_a_wrong_name_warns(read, data, form, name):
    document = read(data, name)
    assert document.format == form
    honest = name == "right" or name.endswith(f".{form}")
    assert honest == (not document.warnings)
    assert honest or f"the name ends in .{name.partition('.')[2]}" in document.warnings[0]


HEADLESS = {"bytes of it": b"\0\xff", "all of it": b"", "more than it": b"x" * 60}


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a", "a.pdf"])
@pytest.mark.parametrize("broken", HEADLESS.values(), ids=HEADLESS)
@pytest.mark.parametrize("packed", [True, False])
def test_a_pdf_is_known_without_its_head(read, broken, name, packed):
    whole = printed([[(40, 100, "In a PDF there is this line.")]], deflate=packed)
    document = read(broken + whole[whole.index(b"\n") :], name)
    assert (document.format, document.text) == ("pdf", "In a PDF there is this line.")


def test_a_pdf_without_head_and_pages_is_refused(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"%PXF-1.7\n" + b"1 0 obj <</Length 9>> stream \xff\xfe\0 endstream endobj\n" * 9)
    with pytest.raises(BadInput, match="a.txt: this PDF (is damaged|has no pages).*: get another copy"):
        parse(path)


def test_a_text_that_shows_a_pdf_is_a_text(read):
    shown = "1 0 obj\n<</Type /Catalog /Pages 2 0 R>>\nendobj\n" * 3
    for text in (f"A PDF has objects:\n\n{shown}\nThat is one of them.", f"{STORY * 9}\n\n{shown}\n%%EOF\n"):
        assert read(text, "a.txt").format == "text"


def test_an_archive_that_holds_a_pdf_as_it_is_stays_one(read):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:  # nothing in it is packed
        made.writestr("a.pdf", PDF)
    assert read(stream.getvalue(), "a.zip").warnings == ()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "PNG picture"),
        (b"PK\x03\x04 and then nothing", "damaged"),
        (archive({"a.txt": "x", "b.txt": "y"}), "ZIP archive of 2 files: unpack it"),
        (archive({}), "ZIP archive is empty: get another copy"),
        (archive({"__MACOSX/a": "x", ".DS_Store": "y"}), "ZIP archive is empty"),
        (archive({"xl/workbook.xml": "x"}), "Excel workbook"),
        (archive({"ppt/slides.xml": "x"}), "no slide can be found"),
        (archive({"word/document.xml": "<w:document"}), "damaged"),
        (docx(""), "no text in this Word document"),
        (b"{\\rtf1 }", "no text in this rich text file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old or locked Office"),
        (bytes(60) + b"BOOKMOBI", "Kindle"),
        (b"\x1f\x8b\x08" + bytes(20), "gzip"),
        (b"<html><body><script>var x = 1</script></body></html>", "no text in this HTML page"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_refusals_are_one_line_that_names_the_file(tmp_path, data, words):
    path = tmp_path / "a file.bin"
    path.write_bytes(data)
    with pytest.raises(BadInput, match=words) as caught:
        parse(path)
    assert "\n" not in str(caught.value)


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(BadInput, match="is a folder"):
        parse(tmp_path)
    with pytest.raises(BadInput, match="there is no file"):
        parse(tmp_path / "nothing.pdf")
    with pytest.raises(BadInput, match="cannot be used|there is no file"):
        parse("nul\0name.txt")


def test_sizes_are_limited(tmp_path, read):
    with pytest.raises(BadInput, match="too large \\(0.0 MB; the limit is 0.0 MB\\)"):
        read("x" * 200, "a.txt", limits=Limits(file_bytes=100))
    with pytest.raises(BadInput, match="too long \\(more than 100 characters\\)"):
        read("A line of text.\n\n" * 20, "a.txt", limits=Limits(characters=100))


def test_html_keeps_the_text_and_leaves_the_furniture(read):
    document = read(
        "<html lang=de><head><title>Ein Titel</title><meta name=author content='A. B.'>"
        "<style>p{}</style></head>"
        "<body><nav>Menu</nav><header><h1>Der Text</h1></header>"
        "<p>Eins &amp; zwei&shy;mal.<br><br>Drei.</p>"
        "<form>Suche<input></form>"
        "<h2>Teil</h2><table><tr><th>a<th>b<tr><td>1<td>2</table><ul><li>Punkt</ul><ol><li>x<li>y</ol>"
        "<pre>  if x:\n      y</pre><footer>Impressum</footer><p hidden>nie</p></body></html>",
        "a.html",
    )
    assert document.text == (
        "Der Text\n\nEins & zweimal.\n\nDrei.\n\nTeil\n\na | b\n1 | 2\n\n• Punkt\n\n1. x\n\n2. y\n\n"
        "if x:\n    y"
    )
    assert (document.title, document.author, document.language) == ("Der Text", "A. B.", "de")
    assert [chapter.title for chapter in document.chapters] == ["Teil"]


def test_html_declares_its_encoding(read):
    data = "<html><meta charset=windows-1251><body><p>Привет, мир</p></body></html>".encode("cp1251")
    assert read(data, "a.html").text == "Привет, мир"


def test_markdown_leaves_no_mark_up(read):
    document = read(
        '---\ntitle: "Of Things"\nauthor: Ann\nlang: en\n---\n\n# First\n\nSome *marked* **text** with a '
        "[link](http://x) and `code`.\nSame paragraph.\n\n<script>alert(1)</script>\n\n"
        "- a\n- b\n\n# Second\n\n"
        "| x | y |\n|---|---|\n| 1 | 2 |\n",
        "a.md",
    )
    assert document.text == (
        "First\n\nSome marked text with a link and code. Same paragraph.\n\n• a\n\n• b\n\n"
        "Second\n\nx | y\n1 | 2"
    )
    assert (document.title, document.author, document.language) == ("Of Things", "Ann", "en")
    assert [chapter.title for chapter in document.chapters] == ["First", "Second"]


def paragraph(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def test_docx_headings_tables_notes_and_changes(read):
    note = '<w:p><w:r><w:t>Body</w:t><w:footnoteReference w:id="2"/><w:t>.</w:t></w:r></w:p>'
    changes = "<w:p><w:ins><w:r><w:t>kept</w:t></w:r></w:ins>"
    changes += "<w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>"
    cells = "".join(f"<w:tc>{paragraph(text)}</w:tc>" for text in ("a", "b"))
    body = (
        paragraph("One", "Heading1")
        + note
        + changes
        + f"<w:tbl><w:tr>{cells}</w:tr></w:tbl>"
        + paragraph("Two", "Heading1")
    )
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    notes = f'<w:footnotes {space}><w:footnote w:id="2">{paragraph("The note.")}</w:footnote></w:footnotes>'
    document = read(docx(body + paragraph("End."), {"word/footnotes.xml": notes}), "a.docx")
    assert document.text == "One\n\nBody[1].\n\n[1] The note.\n\nkept\n\na | b\n\nTwo\n\nEnd."
    assert [chapter.title for chapter in document.chapters] == ["One", "Two"]


def test_docx_chapters_by_wording_where_nothing_is_styled(read):
    body = "".join(
        paragraph(f"Chapter {n}") + paragraph("It went on and on for a long time. " * 8) for n in (1, 2, 3)
    )
    assert [chapter.title for chapter in read(docx(body), "a.docx").chapters] == [
        "Chapter 1",
        "Chapter 2",
        "Chapter 3",
    ]


def test_parsers_are_equals():
    for parser in PARSERS:
        assert parser.__name__.rpartition(".")[2] == parser.NAME
        assert callable(parser.accepts) and callable(parser.parse)
    folder = Path(ingest.__file__).parent / "parsers"
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == {parser.NAME for parser in PARSERS}


def test_the_sample_books_of_the_project_read_well():
    samples = Path(ingest.__file__).parent.parent / "assets" / "samples"
    novel = parse(samples / "love-among-the-chickens.epub")
    stories = parse(samples / "three-stories-by-o-henry.pdf")
    for document in (novel, stories):
        check_document(document)
        assert not document.warnings
    assert (novel.title, novel.author) == ("Love Among the Chickens", "P. G. Wodehouse")
    assert find_chapter(novel, "chapter 3").title.startswith("III: Waterloo Station")
    assert sum(chapter.kind == "body" for chapter in novel.chapters) == 23
    assert [chapter.title for chapter in stories.chapters] == [
        "The Gift of the Magi", "The Cop and the Anthem", "After Twenty Years",
    ]  # fmt: skip
    assert sum(path.stat().st_size for path in samples.iterdir()) < 2_000_000


def test_ingest_imports_no_model_library():
    for path in Path(ingest.__file__).parent.rglob("*.py"):
        names = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            for name in (
                [alias.name for alias in node.names] if isinstance(node, ast.Import)
                else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            )
        }  # fmt: skip
        assert not names & {"torch", "transformers", "engine", "app", "gradio", "ebooklib"}, path


def test_a_file_that_lies_under_another_name_is_called_what_its_owner_calls_it(tmp_path):
    path = tmp_path / "source.txt"
    path.write_text("Nobody gave this text a title, and nobody will. " * 3)
    assert parse(path, name="my_diary.txt").title == "my diary"
    path.write_text(" \n ")
    with pytest.raises(BadInput, match=r"^my_diary\.txt: there is no text"):
        parse(path, name="folder/my_diary.txt")
