"""Ledger: what the visitors of `bench soak` are still to do, what they were told, and whether it holds.

A request that was cut off by a kill is sent again, as a browser's reader would. One that is refused for want
of room on the disk, while there was none, is sent again too; any other refusal is a fault.
"""

import json
import random
import re
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.command_line.soaked import AWAY, WAIT_SECONDS, Refused, Soaked
from engine.bench.subject import LAMP
from engine.paths import Paths
from engine.shelf.leftovers import INCOMING

QUESTIONS = ("How many chapters are there?", "What was the grey cat called?", "Which ship came too close?")
UNREAD = re.compile("has not been parsed yet|is not encoded yet")  # a book that was added just now
FULL = re.compile("make room|see to the space|disk is full")
ASIDE = "so this was set aside"
COPIES = 6  # of the chapter in one book, so that a kill may fall between two of its segments
KEPT = ("goal", "left", "books", "removed", "done", "errors", "number", "strikes", "seconds")


@dataclass
class Ledger:
    """What visitors are still to do (`left` of `goal`) and what of it is done; `books` are numbers by id.

    `strikes` are the kills and full disks still to come: visitors go on, beyond their goal, until none is
    left.
    """

    chance: random.Random
    goal: dict[str, int]
    strikes: Counter[str] = field(default_factory=Counter)
    books: dict[str, int] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    number: int = 0
    seconds: float = 0.0
    left: dict[str, int] = field(default_factory=dict)
    is_full: bool = False
    is_filling: bool = False
    ended: bool = False
    _full_times: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.left = self.left or dict(self.goal)

    def write(self, path: Path) -> None:
        """Keep it for the next round."""
        path.write_text(json.dumps({name: getattr(self, name) for name in KEPT}))

    @classmethod
    def read(cls, path: Path, chance: random.Random) -> "Ledger":
        """Go on with what `write` kept."""
        kept = json.loads(path.read_text())
        return cls(chance, **kept | {name: Counter(kept[name]) for name in ("strikes", "done")})

    @property
    def is_done(self) -> bool:
        """Tell whether nothing is left to do, and nothing to come."""
        return not any(self.left.values()) and not self.strikes.total()

    def fill(self, is_filling: bool, is_full: bool) -> None:
        """Note that the disk is being filled, or is full, from now on, or no more."""
        self._full_times += is_filling and not self.is_filling
        self.is_filling, self.is_full = is_filling, is_full

    def struck(self, kind: str, also: str = "") -> None:
        """Note that one of the kills or full disks has come; also: what it is counted as besides."""
        self.strikes[kind] -= 1
        self.done.update(filter(None, (kind, also)))

    def visit(self, server: Soaked) -> None:
        """Be a visitor, until nothing is left to do or the round ends."""
        while (task := self._next()) is not None:
            kind, subject = task
            while not self._did(server, kind, subject):
                time.sleep(WAIT_SECONDS)

    def finish(self, server: Soaked) -> None:
        """Wait until every book is ready, and compare its text with what was sent."""
        for identifier, number in self.books.items():
            text = written(number)
            while (state := server.call("job", identifier)["state"]) in ("queued", "running") or (
                state == "failed" and self._resumed(server, identifier)
            ):
                time.sleep(WAIT_SECONDS)
            said = server.call("read", identifier, 0, len(text) + 100)["text"]
            if state != "done" or said.split() != text.replace("# ", "").split():
                self.errors.append(f"{identifier} is {state}, its text {len(said)} letters")

    def counted(self) -> dict[str, int]:
        """Tell what was done."""
        names = {
            "ask": "questions answered", "add": "books added", "remove": "books removed",
            "kill": "SIGKILLs", "early kill": "SIGKILLs while it started",
            "full": "full disks", "full kill": "SIGKILLs while the disk was full",
            "cut off": "requests cut off and sent again", "full ask": "questions answered on a full disk",
            "full remove": "books removed on a full disk",
            "refused": "requests refused for want of room, and sent again",
            "resumed": "additions set aside by kills or a full disk, and resumed",
        }  # fmt: skip
        return {words: self.done[name] for name, words in names.items()}

    def wrong(self, home: Path) -> dict[str, int]:
        """Compare with the disk what they were told."""
        for error in self.errors[:10]:
            print(f"bench soak: {error}", file=sys.stderr)
        # half of an addition that a kill ended has a name of its own, and goes when it is an hour old
        there = {path.name for path in Paths(home).documents.iterdir() if not path.name.startswith(INCOMING)}
        removed = set(self.removed)
        return {
            "books lost": len(self.books.keys() - there),
            "removed books still there": len(removed & there),
            "folders of nobody": len(there - self.books.keys() - removed),
            "refusals and wrong texts": len(self.errors),
        }

    def _did(self, server: Soaked, kind: str, subject: Any) -> bool:
        """Try a task once; says whether it is over."""
        was_full, was_filling, times = self.is_full, self.is_filling, self._full_times
        try:
            getattr(self, f"_{kind}")(server, subject)
            server.look()
        except AWAY:
            self.done["cut off"] += 1
            return False
        except Refused as error:
            if FULL.search(str(error)) and (was_filling or self._full_times > times):
                self.done["refused"] += 1
                return False
            self.errors.append(f"{kind}: {error}")
            return True
        self.done[kind] += 1
        self.done[f"full {kind}"] += was_full and self.is_full
        return True

    def _next(self) -> tuple[str, Any] | None:
        with self._lock:
            if self.ended or self.is_done:
                return None
            weights = {kind: left for kind, left in self.left.items() if left} or self.goal
            may = [kind for kind in weights if kind == "add" or self.books]
            # where only books are left to remove or to ask, and there is none, one more is added
            kind = self.chance.choices(may, [weights[kind] for kind in may])[0] if may else "add"
            self.left[kind] = max(0, self.left[kind] - 1)
            if kind == "add":
                self.number += 1
                return kind, self.number
            chosen = self.chance.choice(sorted(self.books))
            if kind == "remove":
                del self.books[chosen]
                self.removed.append(chosen)
            return kind, chosen

    def _add(self, server: Soaked, number: int) -> None:
        entry = server.call("add", server.upload("lamp.md", written(number).encode()), "", "", "")
        with self._lock:
            self.books[entry["id"]] = number

    def _remove(self, server: Soaked, identifier: str) -> None:
        try:
            server.call("remove", identifier)
        except Refused as error:  # it may have been removed by the request that was cut off
            if "no document" not in str(error):
                raise

    def _ask(self, server: Soaked, identifier: str) -> None:
        while identifier in self.books:  # else it was removed by another visitor
            try:
                answer = server.call("ask", identifier, self.chance.choice(QUESTIONS), "", "")
            except Refused as error:
                if identifier not in self.books:
                    return
                if not UNREAD.search(str(error)) and not self._resumed(server, identifier):
                    raise
                time.sleep(WAIT_SECONDS)
                continue
            if not answer["answer"]:
                self.errors.append(f"ask: no answer about {identifier}")
            return

    def _resumed(self, server: Soaked, identifier: str) -> bool:
        """Resume an addition that was set aside after kills, or ended by a full disk, as its line says."""
        job = server.call("job", identifier)
        said = job["message"] or ""
        if job["state"] != "failed" or not (ASIDE in said or FULL.search(said)):
            return False
        server.call("control_job", job["id"], "resume")
        self.done["resumed"] += 1
        return True


def written(number: int) -> str:
    """Write the book of a number."""
    return LAMP * COPIES + f"\nThis is copy {number} of it.\n"
