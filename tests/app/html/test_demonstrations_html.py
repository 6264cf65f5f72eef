"""The pure functions behind the tab of demonstration libraries: words, escaping, states, drafts. No model."""

import html
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from app.desk import import_draft
from app.desk.demonstrations_desk import file_name
from app.html import demonstrations_html, job_html, label_html
from app.html.demonstrations_html import Facts, words_of, words_text
from engine.demonstrations.classifier import Classification, ReadDemonstration
from engine.demonstrations.heldout import HeldOut
from engine.demonstrations.importing import preview
from engine.demonstrations.ready import ReadyLibrary
from engine.demonstrations.runs import Run, RunResult
from engine.demonstrations.settings import Settings
from engine.demonstrations.store import DemonstrationLibrary, Example
from engine.demonstrations.task import Task
from engine.shelf.jobs import Job
from ingest.errors import BadInput
from ingest.tables import pasted_table
from tests.app.made import uploaded

HOSTILE = "</p><script>window.bad=1</script><img src=x onerror=bad()>${bad()}{{bad}}`\"'&amp;\x07\u202e"
OURS = {"button", "details", "div", "h2", "h3", "h4", "li", "ol", "p", "pre", "progress", "section",
        "span", "strong", "summary", "table", "td", "th", "tr", "ul"}  # fmt: skip
TASK = Task("Review: {} Sentiment: {}", {"good": "good", "bad": "bad"})
NASTY = Task(f"{HOSTILE.replace('{', '').replace('}', '')} {{}} is {{}}", {HOSTILE[:60]: "x", "bad": HOSTILE})


def library(task: Task = TASK, name: str = "Films", **counts: dict) -> DemonstrationLibrary:
    parts = {label: {"memory": 3} for label in task.labels} | counts
    return DemonstrationLibrary("abc", name, task, "films.csv", "text", "label", 1.0, 2.0, {}, parts)


def job(state: str = "running", **more) -> Job:
    whole = Job(7, "abc", "encode-demonstrations", {}, state, "", "encode", 3, 6, None, "", 1.0, 1.0,
                None, None, 1, "", None, "")  # fmt: skip
    return replace(whole, **more)


def run(name: str = "new.csv", done: int = 2) -> Run:
    return Run("0f", "abc", name, 4, done, time.time(), Settings(), ("good", "bad"))


def actions(markup_text: str) -> list[str]:
    return re.findall(r'data-action="([^"]+)"', markup_text)


# words of labels

WORDS = [
    ("good = fine\nbad = poor", {"good": "fine", "bad": "poor"}),
    ("bad=poor\n\n  good =  fine day ", {"good": "fine day", "bad": "poor"}),
    ("good = a = b", {"good": "a = b", "bad": "bad"}),
    ("bad =", {"good": "good", "bad": "bad"}),
]


@pytest.mark.parametrize(("text", "words"), WORDS)
def test_words_are_read_line_by_line(text, words):
    assert words_of(text, ("good", "bad")) == words


def test_a_label_may_hold_the_sign_between_label_and_word():
    words = {"a": "one", "a = b": "two"}
    assert words_of(words_text(words), tuple(words)) == words


def test_a_line_that_begins_with_no_label_is_named():
    with pytest.raises(BadInput, match="“ugly = x” begins with no label"):
        words_of("good = fine\nugly = x", ("good", "bad"))


def test_an_example_is_shown_as_the_model_reads_it_or_what_is_wrong():
    shown = demonstrations_html.written(TASK.template, "good = fine", TASK.labels, "A day.", "good")
    assert "Review: A day. Sentiment: fine" in shown
    assert "two places" in demonstrations_html.written("Review:", "", TASK.labels, "A day.", "good")


# hostile text

LABELS = (HOSTILE, "bad")
READ = tuple(ReadDemonstration(1, HOSTILE, HOSTILE, 0.5, where) for where in ("vote", "memory", "window"))
FOUND = Classification(HOSTILE, {HOSTILE: 0.75, "bad": 0.25}, READ, 0.5, 6)
MEASURED = HeldOut(4, 3, LABELS, ((2, 0), (1, 1)), 0.5, ((HOSTILE, "bad", HOSTILE),))
TABLE = pasted_table(
    f'{HOSTILE.replace(chr(34), "")},label\n"<b>one",x\n<i>two,y\n<i>two,y\n,z{HOSTILE[:9]}\n', header=True
)
READY = ReadyLibrary(Path("x.jsonl"), HOSTILE, NASTY, HOSTILE, HOSTILE)
RESULT = RunResult(1, HOSTILE, HOSTILE, {HOSTILE: 0.6, "bad": 0.4}, ())
EVERYWHERE = [
    lambda: demonstrations_html.cards(
        [Facts(library(NASTY, HOSTILE), "waiting", None, 1, 9)], "", False, [READY]
    ),
    lambda: demonstrations_html.cards(
        [Facts(library(NASTY, HOSTILE), "failed", job("failed", message=HOSTILE), 1, 9)]
    ),
    lambda: demonstrations_html.heading(Facts(library(name=HOSTILE), "ready", None, 6, 9)),
    lambda: demonstrations_html.preview(TABLE, preview(TABLE)),
    lambda: demonstrations_html.preview(TABLE, None, HOSTILE),
    lambda: demonstrations_html.table_preview(
        replace(TABLE, name=HOSTILE, columns=(HOSTILE, HOSTILE), warnings=(HOSTILE,))
    ),
    lambda: demonstrations_html.written("{} is {}", HOSTILE, TASK.labels, HOSTILE, "good"),
    lambda: demonstrations_html.written("{} is {}", "", TASK.labels, HOSTILE, "good"),
    lambda: demonstrations_html.examples([Example(1, HOSTILE, HOSTILE, "aside")]),
    lambda: demonstrations_html.runs([(run(HOSTILE), job("paused", message=HOSTILE), [RESULT])]),
    lambda: label_html.classification(HOSTILE, FOUND),
    lambda: label_html.held_out(MEASURED),
    lambda: label_html.note(HOSTILE, is_failure=True),
]


@pytest.mark.parametrize("shown", EVERYWHERE)
def test_hostile_text_stays_text(shown):
    made = shown()
    assert set(re.findall(r"</?([a-z0-9]+)", made)) <= OURS
    assert not set("{}$`'") & set(made)
    assert "\u202e" not in made and "\x07" not in made
    assert "script" not in re.sub(r"&#60;/?script", "", made)


# the list


def test_states_offer_what_can_be_done():
    def offered(state, task_job=None, read_only=False):
        return actions(demonstrations_html.cards([Facts(library(), state, task_job, 3, 9)], "", read_only))

    assert offered("ready") == ["use", "rename", "remove"]
    assert offered("waiting") == ["use", "encode", "rename", "remove"]
    assert offered("running", job()) == ["use", "pause", "cancel", "rename", "remove"]
    assert offered("running", job(wish="pause")) == ["use", "cancel", "rename", "remove"]
    assert offered("paused", job("paused")) == ["use", "resume", "rename", "remove"]
    assert offered("failed", job("failed")) == ["use", "resume", "rename", "remove"]
    assert offered("ready", None, read_only=True) == ["use"]


def test_the_list_counts_examples_by_part_and_offers_what_comes_along():
    one = Facts(library(good={"memory": 2, "held-out": 1, "aside": 4}), "ready", None, 10, 1_234_567)
    shown = demonstrations_html.cards(
        [one], "abc", False, [replace(READY, name="Desk", source="us", licence="CC0")]
    )
    assert "2 labels: good, bad · 10 examples · 1 held out · 4 laid aside · 1.2 MB of memory on disk" in shown
    assert "frees about 1.2 MB" in shown and "lm-open" in shown
    assert "Add “Desk”" in shown and "Source: us. Licence: CC0." in shown
    assert "bring a table" in demonstrations_html.cards([]) and "install" not in demonstrations_html.cards([])


def test_a_job_counts_examples_or_texts_and_not_tokens():
    words = job_html.words(job(rate=1.5), "examples")
    assert words.startswith("filling the memory · 3 of 6 examples · ") and words.endswith("about 2 s left")
    labelling = job(stage="classify", kind="classify:0f")
    assert job_html.words(labelling, "texts") == "labelling · 3 of 6 texts · 50 %"
    assert job_html.words(job("failed", message="no room"), "texts") == "It failed: no room"
    assert "3 of 6 examples" in demonstrations_html.cards([Facts(library(), "running", job(), 3, 9)])
    assert "3 of 6 texts" in demonstrations_html.runs([(run(), labelling, [])])


def test_what_failed_shows_no_bar_and_what_goes_on_does():
    """As a book's card: one function draws both."""
    for state, has_bar in (("running", True), ("paused", True), ("failed", False)):
        cards = demonstrations_html.cards([Facts(library(), state, job(state, message="no room"), 3, 9)])
        files = demonstrations_html.runs([(run(), job(state, message="no room"), [])])
        assert ["<progress" in cards, "<progress" in files] == [has_bar] * 2


def test_a_file_offers_its_labels_as_soon_as_there_are_some():
    assert actions(demonstrations_html.runs([(run(done=0), job("running"), [])])) == [
        "pause",
        "cancel",
        "remove",
    ]
    paused = demonstrations_html.runs([(run(), job("paused", stage="classify"), [RESULT])])
    assert actions(paused) == ["download"] * 3 + ["resume", "remove"]
    assert "2 of 4 texts labelled" in paused and "60.0 %" in paused
    assert (
        actions(demonstrations_html.runs([(run(done=4), job("done"), [RESULT])], read_only=True))
        == ["download"] * 3
    )


# importing


def test_a_preview_counts_labels_and_names_what_is_wrong_by_row():
    table = pasted_table("text,label\nA fine day,good\nA dull day,bad\na fine day,bad\n,good\n")
    shown = html.unescape(demonstrations_html.preview(table, preview(table)))
    assert "4 rows, 2 good and 2 with something wrong" in shown
    assert "good 1 · bad 1" in shown
    assert "row 4: duplicate: the same text stands in row 2" in shown and "row 5: the text is empty" in shown


def test_many_problems_are_counted():
    rows = "".join(f",x{n % 2}\n" for n in range(50)) + "one,a\ntwo,b\n"
    table = pasted_table("text,label\n" + rows)
    shown = demonstrations_html.preview(table, preview(table))
    assert shown.count("the text is empty") == demonstrations_html.SHOWN_PROBLEMS
    assert "and 30 more" in shown


class Demos:
    """Checks rows without any library."""

    def preview(self, table, text, label, into):
        return preview(table, text, label)


def test_a_draft_keeps_the_bytes_and_is_read_otherwise():
    data = "text;label\nПривет;да\nПока;нет\n".encode("cp1251")
    table = import_draft.table_of("../../x.csv", data, "cp1251", "")
    assert table.name == "x.csv" and table.rows[0] == ("Привет", "да")
    assert len(import_draft.table_of("x.csv", data, "cp1251", "example").rows) == 3
    with pytest.raises(BadInput):
        import_draft.table_of("x.csv", data, "no-such-encoding", "")


def test_a_draft_says_why_no_row_can_be_judged():
    table = pasted_table("text,label\none,a\ntwo,b\n")
    assert import_draft.judged(Demos(), "", table).preview.counts == {"a": 1, "b": 1}
    assert "cannot be the same column" in import_draft.judged(Demos(), "", table, "", "text", "text").fault
    alike = import_draft.judged(Demos(), "", pasted_table("text,label\none,a\ntwo,a\n"))
    assert alike.preview is None and "two are needed" in alike.fault


def test_spellings_of_one_label_are_offered_and_joined_on_demand_only():
    table = pasted_table("text,label\none,Refund\ntwo, refund\nthree,refund \nfour,ship\n")
    found = import_draft.judged(Demos(), "", table)
    assert found.preview.counts == {"refund": 2, "Refund": 1, "ship": 1}
    assert found.spellings == (("refund", "Refund"),) and not found.joined
    joined = import_draft.judged(Demos(), "", table, join=True)
    assert list(joined.preview.counts.values()) == [3, 1] and joined.joined and joined.table == table
    alike = import_draft.judged(Demos(), "", pasted_table("text,label\none,Yes\ntwo,yes\n"), join=True)
    assert alike.preview is None and alike.spellings == (("Yes", "yes"),)


def test_an_uploaded_file_goes_and_a_file_of_this_machine_cannot_be_named(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    path = uploaded("films.csv")
    path.write_text("text,label\none,a\ntwo,b\n")
    _, table = import_draft.uploaded(path)
    assert len(table.rows) == 2 and not path.exists()
    secret = tmp_path / "secret.csv"
    secret.write_text("text,label\none,a\n")
    with pytest.raises(BadInput, match="not uploaded"):
        import_draft.uploaded(secret)
    assert secret.exists()


NAMES = [("Films 2020", "Films-2020.csv"), ("../../etc/passwd", "etc-passwd.csv"), (HOSTILE, None),
         ("…", "library.csv"), ("x" * 300, "x" * 60 + ".csv")]  # fmt: skip


@pytest.mark.parametrize(("words", "name"), NAMES)
def test_a_download_has_a_harmless_name(words, name):
    made = file_name(words, ".csv")
    assert name is None or made == name
    assert re.fullmatch(r"[\w-]+\.csv", made)
    with pytest.raises(BadInput):
        file_name("x", ".exe")


# what classification gives


def test_labels_are_bars_likeliest_first_and_more_than_ten_are_folded():
    shown = label_html.bars({f"label {n}": n / 66 for n in range(12)})
    assert shown.index("label 11") < shown.index("label 10") < shown.index("<details")
    assert shown.index("<details") < shown.index("label 1<")
    assert "2 more labels" in shown and "--p:0.1667" in shown and "16.7 %" in shown


def test_demonstrations_that_were_read_stand_by_where_they_were_read():
    read = tuple(ReadDemonstration(n, f"text {n}", "good", 0.25, where)
                 for n, where in enumerate(("vote", "memory", "window", "window")))  # fmt: skip
    shown = label_html.classification(
        "A day.", Classification("good", {"good": 0.9, "bad": 0.1}, read, 0.5, 40)
    )
    assert "40 examples in memory" in shown and 'data-label="good"' in shown
    assert shown.index("Nearest in memory") < shown.index("text 0") < shown.index("<details")
    assert shown.index("<details") < shown.index("Read in memory (1)") < shown.index("text 1")
    assert "25.0 % of what was read" in shown
    assert "Shown to the model before the text (2)" in shown


def test_a_measurement_tells_accuracy_interval_and_what_is_taken_for_what():
    found = HeldOut(10, 8, ("a", "b"), ((5, 1), (1, 3)), 0.6, (("a text", "a", "b"), ("other", "b", "a")))
    words = label_html.accuracy_words(found)
    assert (
        "8 of 10" in words
        and "80.0 %" in words
        and "between 49.0 % and 94.3 %" in words
        and "60.0 %" in words
    )
    shown = label_html.held_out(found)
    cells = re.findall(r'<td class="lm-(hold|slip)" style="--h:([\d.]+)">(\d+)', shown)
    assert cells == [
        ("hold", "1.000", "5"),
        ("slip", "0.200", "1"),
        ("slip", "0.200", "1"),
        ("hold", "0.600", "3"),
    ]
    assert "All 2 that went wrong" in shown
