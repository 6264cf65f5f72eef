"""Talking with the real model: citations, bounds, what can be done with a talk, two readers, deletion."""

import re
from pathlib import Path

from ingest.parse import parse
from tests.app.browser import (
    BOOK,
    FACTS,
    QUESTIONS,
    answers,
    ask,
    becomes,
    begin_to_ask,
    card_of,
    choose,
    compact,
    download,
    fresh_talk,
    memory_tokens,
    open_book,
    remove,
    to_tab,
    until,
    upload,
    visiting,
)

SECRET = "The heron Quillfeather nested in the belfry of Nethermere."


def is_within(page, mark) -> bool:
    """Tell whether a mark stands in the window, between what lies over the text above and below."""
    boxes = (one.bounding_box() for one in (page.locator("#lm-bench"), mark, page.locator("#lm-foot")))
    above, box, below = boxes
    return above["y"] + above["height"] <= box["y"] <= below["y"]


def visible(page, name: str):
    return page.get_by_role("button", name=name, exact=True).locator("visible=true")


def test_a_citation_leads_to_its_very_sentence_and_a_talk_can_be_changed_and_taken_along(reader, tmp_path):
    from playwright.sync_api import expect

    fresh_talk(reader)
    told = ask(reader, QUESTIONS[1])
    expect(reader.locator("#lm-talk .lm-suggested")).to_contain_text("How many chapters are there?")
    chip = told.get_by_role("button", name=FACTS[1]).first
    expect(chip).to_contain_text("Chapter 1")
    expect(chip).to_contain_text("paragraph 4")
    expect(reader.locator("#lm-place")).to_contain_text(" min left")
    place = reader.inner_text("#lm-place")
    chip.click()
    mark = reader.locator(".lm-leaf mark.cited")
    mark.first.wait_for()
    becomes(lambda: compact("".join(mark.all_inner_texts())), compact(FACTS[1]))
    until(lambda: is_within(reader, mark.first))
    reader.get_by_role("button", name="Back to where I was").click()
    reader.wait_for_function("() => !document.querySelector('.lm-leaf mark.cited')")
    expect(reader.locator("#lm-place")).to_have_text(place)

    # the talk is there after a refresh, and its citations still lead somewhere
    reader.reload()
    answers(reader).first.locator(".lm-chip").first.click()
    reader.wait_for_selector(".lm-leaf mark.cited")

    questions, box = reader.locator("#lm-talk .lm-user"), reader.get_by_label("Your question")
    ask(reader, QUESTIONS[2])  # takes its time: the same answer made at once would change nothing on the page
    first_try = answers(reader).last.element_handle()
    questions.last.get_by_role("button", name="Ask again").click()
    reader.wait_for_function("answer => !answer.isConnected", arg=first_try)
    expect(reader.locator(".lm-live")).to_have_count(0)
    expect(answers(reader)).to_have_count(2)
    expect(questions).to_have_count(2)
    told = download(reader).read_text(encoding="utf-8").replace("\\", "")
    assert QUESTIONS[1] in told and f"> {FACTS[1]}" in told and "Chapter 1" in told and BOOK in told
    as_book = download(reader, "EPUB").rename(tmp_path / "talk.epub")
    told = parse(as_book).text
    assert QUESTIONS[1] in told and FACTS[1] in told and "Chapter 1" in told and BOOK in told
    questions.last.get_by_role("button", name="Take back").click()
    expect(answers(reader)).to_have_count(1)
    expect(box).to_have_value(QUESTIONS[2])
    questions.first.get_by_role("button", name="Edit").click()
    expect(box).to_have_value(QUESTIONS[1])
    begin_to_ask(reader, "What is the title of chapter 3?")
    expect(questions).to_contain_text(["What is the title of chapter 3?"])
    expect(answers(reader)).to_contain_text(["The Fire"])
    reader.reload()
    expect(questions).to_contain_text(["What is the title of chapter 3?"])
    expect(answers(reader)).to_contain_text(["The Fire"])


def test_a_bound_keeps_the_rest_of_the_book_out(reader):
    facts = card_of(reader, BOOK).locator(".lm-facts").first
    whole = until(lambda: re.search(r"([\d,]+) tokens", facts.get_attribute("title") or ""))
    whole = int(whole[1].replace(",", ""))
    fresh_talk(reader)
    reader.locator("#lm-contents summary").click()
    reader.get_by_role("button", name="Chapter 1: The Parrot").click()
    reader.locator(".lm-leaf p", has_text="On day 16 ").click()
    reader.wait_for_selector(".lm-leaf .lm-cursor")
    reader.get_by_role("button", name="I have read to here").click()
    reader.wait_for_selector(".lm-readto")
    choose(reader, "Only what I have read")
    told = ask(reader, QUESTIONS[3])
    assert 0 < memory_tokens(told) < whole / 2
    assert "Gareth" not in told.inner_text()
    assert not any(re.search("Chapter [23]", chip.inner_text()) for chip in told.locator(".lm-chip").all())

    choose(reader, "This chapter")
    told = ask(reader, QUESTIONS[2])
    assert 0 < memory_tokens(told) < whole / 2
    assert not any(re.search("Chapter [23]", chip.inner_text()) for chip in told.locator(".lm-chip").all())


def test_two_readers_share_one_voice_and_wait_for_nothing_else(reader, chromium, program, tmp_path):
    open_book(reader)
    to_tab(reader, "Write on")
    choose(reader, "At its end")
    reader.get_by_label("Length in words").first.fill("300")

    with visiting(chromium, program.url) as other:
        other.wait_for_selector(".lm-card")
        fresh_talk(other)
        # all is at hand before the text begins, which a quick machine has written within seconds
        visible(reader, "Write on").click()
        written = reader.locator(".lm-footnote", has_text="words so far")
        written.first.wait_for()
        begin_to_ask(other, QUESTIONS[3])
        other.wait_for_selector(r"text=/waiting: [12] answers? before this one/")
        assert program.load(0.5) > 0.05
        # reading, searching and uploading go on meanwhile
        other.keyboard.press("n")
        other.get_by_label("Search in this book").fill("compass")
        other.wait_for_selector(".lm-hit")
        put_heron(other, tmp_path)
        assert written.count() == 1, "the first reader's text had ended before: this showed nothing"

        stopped(reader)
        to_tab(other, "Read")
        told = answers(other).last
        told.locator(".lm-chip", has_text="Chapter 3").first.wait_for()
    until(lambda: program.load(1.5) < 0.3, seconds=60)


def put_heron(page, folder: Path) -> None:
    """Put a little book with a secret on the shelf."""
    path = folder / "heron.txt"
    path.write_text(f"{SECRET} " * 3 + "Nobody else knew of it.\n", encoding="utf-8")
    to_tab(page, "Shelf")
    upload(page, path, "heron")


def stopped(page) -> None:
    """Press Stop and see that the text with memory, and the one without it, grow no more."""
    visible(page, "Stop").click()
    page.locator(".lm-footnote", has_text="stopped").first.wait_for()
    page.wait_for_function("() => ![...document.querySelectorAll('.lm-footnote')].some("
                           "one => / words? so far/.test(one.innerText))")  # fmt: skip
    # one that was stopped before it began may still appear, and is empty
    before = "".join(one.inner_text() for one in page.locator(".lm-written").all())
    page.wait_for_timeout(500)
    assert "".join(one.inner_text() for one in page.locator(".lm-written").all()) == before


def test_deleting_deletes_every_byte_and_says_how_many(reader, program, tmp_path):
    card = card_of(reader, "heron")
    if not card.count():
        put_heron(reader, tmp_path)
    identifier = card.get_attribute("data-id")
    open_book(reader, "heron")
    ask(reader, "Where did the heron Quillfeather nest?")
    folder = program.home / "documents" / identifier
    size = sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
    words = remove(reader, "heron")
    freed = re.search(r"([\d.,]+) (kB|MB|bytes)", words)
    assert freed, words
    unit = {"bytes": 1, "kB": 1000, "MB": 10**6}[freed[2]]
    assert float(freed[1].replace(",", "")) * unit >= 0.8 * size
    assert not folder.exists()
    assert holding(program.home, "Quillfeather") == []
    open_book(reader)
    reader.wait_for_function("() => !document.body.innerText.includes('Quillfeather')")


def holding(home: Path, word: str) -> list[str]:
    """Files of the data folder in which a word still stands."""
    found = []
    for path in home.rglob("*"):
        if path.is_file() and "backbones" not in path.parts and word.encode() in path.read_bytes():
            found.append(path.name)
    return found
