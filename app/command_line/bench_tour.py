"""`bench tour`: the first ten minutes of a new reader, in a real headless browser, in seconds a step.

An empty shelf; a novel, and a PDF of 300 pages made of its text; what one does with a book; and a text that
is labelled. Each step is timed from what the reader does until what they wait for is seen.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.command_line.arguments import add_json
from app.command_line.bench_page import PATIENCE, browser, open_book, opened, say, served
from engine.arguments import thread_count
from engine.bench.subject import home_with_backbone, print_object
from engine.paths import SAMPLES

NOVEL = SAMPLES / "love-among-the-chickens.epub"
PAGES, PRINTED = 300, "Three hundred pages"
LEAVES = 12  # windows scrolled
QUESTION, LIBRARY = "What is the dog called?", "Messages to a library desk"
MESSAGE = "My card does not open the door any more."
# a window on, until the text reaches its foot, or the book's end is there, and is painted
SCROLL = """async () => {
  const foot = document.querySelector('#lm-foot');
  const began = performance.now();
  window.dispatchEvent(new WheelEvent('wheel'));
  window.scrollBy(0, window.innerHeight * .85);
  const painted = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  const leaves = Number(document.querySelector('.lm-frame').dataset.leaves);
  const last = () => [...document.querySelectorAll('.lm-sheet')].pop();
  const lacks = () => last().getBoundingClientRect().bottom < foot.getBoundingClientRect().top
    && Number(last().dataset.leaf) + 1 < leaves;
  do await painted(); while (lacks() && performance.now() - began < 10000);
  return (performance.now() - began) / 1000;
}"""
# some words that are in the window are selected
SELECT = """() => {
  const high = window.innerHeight / 3;
  const block = [...document.querySelectorAll('.lm-leaf p[data-start]')].find(
    one => one.getBoundingClientRect().top > high && one.firstChild?.length > 60);
  const range = document.createRange();
  range.setStart(block.firstChild, 0);
  range.setEnd(block.firstChild, 40);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}"""
ANSWERED = "document.querySelectorAll('#lm-talk .lm-assistant:not(.lm-live)').length === %d"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the benchmark to its parser."""
    parser.add_argument("--novel", type=Path, default=NOVEL, metavar="FILE", help="default: the sample novel")
    parser.add_argument("--question", default=QUESTION, help=f"default: {QUESTION}")
    parser.add_argument("--threads", type=thread_count, default=2, help="CPU threads (default: 2)")
    add_json(parser)


class Tour:
    """What each step took; goals: the seconds that a step may take, where there is a goal."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.goals: dict[str, float] = {}

    @contextmanager
    def step(self, name: str, goal: float | None = None) -> Iterator[None]:
        """Measure and print how long the work inside takes."""
        began = time.perf_counter()
        yield
        self.told(name, time.perf_counter() - began, goal)

    def told(self, name: str, seconds: float, goal: float | None = None) -> None:
        """Take down what was timed elsewhere."""
        say(f"{name}: {seconds:.2f} s")
        self.seconds[name] = seconds
        if goal is not None:
            self.goals[name] = goal

    def table(self) -> Iterator[str]:
        """Write the steps as lines of a table."""
        for name, seconds in self.seconds.items():
            goal = self.goals.get(name)
            verdict = "" if goal is None else f"  goal {goal:g}: {'met' if seconds <= goal else 'MISSED'}"
            yield f"{name:58} {seconds:9.2f} s{verdict}"


def run(arguments: argparse.Namespace) -> int:
    """Take the tour once. Raises BadInput where there is no browser to take it with."""
    tour = Tour()
    with tempfile.TemporaryDirectory(prefix="longmem-tour-") as scratch, browser() as chromium:
        home = home_with_backbone(Path(scratch))
        title, printed = made(arguments.novel, Path(scratch))
        began = time.perf_counter()
        with served(home, arguments.threads) as server:
            page = opened(chromium, server)
            tour.told("from the command to an empty shelf", time.perf_counter() - began, 10)
            try:
                books(tour, page, arguments.novel, title, printed)
                reading(tour, page, title)
                talking(tour, page, title, arguments.question)
                keeping(tour, page)
                labelling(tour, page)
            finally:
                page.context.close()
    if arguments.json:
        print_object({"seconds": tour.seconds, "goals": tour.goals}, arguments)
    else:
        print("\n".join(tour.table()))
    return 0


def made(novel: Path, scratch: Path) -> tuple[str, Path]:
    """Return a novel's title, and a PDF of 300 pages with its words, which begin again at their end."""
    import pymupdf

    from ingest.parse import parse

    document = parse(novel)
    words = document.text.split()
    with pymupdf.open() as pdf:
        for number in range(PAGES):
            first = number * 280
            text = " ".join(words[at % len(words)] for at in range(first, first + 280))
            sheet = pdf.new_page(width=420, height=595)
            sheet.insert_textbox((45, 50, 375, 560), text, fontsize=11, fontname="tiro")
            sheet.insert_text((205, 578), str(number + 1), fontsize=9)
        pdf.set_metadata({"title": PRINTED})
        path = scratch / "three-hundred-pages.pdf"
        pdf.save(path, deflate=True)
    return document.title, path


def books(tour: Tour, page: Any, novel: Path, title: str, printed: Path) -> None:
    """Add two books, and read the first words of each as soon as that can be."""
    for name, path, heading, goal in (
        ("a novel is added, to its first words", novel, title, 2),
        ("a PDF of 300 pages is added, to its first words", printed, PRINTED, 4),
    ):
        page.get_by_role("tab", name="Shelf").click()
        with tour.step(name, goal):
            page.set_input_files("#lm-upload input[type=file]", str(path))
            page.locator(".lm-card", has_text=heading).locator("[data-action=open]").wait_for()
            open_book(page, heading)


def reading(tour: Tour, page: Any, title: str) -> None:
    """Scroll through the novel, and search in it."""
    open_book(page, title)
    page.wait_for_timeout(1000)
    took = []
    for _ in range(LEAVES):
        took.append(page.evaluate(SCROLL))
        page.wait_for_timeout(700)  # one reads, if hastily
    tour.told("a window is scrolled (median)", statistics.median(took), 0.1)
    tour.told("a window is scrolled (slowest)", max(took), 0.1)
    with tour.step("words are searched in the book"):
        page.get_by_label("Search in this book").fill(max(title.split(), key=len))
        page.wait_for_selector(".lm-hit")
    page.get_by_label("Search in this book").fill("")


def talking(tour: Tour, page: Any, title: str, question: str) -> None:
    """Ask while the memory fills, and again when it is there; follow what an answer cites."""
    with tour.step("a question is answered while the memory fills"):
        asked(page, question, 1)
    page.get_by_role("tab", name="Shelf").click()
    with tour.step("until the memory of the novel is made, from here"):
        page.wait_for_selector(f'.lm-card[data-state=ready]:has-text("{title}")')
    open_book(page, title)
    with tour.step("the question is answered with the whole memory"):
        asked(page, question, 2)
    with tour.step("the place of an answer is opened"):
        page.locator("#lm-talk .lm-assistant").last.locator(".lm-chip").first.click()
        page.wait_for_selector(".lm-leaf mark.cited, .lm-leaf mark.found")


def asked(page: Any, question: str, number: int) -> None:
    """Ask, and wait for the answer, which is the talk's so many-th."""
    page.get_by_label("Your question").fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_function(ANSWERED % number)


def keeping(tour: Tour, page: Any) -> None:
    """Mark words, write a note, and export both."""

    def marked(name: str, button: str, shown: str) -> None:
        page.evaluate(SELECT)
        page.wait_for_selector("#lm-bar.lm-on")
        with tour.step(name):
            page.locator(f"#lm-bar {button}").first.click()
            page.wait_for_selector(shown)

    marked("words are marked", "[data-action=mark]", ".lm-leaf mark.lm-mark")
    page.once("dialog", lambda dialog: dialog.accept("worth a second look"))
    marked("a note is written", "[data-action=note]", ".lm-leaf-notes >> text=worth a second look")
    page.get_by_role("tab", name="Notes").click()
    page.wait_for_selector("#lm-notes li")
    with tour.step("the notes are exported"), page.expect_download():
        page.get_by_role("button", name="Export", exact=True).last.click()
        page.locator("a[download]:visible").first.click()


def labelling(tour: Tour, page: Any) -> None:
    """Add the examples that come along, and label a text by them."""
    page.get_by_role("tab", name="Classify").click()
    page.get_by_role("button", name=f"Add “{LIBRARY}”").click()
    with tour.step("120 examples that come along are added"):
        page.wait_for_selector("#lm-libraries .lm-card[data-state=ready]", timeout=2 * PATIENCE)
    for name, goal in (("a first text is labelled", 3.0), ("a second text is labelled", None)):
        page.get_by_label("A text to label").fill(f"{MESSAGE} {name}")
        with tour.step(name, goal):
            page.get_by_role("button", name="Label it").click()
            page.wait_for_selector(f'#lm-labelled section:has-text("{name}") .lm-labels')
