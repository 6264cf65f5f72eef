"""What the command line prints: entries, answers, progress.

Text of a document or of the model may hold control characters that would steer a terminal: it goes through
`plain` wherever it is printed for people. JSON escapes them by itself.
"""

import json
import time
from typing import TYPE_CHECKING, TextIO

from app.html.wording import plain, size

if TYPE_CHECKING:
    from engine.demonstrations.classifier import Classification
    from engine.shelf.entry import Entry
    from engine.shelf.jobs import Job

QUOTE_LENGTH, BEFORE = 200, 60  # characters of a quote, and of what stands before the words meant
REDRAW_SECONDS = 0.2


def print_json(result: dict, out: TextIO) -> None:
    """Print one JSON object on one line; escaped where the stream could not print it."""
    readable = "utf" in (getattr(out, "encoding", None) or "").lower()
    out.write(json.dumps(result, ensure_ascii=not readable) + "\n")
    out.flush()


def added(entry: "Entry", seconds: float) -> str:
    """Write the line of a document just added: id, title, tokens, bank size, seconds."""
    return (
        f"{entry.id}  {plain(entry.title or 'untitled')}: {entry.tokens:,} tokens, "
        f"{size(entry.bank_bytes)} of memory, {seconds:.1f} s"
    )


def table(entries: list[dict]) -> str:
    """Write the shelf, one line a document."""
    rows = [("id", "title", "author", "tokens", "memory", "state")]
    for one in entries:
        title, author = plain(one["title"] or "untitled"), plain(one["author"] or "")
        rows.append((one["id"], title, author, f"{one['tokens']:,}", size(one["bank_bytes"]), one["state"]))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def citations(answer: dict) -> list[str]:
    """List the places an answer came from or, where none is sure, that were looked at; one line each."""
    lines = []
    named = [(f"[{number}]", one) for number, one in enumerate(answer["citations"], 1)]
    for name, one in named or [("closest", one) for one in answer["looked_at"]]:
        first, last = one.get("words", (0, 0))
        words = " ".join(plain(one["text"][first:last]).split())
        perhaps = f" – perhaps “{words}”" if words else ""
        lines.append(f"{name} {plain(one['place'])}: “{quote(one['text'], first, last)}”{perhaps}")
    return lines


def quote(text: str, first: int, last: int) -> str:
    """Return what of a text has room in a line, with its characters [first, last) in it."""
    begin = max(0, min(first - BEFORE, len(text) - QUOTE_LENGTH))
    begin = text.find(" ", begin) + 1 if begin else 0
    words = " ".join(plain(text[begin:]).split())
    room = max(QUOTE_LENGTH, last - begin)
    kept = words if len(words) <= room else words[:room].rsplit(" ", 1)[0] + " …"
    return ("… " if begin else "") + kept


def label_lines(found: "Classification", most: int = 10, shown: int = 5) -> list[str]:
    """Draw the probabilities as bars, the likeliest first, then list the demonstrations that were read."""
    ranked = sorted(found.probabilities.items(), key=lambda one: -one[1])[:most]
    width = max(len(plain(label)) for label, _ in ranked)
    lines = [f"{plain(label):<{width}}  {p:6.1%}  {'█' * round(30 * p)}".rstrip() for label, p in ranked]
    for one in [one for one in found.read if one.where != "window"][:shown]:
        lines.append(f"  {plain(one.label)}: “{quote(one.text, 0, 0)}” ({one.where})")
    return lines


def footnote(answer: dict) -> str:
    """Tell the tokens and the time of an answer, to stand under it."""
    return (
        f"{answer['tokens']} tokens, the first after {answer['seconds_to_first_token']:.2f} s, "
        f"{answer['tokens_per_second']:.1f} a second, over {answer['memory_tokens']:,} tokens of memory"
    )


class Progress:
    """A job's stage, percentage and remaining time: redrawn in place on a terminal, else a line per 10 %."""

    def __init__(self, name: str, out: TextIO):
        self.name, self.out = plain(name), out
        self.terminal = out.isatty()
        self.drawn = ("", -10.0)
        self.drawn_at = 0.0

    def __call__(self, job: "Job") -> None:
        """Show a job (`.stage`, `.percentage` 0 to 100, `.seconds_left` or None)."""
        stage, percentage = self.drawn
        changed = job.stage != stage
        if self.terminal:
            due = changed or time.monotonic() - self.drawn_at >= REDRAW_SECONDS
        else:
            due = changed or job.percentage >= percentage + 10
        if not due:
            return
        rest = f", about {job.seconds_left:.0f} s left" if job.seconds_left is not None else ""
        line = f"{self.name}: {job.stage} {job.percentage:.0f} %{rest}"
        self.out.write(f"\r\x1b[K{line}" if self.terminal else f"{line}\n")
        self.out.flush()
        self.drawn, self.drawn_at = (job.stage, job.percentage), time.monotonic()

    def close(self) -> None:
        """End the line on a terminal."""
        if self.terminal and self.drawn[0]:
            self.out.write("\n")
            self.out.flush()
