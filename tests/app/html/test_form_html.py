"""A text in its form on the page: tags of ours, and between them the characters of the book, to the last."""

import html
import re
from dataclasses import replace

import pytest

from app.html import leaves
from ingest.document import Chapter, Document, Page
from ingest.form import Picture, Span
from ingest.parse import parse
from tests.ingest.build import epub, page

HOSTILE = "<script>x()</script>"
TAGS = {"article", "section", "p", "h3", "h4", "em", "strong", "span", "code", "mark", "button"}
TAGS |= {"aside", "blockquote"}
TABLE = {"div", "table", "caption", "tr", "td", "th", "figure", "img"}


def shown(document: Document, **seen) -> str:
    leaf = leaves.leaf_at(leaves.leaf_starts(document), len(document.text), 0)
    return leaves.leaf_html(document, leaf, leaves.Shown(**seen))


def characters(markup: str) -> str:
    """What stands in the elements that say which characters they show, one after the other."""
    found = re.findall(r'<(p|h\d|div) [^>]*data-start="\d+"[^>]*>(.*?)</\1>', markup, re.S)
    return "\n\n".join(html.unescape(re.sub("<[^>]+>", "", inside)) for _, inside in found)


def document(text: str, *spans: tuple, pictures=()) -> Document:
    ordered = sorted((Span(*one) for one in spans), key=lambda one: one.start)
    return Document("T", "", "en", "epub", text, spans=ordered, pictures=pictures)


CASES = [
    ("a very odd one", [("italic", 2, 10)], "a <em>very odd</em> one"),
    ("a very odd one", [("italic", 2, 6), ("bold", 4, 10)],
     "a <em>ve</em><em><strong>ry</strong></em><strong> odd</strong> one"),
    ("a Tom b", [("smallcaps", 2, 5)], 'a <span class="lm-caps">Tom</span> b'),
    ("a 1 b\n\nc", [("mono", 2, 3), ("quote", 0, 8)], "<blockquote><p "),
    ("Roses\nred", [("verse", 0, 9)], 'class="lm-is-verse"'),
    ("• One", [("item", 0, 5, 2)], 'class="lm-is-item lm-deep2"'),
    ("Head\n\nText", [("heading", 0, 4, 2)], "<h4 "),
    ("see there\n\nhere", [("link", 4, 9, 11)], 'data-action="jump" data-start="11">there</button>'),
    ("a | b\nc", [("table", 0, 7), ("row", 0, 5), ("header", 0, 1), ("header", 4, 5), ("row", 6, 7),
                  ("cell", 6, 6), ("cell", 6, 7, 2)],
     '<tr><th scope="col">a<span class="lm-gap"> | </span></th><th scope="col">b</th></tr>\n'
     '<tr><td></td><td colspan="2">c</td></tr>'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "spans", "inside"), CASES)
def test_form_is_drawn_around_the_same_characters(text, spans, inside):
    made = shown(document(text, *spans))
    assert inside in made and characters(made) == text
    marked = shown(document(text, *spans), cited=(1, len(text) - 1), found=((0, 1),))
    assert characters(marked) == text and '<mark class="cited">' in marked


@pytest.mark.parametrize(
    ("spans", "inside"),
    [
        ([], "<h3 "),
        ([("verse", 0, 9)], 'class="lm-is-verse"'),
        ([("verse", 0, 9), ("heading", 0, 9, 1)], "<h3 "),
    ],
)
def test_a_chapter_without_a_heading_may_begin_with_a_poem(spans, inside):
    opened = replace(document("Roses\nred\n\nText", *spans), chapters=[Chapter("Roses", 0, 15, 2)])
    assert inside in shown(opened)


@pytest.mark.parametrize("kind", ["italic", "quote", "verse", "item", "code", "heading", "link", "reference",
                                  "note", "caption", "table", "mono"])  # fmt: skip
def test_nothing_of_a_book_is_markup_in_any_form(kind):
    text = f"{HOSTILE} | {HOSTILE}\n\nnote {HOSTILE}"
    rows = [("row", 0, 43), ("cell", 0, 20), ("cell", 23, 43)] if kind == "table" else []
    spans = [(kind, 0, 43, 45), *rows, ("note", 45, len(text))]
    pictures = (Picture(0, "", HOSTILE), Picture(5, "a" * 24 + ".png", '" onerror="x()'))
    made = shown(document(text, *spans, pictures=pictures))
    assert set(re.findall(r"<(\w+)", made)) <= TAGS | TABLE
    assert characters(made) == text
    assert "onerror=" not in re.sub(r'"[^"]*"', "", made)


ATTACK = (
    "<p>So<a href='javascript:x()' epub:type='noteref'>1</a> "
    "<a href='#n\"&gt;&lt;b' epub:type='noteref'>2</a> <a href='data:text/html,x'>data</a> "
    "<i style='x:expression(x())' onclick='x()'>odd</i></p><p id='n\"&gt;&lt;b'>{words}</p>"
    "<blockquote epub:type='z3998:verse' onclick='x()'><p>{words}</p></blockquote>"
    "<table onload='x()'><tr><th scope='x()'>{words}</th><td colspan='99999999'>{words}</td></tr></table>"
    "<ol start='9&lt;'><li>{words}</li></ol><pre>{words}</pre><figure><img src='x.svg' alt='{words}' "
    "onerror='x()'/><figcaption>{words}</figcaption></figure><img src='javascript:x()' alt='{words}'/>"
    "<img src='http://192.0.2.7/x.png' alt='{words}'/><svg><image href='http://192.0.2.7/'/></svg>"
)


def test_a_hostile_book_is_drawn_in_tags_of_ours_alone(tmp_path):
    words = html.escape(f"{HOSTILE} \" onerror=x() ' {{{{y}}}} ${{z}} `")
    drawing = f"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'>{HOSTILE}<rect width='2'/></svg>"
    path = tmp_path / "book.epub"
    body = page(f"<body>{ATTACK.format(words=words)}</body>")
    path.write_bytes(epub({"one.xhtml": body}, extra={"OPS/x.svg": drawing.encode()}))
    parsed = parse(path, pictures=tmp_path / "pictures")
    made = shown(parsed, pictures="p/")
    assert set(re.findall(r"<(\w+)", made)) <= TAGS | TABLE
    plain = re.sub(r'"[^"]*"', "", made)
    assert not re.search(r"<[^>]*\s(?:on\w+|style|href|srcset)\b", plain)
    addresses = re.findall(r'src="([^"]*)"', made)
    assert addresses and all(re.fullmatch(r"p/[0-9a-f]{24}\.svg", one) for one in addresses)
    (kept,) = (tmp_path / "pictures").iterdir()
    assert b"script" not in kept.read_bytes() and b"onload" not in kept.read_bytes()
    assert HOSTILE in html.unescape(made) and "192.0.2.7" not in made and "javascript" not in made


def test_a_note_opens_where_it_is_referred_to_and_leads_back():
    text = "Word[1] on.\n\n[1] A note.\n\nIts second part.\n\nText."
    made = shown(document(text, ("reference", 4, 7, 13), ("note", 13, 42), ("italic", 19, 23)))
    assert '<button type="button" class="lm-ref" popovertarget="lm-note-4">[1]</button>' in made
    (note,) = re.findall(r"<aside (.*?)</aside>", made, re.S)
    assert 'id="lm-note-4"' in note and "<em>note</em>.\n\nIts second part.</p>" in note
    assert 'data-action="jump" data-start="13"' in note
    assert made.index("Back to the text") > made.index("</aside>") and 'data-start="4">↩' in made
    assert characters(made.replace(note, "")) == text


def test_pictures_stand_where_they_stood_and_are_fetched_from_the_document_alone():
    name = "0" * 24 + ".png"
    pictures = (Picture(0, name, "A cat"), Picture(2, name, "in line"), Picture(5, "", "Lost one"))
    made = shown(document("ab cd", pictures=pictures), pictures="p/")
    first, second = re.findall(r"<img [^>]*>", made)
    assert f'src="p/{name}" alt="A cat"' in first and 'alt="in line"' in second
    assert made.index(first) < made.index(">ab") < made.index(second) < made.index("Picture: Lost one")
    assert characters(made) == "ab cd"


def test_a_page_of_a_pdf_opens_as_it_is_printed_with_what_is_cited():
    pages = [Page("i", 0, 7), Page(HOSTILE, 7, 14)]
    book = Document("T", "", "en", "pdf", "First\n\nSecond.", pages=pages)
    made = shown(book, printed="lm/pages/b/", cited=(7, 13))
    assert 'src="lm/pages/b/0"' in made and 'src="lm/pages/b/1?marked=7-13"' in made
    assert made.count("popovertarget=") == 4 and made.count(">Close<") == 2 and "<script" not in made
    assert "<img" not in shown(book) and "lm-page" in shown(book)


def test_pages_that_begin_inside_a_paragraph_are_marked_there_without_a_letter():
    text = "One two three four."
    pages = [Page("14", 0, 4), Page(HOSTILE, 4, 8), Page("16", 8, len(text))]
    for kind, tag in (("text", "span"), ("pdf", "button")):
        made = shown(Document("T", "", "en", kind, text, pages=pages), printed="lm/pages/b/", cited=(4, 8))
        marks = re.findall(rf"<{tag} [^>]*lm-turn[^>]*></{tag}>", made)
        assert len(marks) == 2 and 'aria-label="page 16"' in marks[1] and "<script" not in made
        assert made.index(">page 14") < made.index("One ") < made.index(marks[0]) < made.index("two ")
        assert made.index("two ") < made.index(marks[1]) < made.index("three")
        assert made.count("</aside>") == (3 if kind == "pdf" else 0)
        assert characters(re.search(r"<p .*</p>", made)[0]) == text


def test_recognised_text_is_marked_where_it_is_read():
    book = Document(
        "T", "", "en", "pdf", "First\n\nSecond.", pages=[Page("i", 0, 7, "", 87), Page("ii", 7, 14)]
    )
    assert shown(book).count("recognised text, 87 % sure") == 1
    assert "page i · recognised text, 87 % sure" in shown(book, printed="lm/pages/b/")


def test_a_book_shows_the_form_that_its_file_gave(tmp_path):
    body = (
        "<h2>One</h2><p>So <i>odd</i><a href='#n' epub:type='noteref'>1</a></p><ul><li>a</li><li>b</li></ul>"
        "<table><tr><th>x</th><td>1</td></tr></table><pre>  code\n    in</pre>"
        "<aside epub:type='footnote' id='n'><p>Note.</p></aside>"
    )
    path = tmp_path / "book.epub"
    path.write_bytes(epub({"one.xhtml": page(f"<body>{body}</body>")}))
    parsed = parse(path)
    made = shown(parsed)
    assert re.sub(r"<aside.*?</aside>", "", made, flags=re.S).count("<em>odd</em>") == 1
    assert characters(re.sub(r"<aside.*?</aside>", "", made, flags=re.S)) == parsed.text
