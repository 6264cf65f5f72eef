"""Form: a paragraph as its author set it, in tags of ours around escaped text.

Inside an element with `data-start` and `data-end` stand exactly the characters of the document between them,
so that a place on the page is a place in the text. What is shown beside them (notes that open, pictures, the
way back from a note) has no text there.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Mapping
from types import MappingProxyType

from app.html import markup
from app.html.markup import Html
from app.html.spans import covered
from ingest.document import Document
from ingest.form import Span
from ingest.pictures import NAME

TALLEST = 4
_TAGS = {"italic": "em", "bold": "strong", "smallcaps": "span", "mono": "code"}
_SHOWN = frozenset([*_TAGS, "link", "reference"])
_INNER = ("smallcaps", "mono", "bold", "italic")  # the innermost first
_CLASSES = ("verse", "item", "code", "note", "caption")
_SET = frozenset([*_CLASSES, "quote"])  # what no heading is set as
_LONGEST_NOTE = 1_500
_DEEPEST = 6
NO_TURNS: Mapping[int, Html] = MappingProxyType({})
Marked = tuple[int, int, str]  # start, end and kind of what is marked in the text


def block(document: Document, start: int, end: int, level: int | None, marked: Iterable[Marked] = (),
          pictures: str = "", turns: Mapping[int, Html] = NO_TURNS, **values: object) -> Html:  # fmt: skip
    """Write a paragraph, or a piece of one, with what belongs beside it.

    `marked` are in order and do not overlap: see `spans.flat`.
    `level` is that of the chapter it heads; `pictures` the address of the folder with the pictures; `turns`
    what marks the beginning of a page inside of it, without a letter of its own.
    """
    spans = document.spans_in(start, end)
    before = [one for one in document.pictures_in(start, end) if one.at == start]
    behind = [one for one in document.pictures_in(start, end) if one.at == end]
    words = _Words(document, _SHOWN, list(marked), pictures, turns)
    parts = [_figure(one.name, one.words, pictures) for one in before]
    parts.append(_body(words, start, end, level, spans, values))
    parts += [_figure(one.name, one.words, pictures) for one in behind]
    parts += [_note(document, one) for one in spans if one.kind == "reference" and start <= one.start < end]
    if (back := document.references.get(start)) is not None:
        parts.append(markup.button("↩ Back to the text", "jump", class_="lm-back", start=back))
    return markup.joined(parts)


def _body(words: "_Words", start: int, end: int, level: int | None, spans: list[Span], values: dict) -> Html:
    values = {"data_start": start, "data_end": end, "tabindex": "-1"} | values
    table = next((one for one in spans if one.kind == "table"), None)
    if table is not None and start <= table.start and table.end <= end:
        return _table(words, start, end, spans, values)
    inside = words.html(start, end)
    kinds = {one.kind for one in spans}
    heads = next((one.value + 1 for one in spans if one.kind == "heading"), None)
    # a chapter without a heading may begin with a poem
    heading = level if level is not None and (heads or kinds.isdisjoint(_SET)) else heads
    if heading is not None:
        return markup.tag(f"h{min(TALLEST, heading + 1)}", inside, **values)
    names = [str(values.pop("class_", None) or ""), *(f"lm-is-{kind}" for kind in _CLASSES if kind in kinds)]
    depth = max((one.value for one in spans if one.kind == "item"), default=0)
    names += [f"lm-deep{min(depth, _DEEPEST)}"] if depth else []
    shown = markup.tag("p", inside, class_=" ".join(filter(None, names)) or None, **values)
    return markup.tag("blockquote", shown) if "quote" in kinds else shown


class _Words:
    """The letters of a stretch with all that changes inside a paragraph: spans of `kinds`, and marks."""

    def __init__(
        self, document: Document, kinds: Container[str], marked: list[Marked], pictures: str,
        turns: Mapping[int, Html] = NO_TURNS,
    ) -> None:  # fmt: skip
        self.document, self.kinds, self.marked, self.pictures = document, kinds, marked, pictures
        self.turns = turns

    def html(self, start: int, end: int) -> Html:
        """Write the characters [start, end), cut wherever something begins or ends."""
        inline = {one.at: one for one in self.document.pictures_in(start, end) if start < one.at < end}
        spans = [one for one in self.document.spans_in(start, end) if one.kind in self.kinds]
        marked = self.marked[
            bisect_right(self.marked, start, key=lambda one: one[1]) : bisect_left(self.marked, (end,))
        ]
        cuts = {start, end, *inline, *self.turns}
        cuts.update(edge for one in spans for edge in (one.start, one.end))
        cuts.update(edge for one in marked for edge in one[:2])
        edges = sorted(cut for cut in cuts if start <= cut <= end)
        laid = [(one.start, one.end, one.kind, one) for one in spans]
        laid += [(first, last, "marked", Span(kind, first, last)) for first, last, kind in marked]
        parts = []
        for first, last, over in covered(laid, edges):
            if first in self.turns:
                parts.append(self.turns[first])
            if first in inline:
                parts.append(_image(inline[first].name, inline[first].words, self.pictures))
            parts.append(self._piece(first, last, over))
        return markup.joined(parts)

    def _piece(self, first: int, last: int, over: dict[str, Span]) -> Html:
        shown: str = self.document.text[first:last]
        for kind in _INNER:
            if kind in over:
                shown = markup.tag(_TAGS[kind], shown, class_="lm-caps" if kind == "smallcaps" else None)
        if "reference" in over:
            shown = _reference(over["reference"], shown)
        elif "link" in over:
            shown = markup.tag("button", shown, type="button", class_="lm-link", data_action="jump",
                               data_start=over["link"].value)  # fmt: skip
        if "marked" in over:
            shown = markup.tag("mark", shown, class_=over["marked"].kind)
        return markup.text(shown)


def _reference(span: Span, shown: str) -> Html:
    return markup.tag("button", shown, type="button", class_="lm-ref", popovertarget=f"lm-note-{span.start}")


def _note(document: Document, reference: Span) -> Html:
    """Write the note that a reference opens, closed; it leads to where the note stands."""
    start, end = document.note_at(reference.value)
    cut = min(end, start + _LONGEST_NOTE)
    shown = _Words(document, _TAGS, [], "").html(start, cut) + ("…" if cut < end else "")
    button = markup.button("Go to the note", "jump", start=reference.value)
    return markup.tag("aside", markup.tag("p", shown), button, popover="auto", role="note",
                      id=f"lm-note-{reference.start}", class_="lm-pop")  # fmt: skip


def _table(words: _Words, start: int, end: int, spans: list[Span], values: dict) -> Html:
    """Write a table with its rows and cells; the letters between cells are there, and not seen."""
    rows: list[list[Span]] = []
    lines: list[Span] = []
    for one in spans:
        if one.kind == "row":
            lines.append(one)
            rows.append([])
        elif one.kind in ("cell", "header") and rows:
            rows[-1].append(one)
    at, parts = start, []
    for line, cells in zip(lines, rows, strict=True):
        gap = words.html(at, line.start)
        # a caption stands above the first row, and any other line between two of them
        parts.append(markup.tag("caption", gap) if at == start and gap.strip() else gap)
        parts.append(markup.tag("tr", *_cells(words, line, cells)))
        at = line.end
    body = [*parts, words.html(at, end)]
    return markup.tag("div", markup.tag("table", *body), **values | {"class_": _classes(values, "lm-table")})


def _cells(words: _Words, line: Span, cells: list[Span]) -> list[Html]:
    found: list[Html] = []
    # of those with words: where the next one begins
    behind = iter([*[one.start for one in cells if one.start < one.end][1:], line.end])
    for one in cells:
        filled = one.start < one.end
        gap = words.html(one.end, next(behind)) if filled else ""
        inside = words.html(one.start, one.end) if filled else ""
        inside += markup.tag("span", gap, class_="lm-gap") if gap else ""
        columns = one.value if one.value > 1 else None
        header = one.kind == "header"
        found.append(markup.tag("th" if header else "td", inside, colspan=columns,
                                scope="col" if header else None))  # fmt: skip
    return found


def _classes(values: dict, name: str) -> str:
    return " ".join(filter(None, (str(values.get("class_") or ""), name)))


def _figure(name: str, words: str, pictures: str) -> Html:
    shown = _image(name, words, pictures) or markup.tag("span", f"Picture: {words}")
    return markup.tag("figure", shown, class_="lm-picture" if name else "lm-picture lm-lost")


def _image(name: str, words: str, pictures: str) -> Html:
    if not NAME.fullmatch(name):
        return markup.NOTHING
    return markup.tag("img", src=pictures + name, alt=words, loading="lazy", decoding="async")
