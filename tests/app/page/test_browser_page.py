"""The page in a real browser, with a tiny random model: what is quick to try, or needs made-up answers.

First start, citations, hostile books, phones and the like are tried with the true model in test_browser_*.
"""

import contextlib
import json
import time
from pathlib import Path

import pytest

from app.desk.reading_desk import ReadingDesk
from ingest.errors import BadInput
from tests.app.browser import ANSWERED, becomes, choose, press_open, to_tab, until, visiting

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture
def page(chromium, served):
    """A fresh browser on the page of the tiny model."""
    with visiting(chromium, served.url) as page:
        page.wait_for_selector(".lm-empty, .lm-card")
        yield page


def upload(page, path: Path, ready: bool = True) -> None:
    page.set_input_files("input[type=file]", str(path))
    said = page.wait_for_selector("#lm-notice [role=status]", state="attached").inner_text()
    if "already" in said:
        # it opens itself, a moment after it is said: what is clicked before that would be undone
        page.wait_for_selector("[role=tab][aria-selected=true] >> text=Read")
        page.wait_for_selector(".lm-leaf")
    if ready:
        page.wait_for_selector(".lm-card[data-state=ready]", state="attached")


def open_book(page, title: str = "") -> None:
    press_open(page, page.locator(".lm-card", has_text=title).first)
    # the tab is chosen by the answer that brings the book
    page.wait_for_selector("[role=tab][aria-selected=true] >> text=Read")
    page.wait_for_selector(".lm-leaf")
    sync_api.expect(page.locator("#lm-book")).to_contain_text(title)


def ask(page, question: str) -> str:
    """Ask, wait for the whole answer, return it."""
    page.get_by_label("Your question").fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_function(ANSWERED, arg=question)
    return page.locator("#lm-talk .lm-assistant:not(.lm-live)").last.inner_text()


def begin_a_talk(page) -> None:
    page.get_by_role("button", name="New talk").click()
    sync_api.expect(page.locator("#lm-talk .lm-message")).to_have_count(0)


@pytest.fixture
def slow_answers(served, monkeypatch):
    """Answers that never end of themselves: a word every 20 ms until they are stopped."""
    from engine.answering.answer import Answer, AnswerEvent

    said = []

    def endless(words, question, *, talk=None, stop=None, **bounds):
        served.desk.shelf.talks.append(talk, "user", question)
        said.append(bounds)
        for number in range(5000):
            if stop.is_set():
                break
            time.sleep(0.02)
            yield AnswerEvent(f"word{number} ")
        served.desk.shelf.talks.append(talk, "assistant", "It was stopped.")
        yield AnswerEvent(answer=Answer("It was stopped.", stopped=True))

    monkeypatch.setattr(served.desk.assistant, "ask", endless)
    yield said
    served.desk.speaker.stop_all()


def test_an_encoding_is_for_one_text_and_may_be_mended(page, served, tmp_path):
    """One that is unknown fails, the next try takes another; the text after that is read as it is."""
    latin, plain = tmp_path / "latin.txt", tmp_path / "plain.txt"
    latin.write_bytes(("Amélie sat in the café by the naïve gulls. " * 40).encode("cp1252"))
    plain.write_text("Zoë sat in the other café by the sea. " * 40)
    field = page.get_by_label("Encoding of the next text")
    page.get_by_text("An encrypted PDF, a scan, or a text with wrong letters?").click()
    field.fill("klingon")
    upload(page, latin, ready=False)
    card = page.locator(".lm-card", has_text="latin")
    card.get_by_text("klingon").wait_for()
    sync_api.expect(field).to_have_value("")
    field.fill("cp1252")
    card.get_by_role("button", name="Try again").click()
    page.wait_for_selector(".lm-card[data-state=ready] >> text=latin", state="attached")
    sync_api.expect(field).to_have_value("")
    open_book(page, "latin")
    page.locator(".lm-leaf", has_text="Amélie sat in the café").wait_for()
    to_tab(page, "Shelf")
    page.set_input_files("input[type=file]", str(plain))
    page.wait_for_selector(".lm-card[data-state=ready] >> text=plain", state="attached")
    open_book(page, "plain")
    page.locator(".lm-leaf", has_text="Zoë sat in the other café").wait_for()
    for entry in served.desk.shelf.entries():  # other tests look at the first book of the shelf
        if entry.title in ("latin", "plain"):
            served.visit.remove(entry.id)


def test_streaming_survives_a_refresh_stops_and_others_wait_their_turn(
    page, novel, served, slow_answers, chromium
):
    upload(page, novel)
    open_book(page)
    page.get_by_label("Your question").fill("Go on for ever?")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_selector(".lm-live >> text=word5")
    page.reload()
    page.wait_for_selector(".lm-live >> text=word")

    with visiting(chromium, served.url) as other:
        open_book(other)
        other.keyboard.press("n")
        other.get_by_role("button", name="New talk").click()
        other.get_by_label("Your question").fill("And I?")
        other.get_by_role("button", name="Ask", exact=True).click()
        other.wait_for_selector("text=waiting: 1 answer before this one")

        page.get_by_role("button", name="Stop").first.click()
        page.wait_for_selector("text=It was stopped.")
        other.wait_for_selector(".lm-live >> text=word1")
        other.get_by_role("button", name="Stop").first.click()
        other.wait_for_selector("text=It was stopped.")


def test_each_talk_shows_its_own_answer_and_each_book_its_own_talks(
    page, novel, served, slow_answers, tmp_path
):
    """A question asked while another is answered, in a new talk; then the next book, and back."""
    other = tmp_path / "harbour.txt"
    other.write_text("The harbour was empty, and the Heron lay at anchor. " * 40)
    upload(page, novel)
    page.set_input_files("input[type=file]", str(other))
    page.wait_for_selector(".lm-card[data-state=ready] >> text=harbour", state="attached")
    open_book(page, "Lighthouse")
    talk, field = page.locator("#lm-talk"), page.get_by_label("Your question")
    ask_it, stop = (page.get_by_role("button", name=name, exact=True).first for name in ("Ask", "Stop"))
    begin_a_talk(page)
    field.fill("ALPHA?")
    ask_it.click()
    page.wait_for_selector(".lm-live >> text=word5")
    begin_a_talk(page)
    field.fill("BETA?")
    ask_it.click()
    talk.get_by_text("waiting: 1 answer before this one").wait_for()
    page.get_by_label("Search in this book").fill("Heron11")
    page.wait_for_selector(".lm-hit")
    page.wait_for_timeout(1500)  # some showings of an answer
    sync_api.expect(talk).to_contain_text("BETA?")
    assert "ALPHA?" not in talk.inner_text()

    open_book(page, "harbour")
    sync_api.expect(talk).to_have_text("Ask this book anything.")
    sync_api.expect(page.locator(".lm-hit")).to_have_count(0)
    sync_api.expect(page.get_by_label("Search in this book")).to_have_value("")
    page.wait_for_timeout(1500)
    assert "word" not in talk.inner_text()

    open_book(page, "Lighthouse")  # and with it the talk that was begun last
    talk.get_by_text("BETA?", exact=True).wait_for()
    page.get_by_label("Talk", exact=True).click()
    page.get_by_role("option", name="ALPHA?").click()
    talk.get_by_text("ALPHA?", exact=True).wait_for()
    page.wait_for_selector(".lm-live >> text=word")
    stop.click()
    talk.get_by_text("It was stopped.").wait_for()
    until(lambda: len(slow_answers) == 2)
    open_book(page, "Lighthouse")
    talk.get_by_text("BETA?", exact=True).wait_for()
    page.wait_for_selector(".lm-live >> text=word5")
    sync_api.expect(talk).not_to_contain_text("ALPHA?")
    stop.click()
    talk.get_by_text("It was stopped.").wait_for()
    for entry in served.desk.shelf.entries():  # other tests look at the first book of the shelf
        if entry.title == "harbour":
            served.visit.remove(entry.id)


def test_a_question_put_otherwise_is_marked_until_it_is_left(page, novel, traced_answers):
    upload(page, novel)
    open_book(page)
    begin_a_talk(page)
    ask(page, "One?")
    ask(page, "Two?")
    field = page.get_by_label("Your question")
    page.locator(".lm-user").first.get_by_role("button", name="Edit").click()
    page.get_by_text("This takes the place of question 1 and what follows.").wait_for()
    sync_api.expect(field).to_have_value("One?")
    sync_api.expect(field).to_be_focused()
    page.get_by_role("button", name="Don’t edit").click()
    page.get_by_text("This takes the place of").wait_for(state="detached")
    sync_api.expect(field).to_have_value("")
    ask(page, "Three?")
    sync_api.expect(page.locator("#lm-talk .lm-user")).to_have_count(3)


@pytest.mark.parametrize("copies", [True, False])
def test_an_answer_is_copied_where_the_browser_gives_no_clipboard(page, novel, traced_answers, copies):
    """As over plain http from another machine. What did not work is not said to have worked."""
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    if not copies:
        page.evaluate("document.execCommand = () => false")
    upload(page, novel)
    open_book(page)
    begin_a_talk(page)
    ask(page, "One?")
    page.locator("#lm-talk [data-action=copy]").click()
    page.locator("#lm-talk [data-action=copy]", has_text="Copied" if copies else "Not copied").wait_for()
    field = page.get_by_label("Your question")
    field.focus()
    page.keyboard.press("Control+V")
    if copies:
        sync_api.expect(field).to_have_value("First1 second third")


def test_an_answer_is_bounded_by_the_reading_position_and_the_chapter(
    page, novel, served, slow_answers, monkeypatch
):
    # what stands on the screen long enough counts as read, which on a busy machine came amid the steps below
    monkeypatch.setattr(ReadingDesk, "scrolled", lambda *_: None)
    upload(page, novel)
    open_book(page)
    page.get_by_label("Go to", exact=True).fill("Chapter 1")  # "This chapter" needs one that begins before
    page.keyboard.press("Enter")
    sync_api.expect(page.locator("#lm-place")).to_contain_text("Chapter 1")
    choose(page, "Only what I have read")
    page.get_by_role("button", name="New talk").click()
    identifier = served.desk.shelf.entries()[0].id
    served.desk.shelf.read_to(identifier, 0)
    page.get_by_label("Your question").fill("Who?")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_selector("text=you have not read anything yet")
    page.get_by_role("button", name="I have read to here").click()
    sync_api.expect(page.locator("#lm-place")).not_to_contain_text("read 0 %")
    # The line may never have shown the 0 % that was set behind the page's back, and hides nothing then.
    position = until(lambda: served.desk.shelf.get(identifier).position)
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_selector(".lm-live >> text=word1")
    page.get_by_role("button", name="Stop").first.click()
    page.wait_for_selector("text=It was stopped.")
    assert position > 0 and slow_answers[-1] == {"until": f"char {position}"}

    choose(page, "This chapter")
    page.get_by_label("Your question").fill("And here?")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_selector(".lm-live >> text=word1")
    page.get_by_role("button", name="Stop").first.click()
    page.wait_for_selector(".lm-live", state="detached")
    assert list(slow_answers[-1]) == ["within"]


# the character that the line at the top of the window begins with
TOP = """() => {
    const under = document.querySelector('#lm-bench').getBoundingClientRect().bottom;
    const block = [...document.querySelectorAll('.lm-leaf [data-start][data-end]')]
        .find(one => one.getBoundingClientRect().bottom > under + 4);
    return [Number(block.dataset.start), Number(block.dataset.end)];
}"""


def test_the_book_scrolls_on_through_the_window_and_its_line_is_remembered(page, novel, served):
    upload(page, novel)
    open_book(page)
    shelf, identifier = served.desk.shelf, served.desk.shelf.entries()[0].id
    shelf.read_to(identifier, 0)
    shelf.left_at(identifier, 0)
    open_book(page)
    page.locator(".lm-leaf").focus()
    leaves = page.locator(".lm-sheet")
    seen = leaves.count()
    for _ in range(25):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(60)
    until(lambda: leaves.count() > seen)
    numbers = page.evaluate(
        "[...document.querySelectorAll('.lm-sheet')].map(one => Number(one.dataset.leaf))"
    )
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    place = until(lambda: shelf.get(identifier).place)
    assert shelf.get(identifier).position < place, "flipping is not reading"
    until(lambda: page.evaluate(TOP)[0] <= shelf.get(identifier).place <= page.evaluate(TOP)[1])

    # the same line after a refresh, and whatever else changes the height of what stands above it
    place = shelf.get(identifier).place
    page.reload()
    page.wait_for_selector(".lm-sheet")
    until(lambda: page.evaluate(TOP)[0] <= place <= page.evaluate(TOP)[1])
    page.locator("#lm-contents summary").click()
    page.wait_for_timeout(300)  # the list is led to the chapter, and nothing else with it
    page.keyboard.press("Escape")
    assert page.evaluate(TOP)[0] <= place <= page.evaluate(TOP)[1]
    page.get_by_label("How the text looks").click()
    for _ in range(3):
        page.get_by_role("button", name="larger").click()
    until(lambda: page.evaluate(TOP)[0] <= place <= page.evaluate(TOP)[1])
    page.get_by_role("button", name="As at first").click()

    # what stands on the screen long enough was read
    shelf.read_to(identifier, place)
    open_book(page)
    until(lambda: shelf.get(identifier).position > place)
    page.locator(".lm-leaf").focus()
    page.keyboard.press("/")
    page.keyboard.type("Heron47")
    page.click(".lm-hit")
    page.wait_for_selector("mark.found >> text=Heron47")
    sync_api.expect(page.locator(".lm-leaf mark.found")).to_be_in_viewport()


LEAVES = "() => [...document.querySelectorAll('.lm-sheet')].map(one => one.dataset.leaf)"


def test_the_line_one_reads_stays_and_no_leaf_stands_twice_when_the_book_is_drawn_anew(page, novel, served):
    upload(page, novel)
    identifier = served.desk.shelf.entries()[0].id
    served.desk.shelf.read_to(identifier, 0)
    open_book(page)
    page.get_by_label("Go to", exact=True).fill("Chapter 3, paragraph 4")
    page.keyboard.press("Enter")
    sync_api.expect(page.locator("#lm-place")).to_contain_text("Chapter 3")
    page.wait_for_function(f"({LEAVES})().length > 1")
    line = page.evaluate(TOP)
    page.get_by_role("button", name="I have read to here").click()
    page.locator(".lm-readto").wait_for()
    until(lambda: len(page.evaluate(LEAVES)) > 1)
    assert page.evaluate(TOP) == line
    shown = page.evaluate(LEAVES)
    assert shown == sorted(set(shown), key=int)
    # what the window shows counts as read, not what is left of its leaf
    seen = page.evaluate("Number(window.lmUnder())")
    assert abs(served.desk.shelf.get(identifier).position - seen) < 200
    served.desk.shelf.read_to(identifier, 0)


def test_who_comes_back_after_a_pause_is_offered_the_story_so_far(page, novel, served, monkeypatch):
    upload(page, novel)
    open_book(page)
    served.desk.shelf.read_to(served.desk.shelf.entries()[0].id, 5_000)
    open_book(page)
    told = page.locator("#lm-about .lm-about")
    sync_api.expect(told).to_have_count(0)
    monkeypatch.setattr("app.desk.reading_desk.PAUSE", 0.0)
    open_book(page)
    sync_api.expect(told).to_contain_text("Last opened just now")
    told.get_by_role("button", name="Story so far").click()
    page.wait_for_selector(".lm-about[aria-label='Story so far'] li")
    page.reload()
    sync_api.expect(told).to_contain_text("Last opened")

    # what is told of a book goes when one is opened
    page.get_by_role("button", name="Who is who").click()
    page.wait_for_selector(".lm-about[aria-label='Who is who']")
    monkeypatch.undo()
    open_book(page)
    sync_api.expect(told).to_have_count(0)


@pytest.fixture
def traced_answers(served, monkeypatch):
    """Answers of three words at once, each read from another third of the book and kept with its trace."""
    from engine.answering.answer import Answer, AnswerEvent
    from engine.answering.trace import LayerShare, Read, TokenReads, Trace

    def quick(words, question, *, talk=None, stop=None, **bounds):
        talks = served.desk.shelf.talks
        size = len(served.desk.books.document(words).text)
        number = len(talks.messages(talk)) // 2 + 1
        texts = (f"First{number}", " second", " third")
        tokens = [
            TokenReads(text, (Read(words, at, at + 20, 0.5), Read(words, 0, 9, 0.25)))
            for text, at in zip(texts, (size // 6, size // 2, 5 * size // 6), strict=True)
        ]
        trace = Trace(tuple(tokens), (LayerShare(3, (0.5, 1.0), (0.25, 0.75), True),))
        talks.append(talk, "user", question)
        yield AnswerEvent("".join(texts))
        talks.append(talk, "assistant", "".join(texts), trace=trace.packed())
        yield AnswerEvent(answer=Answer("".join(texts), tokens=3))

    monkeypatch.setattr(served.desk.assistant, "ask", quick)


def test_the_memory_map_shows_where_words_and_older_answers_were_read(page, novel, served, traced_answers):
    upload(page, novel)
    open_book(page)
    begin_a_talk(page)
    ask(page, "One?")
    ask(page, "Two?")
    tokens, note = page.locator(".lm-token"), page.locator("#lm-map .lm-note")
    sync_api.expect(tokens).to_have_text(["First2", " second", " third"])
    tokens.nth(1).hover()
    sync_api.expect(note).to_contain_text("“second”: Chapter")
    sync_api.expect(note).to_contain_text("67 % of what it read")
    shown = "() => [...document.querySelectorAll('.lm-bar')].filter(one => one.style.getPropertyValue('--t'))"
    heights = f"({shown})().map(one => one.style.getPropertyValue('--t'))"
    until(lambda: page.evaluate(heights) == ["0.50", "1.00"])
    page.mouse.move(5, 5)
    sync_api.expect(note).to_have_text("Point at a word of the answer to see where it was read.")

    # by keyboard: the answer, along its words, to the place
    page.locator(".lm-tokens").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    sync_api.expect(note).to_contain_text("“second”")
    page.keyboard.press("Enter")
    sync_api.expect(page.locator(".lm-leaf mark.cited")).to_be_in_viewport()

    page.locator(".lm-assistant .lm-said").first.click()
    sync_api.expect(tokens).to_have_text(["First1", " second", " third"])
    page.locator(".lm-bar").last.click()
    identifier = served.desk.shelf.entries()[0].id
    last = len(served.desk.books.starts(identifier))
    page.wait_for_selector(f".lm-sheet[data-leaf='{last - 1}']")
    page.reload()
    sync_api.expect(tokens).to_have_text(["First1", " second", " third"])
    sync_api.expect(page.locator(".lm-strip .lm-bar")).to_have_count(120)


def test_for_the_curious_gates_and_the_same_without_memory(page, novel, traced_answers):
    upload(page, novel)
    open_book(page)
    begin_a_talk(page)
    ask(page, "What burned?")
    page.locator(".lm-chosen .lm-more > summary").wait_for()
    assert page.locator(".lm-more table").is_hidden()
    page.locator(".lm-chosen .lm-more > summary").click()
    cells = page.locator(".lm-more tr").last.locator("th, td")
    sync_api.expect(cells).to_have_text(["3", "75 % (50 to 100) memory", "50 % (25 to 75)"])
    page.get_by_role("button", name="The same without memory").click()
    page.wait_for_selector(".lm-beside h5 >> text=The same without memory")
    page.get_by_role("button", name="The same without the book").click()
    sync_api.expect(page.locator(".lm-beside h5")).to_have_count(3)
    sync_api.expect(page.locator(".lm-more")).to_have_attribute("open", "")
    page.reload()
    page.locator(".lm-chosen .lm-more > summary").click()
    sync_api.expect(page.locator(".lm-beside h5")).to_have_count(3)


def test_a_memory_that_cannot_be_used_is_encoded_anew_by_one_button(page, novel, served):
    upload(page, novel)
    library = served.desk.assistant.library
    identifier = served.desk.shelf.entries()[0].id
    library._let_go(identifier)
    manifest = library.paths.bank(identifier) / "manifest.json"
    values = json.loads(manifest.read_text())
    values["identity"]["backbone"] = "another"  # which is not made anew unasked
    manifest.write_text(json.dumps(values))
    open_book(page)
    to_tab(page, "Shelf")
    page.wait_for_selector("text=Its memory cannot be used")
    page.click("[data-action=renew]")
    sync_api.expect(page.locator("[data-action=renew]")).to_have_count(0)

    def is_usable() -> bool:  # the card says "ready" a moment longer than it is, before the work begins
        with contextlib.suppress(BadInput):
            return library.bank(identifier).bank.tokens > 1000
        return False

    until(is_usable)
    page.wait_for_selector(".lm-card[data-state=ready]")


@pytest.mark.parametrize("state", ["ready", "waiting"])
def test_the_same_file_again_opens_what_is_there(page, novel, served, state):
    upload(page, novel)
    to_tab(page, "Shelf")
    page.wait_for_selector(".lm-card")
    sync_api.expect(page.locator(".lm-leaf")).to_be_hidden()
    served.desk.shelf.update(served.desk.shelf.entries()[0].id, state=state)  # its memory is yet to be made
    upload(page, novel)
    page.wait_for_selector(".lm-leaf")
    sync_api.expect(page.locator("#lm-book")).to_contain_text("Lighthouse")


@pytest.mark.parametrize("height", [700, 900])
def test_what_one_presses_stays_in_the_window_while_the_book_goes_through_it(page, novel, height):
    upload(page, novel)
    page.set_viewport_size({"width": 1360, "height": height})
    open_book(page)
    page.get_by_label("Go to", exact=True).fill("45%")
    page.keyboard.press("Enter")
    sync_api.expect(page.locator("#lm-place")).to_contain_text("45 %")
    for name in ("Who is who", "I have read to here", "Ask"):
        button = page.get_by_role("button", name=name, exact=True)
        sync_api.expect(button).to_be_in_viewport(ratio=1)


def test_writing_on_with_memory_beside_without(page, novel):
    upload(page, novel)
    open_book(page)
    to_tab(page, "Write on")
    choose(page, "At its end")
    page.get_by_role("button", name="Write on").click()
    notes = page.locator(".lm-footnote", has_text="tokens of memory")
    sync_api.expect(notes).to_have_count(2)
    sync_api.expect(notes.nth(1)).to_contain_text("· 0 tokens of memory")
    sync_api.expect(notes.nth(0)).not_to_contain_text("· 0 tokens of memory")
    before = page.locator(".lm-written").all_inner_texts()
    page.reload()
    to_tab(page, "Write on")
    sync_api.expect(notes).to_have_count(2)
    becomes(page.locator(".lm-written").all_inner_texts, before)


def test_a_collection_that_was_chosen_is_shown_after_a_refresh(page, novel, served):
    upload(page, novel)
    identifier = served.desk.shelf.entries()[0].id
    served.desk.shelf.tag(identifier, "By the sea, Old")
    shown = page.locator("[name=shown]")
    for _ in range(2):
        page.reload()
        page.wait_for_selector(".lm-card", state="attached")
        to_tab(page, "Shelf")
        shown.locator("option", has_text="Tag: By the sea").wait_for(state="attached")
        if shown.input_value() == "all":
            shown.select_option("tag By the sea")
    sync_api.expect(shown).to_have_value("tag By the sea")
    served.desk.shelf.tag(identifier, "")


def test_what_was_added_is_told_until_it_was_seen(page, tmp_path):
    paths = [tmp_path / f"{name}.md" for name in ("ebb", "flood")]
    for path in paths:
        path.write_text(f"# The {path.stem}\n\nThe {path.stem} came at night.\n")
    page.set_input_files("#lm-upload input[type=file]", paths)
    told = page.locator("#lm-notice p")
    told.get_by_text("2 books were added").wait_for()
    assert told.count() == 1
    told.evaluate("one => one.getAnimations()[0].finish()")
    told.wait_for(state="hidden")
