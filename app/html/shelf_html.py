"""Shelf as HTML: the documents and their jobs as cards. Plain functions."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from app.html import job_html, markup, wording
from app.html.markup import Html
from app.html.wording import SHELF, here
from engine.paths import PROGRAM
from engine.shelf.entry import Entry
from engine.shelf.jobs import Job
from ingest.formats import SHORT

SAMPLES = {"epub": "A sample novel", "pdf": "Three short stories, as a PDF",
           "md": "A short book of lighthouses"}  # by format  # fmt: skip


def cards(
    entries: list[tuple[Entry, Job | None]],
    open_document: str = "",
    read_only: bool = False,
    faults: Mapping[str, str] | None = None,
    fixed: Collection[str] = (),
    shared: Collection[str] = (),
    more: Mapping[str, Sequence[Html]] | None = None,
    waiting: Mapping[int, job_html.Waiting] | None = None,
    pictured: Collection[str] = (),
) -> Html:
    """Write all documents, or what to do when there is none.

    faults: {id: why its memory cannot be used}. fixed: those that the reader cannot change. shared: those
    that are kept for the reader, who can leave them. more: {id: further buttons}.
    waiting: {id of a job: its place in line}. pictured: those that may have a cover among their pictures.
    """
    if not entries:
        return empty(read_only)
    faults, more = faults or {}, more or {}
    made = [
        card(
            entry,
            job,
            entry.id == open_document,
            read_only or entry.id in fixed,
            faults.get(entry.id, ""),
            entry.id in shared,
            more.get(entry.id, ()),
            (waiting or {}).get(job.id) if job else None,
            entry.id in pictured,
        )
        for entry, job in entries
    ]
    return going_on([entry for entry, _ in entries]) + markup.tag("ul", *made, class_="lm-cards")


def going_on(entries: list[Entry]) -> Html:
    """Write the way back into the book that was opened last, where it was begun and not ended."""
    begun = [one for one in entries if one.opened and 0 < _place(one) < one.characters]
    if not begun:
        return markup.NOTHING
    last = max(begun, key=lambda one: one.opened or 0)
    words = f"Continue “{last.title}” · {100 * _place(last) / last.characters:.0f} %"
    button = markup.button(words, "open", document=last.id, class_="lm-primary")
    return markup.tag("p", button, class_="lm-going-on")


def _place(entry: Entry) -> int:
    return entry.position if entry.place is None else entry.place


def tagging(entry: Entry) -> Html:
    """Write the button for the tags of a book."""
    return markup.button("Tags", "tag", document=entry.id, ask="Tags or collections, parted by commas",
                         preset=", ".join(entry.tags), aria_label=f"Tags: {entry.title}")  # fmt: skip


def replacing(entry: Entry, older: str) -> Html:
    """Write the button that puts a book in the place of an older edition."""
    confirm = "Delete the older edition? Your notes, talks and place in it go over to this one."
    return markup.button("Replace the older edition", "replace", document=entry.id, older=older,
                         confirm=confirm)  # fmt: skip


def keeping(entry: Entry, is_shared: bool = False) -> Html:
    """Write the button that deletes a book, or leaves one that others keep, and keeps the notes on it."""
    confirm = (
        f"Take “{entry.title}” and your talks about it from your shelf? Your notes stay in it."
        if is_shared
        else f"Delete “{entry.title}” with its memory and all talks about it? Your notes stay."
    )
    label = "Leave, keep notes" if is_shared else "Delete, keep notes"
    return markup.button(label, "remove", document=entry.id, keep="notes", confirm=confirm,
                         class_="lm-danger", aria_label=f"{label}: {entry.title}")  # fmt: skip


def added(fresh: Sequence[str], known: Sequence[str]) -> Html:
    """Say in one line, which goes away by itself, what was put on the shelf and what was there.

    fresh, known: titles.
    """
    said = []
    if fresh:
        whose = "its card tells how far it is" if len(fresh) == 1 else "the cards tell how far they are"
        said.append(f"{_counted(fresh, 'was', 'were')} added: {whose}.")
    if known:
        said.append(f"{_counted(known, 'is', 'are')} on the shelf already.")
    return markup.tag("p", " ".join(said), class_="lm-passing", role="status") if said else markup.NOTHING


def _counted(titles: Sequence[str], one: str, more: str) -> str:
    return f"“{titles[0]}” {one}" if len(titles) == 1 else f"{len(titles)} books {more}"


def damaged(found: Iterable[tuple[str, str]]) -> Html:
    """Write what was found damaged, by title, and could not be mended."""
    lines = (f"“{title}” is not as it was written: {what}. Add its file again." for title, what in found)
    return markup.joined(markup.tag("p", one, class_="lm-job lm-failed", role="alert") for one in lines)


def unadapted(name: str) -> Html:
    """Say in a line what a model without a checkpoint would gain by `adapt`."""
    line = (
        f"{name} works by full text and in its own words. “{PROGRAM} adapt --model …” teaches it to find "
        "passages by what they mean, to remember the whole book, and to answer in the book’s own words."
    )
    return markup.tag("p", line, class_="lm-empty")


def empty(read_only: bool) -> Html:
    """Write the empty shelf."""
    if read_only:
        return markup.tag("p", "The shelf is empty, and this page is for reading only.", class_="lm-empty")
    offered = [
        markup.button(label, "sample", kind=kind, class_="lm-primary") for kind, label in SAMPLES.items()
    ]
    return markup.tag(
        "div",
        markup.tag(
            "p",
            "Your shelf is empty: add a book, or try one of these, which you can read at once and ask soon.",
        ),
        markup.tag("div", *offered, class_="lm-row"),
        class_="lm-empty",
    )


def card(
    entry: Entry,
    job: Job | None,
    is_open: bool,
    read_only: bool,
    fault: str = "",
    is_shared: bool = False,
    more: Sequence[Html] = (),
    waiting: job_html.Waiting | None = None,
    is_pictured: bool = False,
) -> Html:
    """Write one document as a card. more: further buttons. waiting: where its job stands in the queue."""
    title = entry.title or entry.source_name
    ready = entry.state == "ready"
    heading = markup.tag("h3", title, class_="lm-title")
    author = markup.tag("p", entry.author, class_="lm-author") if entry.author else ""
    told = markup.tag("p", facts(entry), class_="lm-facts", title=on_disk(entry) or None)
    lines = [cover(entry, is_pictured), heading, author, told]
    if job is not None and entry.state != "ready":
        lines.append(job_html.progress(job, waiting=waiting))
    for warning in entry.warnings:
        lines.append(markup.tag("p", f"Note: {here(warning, SHELF)}", class_="lm-facts"))
    buttons = []
    if fault and ready:
        words = (
            f"Its memory cannot be used: {fault}. You can read it, but not ask it, until it is encoded anew."
        )
        lines.append(markup.tag("p", words, class_="lm-job lm-failed", role="alert"))
        if not read_only:
            confirm = f"Make the memory of “{title}” again? The text, talks and your place stay."
            buttons.append(markup.button("Encode anew", "renew", document=entry.id, confirm=confirm,
                                         aria_label=f"Encode anew: {title}"))  # fmt: skip
    if entry.is_readable:
        label = "Open" if ready else "Read meanwhile"
        buttons.insert(0, markup.button(label, "open", document=entry.id, class_="lm-primary",
                                        aria_label=f"{label}: {title}"))  # fmt: skip
    if not read_only:
        buttons += _controls(entry, job, title)
    elif is_shared:
        confirm = f"Take “{title}” and your talks about it from your shelf? Another account keeps the book."
        buttons.append(markup.button("Leave", "remove", document=entry.id, confirm=confirm,
                                     class_="lm-danger", aria_label=f"Leave: {title}"))  # fmt: skip
    buttons += more
    if entry.tags:
        lines.append(
            markup.tag(
                "p",
                *(markup.tag("span", tag, class_="lm-label") for tag in entry.tags),
                class_="lm-tags",
            )
        )
    lines.append(markup.tag("div", *buttons, class_="lm-row"))
    return markup.tag("li", *lines, class_=f"lm-card{' lm-open' if is_open else ''}", data_id=entry.id,
                      data_state=entry.state, data_title=title, data_author=entry.author,
                      data_recent=max(entry.opened or 0, entry.created), data_added=entry.created,
                      data_length=entry.characters, data_tags="\n".join(entry.tags),
                      data_read=f"{entry.position / max(1, entry.characters):.3f}")  # fmt: skip


def _controls(entry: Entry, job: Job | None, title: str) -> list[Html]:
    buttons = job_html.buttons(job, title)
    buttons.append(markup.button("Rename", "rename", document=entry.id, ask="A new title", preset=title,
                                 aria_label=f"Rename: {title}"))  # fmt: skip
    size = wording.size(entry.bank_bytes + entry.source_bytes)
    confirm = f"Delete “{title}” with its memory and all talks and notes about it? That frees about {size}."
    buttons.append(markup.button("Delete", "remove", document=entry.id, confirm=confirm, class_="lm-danger",
                                 aria_label=f"Delete: {title}"))  # fmt: skip
    return buttons


def cover(entry: Entry, is_pictured: bool) -> Html:
    """Write the cover of a book over one that is drawn of its title, which is seen where there is none."""
    title = entry.title or entry.source_name
    drawn = markup.tag("span", title if len(title) <= 60 else title[:59] + "…")
    image = markup.tag("img", src=f"lm/covers/{entry.id}", alt="", loading="lazy")
    tint = sum(map(ord, title)) * 47 % 360
    longest = max(map(len, title.split()), default=1)  # letters that have to find room in a line
    size = max(0.42, min(0.68, 5.8 / longest))
    return markup.tag("div", drawn, image if is_pictured else "", class_="lm-cover", aria_hidden="true",
                      style=f"background:hsl({tint} 32% 32%);font-size:{size:.2f}rem")  # fmt: skip


def on_disk(entry: Entry) -> str:
    """Say how long it is for the model, and what its memory takes."""
    parts = [f"{entry.tokens:,} tokens"] if entry.tokens else []
    parts += [f"{wording.size(entry.bank_bytes)} of memory on disk"] if entry.bank_bytes else []
    return " · ".join(parts)


def facts(entry: Entry, now: float | None = None) -> str:
    """Tell a document's kind, time to read, how far it was read and when it was opened, in words."""
    parts = [SHORT.get(entry.format, entry.format) or "file"]
    if entry.characters:
        parts.append(f"{wording.reading_time(entry.characters)} to read")
    if 200 * entry.position > entry.characters:
        parts.append(f"read {100 * entry.position / entry.characters:.0f} %")
    parts.append(f"opened {ago(entry.opened, now)}" if entry.opened else "not opened yet")
    return " · ".join(parts)


def ago(moment: float, now: float | None = None) -> str:
    """Say a time in the past in words."""
    seconds = max(0.0, (time.time() if now is None else now) - moment)
    if seconds < 90:
        return "just now"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes ago"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.0f} hours ago"
    return datetime.fromtimestamp(moment).strftime("%d %B %Y")
