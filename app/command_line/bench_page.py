"""`bench page`: the program as its reader meets it, in a real headless browser over a data folder of its own.

Seconds from `python launch.py` to a usable page, bytes of the first load, a million-token book to its first
words, how fast Stop stops, and what showing an answer token by token costs against the bare engine. On a busy
machine the processor seconds of the server (where the system tells them) say more than the clock.
"""

import argparse
import contextlib
import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.command_line.arguments import add_json
from app.desk import doctor
from app.page import access
from engine.arguments import positive, thread_count
from engine.bench.subject import LAMP, home_with_backbone, report
from engine.errors import Failure
from engine.paths import PROJECT, SAMPLES, Paths
from engine.sampling import CONTINUING
from ingest.errors import BadInput

LONG_CHARACTERS = 4_400_000
LONG, SHORT = "A million tokens", "The Lamp"
STARTED = "seconds from `python launch.py` to the shelf (goal: 10)"
FIRST_WORDS = "seconds to a million-token book's first words (goal: 1)"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PATIENCE = 300_000
PARTS = ("start", "book", "writing")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the benchmark to its parser."""
    parser.add_argument("--parts", default=",".join(PARTS), help=f"which (default: {','.join(PARTS)})")
    parser.add_argument(
        "--book", type=Path, metavar="FILE", help="the long book (default: a sample, over and over)"
    )
    parser.add_argument(
        "--rounds", type=positive, default=3, help="starts and continuations; the best counts"
    )
    parser.add_argument(
        "--tokens", type=positive, default=100, help="length of a continuation (default: 100)"
    )
    parser.add_argument("--threads", type=thread_count, default=2, help="CPU threads (default: 2)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure everything once. Raises BadInput where there is no browser to measure with."""
    parts = set(arguments.parts.split(","))
    if unknown := parts - set(PARTS):
        raise BadInput(
            f"bench page has no part {', '.join(sorted(unknown))}: give some of {', '.join(PARTS)}"
        )
    with tempfile.TemporaryDirectory(prefix="longmem-bench-") as scratch, browser() as chromium:
        home = home_with_backbone(Path(scratch))
        say("making a shelf with a small and a long book")
        assistant = prepared(home, Path(scratch), arguments)
        results: dict[str, Any] = {}
        if "start" in parts:
            say("starting the program")
            rounds = [started(home, chromium, arguments.threads) for _ in range(arguments.rounds)]
            names = (STARTED, "processor seconds of the server for the start", "kilobytes of the first load")
            results |= dict(zip(names, map(min, zip(*rounds, strict=True)), strict=True))
        if parts & {"book", "writing"}:
            with served(home, arguments.threads) as server:
                page = opened(chromium, server)
                if "book" in parts:
                    say("opening the long book")
                    first, again = first_words(page, server), first_words(page, server)
                    results |= {FIRST_WORDS: first[0], "processor seconds of the server for them": first[1]}
                    results["the same once more"] = again[0]
                if "writing" in parts:
                    say("writing on")
                    results |= continued(page, assistant, arguments)
                    results["seconds from Stop to the end of the computation"] = stopped(page)
                page.context.close()
    return report(results, arguments)


def say(line: str) -> None:
    """Print what is being done, for who waits."""
    print(f"bench: {line}", file=sys.stderr, flush=True)


@contextmanager
def browser() -> Iterator[Any]:
    """Open a headless Chromium."""
    found = next(filter(None, map(shutil.which, doctor.BROWSERS)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        found = None
    if found is None:
        raise BadInput(
            "bench page needs chromium and playwright: `python launch.py test` installs the latter"
        )
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        chromium.close()


def prepared(home: Path, scratch: Path, arguments: argparse.Namespace) -> Any:
    """Make a shelf with a small book, encoded, and a long one, only parsed; return its assistant."""
    from engine.assistant import Assistant
    from engine.library import Library
    from ingest.parse import parse

    assistant = Assistant(Library(Paths(home), parse, threads=arguments.threads))
    short = scratch / "short.md"
    short.write_text(LAMP, encoding="utf-8")
    assistant.library.add(short)
    long = arguments.book or repeated(parse(next(iter(sorted(SAMPLES.glob("*.epub"))))).text, scratch)
    entry, _ = assistant.shelf.add(long)
    assistant.shelf.store(entry.id, parse(long))
    assistant.shelf.rename(entry.id, LONG)
    assistant.shelf.update(entry.id, state="paused")
    return assistant


def repeated(novel: str, scratch: Path) -> Path:
    """Write a book of a million tokens out of a sample novel, each copy a chapter."""
    long = scratch / "long.md"
    copies = range(1, LONG_CHARACTERS // len(novel) + 2)
    parts = [f"# {LONG}", *(f"## Part {number}\n\n{novel}" for number in copies)]
    long.write_text("\n\n".join(parts), encoding="utf-8")
    return long


@dataclass(frozen=True)
class Server:
    """The program in a process of its own; its address may not answer yet."""

    url: str
    process: subprocess.Popen

    def processor_seconds(self) -> float:
        """Return the processor time it has used so far; nan where the system does not tell."""
        try:
            words = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return math.nan
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(home: Path, threads: int) -> Iterator[Server]:
    """Run the program over `home`, ended afterwards."""
    port = access.free_port("127.0.0.1", None)
    command = [sys.executable, str(PROJECT / "launch.py"), "--port", str(port), "--threads", str(threads)]
    environment = {**os.environ, "LONGMEM_HOME": str(home)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield Server(f"http://127.0.0.1:{port}/", process)
    finally:
        process.terminate()
        process.wait(60)


def started(home: Path, chromium: Any, threads: int) -> tuple[float, float, float]:
    """Measure a start: seconds until the shelf is shown, processor seconds, kilobytes sent to the browser."""
    began = time.perf_counter()
    with served(home, threads) as server:
        page, received = chromium.new_context().new_page(), []
        page.set_default_timeout(PATIENCE)
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
        answered(page, server)
        seconds, used = time.perf_counter() - began, server.processor_seconds()
        page.wait_for_timeout(1000)
        page.context.close()
    return seconds, used, sum(received) / 1000


def opened(chromium: Any, server: Server) -> Any:
    """Open the page and return it once it answers."""
    page = chromium.new_context(viewport={"width": 1360, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE)
    answered(page, server)
    return page


def answered(page: Any, server: Server) -> None:
    """Load the page as soon as there is one. Raises Failure when the program ends instead."""
    address = urlsplit(server.url)
    # asked by a socket: a browser that tries would take the processor from the program that starts
    while True:
        with contextlib.suppress(OSError), socket.create_connection((address.hostname, address.port), 1):
            break
        if server.process.poll() is not None:
            raise Failure("the program ended at its start: `python launch.py` shows why")
        time.sleep(0.05)
    page.goto(server.url)
    page.wait_for_selector("#lm-shelf :is(.lm-card, .lm-empty)")


def open_book(page: Any, title: str) -> None:
    """Open a book of the shelf."""
    page.get_by_role("tab", name="Shelf").click()
    page.locator(".lm-card", has_text=title).locator("[data-action=open]").click()
    # the pane is made when its tab is shown for the first time
    shown = "title => document.querySelector('#lm-book')?.innerText.includes(title)"
    page.wait_for_function(shown, arg=title)
    page.wait_for_selector(".lm-leaf >> nth=0")


def first_words(page: Any, server: Server) -> tuple[float, float]:
    """Measure the seconds (clock, processor) from a click on the long book to its text; another was open."""
    open_book(page, SHORT)
    page.wait_for_timeout(2000)
    page.get_by_role("tab", name="Shelf").click()
    began, used = time.perf_counter(), server.processor_seconds()
    open_book(page, LONG)
    return time.perf_counter() - began, server.processor_seconds() - used


def continued(page: Any, assistant: Any, arguments: argparse.Namespace) -> dict[str, float]:
    """Measure the tokens a second of the same work through the page and by the bare engine, in turns."""
    open_book(page, SHORT)
    page.get_by_role("tab", name="Write on").click()
    page.get_by_label("At its end").check()
    page.get_by_label("number input for Length in words").fill(str(round(arguments.tokens * 3 / 4)))
    shown, bare = [], []
    for _ in range(arguments.rounds):
        page.get_by_role("button", name="Write on").click()
        page.wait_for_selector(".lm-footnote >> text=words so far")
        page.wait_for_function(
            "() => [...document.querySelectorAll('.lm-footnote')]"
            ".filter(one => one.innerText.includes('tokens of memory')).length === 2"
        )
        note = page.locator(".lm-footnote", has_text="tokens of memory").first.text_content()
        shown.append(float(note.split(" a second")[0].rsplit(" ", 1)[1]))
        bare.append(bare_rate(assistant, arguments.tokens))
    return {
        "tokens a second through the page": max(shown),
        "tokens a second by the bare engine": max(bare),
        "share that the page costs (goal: 0.1)": 1 - max(shown) / max(bare),
    }


def bare_rate(assistant: Any, tokens: int) -> float:
    """Measure the tokens a second of the same continuation without a page."""
    sampling = replace(CONTINUING, seed=1)
    *_, last = assistant.continue_(SHORT, tokens=tokens, sampling=sampling)
    return last.answer.tokens_per_second


def stopped(page: Any) -> float:
    """Measure the seconds from the click on Stop until the page says that it has stopped."""
    page.get_by_label("number input for Length in words").fill("300")
    page.get_by_role("button", name="Write on").click()
    page.wait_for_selector(".lm-footnote >> text=words so far")
    page.wait_for_timeout(1500)
    began = time.perf_counter()
    page.get_by_role("button", name="Stop").last.click()
    page.wait_for_selector(".lm-footnote >> text=stopped")
    return time.perf_counter() - began
