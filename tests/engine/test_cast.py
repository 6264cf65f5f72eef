"""Who is who and the story so far: what is found, joined, kept apart, and nothing from ahead."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from engine.cast.casting import make_cast
from engine.cast.kept import kept_cast
from engine.cast.names import find_names
from engine.cast.person import Cast
from engine.cast.story import story_so_far
from engine.paths import ASSETS
from ingest.document import Chapter, Document
from ingest.parse import parse
from tests.conftest import SHARED_DATA
from tests.engine.cast_lists import NOVELS
from tests.engine.kind_lists import KINDS

FIRST = """
“So Mr. Hale is here,” said Anne. Anne was the youngest daughter of the miller. Nobody had seen Mr. Hale at
Norton before; he had been in London all spring, and in London nobody missed him.
“Come in, Anne,” said Mrs. Hale.
"""
FERRY = "Old Tom, who kept the ferry, went with Anne to Norton. Tom said little, and Anne said less."
SECOND = """
Mr. Robert Hale came to the mill at noon. Robert Hale asked for Anne, and Anne thought of Tom. In Norton they
said that Robert Hale was a smuggler; but Mrs. Hale laughed, and Tom Reed stood at the ferry.
Tom Reed knew better. It was at Norton that Captain Brand first met Hale; Captain Brand never forgot it.
"""
BLOCKS = ["Chapter I", " ".join(FIRST.split()), FERRY, "Chapter II", " ".join(SECOND.split())]
TEXT = "\n\n".join(BLOCKS)
HALF = TEXT.index("Chapter II")
CHAPTERS = [Chapter("Chapter I", 0, HALF), Chapter("Chapter II", HALF, len(TEXT))]
BOOK = Document("T", "", "en", "text", TEXT, CHAPTERS)


@pytest.fixture(scope="module")
def cast() -> Cast:
    return make_cast(BOOK)


def named(cast: Cast, name: str):
    return next(one for one in cast.figures if name in one.names)


def test_names_of_one_are_joined_and_those_of_two_are_not(cast):
    assert named(cast, "Mr. Hale") is named(cast, "Robert Hale") is named(cast, "Hale")
    assert named(cast, "Mrs. Hale") is not named(cast, "Mr. Hale")
    assert named(cast, "Tom") is named(cast, "Tom Reed")
    assert {one.names[0] for one in cast.figures if one.kind == "place"} == {"Norton", "London"}
    assert all(TEXT[n.start : n.end] == one.names[n.name] for one in cast.figures for n in one.namings)


def test_nothing_is_told_from_behind_the_place_that_was_read_to(cast):
    hale = named(cast, "Mr. Hale")
    assert (hale.name(HALF), hale.aliases(HALF)) == ("Mr. Hale", ())
    assert hale.name(len(TEXT)) == "Robert Hale"
    assert "Captain Brand" not in {one.name(HALF) for one in cast.known(HALF)}
    for until in range(0, len(TEXT), 40):
        for one in cast.known(until):
            assert all(naming.end <= until for naming in one.seen(until)) and one.name(until) in TEXT[:until]
            assert one.introduction(until) is None or one.introduction(until)[1] <= until
            assert all(other.seen(until) for other, _ in cast.company(one, until))
        told = story_so_far(BOOK, cast, until)
        assert all(end <= until for one in told for _, end in one.sentences)
    assert cast.known(0) == [] and story_so_far(BOOK, cast, 0) == []


def test_what_only_is_or_has_is_nobody():
    text = (
        "Nobody knew what Latitude was, said the keeper. Then Latitude is a fine word, they thought. "
        "The keeper told Norah of it. “It was so,” said Norah, for that is what Norah had heard."
    )
    made = make_cast(Document("T", "", "en", "txt", text))
    assert {one.name(len(text)): one.kind for one in made.figures} == {"Latitude": "other", "Norah": "person"}


@pytest.mark.parametrize(("name", "kind", "words"), [
    ("Boone", "person", "His name is Boone, and his face is known. They knew no more of Boone than he."),
    ("Cat", "person", "“It is so,” said the Cat; and the child thanked the Cat, for the Cat knew."),
    ("Bingleys", "person", "By Mr. Bingley was nobody. They saw the Bingleys; of the Bingleys it was said."),
    ("Pequod", "other", "She saw the Pequod; the Pequod’s deck was wet, and the Pequod had three masts."),
    ("Baker Street", "place", "Mr. Baker slept. In Baker Street it rained; old Mr. Baker left Baker Street."),
    ("Lima", "place", "They came from Lima, and to Lima they went again, in Lima to sleep."),
])  # fmt: skip
def test_the_words_beside_a_name_tell_its_kind(name, kind, words):
    made = make_cast(Document("T", "", "en", "txt", words + "\n\n" + words))
    found = named(made, name)
    assert (found.kind, found.names) == (kind, (name,))


def test_a_figure_is_introduced_and_kept_company(cast):
    anne = named(cast, "Anne")
    start, end = anne.introduction(len(TEXT))
    assert TEXT[start:end] == "Anne was the youngest daughter of the miller."
    assert "Tom Reed" in [other.name(len(TEXT)) for other, _ in cast.company(anne, len(TEXT))]


def test_the_story_is_made_of_sentences_of_its_chapters(cast):
    told = story_so_far(BOOK, cast, len(TEXT))
    assert [one.chapter for one in told] == [0, 1]
    for one in told:
        chapter = BOOK.chapters[one.chapter]
        assert all(chapter.start < start < end <= chapter.end for start, end in one.sentences)
        assert all(TEXT[end - 1] in ".”" for _, end in one.sentences)


def test_a_month_is_part_of_a_name_where_it_stands_before_one_again_and_again():
    text = " ".join(["Then the March Hare spoke.", "In March they left.", "So the March Hare wept."] * 2)
    assert [" ".join(one.form) for one in find_names(text)] == ["march hare"] * 4
    rain = " ".join(["It was in March Anne came.", "So said Anne in March, and in March it rained."] * 4)
    assert {one.form for one in find_names(rain)} == {("anne",)}


@pytest.mark.parametrize(
    "text", ["", "no names at all in here.", "THE END\n\nTHE END", "第一章 渡口\n\n他来了。"]
)
def test_a_text_without_names_has_no_cast(text):
    document = Document("T", "", "", "text", text)
    assert make_cast(document).figures == () and story_so_far(document, Cast(()), 0) == []


def test_a_cast_is_kept_in_its_file_and_made_again_where_it_is_not(tmp_path):
    path = tmp_path / "cast.json"
    made = kept_cast(path, BOOK)
    assert made.figures and Cast.from_json(path.read_text()) == made == kept_cast(path, BOOK)
    for broken in (path.read_text().replace('"format": 5', '"format": 0'), "{}", "[", "\ud800"):
        path.write_bytes(broken.encode("utf-8", "surrogatepass"))
        assert kept_cast(path, BOOK) == made
    assert kept_cast(tmp_path / "nowhere" / "cast.json", BOOK) == made


@dataclass
class Share:
    """How many of what a list asks for were there."""

    found: int = 0
    asked: int = 0

    def count(self, right: bool) -> None:
        self.found, self.asked = self.found + right, self.asked + 1


@cache
def read(name: str) -> tuple[Document, Cast]:
    """Return a novel with its cast."""
    document = parse(novel(name))
    return document, make_cast(document)


def measured(name: str, rows) -> tuple[Share, Share, Share]:
    """(figures found, aliases joined and nobody else's, introduced by the right sentence) of one novel."""
    document, cast = read(name)
    whole = len(document.text)
    found, joined, introduced = Share(), Share(), Share()
    for names, words in rows:
        figures = [one for one in cast.figures if set(names) & set(one.names)]
        found.count(bool(figures))
        if len(names) > 1:
            strangers = {name for others, _ in rows if others != names for name in others}
            joined.count(
                any(set(names) <= set(one.names) and not strangers & set(one.names) for one in figures)
            )
        if words and figures:
            start, end = figures[0].introduction(whole)
            introduced.count(words in " ".join(document.text[start:end].split()))
    return found, joined, introduced


def novel(name: str) -> Path:
    shipped = ASSETS / "samples" / "love-among-the-chickens.epub"
    path = shipped if name.endswith("chickens") else SHARED_DATA / "samples" / "novels" / f"{name}.epub"
    if not path.is_file():
        pytest.skip("the novel is not here")
    return path


@pytest.mark.parametrize("name", NOVELS)
def test_novels_have_the_cast_that_was_written_down(name):
    found, joined, introduced = measured(name, NOVELS[name])
    assert found.found >= 0.9 * found.asked
    assert joined.found >= 0.75 * joined.asked
    assert introduced.found >= 0.5 * introduced.asked


@pytest.mark.parametrize("name", KINDS)
def test_novels_have_persons_and_places_as_they_were_judged(name):
    figures = {figure.names[0]: figure.kind for figure in read(name)[1].figures}
    judged = {" ".join(one.split()): kind for kind, names in KINDS[name].items() for one in names.split(",")}
    share = Share()
    for one, kind in judged.items():
        share.count(figures.get(one) == kind)
    assert share.found >= 0.8 * share.asked, [one for one in judged if figures.get(one) != judged[one]]
