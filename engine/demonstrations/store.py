"""Store: the demonstration libraries of one data folder in SQLite; their banks lie in a folder each.

An example's id only grows, and an edited example is a new one: so a bank can be appended to in the order of
ids, and what was removed is known by its absence.
"""

import itertools
import json
import random
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.demonstrations.importing import LONGEST_TEXT, Row, clean, digest
from engine.demonstrations.task import Task
from engine.locks import holding
from engine.shelf.entry import may_change
from engine.shelf.identifiers import checked
from engine.shelf.leftovers import moving
from engine.shelf.shelf import Shelf
from engine.shelf.titles import folded, one_line
from engine.sums import folder_bytes
from ingest.errors import BadInput

PARTS = ("memory", "held-out", "aside")


@dataclass(frozen=True)
class Example:
    """One labelled example. part: "memory" is read; "held-out" is for testing; "aside" is not used."""

    id: int
    text: str
    label: str
    part: str = "memory"


@dataclass(frozen=True)
class DemonstrationLibrary:
    """One library. counts: examples by label and part, {label: {part: n}}. Times: seconds since 1970.

    owner: the account that made it, '' where there were none.
    """

    id: str
    name: str
    task: Task
    source_name: str
    text_column: str
    label_column: str
    created: float
    changed: float
    settings: dict[str, Any]
    counts: dict[str, dict[str, int]]
    owner: str = ""

    def belongs_to(self, owner: str) -> bool:
        """Tell whether that account may change or delete it: the rule is that of documents."""
        return may_change(owner, self.owner)

    @property
    def size(self) -> int:
        """Return the number of all examples."""
        return sum(sum(parts.values()) for parts in self.counts.values())

    def held(self, part: str) -> int:
        """Count the examples of one part."""
        return sum(parts.get(part, 0) for parts in self.counts.values())


class Store:
    """Rows of libraries and examples; every change is one transaction."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.connections = shelf.connections
        self.paths = shelf.paths

    # libraries

    def create(
        self,
        name: str,
        task: Task,
        rows: Sequence[Row],
        source: str = "",
        columns: tuple[str, str] = ("text", "label"),
        owner: str = "",
    ) -> DemonstrationLibrary:
        """Keep a new library with all its examples, or nothing. Raises BadInput when the name is taken."""
        name = self._free_name(name, owner)
        identifier, now = secrets.token_hex(6), time.time()
        with self.connections.writing() as db:
            self._free_name(name, owner)
            db.table("libraries").insert(
                {
                    "id": identifier,
                    "name": name,
                    "description": task.description,
                    "template": task.template,
                    "words": json.dumps(dict(task.words)),
                    "source_name": one_line(source),
                    "text_column": columns[0],
                    "label_column": columns[1],
                    "created": now,
                    "changed": now,
                    "owner": owner,
                }
            )
            self._insert(db, identifier, task, rows)
        return self.get(identifier)

    def libraries(self) -> list[DemonstrationLibrary]:
        """List all libraries, the one changed last first."""
        found = self.connections.db.execute(
            "SELECT id FROM libraries ORDER BY changed DESC, rowid DESC"
        ).fetchall()
        return [self.get(identifier) for (identifier,) in found]

    def get(self, identifier: str) -> DemonstrationLibrary:
        """Return the library with exactly this id. Raises BadInput."""
        db = self.connections.db
        for row in list(db.query("SELECT * FROM libraries WHERE id = ?", [identifier])):
            words, description = json.loads(row.pop("words")), row.pop("description")
            task = Task(row.pop("template"), words, description)
            settings = json.loads(row.pop("settings"))
            counts: dict[str, dict[str, int]] = {label: {} for label in task.labels}
            grouped = "SELECT label, part, count(*) FROM examples WHERE library = ? GROUP BY label, part"
            for label, part, count in db.execute(grouped, [identifier]).fetchall():
                counts[label][part] = count
            return DemonstrationLibrary(**row, task=task, settings=settings, counts=counts)
        raise BadInput(f"there is no demonstration library {one_line(identifier, 40)}")

    def find(self, words: str, others: Sequence[str] = ()) -> DemonstrationLibrary:
        """Find the library that a person means: an id, a name, or a part of one name only.

        Raises BadInput that names what there is; others: names that the caller would have taken as well.
        """
        wanted, every = folded(words), self.libraries()
        for matches in (
            [one for one in every if wanted in (one.id, folded(one.name))],
            [one for one in every if wanted and (wanted in folded(one.name) or one.id.startswith(wanted))],
        ):
            if len(matches) == 1:
                return matches[0]
            if matches:
                raise BadInput(f'"{one_line(words, 60)}" may be {_names(matches)}: give the whole name')
        shown = f"there is {_names(every, others)}" if every or others else "import one first"
        raise BadInput(f'no demonstration library "{one_line(words, 60)}": {shown}')

    def distinct_name(self, name: str) -> str:
        """Return a name that no library has: `name` itself, or "name (2)" and so on."""
        taken = {folded(one) for (one,) in self.connections.db.execute("SELECT name FROM libraries")}
        tried = itertools.chain([name], (f"{one_line(name, 90)} ({at})" for at in itertools.count(2)))
        return next(one for one in tried if folded(one) not in taken)

    def configure(
        self, identifier: str, name: str | None = None, task: Task | None = None, **settings: Any
    ) -> DemonstrationLibrary:
        """Change name, task or settings (JSON values; None removes one).

        A task must keep every label that examples have; another template or word means encoding again.
        """
        with self.connections.writing() as db:
            library = self.get(identifier)
            values: dict[str, Any] = {"changed": time.time()}
            if name is not None and folded(name) != folded(library.name):
                values["name"] = self._free_name(name)
            elif name is not None:
                values["name"] = one_line(name, 100)
            if task is not None:
                for label, parts in library.counts.items():
                    if sum(parts.values()):
                        task.require(label)
                values |= {"template": task.template, "description": task.description}
                values["words"] = json.dumps(dict(task.words))
            merged = {key: value for key, value in (library.settings | settings).items() if value is not None}
            db.table("libraries").update(identifier, values | {"settings": json.dumps(merged)})
        return self.get(identifier)

    def remove(self, identifier: str, timeout: float = 30.0) -> int:
        """Delete a library with its bank and runs; returns the bytes freed. Raises Failure while in work."""
        library = self.get(identifier)
        self.shelf.jobs.cancel_all(identifier)
        folder = self.paths.demonstration(checked(identifier))
        lock = self.shelf.lock(identifier)
        refusal = (
            f'"{library.name}" is being worked on by process {lock.holder()}: pause that, then remove it'
        )
        with holding(lock, timeout, refusal):
            freed = folder_bytes(folder)
            with moving(self.connections) as gone:
                gone.db.table("libraries").delete(identifier)
                gone.bury(folder)
            gone.empty()
            lock.release(delete=True)
        self.connections.forget_deleted()
        return freed

    def folders(self) -> list[Path]:
        """List the folders of banks and runs, one a library."""
        return list(self.paths.demonstrations.glob("*/"))

    # examples

    def examples(
        self,
        identifier: str,
        *,
        part: str | None = None,
        label: str | None = None,
        containing: str = "",
        offset: int = 0,
        limit: int | None = None,
    ) -> list[Example]:
        """List examples in the order of their ids, chosen by part, label and a piece of their text."""
        wheres, values = ["library = ?"], [identifier]
        for column, wanted in (("part", part), ("label", label)):
            if wanted is not None:
                wheres.append(f"{column} = ?")
                values.append(wanted)
        if containing:
            wheres.append("instr(casefold(text), casefold(?)) > 0")
            values.append(clean(containing))
        sql = (
            f"SELECT id, text, label, part FROM examples WHERE {' AND '.join(wheres)}"
            " ORDER BY id LIMIT ? OFFSET ?"
        )
        found = self.connections.db.execute(sql, [*values, -1 if limit is None else limit, offset])
        return [Example(*row) for row in found.fetchall()]

    def digests(self, identifier: str) -> set[str]:
        """Return the digests of all texts, to find duplicates by."""
        found = self.connections.db.execute("SELECT digest FROM examples WHERE library = ?", [identifier])
        return {one for (one,) in found.fetchall()}

    def add(self, identifier: str, rows: Sequence[Row]) -> int:
        """Add examples, all of them or none; returns how many. Raises BadInput for one that does not fit."""
        with self.connections.writing() as db:
            task = self.get(identifier).task
            self._insert(db, identifier, task, rows)
            self._touch(db, identifier)
        return len(rows)

    def merge(self, identifier: str, rows: Sequence[Row]) -> tuple[int, int]:
        """Add the rows of new texts, and give a known text the label of its row, in the part where it is.

        Returns how many were added and how many changed; each of them has a new id. Raises BadInput.
        """
        sql = "SELECT digest, id, label, part FROM examples WHERE library = ?"
        with self.connections.writing() as db:
            known = {mark: rest for mark, *rest in db.execute(sql, [identifier]).fetchall()}
            groups: dict[str, list[Row]] = {part: [] for part in PARTS}
            outdated: list[int] = []
            for row in rows:
                old, label, part = known.get(digest(row.text), (None, None, "memory"))
                if label != row.label:
                    groups[part].append(row)
                    outdated += [] if old is None else [old]
            if not any(groups.values()):
                return 0, 0
            self.discard(identifier, outdated)
            for part, some in groups.items():
                self._insert(db, identifier, self.get(identifier).task, some, part)
        return sum(map(len, groups.values())) - len(outdated), len(outdated)

    def edit(self, identifier: str, example: int, text: str, label: str) -> Example:
        """Put another text or label in an example's place; the result has a new id."""
        with self.connections.writing() as db:
            old = self._example(db, identifier, example)
            if (clean(text), label) == (old.text, old.label):
                return old
            db.execute("DELETE FROM examples WHERE id = ?", [example])
            self._insert(db, identifier, self.get(identifier).task, [Row(0, text, label)], old.part)
            self._touch(db, identifier)
            new = db.execute("SELECT max(id) FROM examples WHERE library = ?", [identifier]).fetchone()[0]
            return self._example(db, identifier, new)

    def discard(self, identifier: str, examples: Iterable[int]) -> int:
        """Remove examples; returns how many there were."""
        with self.connections.writing() as db:
            gone = sum(
                db.execute("DELETE FROM examples WHERE library = ? AND id = ?", [identifier, one]).rowcount
                for one in examples
            )
            self._touch(db, identifier)
        return gone

    def move(self, identifier: str, part: str, examples: Iterable[int]) -> None:
        """Move examples to a part: what memory reads, what is held out for testing, what is left aside."""
        if part not in PARTS:
            raise BadInput(f"an example is in one of {', '.join(PARTS)}, not '{part}'")
        with self.connections.writing() as db:
            for one in examples:
                db.execute(
                    "UPDATE examples SET part = ? WHERE library = ? AND id = ?", [part, identifier, one]
                )
            self._touch(db, identifier)

    def balance(self, identifier: str) -> int:
        """Lay aside what one label has in memory beyond the rarest, at random; returns how many were moved.

        What was laid aside before is first taken back. Raises BadInput when a label has no example.
        """
        with self.connections.writing() as db:
            db.execute(
                "UPDATE examples SET part = 'memory' WHERE library = ? AND part = 'aside'", [identifier]
            )
            groups = self._by_label(identifier)
            least = min(map(len, groups.values()))
            if not least:
                empty = next(label for label, ids in groups.items() if not ids)
                raise BadInput(f'the label "{empty}" has no example in memory: add one before balancing')
            pick = random.Random(0)
            surplus = [one for ids in groups.values() for one in pick.sample(ids, len(ids) - least)]
            self.move(identifier, "aside", surplus)
        return len(surplus)

    def split(self, identifier: str, share: float = 0.2) -> int:
        """Hold out a share of each label's examples for testing; returns how many. 0 takes all back."""
        with self.connections.writing() as db:
            db.execute(
                "UPDATE examples SET part = 'memory' WHERE library = ? AND part = 'held-out'", [identifier]
            )
            held = self.drawn(identifier, share)
            self.move(identifier, "held-out", held)
        return len(held)

    def drawn(self, identifier: str, share: float = 0.2) -> list[int]:
        """Draw a share of what each label has in memory; one of each stays. Raises BadInput for no share."""
        if not 0 <= share < 1:
            raise BadInput("the held-out share must be between 0 and 1, as 0.2 for a fifth")
        pick, drawn = random.Random(0), []
        for ids in self._by_label(identifier).values():
            drawn += pick.sample(ids, min(round(share * len(ids)), max(0, len(ids) - 1)))
        return drawn

    # inside

    def _by_label(self, identifier: str) -> dict[str, list[int]]:
        groups: dict[str, list[int]] = {label: [] for label in self.get(identifier).task.labels}
        for example in self.examples(identifier, part="memory"):
            groups[example.label].append(example.id)
        return groups

    def _insert(
        self, db: Any, identifier: str, task: Task, rows: Sequence[Row], part: str = "memory"
    ) -> None:
        known, values = self.digests(identifier), []
        for row in rows:
            text, mark = clean(row.text), digest(row.text)
            where = f"row {row.number}: " if row.number else ""
            if not text or len(text) > LONGEST_TEXT:
                raise BadInput(f"{where}an example needs a text of 1 to {LONGEST_TEXT:,} characters")
            if mark in known:
                raise BadInput(f'{where}the library has this text already: "{one_line(text, 60)}"')
            known.add(mark)
            label = task.require(row.label)
            values.append({"library": identifier, "text": text, "label": label, "digest": mark, "part": part})
        db.table("examples").insert_all(values)

    def _example(self, db: Any, identifier: str, example: int) -> Example:
        sql = "SELECT id, text, label, part FROM examples WHERE library = ? AND id = ?"
        for row in db.execute(sql, [identifier, example]).fetchall():
            return Example(*row)
        raise BadInput(f"there is no example {example} in this library (any more)")

    def _touch(self, db: Any, identifier: str) -> None:
        if not db.execute(
            "UPDATE libraries SET changed = ? WHERE id = ?", [time.time(), identifier]
        ).rowcount:
            raise BadInput(f"there is no demonstration library {one_line(identifier, 40)}")

    def _free_name(self, name: str, adding: str | None = None) -> str:
        """Choose a name. adding: the account that brings examples, None where a library is renamed."""
        name = one_line(name, 100)
        if not name:
            raise BadInput("a demonstration library needs a name")
        rows = self.connections.db.execute("SELECT name, owner FROM libraries").fetchall()
        owners = {folded(one): owner for one, owner in rows}
        if folded(name) in owners:
            its_own = adding is not None and may_change(adding, owners[folded(name)])
            way = "choose another name, or add to it" if its_own else "choose another name"
            raise BadInput(f'there is a demonstration library "{name}" already: {way}')
        return name


def _names(libraries: Sequence[DemonstrationLibrary], others: Sequence[str] = ()) -> str:
    shown = [f'"{one_line(one.name, 60)}" ({one.id})' for one in libraries[:5]]
    shown += [f"{len(libraries) - 5} more"] if len(libraries) > 5 else []
    have = {folded(one.name) for one in libraries}
    return " or ".join([*shown, *(f'"{one_line(name, 60)}"' for name in others if folded(name) not in have)])
