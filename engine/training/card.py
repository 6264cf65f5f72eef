"""The card of an adapted checkpoint: what it learned from, for how long, and what was measured."""

import json
from pathlib import Path

from engine.report import table

TOO_SHORT = "Not measured: no book held out is long enough."
TOLD = {
    "right": "answered right",
    "wrong": "answered wrong",
    "refused": "not answered",
    "F1": "F1 of words",
    "best answer right": "best answer right, said or not",
    "unanswerable refused": "of questions about another book refused",
    "citations right": "of citations right",
    "an accepted word in the places shown": "the answer in the places shown",
}


def card(name: str, folder: Path, plan: dict, done: dict[str, float], books: int) -> str:
    """Write the card as Markdown. folder: of the run. done: seconds of every stage."""
    steps = [(part, f"{count:,}", f"{done.get(part, 0) / 60:.0f}") for part, count in plan["steps"].items()]
    found = json.loads((folder / "readers.json").read_text())["summary"]
    told = [(words, f"{found[what]:.3g}") for what, words in TOLD.items() if what in found]
    measured = folder / "perplexity.md"
    rest = measured.read_text(encoding="utf8") if measured.is_file() else TOO_SHORT
    files = ", ".join(Path(one).name for one in plan["answers"])
    more = f" and questions of {files}" if files else ""
    lines = [
        f"# SideNet for {name}",
        "",
        f"Made by `adapt` from {books} books{more}; held out: {', '.join(plan['held'])}. "
        f"{sum(done.values()) / 60:.0f} minutes in all.",
        "",
        table(("part", "steps:", "minutes:"), steps),
        "",
        "## Questions",
        "",
        f"{found['answerable']:.0f} questions made by rule about books held out, {found['unanswerable']:.0f} "
        "about another book (`questions.jsonl`), asked as the page asks:",
        "",
        table(("what", "share:"), told),
        "",
        "Such questions are crude: `evaluate readers` tells how good a reader it is by questions of yours.",
        "",
        "## Going on with a text",
        "",
        rest,
    ]
    return "\n".join(lines).rstrip() + "\n"
