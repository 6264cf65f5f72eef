"""Marks and places in a browser: selected words, the list of notes, addresses, the drawer of contents."""

import re
from pathlib import Path

import pytest

from tests.app.browser import (
    BOOK,
    FACTS,
    PHONE,
    QUESTIONS,
    SIDEWAYS,
    ask,
    becomes,
    begin_to_ask,
    fresh_talk,
    open_book,
    to_tab,
    until,
    visiting,
)

SELECT = """words => {
    const block = [...document.querySelectorAll('.lm-leaf [data-start][data-end]')]
        .find(one => one.textContent.includes(words));
    const text = block.firstChild, at = text.data.indexOf(words), range = document.createRange();
    range.setStart(text, at);
    range.setEnd(text, at + words.length);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
}"""
WORDS = "called Tobias"


def to_chapter(page, number: int) -> None:
    page.locator("#lm-contents summary").click()
    page.locator("#lm-contents .lm-chapter", has_text=f"Chapter {number}").click()
    page.wait_for_function(f"document.querySelector('#lm-place').innerText.includes('Chapter {number}')")


def select(page, words: str):
    page.evaluate(SELECT, words)
    page.wait_for_selector("#lm-bar.lm-on")
    return page.locator("#lm-bar")


def test_words_are_marked_listed_opened_and_taken_away(reader):
    open_book(reader)
    to_chapter(reader, 1)
    select(reader, WORDS).locator("[data-colour=blue]").click()
    mark = reader.locator(".lm-leaf mark.lm-blue")
    mark.wait_for()
    becomes(mark.inner_text, WORDS)

    mark.click()
    reader.locator("#lm-bar [data-action=ask]").click()
    reader.wait_for_function(
        "words => document.querySelector('#lm-question textarea').value.includes(words)", arg=f"“{WORDS}”"
    )
    reader.locator("#lm-question textarea").fill("")

    to_tab(reader, "Notes")
    row = reader.locator("#lm-notes li", has_text=WORDS)
    row.wait_for()
    with reader.expect_download() as begun:
        reader.get_by_role("button", name="Export", exact=True).click()
    reader.locator("a[download]:visible", has_text=re.compile("KB|B")).first.wait_for()
    exported = Path(begun.value.path()).read_text(encoding="utf-8")
    assert f"> {WORDS}" in exported and "#book=" in exported
    row.locator("[data-action=hit]").click()
    reader.wait_for_selector(f".lm-leaf mark.found >> text={WORDS}")

    to_tab(reader, "Notes")
    row.locator("[data-action=delete-mark]").click()
    reader.wait_for_selector("#lm-notes >> text=No notes yet")


def test_what_is_chosen_and_marked_on_the_next_leaf_is_seen_there(reader):
    open_book(reader)
    to_chapter(reader, 2)
    paragraph = reader.locator(".lm-sheet", has_text=FACTS[3]).locator("p", has_text=FACTS[3])
    paragraph.dispatch_event("click")
    reader.locator(".lm-cursor", has_text=FACTS[3]).wait_for()
    marks = reader.locator(".lm-leaf mark.lm-mark")
    for number, words in enumerate(("the granary", "blacksmith Gareth"), 1):
        select(reader, words).locator("[data-colour=rose]").click()
        becomes(marks.count, number)
    for number in (1, 0):
        marks.first.dispatch_event("click")
        reader.locator("#lm-bar [data-action=unmark]").click()
        becomes(marks.count, number)


def test_every_place_has_an_address_and_back_leads_to_the_one_before(reader):
    open_book(reader)
    to_chapter(reader, 1)  # wherever another test left it
    until(lambda: re.fullmatch(r"#book=\w+&at=\d{1,2}", reader.evaluate("location.hash")))
    to_chapter(reader, 2)
    before = until(lambda: re.fullmatch(r"#book=\w+&at=\d{3,}", reader.evaluate("location.hash")))[0]
    reader.locator("#lm-goto input, #lm-goto textarea").fill("Chapter 3")
    reader.keyboard.press("Enter")
    reader.wait_for_function("document.querySelector('#lm-place').innerText.includes('Chapter 3')")
    third = until(lambda: (here := reader.evaluate("location.hash")) != before and here)
    assert third.startswith("#book=")
    reader.go_back()
    reader.wait_for_function("document.querySelector('#lm-place').innerText.includes('Chapter 2')")
    becomes(lambda: reader.evaluate("location.hash"), before)
    reader.goto(reader.url.partition("#")[0] + third)
    reader.wait_for_function("document.querySelector('#lm-place').innerText.includes('Chapter 3')")


def test_the_contents_keep_the_place_on_escape_and_tab(reader):
    open_book(reader)
    to_chapter(reader, 2)
    here = reader.evaluate("location.hash")
    reader.locator("#lm-contents summary").click()
    reader.keyboard.press("Tab")
    reader.keyboard.press("Tab")
    reader.keyboard.type("abc")
    reader.keyboard.press("Escape")
    reader.wait_for_selector("#lm-contents details:not([open])")
    assert reader.evaluate("location.hash") == here
    becomes(lambda: reader.evaluate("document.activeElement.tagName"), "SUMMARY")


def test_a_second_question_waits_for_the_first(reader):
    fresh_talk(reader)
    begin_to_ask(reader, "Who wrote this book?")
    reader.wait_for_function("!document.querySelector('#lm-question textarea').value")
    begin_to_ask(reader, "How many chapters are there?")
    reader.wait_for_function(
        "document.querySelectorAll('#lm-talk .lm-assistant:not(.lm-live)').length === 2"
        " && !document.querySelector('#lm-talk .lm-live')"
    )
    asked = reader.locator("#lm-talk .lm-user .lm-said")
    becomes(asked.all_inner_texts, ["Who wrote this book?", "How many chapters are there?"])


@pytest.fixture
def phone(chromium, program):
    with visiting(chromium, program.url, PHONE, has_touch=True, is_mobile=True) as page:
        page.wait_for_selector(".lm-card")
        yield page


SMALL = """() => [...document.querySelectorAll('button, summary, [role=tab]')]
    .filter(one => one.checkVisibility() && one.getBoundingClientRect().height)
    .filter(one => one.getBoundingClientRect().height < 43.5)
    .map(one => one.outerHTML.slice(0, 90))"""


def swipe(page, right: int) -> None:
    """Draw a finger over the text, so many pixels to the right."""
    touch, start = page.context.new_cdp_session(page), 195 - right // 2
    for step in range(6):
        point = {"x": start + right * step // 5, "y": 500}
        kind = "touchMove" if step else "touchStart"
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def settled(page) -> float:
    """Return where the page stands once it scrolls no more."""
    places = [-1.0]
    until(lambda: places.append(page.evaluate("scrollY")) or places[-1] == places[-2], every=0.5)
    return places[-1]


def test_a_phone_shows_the_book_or_the_talk_and_nothing_too_small_for_a_finger(phone):
    open_book(phone)
    phone.locator("#lm-question").wait_for(state="hidden")
    phone.locator("#lm-reader").wait_for()
    becomes(lambda: phone.evaluate(SMALL), [])
    # the book opened where it was left; a swipe turns on and back, and never leaves the page for the last one
    to_chapter(phone, 1)
    begun = settled(phone)
    swipe(phone, -260)
    until(lambda: phone.evaluate("scrollY") > begun + 300)
    settled(phone)
    swipe(phone, 260)
    until(lambda: phone.evaluate("scrollY") < begun + 300)
    # from the middle of the book to the talk, and back to the same line
    settled(phone)
    swipe(phone, -260)
    until(lambda: phone.evaluate("scrollY") > begun + 300)
    line = settled(phone)
    phone.locator("#lm-listen [data-pane=talk]").click()
    phone.locator("#lm-question").wait_for()
    phone.locator("#lm-panes [data-pane=book]").click()
    phone.locator("#lm-reader").wait_for()
    until(lambda: abs(phone.evaluate("scrollY") - line) < 30)
    phone.locator("#lm-listen [data-pane=talk]").click()
    phone.locator("#lm-question").wait_for()
    phone.locator("#lm-reader").wait_for(state="hidden")
    becomes(lambda: phone.evaluate(SMALL), [])
    # with the map of what an answer was read from
    answered = ask(phone, QUESTIONS[1])
    answered.get_by_role("button", name="Where in the book").click()
    phone.wait_for_selector("#lm-map .lm-marks")
    becomes(lambda: phone.evaluate(SMALL), [])
    assert phone.evaluate(SIDEWAYS) <= 0
    question = phone.locator("#lm-question textarea").bounding_box()
    assert question["y"] + question["height"] <= PHONE["height"]


def test_no_tab_has_anything_too_small_for_a_finger(phone):
    for name in ("Shelf", "Write on", "Classify", "Notes", "Settings"):
        to_tab(phone, name)
        becomes(lambda: phone.evaluate(SMALL), [])
        assert phone.evaluate(SIDEWAYS) <= 0, name
    open_book(phone)
    phone.get_by_role("button", name="Who is who").click()
    phone.wait_for_selector(".lm-about")
    becomes(lambda: phone.evaluate(SMALL), [])


def test_a_search_forgives_a_letter_and_goes_from_place_to_place(reader):
    open_book(reader, BOOK)
    reader.get_by_label("Search in this book").fill("Penhalow")
    reader.wait_for_selector("#lm-found >> text=“penhallow” stands in")
    reader.locator("#lm-found [data-action=step]").last.click()
    reader.wait_for_selector(".lm-leaf mark.found >> text=Penhallow")
    assert "Penhallow" in FACTS[2]


# a browser with one voice of its own machine and one of elsewhere, which says a sentence in no time
VOICES = """() => {
    window.said = [];
    class Utterance { constructor(words) { this.text = words; } }
    const voices = ["far", "near"].map(name => ({lang: "en-GB", name, localService: name === "near"}));
    const speak = one => {
        const range = [...CSS.highlights.get("lm-aloud")][0];
        window.said.push([one.text.trim(), one.voice.name, String(range).trim()]);
        setTimeout(() => window.said.length < 9 && one.onend(), 5);
    };
    const voice = {getVoices: () => voices, speak, cancel: () => {}};
    Object.defineProperty(window, "SpeechSynthesisUtterance", {value: Utterance});
    Object.defineProperty(window, "speechSynthesis", {value: voice});
}"""


def test_the_book_is_read_aloud_by_a_voice_of_this_machine_with_the_sentence_marked(reader):
    reader.add_init_script(f"({VOICES})()")
    reader.reload()
    open_book(reader)
    to_chapter(reader, 2)
    reader.locator("#lm-listen [data-aloud]").click()
    reader.wait_for_function("window.said.length === 9")
    said = reader.evaluate("window.said")
    assert all(words == marked and voice == "near" for words, voice, marked in said)
    whole = " ".join(words for words, _, _ in said)
    assert whole.startswith("Chapter 2: The Compass On day ") and "until the light went. On day" in whole
    reader.get_by_role("button", name="Stop listening").click()
    becomes(lambda: reader.evaluate("CSS.highlights.has('lm-aloud')"), False)
