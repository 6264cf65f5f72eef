"""The field of the question while an answer is made: what is typed meanwhile stays, what was asked goes."""

import pytest

from tests.app.browser import answers, ask, open_book, to_tab, until, visiting
from tests.app.conftest import book

sync_api = pytest.importorskip("playwright.sync_api")

TITLE = "The Lighthouse of Amber Bay"
FIRST, OTHER = "How many chapters are there?", "What is chapter 3 called?"
SECOND = "What is chapter 2 called?"
# types into the field after Ask was pressed, before the server has heard of the question; other requests
# of the page, such as what follows a book's opening, carry the field's words too and are let by
TYPE_AT_ASKING = """([question, words, anew]) => {
    const [real, field] = [window.fetch, document.querySelector('#lm-question textarea')];
    const { components, dependencies } = window.gradio_config;
    const { id } = components.find((one) => one.props.elem_id === 'lm-question');
    const asks = dependencies.find((one) => one.targets.some(([of, what]) => of === id && what === 'submit'));
    window.fetch = (...asked) => {
        const body = String(asked[1]?.body);
        if (body.includes(question) && JSON.parse(body).fn_index === asks.id) {
            window.fetch = real;
            field.value = anew ? words : field.value + words;
            field.dispatchEvent(new Event('input', { bubbles: true }));
        }
        return real(...asked);
    };
}"""


THIRD = "() => document.querySelectorAll('#lm-talk .lm-user')[2].getBoundingClientRect().top"


def test_an_answer_given_early_is_bettered_and_nothing_that_is_looked_at_moves(chromium, served, tmp_path):
    path = tmp_path / "early.md"
    path.write_text(book().replace("Amber Bay", "Ember Bay"), encoding="utf-8")
    served.desk.runner.stop()
    entry = served.visit.add(path)
    until(lambda: served.desk.shelf.get(entry.id).characters)
    with visiting(chromium, served.url, {"width": 1360, "height": 560}) as page:
        open_book(page, "The Lighthouse of Ember Bay")
        assert "still being made" in ask(page, "What was the boat Heron13 called by the gulls?").inner_text()
        for chapter in range(1, 5):
            assert "still being made" not in ask(page, f"What is chapter {chapter} called?").inner_text()
        page.evaluate("() => document.querySelector('#lm-talk').scrollTo(0, 300)")
        page.wait_for_timeout(200)
        answers(page).nth(2).evaluate("one => { one.querySelector('.lm-said').dataset.old = 1; }")
        before = page.evaluate(THIRD)
        served.desk.runner.start()
        page.wait_for_function("() => !document.querySelector('#lm-talk [data-old]')")
        page.wait_for_timeout(200)
        assert abs(page.evaluate(THIRD) - before) <= 1
        assert "still being made" not in page.inner_text("#lm-talk")
        sync_api.expect(answers(page)).to_have_count(5)
    assert served.desk.shelf.talks.early(served.visit.talking.shelf.talks.about(entry.id)[0].id) == []


def test_what_is_typed_while_a_question_is_taken_up_stays_in_the_field(chromium, served, novel):
    entry = served.visit.add(novel)
    until(lambda: served.desk.shelf.get(entry.id).state == "ready")
    with visiting(chromium, served.url) as page:
        page.wait_for_selector(".lm-card[data-state=ready]")
        open_book(page, TITLE)
        box = page.get_by_label("Your question")
        # the second is another question: what takes the first out of the field may still be under way
        for question, anew in ((FIRST, True), (OTHER, False)):
            page.evaluate(TYPE_AT_ASKING, [question, SECOND, anew])
            ask(page, question)
            sync_api.expect(box).to_have_value(SECOND)
        ask(page, SECOND)
        sync_api.expect(box).to_have_value("")
        sync_api.expect(answers(page)).to_have_count(3)

        # the settings can be chosen, and a wrong value is told
        to_tab(page, "Settings")
        threads = page.get_by_label("Processor threads")
        page.locator("#lm-known-models td").first.wait_for()
        threads.fill("none")
        page.get_by_role("button", name="Keep these").click()
        page.get_by_text("'none' is not a whole number").first.wait_for()
        threads.fill("1")
        page.get_by_role("button", name="Keep these").click()
        page.get_by_text("It takes effect at the next start").wait_for()
        assert '"threads": "1"' in served.desk.shelf.paths.settings.read_text()
