"""Nothing that reads a stranger's text looks at the whole of it for every name, term, date or heading.

Each maker writes a text of as many letters as it is asked for; what reads it may take work in proportion.
Growth decides, as for patterns (`test_patterns.py`), not seconds.
"""

from collections.abc import Callable
from functools import partial

import pytest

from app.html import cast_html, contents_html, leaves
from app.html.spans import covered, flat
from engine.answering.citing import sentence_around
from engine.answering.structure import structure_answer
from engine.answering.suggestions import further, suggestions
from engine.cast.casting import make_cast
from engine.cast.story import story_so_far
from engine.shelf.words import words
from ingest.document import Chapter, Document, Page
from ingest.form import Span
from ingest.passages import passages
from tests.test_patterns import impatient, is_steep  # noqa: F401 (fixture)

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def word(number: int) -> str:
    """Another word for each number."""
    letters = []
    for _ in range(6):
        number, letter = divmod(number * 7 + 3, 26)
        letters.append(LETTERS[letter])
    return "".join(letters)


def name(number: int) -> str:
    return word(number).capitalize()


def many(one: Callable[[int], str], size: int, between: str = " ") -> str:
    """So many of what `one` writes for a number that they are `size` letters."""
    count = 1 + size // (len(one(1)) + len(between))
    return between.join(map(one, range(count)))[:size]


TEXTS = {
    "names": lambda n: f"we saw {name(n)} and then {name(n)}.",
    "namesakes": lambda n: f"we saw {name(n)} Smith and then {name(n)} Smith.",
    "titles": lambda n: f"we saw Mr. {name(n)} with Mrs. {name(n)} and Miss {name(n)}.",
    "chain": lambda n: f"we saw {name(n)} {name(n + 1)} by {name(n)} {name(n + 1)}.",
    "one name": lambda n: "so we saw Anne and Anne said",
    "companions": lambda n: f"\n\nand {name(n % 60)} said to {name(n % 61)} that {name(n % 59)} went.",
    "terms": lambda n: f"The {word(n)} is a thing that is made of wood.",
    "terms of two words": lambda n: f"\n\nCommon {word(n)}: the thing that is made of wood.",
    "dates": lambda n: f"in {1000 + n % 999},",
    "one sentence": lambda n: f"and {name(n % 40)} said",
    "abbreviations": lambda n: "Mr. A. No. Dr.",
    "one word": lambda n: "a",
    "joined": lambda n: "a-",
    "han": lambda n: "\u4e2d",
    "brackets": lambda n: "([ ",
    "quotes": lambda n: "“he said. ",
    "lines": lambda n: "a\n",
    "paragraphs": lambda n: "a\n\n",
}
CLOSE = frozenset(["one word", "joined", "han", "lines", "paragraphs"])  # with nothing between


@pytest.fixture(scope="module", params=TEXTS)
def text(request) -> Callable[[int], str]:
    between = "" if request.param in CLOSE else " "
    return partial(many, TEXTS[request.param], between=between)


def seen(document: Document) -> None:
    """Look at all that is told of a document."""
    end = len(document.text)
    cast = make_cast(document)
    told = story_so_far(document, cast, end)
    suggestions(document, cast)
    further(document, cast, document.text[:2_000], [])
    for write in (cast_html.who_html, cast_html.terms_html, cast_html.dates_html):
        write(document, cast, end, "b")
    cast_html.story_html(document, told, len(document.text), "b")


READERS = {
    "passages": passages,
    "what is told": seen,
    "words": lambda document: words(document.text),
    "leaves": lambda document: leaves.leaf_starts(document),
    "record": lambda document: Document.from_json(document.to_json()),
    "around": lambda document: sentence_around(
        document.text, len(document.text) // 2, len(document.text) // 2, 0
    ),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_text_is_read_in_proportion(reader, text):
    assert not is_steep(READERS[reader], lambda size: Document("T", "", "en", "text", text(size)))


def headed(size: int) -> Document:
    """Nothing but headings."""
    starts = range(0, size, 6)
    chapters = [Chapter(f"Part {n}", at, min(at + 6, size), 1 + n % 3) for n, at in enumerate(starts)]
    return Document("T", "", "en", "text", "Part\n\n" * len(starts), chapters)


def paged(size: int) -> Document:
    """A page, a chapter and a paragraph every three letters."""
    starts = range(0, 3 * size, 3)
    pages = [Page(str(n), at, at + 3) for n, at in enumerate(starts)]
    return Document("T", "", "en", "pdf", "a\n\n" * len(starts), (), pages)


def spanned(size: int) -> Document:
    """Every second letter is set otherwise, in one span over the whole book."""
    inner = [Span("italic" if at % 4 else "bold", at, at + 1) for at in range(0, size, 2)]
    return Document(
        "T", "", "en", "html", "ab cd\n\n" * (size // 7 + 1), spans=[Span("quote", 0, size), *inner]
    )


def leaf(document: Document) -> None:
    starts = leaves.leaf_starts(document)
    leaves.sheet_html(document, leaves.leaf_at(starts, len(document.text), 0))


SHAPES = {"headings": headed, "pages": paged, "spans": spanned}
VIEWS = {
    "leaf": leaf,
    "contents": contents_html.drawer,
    "names": lambda document: document.chapter_names,
    "list": lambda document: structure_answer("List the chapters", document),
    "every paragraph": lambda document: sum(len(document.spans_in(*one)) for one in document.paragraphs),
    "every place": lambda document: max(document.place(start).start for start, _ in document.paragraphs),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("view", VIEWS)
def test_a_shape_is_shown_in_proportion(view, shape):
    assert not is_steep(VIEWS[view], SHAPES[shape])


@pytest.mark.parametrize("lay", [
    lambda spans: flat(spans, 0, len(spans)),
    lambda spans: list(covered([(*one, one) for one in spans], range(len(spans)))),
], ids=["flat", "covered"])  # fmt: skip
def test_spans_over_one_another_are_laid_in_proportion(lay):
    assert not is_steep(lay, lambda size: [(at, size - at, "a") for at in range(size // 2)])
