"""The tab of demonstration libraries without a browser: what its events leave in the fields."""

from types import SimpleNamespace

import gradio as gr
import pytest

from app.desk.demonstrations_desk import DemonstrationsDesk
from app.desk.desk import Desk
from app.desk.libraries import Looked
from app.desk.state import View
from app.desk.visit import Visit
from app.tabs.demonstrations_tab import DemonstrationsTab
from app.tabs.frame import Frame
from engine.assistant import Assistant
from engine.library import Library
from engine.paths import Paths
from ingest.parse import parse
from tests.app.made import uploaded

ROWS = "text,label\nA fine film.,good\nA dull film.,bad\nA kind film.,good\n"
ASKS = SimpleNamespace(username="")


class Screen:
    """A reader's page: the values of its fields, as the events change them."""

    def __init__(self, tab: DemonstrationsTab, library: str) -> None:
        self.tab, self.values, self.choices = tab, {}, {}
        self.take(tab.scene(Looked(library), ASKS))

    def take(self, shown: dict) -> None:
        """What an event gave: a value, or a component whose arguments are what changes."""
        for one, update in shown.items():
            changed = update.constructor_args if isinstance(update, gr.blocks.Block) else {"value": update}
            if "value" in changed:
                self.values[one] = changed["value"]
            if "choices" in changed:
                self.choices[one] = changed["choices"]

    @property
    def looked(self) -> Looked:
        return self.values[self.tab.looked]

    def click(self, pane: str, **values: object) -> None:
        """A button of the libraries or of the examples."""
        event = SimpleNamespace(_data=values)
        act = self.tab.on_card if pane == "card" else self.tab.examples.on_example
        self.take(act(self.looked, event, ASKS))

    def come_back(self) -> None:
        """Another tab was chosen, and this one again."""
        self.take(self.tab.on_open(self.looked, None, ASKS))


@pytest.fixture(scope="module")
def tab(tmp_path_factory, tiny_folder, upload_folder) -> DemonstrationsTab:
    home = Paths(tmp_path_factory.mktemp("home"))
    desk = Desk(Assistant(Library(home, parse, model=str(tiny_folder))))
    with gr.Blocks(), gr.Tabs() as tabs, gr.Tab(DemonstrationsTab.NAME) as one:
        made = DemonstrationsTab(desk, Frame(gr.State(View()), gr.BrowserState(), tabs))
        made.wire(one)
    return made


@pytest.fixture
def screen(tab) -> Screen:
    """The tab over a new library of three examples."""
    mine = DemonstrationsDesk(Visit(tab.desk, ""))
    for library in mine.store.libraries():
        mine.remove(library.id)
    draft = tab.importing.on_paste(ROWS, "", "", "", None, ASKS)[tab.importing.draft]
    library, _ = mine.make(draft, "Films", draft.preview.template, "", "", False)
    return Screen(tab, library.id)


def test_a_library_that_was_just_imported_can_be_added_to(screen):
    tab, importing = screen.tab, screen.tab.importing
    draft = importing.on_paste(ROWS, "", "", "", None, ASKS)[importing.draft]
    template = draft.preview.template
    screen.take(importing.on_make(screen.looked, draft, "Plays", template, "", "", False, None, ASKS))
    names = [name for name, _ in screen.choices[importing.into]]
    assert names == ["A new library", "Plays", "Films"] and screen.values[importing.into] == ""
    assert tab.desk.libraries.library(screen.looked).name == "Plays"


def test_an_example_removed_while_it_is_edited_gives_way_to_a_new_one(screen):
    examples = screen.tab.examples
    first, second, _ = (one.id for one in screen.tab.desk.libraries.examples(screen.looked)[0])
    screen.click("example", action="edit", example=second)
    assert screen.values[examples.text] == "A dull film." and screen.looked.editing == second
    screen.click("example", action="discard", example=first)
    assert screen.looked.editing == second
    screen.click("example", action="discard", example=second)
    assert screen.looked.editing == 0 and screen.values[examples.text] == ""
    assert screen.values[examples.save] == "Add it"
    screen.take(examples.on_save(screen.looked, "A new film.", "bad", ASKS))
    assert [one.text for one in screen.tab.desk.libraries.examples(screen.looked)[0]] == [
        "A kind film.",
        "A new film.",
    ]


def test_what_was_typed_is_there_after_another_tab_and_goes_with_the_library(screen):
    tab, examples, task = screen.tab, screen.tab.examples, screen.tab.task
    typed = {examples.text: "Half a film", examples.given: "bad", task.template: "New: {} is {}",
             task.words: "good = fine", task.description: "Films of mine"}  # fmt: skip
    saved = {one: screen.values[one] for one in typed}
    screen.values |= typed
    screen.come_back()
    screen.take(examples.on_balance(screen.looked, ASKS))
    screen.click("card", action="rename", library=screen.looked.library, answer="Movies")
    assert {one: screen.values[one] for one in typed} == typed
    # an edit of the text is not lost either
    (first, *_) = tab.desk.libraries.examples(screen.looked)[0]
    screen.click("example", action="edit", example=first.id)
    assert screen.values[examples.text] == first.text and screen.values[task.template] == "New: {} is {}"
    screen.values[examples.text] = "A fine film, typed over"
    screen.come_back()
    assert screen.values[examples.text] == "A fine film, typed over"
    screen.take(examples.on_fresh(screen.looked, ASKS))
    assert (screen.values[examples.text], screen.looked.editing) == ("", 0)
    screen.values[examples.text] = "Half a film"
    # saving one form leaves the other as it is
    screen.take(task.on_save(screen.looked, "Film: {} is {}", "good = fine", " Films ", ASKS))
    assert screen.values[examples.text] == "Half a film"
    now = (screen.values[task.template], screen.values[task.words], screen.values[task.description])
    assert now == ("Film: {} is {}", "good = fine\nbad = bad", "Films")
    screen.values[task.template] = "Typed: {} is {}"
    screen.take(examples.on_save(screen.looked, "Half a film", "bad", ASKS))
    assert (screen.values[examples.text], screen.values[examples.given]) == ("", None)
    assert screen.values[task.template] == "Typed: {} is {}"
    # another library is another matter
    screen.values[examples.text] = "Half a film"
    screen.click("card", action="install", kind="library-desk.jsonl")
    assert screen.values[examples.text] == "" and screen.values[task.template] not in saved.values()
    assert screen.values[task.template] == tab.desk.libraries.library(screen.looked).task.template


def test_a_file_to_label_is_read_again_in_the_encoding_that_is_named(screen, tmp_path):
    form, guess = screen.tab.file, "the encoding was guessed as"
    path = upload("texts.csv", "текст,номер\nПривет мир,1\n".encode("cp1251"))
    shown = form.on_file(screen.looked, str(path), "latin-1")
    assert "Привет" not in shown[form.preview] and guess not in shown[form.preview]
    draft = shown[form.draft]
    again = form.on_encoding(screen.looked, draft, "cp1251", shown[form.column].value)
    assert "Привет мир" in again[form.preview]
    assert again[form.column].value == "текст" and again[form.draft].table.columns == ("текст", "номер")
    assert form.on_encoding(screen.looked, again[form.draft], "cp1251", "номер") == {
        form.draft: again[form.draft]
    }
    back = form.on_encoding(screen.looked, again[form.draft], "latin-1", "номер")
    assert form.on_encoding(screen.looked, back[form.draft], "cp1251", "номер")[form.column].value == "номер"
    assert form.on_encoding(screen.looked, None, "cp1251", None) == {form.draft: None}
    screen.take(form.on_go(screen.looked, again[form.draft], "текст", 4, "random", True, True, ASKS))
    assert "texts.csv" in screen.values[form.runs] and screen.values[form.draft] is None


def test_a_guessed_encoding_is_told_with_the_field_of_the_page(screen):
    data = "text,label\nCafé one,a\nCafé two,b\n".encode("latin-1")
    told = "name the right one in the field for it"
    form, importing = screen.tab.file, screen.tab.importing
    labelled = form.on_file(screen.looked, str(upload("texts.csv", data)), "")[form.preview]
    imported = importing.on_file(str(upload("texts.csv", data)), "", "", "", None, ASKS)[importing.preview]
    for shown in (labelled, imported):
        assert "the encoding was guessed as" in shown and told in shown and "--encoding" not in shown


def upload(name: str, data: bytes):
    """A file as a browser sends it."""

    path = uploaded(name)
    path.write_bytes(data)
    return path
