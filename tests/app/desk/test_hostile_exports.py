"""What leaves the program holds the words of books, readers and models as characters, and no live markup.

Each export is made of hostile words in every field, and read as its own programs read it.
"""

import io
import json
import zipfile
from dataclasses import replace

import pytest
from lxml import etree, html
from markdown_it import MarkdownIt

from app.desk.epubs import of_talk
from app.desk.marks_desk import exported
from engine.marks import export
from engine.marks.mark import Mark
from engine.shelf.talks import Message, Talk
from engine.shelf.transcript import transcript
from ingest.parse import parse
from tests.app.made import message

WORDS = "zebra"  # stands in each, and has to be shown
EVIL = [
    f"<script>{WORDS}()</script>",
    f"</p></blockquote><img src=x onerror={WORDS}()>",
    f"]]><style>{WORDS}</style>--><!--",
    f"<?xml version='1.0'?><!DOCTYPE {WORDS} [<!ENTITY a 'b'>]>&a;&lt;b&gt;",
    f"[{WORDS}](javascript:alert(1)) ![p](http://evil.example/{WORDS}.png)",
    f"[{WORDS}]: http://evil.example\n[{WORDS}]",
    f"<http://evil.example/{WORDS}> http://evil.example www.evil.example",
    f"# {WORDS}\n\n{WORDS}\n=====\n\n    {WORDS}\n\n```\n{WORDS}\n```",
    f"\u202egnp.{WORDS}\u202c \0\x01\x0b\x0c\x1b[31m {WORDS} \ufffe\ud800",
    f'" onclick="{WORDS}()" x="',
    f"{{{{{WORDS}}}}} ${{{WORDS}}} `{WORDS}` {{% {WORDS} %}}",
]
BASE = "http://127.0.0.1:7860/"
OURS = {"html", "head", "body", "title", "meta", "link", "div", "h1", "h2", "p", "em", "blockquote", "nav",
        "ol", "li", "a", "br"}  # fmt: skip
SAFE = {"prefix", "role", "href", "class", "rel", "type", "id", "lang", "charset", "name", "content", "title"}


def marks(words: str) -> list[Mark]:
    """A note of which all that a stranger may say are these words, found and lost."""
    one = Mark("ab12cd34ef56", "note", 3, 9, words, words, words, words, title=words, author=words,
               colour="green", note=words)  # fmt: skip
    return [one, replace(one, lost=True, id="00" * 8)]


def talk(words: str) -> tuple[Talk, list[Message], str, str]:
    """A talk in which everybody says these words, about a book that is called so."""
    cited = {"text": words, "place": words, "title": words}
    said = [message("user", words), message("assistant", words, [cited])]
    return Talk("t", None, words, words, {}, 0.0, 0.0), said, words, words


def check(page: etree._Element) -> None:
    """See that a page has elements, attributes and addresses of ours alone, and shows the words."""
    for element in page.iter(etree.Element):
        name = etree.QName(element).localname
        assert name in OURS, etree.tostring(element)
        for key, value in element.attrib.items():
            key = etree.QName(key).localname
            assert key in SAFE, (name, key, value)
            assert key != "href" or value.startswith((BASE, "style.css", "chapter-", "nav.xhtml")), value
    assert WORDS in "".join(page.itertext())


@pytest.mark.parametrize("words", EVIL, ids=range(len(EVIL)))
@pytest.mark.parametrize("written", [lambda words: export.markdown(marks(words), BASE),
                                     lambda words: transcript(*talk(words))])  # fmt: skip
@pytest.mark.parametrize("flavour", ["commonmark", "gfm-like"])
def test_markdown_that_a_viewer_renders_has_no_markup_but_ours(words, written, flavour):
    viewer = MarkdownIt(flavour, {"html": True, "linkify": False})
    check(html.document_fromstring(viewer.render(written(words))))


@pytest.mark.parametrize("words", EVIL, ids=range(len(EVIL)))
@pytest.mark.parametrize("written", [lambda words: exported(marks(words), "epub"),
                                     lambda words: of_talk(*talk(words))])  # fmt: skip
def test_an_epub_is_sound_and_has_no_markup_but_ours(tmp_path, words, written):
    content = written(words)
    strict = etree.XMLParser(resolve_entities=False, no_network=True)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        pages = [name for name in archive.namelist() if name.endswith(".xhtml")]
        for name in (*pages, *(name for name in archive.namelist() if name.endswith((".opf", ".ncx")))):
            tree = etree.fromstring(archive.read(name), strict)  # readers refuse what is not well formed
            if name in pages:
                check(tree)
    (tmp_path / "written.epub").write_bytes(content)
    assert WORDS in parse(tmp_path / "written.epub").text


@pytest.mark.parametrize("words", EVIL, ids=range(len(EVIL)))
def test_json_of_notes_is_data_and_comes_back(words):
    content = exported(marks(words), "json")
    (one, _) = json.loads(content)["marks"]
    assert WORDS in one["quote"] and WORDS in one["note"]
    assert WORDS in export.from_json(content)[0].quote
