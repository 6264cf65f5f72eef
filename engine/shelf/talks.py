"""Talks: conversations about one document, or about the whole shelf (document None), kept per reader.

They are one reader's (`owner`, '' without accounts): no other's can be seen through them. Messages stand at
positions 0, 1, 2 …; to change a question the talk is cut there and goes on.
"""

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.shelf.connections import Connections
from engine.shelf.leftovers import moving
from engine.shelf.titles import one_line
from ingest.errors import BadInput

ROLES = ("user", "assistant", "system")


@dataclass(frozen=True)
class Talk:
    """One conversation. Times are seconds since 1970."""

    id: str
    document: str | None
    owner: str
    title: str
    settings: dict[str, Any]
    created: float
    changed: float


@dataclass(frozen=True)
class Message:
    """One message. `citations`: [{text, start, end, place, score, …}]; `statistics`: `Answer.statistics`."""

    id: int
    talk: str
    position: int
    role: str
    text: str
    citations: list[dict[str, Any]]
    statistics: dict[str, Any]
    settings: dict[str, Any]
    created: float


class Talks:
    """One reader's talks; `folder/<talk id>` is where a long talk's own memory may live."""

    def __init__(self, connections: Connections, folder: Path, owner: str = ""):
        self.connections, self.folder, self.owner = connections, folder, owner

    def create(
        self,
        document: str | None = None,
        title: str = "",
        settings: dict[str, Any] | None = None,
    ) -> Talk:
        """Begin a talk. Raises BadInput when the document is not on the shelf."""
        now = time.time()
        identifier = secrets.token_hex(8)
        with self.connections.writing() as db:
            if document is not None and not db.table("documents").count_where("id = ?", [document]):
                raise BadInput(f"there is no document {document} on the shelf")
            db.execute(
                "INSERT INTO talks VALUES (?, ?, ?, ?, ?, ?, ?)",
                [identifier, document, self.owner, one_line(title, 200), _json(settings or {}), now, now],
            )
        return self.get(identifier)

    def get(self, talk: str) -> Talk:
        """Return a talk. Raises BadInput when there is no such talk, or it is another reader's."""
        rows = self._rows("SELECT * FROM talks WHERE id = ? AND owner = ?", [talk, self.owner])
        if not rows:
            raise BadInput("there is no such talk (any more)")
        return _talk(rows[0])

    def about(self, document: str | None) -> list[Talk]:
        """List the reader's talks about a document (None: about the whole shelf), last changed first."""
        sql = "SELECT * FROM talks WHERE document IS ? AND owner = ? ORDER BY changed DESC, created DESC"
        return [_talk(row) for row in self._rows(sql, [document, self.owner])]

    def delete(self, talk: str) -> None:
        """Delete the talk, its messages and its memory."""
        with moving(self.connections) as gone:
            self.get(talk)
            gone.db.table("talks").delete(talk)
            gone.bury(self.folder / talk)
        gone.empty()
        self.connections.forget_deleted()

    # messages

    def messages(self, talk: str) -> list[Message]:
        """List all messages in order."""
        self.get(talk)
        rows = self._rows("SELECT * FROM messages WHERE talk = ? ORDER BY position", [talk])
        return [_message(row) for row in rows]

    def append(
        self,
        talk: str,
        role: str,
        text: str,
        *,
        citations: Sequence[dict[str, Any]] = (),
        statistics: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        trace: bytes | None = None,
    ) -> Message:
        """Add a message at the end; the first question gives an untitled talk its title.

        trace: where an answer was read from, packed; read again with `trace`.
        """
        if role not in ROLES:
            raise ValueError(f"no role {role!r}")
        now = time.time()
        with self.connections.writing() as db:
            title = self.get(talk).title
            if not title and role == "user":
                title = one_line(text, 80)
            position = db.execute(
                "SELECT coalesce(max(position) + 1, 0) FROM messages WHERE talk = ?", [talk]
            ).fetchone()[0]
            row = {
                "talk": talk,
                "position": position,
                "role": role,
                "text": _storable(text),
                "citations": _json(list(citations)),
                "statistics": _json(statistics or {}),
                "settings": _json(settings or {}),
                "created": now,
            }
            identifier = db.table("messages").insert(row, pk="id").last_pk
            if trace is not None:
                db.execute("INSERT INTO traces VALUES (?, ?)", [identifier, trace])
            db.table("talks").update(talk, {"title": title, "changed": now})
        return self.messages(talk)[position]

    def revise(self, talk: str, position: int, settings: dict[str, Any]) -> None:
        """Give the message at `position` other settings. Raises BadInput when there is none."""
        with self.connections.writing() as db:
            message = self._at(talk, position)
            db.table("messages").update(message.id, {"settings": _json(settings)})
            db.table("talks").update(talk, {"changed": time.time()})

    def put(
        self,
        message: Message,
        text: str,
        *,
        citations: Sequence[dict[str, Any]],
        statistics: dict[str, Any],
        settings: dict[str, Any],
        trace: bytes | None,
    ) -> None:
        """Put another text in the place of a message's. Raises BadInput where the talk has it no longer."""
        row = {"text": _storable(text), "citations": _json(list(citations)),
               "statistics": _json(statistics), "settings": _json(settings)}  # fmt: skip
        with self.connections.writing() as db:
            now = self._at(message.talk, message.position)
            if (now.id, now.created, now.text) != (message.id, message.created, message.text):
                raise BadInput("there is no such message (any more)")
            db.table("messages").update(now.id, row)
            db.execute("DELETE FROM traces WHERE message = ?", [now.id])
            if trace is not None:
                db.execute("INSERT INTO traces VALUES (?, ?)", [now.id, trace])
            db.table("talks").update(message.talk, {"changed": time.time()})

    def early(self, talk: str) -> list[int]:
        """List the positions of the answers that were given before their book had its memory."""
        return [one.position for one in self.messages(talk) if one.settings.get("early")]

    def truncate(self, talk: str, position: int) -> int:
        """Delete the messages at `position` and after; returns how many."""
        with self.connections.writing() as db:
            self.get(talk)
            sql = "DELETE FROM messages WHERE talk = ? AND position >= ?"
            deleted = db.execute(sql, [talk, position]).rowcount
            # the next first question names it
            untitled = {"title": ""} if position == 0 else {}
            db.table("talks").update(talk, {"changed": time.time()} | untitled)
        return deleted

    def undo(self, talk: str) -> str:
        """Take back the last question and its answer; returns the question ('' when there was none)."""
        with self.connections.writing():
            question = self._last_question(talk)
            if question is None:
                return ""
            self.truncate(talk, question.position)
        return question.text

    # where answers were read from

    def trace(self, talk: str, position: int) -> bytes | None:
        """Return the packed trace of the message at `position`; None where there is none."""
        self.get(talk)
        sql = (
            "SELECT trace FROM traces JOIN messages ON messages.id = traces.message"
            " WHERE talk = ? AND position = ?"
        )
        rows = self._rows(sql, [talk, position])
        return rows[0]["trace"] if rows else None

    def traced(self, talk: str) -> list[int]:
        """List the positions of the messages that have a trace, in order."""
        self.get(talk)
        sql = (
            "SELECT position FROM traces JOIN messages ON messages.id = traces.message"
            " WHERE talk = ? ORDER BY position"
        )
        return [row["position"] for row in self._rows(sql, [talk])]

    # inside

    def _rows(self, sql: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        return list(self.connections.db.query(sql, values))

    def _at(self, talk: str, position: int) -> Message:
        for message in self.messages(talk):
            if message.position == position:
                return message
        raise BadInput("there is no such message (any more)")

    def _last_question(self, talk: str) -> Message | None:
        questions = [message for message in self.messages(talk) if message.role == "user"]
        return questions[-1] if questions else None


def _talk(row: dict[str, Any]) -> Talk:
    return Talk(**row | {"settings": json.loads(row["settings"])})


def _message(row: dict[str, Any]) -> Message:
    parsed = {name: json.loads(row[name]) for name in ("citations", "statistics", "settings")}
    return Message(**row | parsed)


def _storable(text: str) -> str:
    """Drop half surrogate pairs, which a model may produce token by token and SQLite does not take."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _json(value: Any) -> str:
    # ASCII, so that half surrogate pairs in quotes survive
    return json.dumps(value)
