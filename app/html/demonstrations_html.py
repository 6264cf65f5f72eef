"""Demonstrations as HTML: libraries, imports, examples and files. Plain functions, all text escaped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.html import job_html, markup, shelf_html, wording
from app.html.markup import Html
from app.html.wording import TABLE, here
from engine.demonstrations.files import SUFFIXES
from engine.demonstrations.importing import Preview
from engine.demonstrations.ready import ReadyLibrary
from engine.demonstrations.runs import Run, RunResult
from engine.demonstrations.store import DemonstrationLibrary, Example
from engine.demonstrations.task import Task
from engine.shelf.jobs import Job
from ingest.errors import BadInput
from ingest.tables import Table

PARTS = {"memory": "in memory", "held-out": "held out", "aside": "laid aside"}
BETWEEN = "="
SHOWN_LABELS, SHOWN_ROWS, SHOWN_PROBLEMS, LONGEST_SHOWN = 6, 5, 20, 280


@dataclass(frozen=True)
class Facts:
    """What the list tells of a library: state in words of the engine, examples encoded, bytes on disk.

    is_fixed: whether the reader it is told to cannot change it.
    """

    library: DemonstrationLibrary
    state: str
    job: Job | None
    encoded: int
    bank_bytes: int
    is_fixed: bool = False


# words of labels, as lines that a person edits


def words_text(words: Mapping[str, str]) -> str:
    """Write "label = word", a line each."""
    return "\n".join(f"{label} {BETWEEN} {word}" for label, word in words.items())


def words_of(text: str, labels: Sequence[str]) -> dict[str, str]:
    """Read the words in lines "label = word", in the order of `labels`; a label left out is its own word.

    Raises BadInput for a line that begins with no label.
    """
    found: dict[str, str] = {}
    for line in filter(str.strip, text.splitlines()):
        # a label may hold the sign itself: the longest one that fits is meant
        line = line.strip()
        rests = {one: line[len(one) :].lstrip() for one in labels if line.startswith(one)}
        fitting = [one for one, rest in rests.items() if rest.startswith(BETWEEN)]
        if not fitting:
            raise BadInput(f"“{line[:60]}” begins with no label: write a line “label = word” for each")
        label = max(fitting, key=len)
        found[label] = rests[label].removeprefix(BETWEEN).strip()
    return {label: found.get(label) or label for label in labels}


def written(template: str, words: str, labels: Sequence[str], text: str, label: str) -> Html:
    """Write how the model reads an example, or what is wrong with the template."""
    try:
        task = Task(template, words_of(words, labels))
        said = task.prompt(text) + task.answer(label) + task.tail.rstrip()
    except BadInput as error:
        return markup.tag("p", error, class_="lm-facts lm-failed", role="status")
    head = markup.tag("p", "The model reads an example like this:", class_="lm-facts")
    return head + markup.tag("pre", clipped(said), class_="lm-sample")


# libraries


def cards(
    every: Sequence[Facts], chosen: str = "", read_only: bool = False, ready: Sequence[ReadyLibrary] = ()
) -> Html:
    """Write all libraries, and those that come along."""
    shown = [card(one, one.library.id == chosen, read_only or one.is_fixed) for one in every]
    listed = markup.tag("ul", *shown, class_="lm-cards") if shown else empty(read_only, bool(ready))
    return listed + offered(ready, is_open=not shown)


def empty(read_only: bool, has_ready: bool) -> Html:
    """Write that there is no library yet."""
    if read_only:
        words = "There is no library of examples, and this page is for reading only."
    else:
        begin = "begin with one of those below, or bring" if has_ready else "bring"
        words = (
            f"Teach by example: {begin} a table of texts with their labels. Thousands of rows go into "
            "memory, and new texts are labelled as those were."
        )
    return markup.tag("p", words, class_="lm-empty")


def offered(ready: Sequence[ReadyLibrary], is_open: bool) -> Html:
    """Write the libraries that come with the program, one click each, with source and licence."""
    if not ready:
        return markup.NOTHING
    rows = []
    for one in ready:
        about = f"{one.task.description} Source: {one.source}. Licence: {one.licence}."
        button = markup.button(f"Add “{one.name}”", "install", kind=one.path.name)
        rows.append(markup.tag("li", button, markup.tag("span", about.strip(), class_="lm-facts")))
    summary = markup.tag("summary", f"Libraries that come along ({len(ready)})")
    return markup.tag("details", summary, markup.tag("ul", *rows, class_="lm-offered"), class_="lm-more",
                      open=is_open, data_name="ready")  # fmt: skip


def card(one: Facts, is_chosen: bool, read_only: bool) -> Html:
    """Write one library as a card."""
    library = one.library
    about = library.task.description or library.task.template
    lines = [
        markup.tag("h3", library.name, class_="lm-title"),
        markup.tag("p", clipped(about, 160), class_="lm-author"),
        markup.tag("p", facts_words(one), class_="lm-facts"),
    ]
    if one.state not in ("ready", "waiting") and one.job is not None:
        lines.append(job_html.progress(one.job, "examples"))
    elif one.state == "waiting":
        words = f"{one.encoded:,} of {library.size:,} examples are in the memory"
        words += "" if read_only else ": encode the others to use it"
        lines.append(markup.tag("p", words, class_="lm-job"))
    label = "In use below" if is_chosen else "Use"
    kind = "" if is_chosen else "lm-primary"
    use = markup.button(label, "use", library=library.id, class_=kind, aria_label=f"{label}: {library.name}")
    buttons = [use]
    if not read_only:
        buttons += _controls(one)
    lines.append(markup.tag("div", *buttons, class_="lm-row"))
    return markup.tag("li", *lines, class_=f"lm-card{' lm-open' if is_chosen else ''}", data_id=library.id,
                      data_state=one.state)  # fmt: skip


def _controls(one: Facts) -> list[Html]:
    name, identifier = one.library.name, one.library.id
    buttons = []
    if one.state == "waiting":
        buttons.append(markup.button("Encode", "encode", library=identifier, aria_label=f"Encode: {name}"))
    else:
        buttons += job_html.buttons(one.job, name)
    buttons.append(markup.button("Rename", "rename", library=identifier, ask="A new name", preset=name,
                                 aria_label=f"Rename: {name}"))  # fmt: skip
    confirm = (
        f"Delete “{name}” with its {one.library.size:,} examples, its memory and the files labelled with it? "
        f"That frees about {wording.size(one.bank_bytes)}."
    )
    buttons.append(markup.button("Delete", "remove", library=identifier, confirm=confirm, class_="lm-danger",
                                 aria_label=f"Delete: {name}"))  # fmt: skip
    return buttons


def facts_words(one: Facts) -> str:
    """Tell a library's labels, its examples by part, and its size on disk."""
    library = one.library
    labels = library.task.labels
    named = ", ".join(labels[:SHOWN_LABELS]) + (" …" if len(labels) > SHOWN_LABELS else "")
    parts = [f"{len(labels)} labels: {clipped(named, 90)}", f"{library.size:,} examples"]
    for part in ("held-out", "aside"):
        if library.held(part):
            parts.append(f"{library.held(part):,} {PARTS[part]}")
    if one.bank_bytes:
        parts.append(f"{wording.size(one.bank_bytes)} of memory on disk")
    if one.state == "ready":
        parts.append("ready")
    return " · ".join(parts)


def heading(one: Facts | None) -> Html:
    """Write what stands above the work with a library."""
    if one is None:
        return markup.NOTHING
    words = {
        "ready": f"{one.library.held('memory'):,} examples in memory",
        "waiting": "not all of it is in the memory yet" + ("" if one.is_fixed else ": press Encode above"),
        "failed": "its memory could not be made: see above",
    }.get(one.state, "its memory is being made; it can be used when that is done")
    return markup.tag("h2", one.library.name) + markup.tag(
        "p", words, class_="lm-facts", data_state=one.state
    )


# importing


def preview(table: Table, found: Preview | None, fault: str = "") -> Html:
    """Write what an import would keep: rows by label, the first of them, what is wrong by row."""
    if found is None:
        words = markup.tag("p", f"{table.name}: {fault}", class_="lm-failed", role="alert")
        return markup.joined([words, *notes(table.warnings)])
    bad = len(found.problems)
    head = f"{found.name}: {len(table.rows):,} rows"
    head += f", {len(found.rows):,} good and {bad:,} with something wrong" if bad else ", all good"
    parts = [markup.tag("p", head, class_="lm-place")]
    parts += notes(found.warnings)
    counted = " · ".join(f"{clipped(label, 40)} {count:,}" for label, count in found.counts.items())
    parts.append(markup.tag("p", clipped(f"Labels: {counted}", 600), class_="lm-facts"))
    rows = [[str(row.number), clipped(row.text), row.label] for row in found.rows[:SHOWN_ROWS]]
    parts.append(table_html(["row", found.text_column, found.label_column], rows))
    if bad:
        lines = [markup.tag("li", one) for one in found.problems[:SHOWN_PROBLEMS]]
        if bad > SHOWN_PROBLEMS:
            lines.append(markup.tag("li", f"and {bad - SHOWN_PROBLEMS:,} more"))
        parts.append(markup.tag("p", "What is wrong:", class_="lm-failed"))
        parts.append(markup.tag("ul", *lines, class_="lm-problems"))
    return markup.tag("section", *parts, class_="lm-preview", aria_label="preview")


def table_preview(table: Table) -> Html:
    """Write the first rows of a file that is to be labelled, and what its reader was not sure of."""
    head = markup.tag("p", f"{table.name}: {len(table.rows):,} rows", class_="lm-place")
    rows = [[clipped(cell, 140) for cell in row] for row in table.rows[:SHOWN_ROWS]]
    shown = table_html(table.columns, rows)
    return markup.tag("section", head, *notes(table.warnings), shown, class_="lm-preview",
                      aria_label="preview")  # fmt: skip


def notes(warnings: Sequence[str]) -> list[Html]:
    """Write what the reader of a table was not sure of."""
    return [markup.tag("p", here(words, TABLE), class_="lm-facts") for words in warnings]


def table_html(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """Write a table of text."""
    top = markup.tag("tr", *(markup.tag("th", clipped(one, 60), scope="col") for one in head))
    body = [markup.tag("tr", *(markup.tag("td", cell) for cell in row)) for row in rows]
    return markup.tag("div", markup.tag("table", top, *body), class_="lm-table", tabindex="0", role="region",
                      aria_label="rows")  # fmt: skip


# examples


def examples(found: Sequence[Example], read_only: bool = False, editing: int = 0) -> Html:
    """Write one page of examples."""
    if not found:
        return markup.tag("p", "No example is like that.", class_="lm-empty")
    return markup.tag(
        "ul", *(_example(one, read_only, one.id == editing) for one in found), class_="lm-examples"
    )


def _example(one: Example, read_only: bool, is_edited: bool) -> Html:
    said = label_tag(one.label) + clipped(one.text)
    where = "" if one.part == "memory" else markup.tag("span", PARTS[one.part], class_="lm-facts")
    buttons = []
    if not read_only:
        name = clipped(one.text, 40)
        confirm = f"Remove the example “{name}”?"
        buttons = [
            markup.button("Edit", "edit", example=one.id, aria_label=f"Edit: {name}", field="#lm-example"),
            markup.button("Remove", "discard", example=one.id, confirm=confirm, aria_label=f"Remove: {name}"),
        ]
    row = markup.tag("div", where, *buttons, class_="lm-row lm-small") if where or buttons else ""
    return markup.tag("li", markup.tag("p", said), row, class_="lm-open" if is_edited else "")


def label_tag(label: str) -> Html:
    """Write a label as a small plate."""
    return markup.tag("span", clipped(label, 60), class_="lm-label") + " "


# files


def runs(found: Sequence[tuple[Run, Job | None, list[RunResult]]], read_only: bool = False) -> Html:
    """Write the files that were labelled, or are."""
    if not found:
        return markup.tag("p", "No file was labelled with this library yet.", class_="lm-empty")
    return markup.tag("ul", *(_run(*one, read_only) for one in found), class_="lm-cards lm-runs")


def _run(run: Run, job: Job | None, results: list[RunResult], read_only: bool) -> Html:
    head = f"{run.done:,} of {run.rows:,} texts labelled"
    lines = [
        markup.tag("h3", run.name, class_="lm-title"),
        markup.tag("p", f"{head} · begun {shelf_html.ago(run.created)}", class_="lm-facts"),
    ]
    if job is not None and job.state != "done":
        lines.append(job_html.progress(job, "texts"))
    if results:
        rows = [
            [str(one.row), one.label, percent(max(one.probabilities.values())), clipped(one.text, 140)]
            for one in results
        ]
        shown = table_html(["row", "label", "how sure", "text"], rows)
        summary = markup.tag("summary", f"The first {len(rows)} labels")
        lines.append(markup.tag("details", summary, shown, class_="lm-more", data_name=f"run {run.id}"))
    buttons = []
    if run.done:
        for suffix in SUFFIXES:
            label = f"Download {suffix[1:].upper()}"
            buttons.append(markup.button(label, "download", run=run.id, kind=suffix,
                                         aria_label=f"{label}: {run.name}"))  # fmt: skip
    if not read_only:
        buttons += job_html.buttons(job, run.name, run=run.id)
        confirm = f"Delete the labels of “{run.name}”?"
        buttons.append(markup.button("Delete", "remove", run=run.id, confirm=confirm, class_="lm-danger",
                                     aria_label=f"Delete: {run.name}"))  # fmt: skip
    lines.append(markup.tag("div", *buttons, class_="lm-row"))
    state = "" if job is None else job.state
    return markup.tag("li", *lines, class_="lm-card", data_id=run.id, data_state=state)


def percent(share: float) -> str:
    """Write a share for people: 0.734 -> '73.4 %'."""
    return f"{100 * share:.1f} %"


def clipped(text: str, length: int = LONGEST_SHOWN) -> str:
    """Clip a text between words where it is longer than `length`."""
    if len(text) <= length:
        return text
    cut = text[:length]
    return (cut.rsplit(" ", 1)[0] if " " in cut[length // 2 :] else cut) + " …"
