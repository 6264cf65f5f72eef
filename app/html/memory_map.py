"""Memory map: a strip of the whole book that shows where an answer, or one token of it, was read from.

The strip and the tokens belong to the answer that was chosen in the talk. What a token read stands in its
attributes, so that pointing at it asks nothing of the server.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.html import markup
from app.html.markup import Html
from engine.answering.trace import LayerShare, Read, TokenReads
from ingest.document import Document

BINS = 120
HINT = "Point at a word of the answer to see where it was read."
WITHOUT_TOKENS = "The passages that were read again for this answer."
PlaceOf = Callable[[Read], str]


@dataclass(frozen=True)
class AnswerRead:
    """What the talk shows of the chosen answer: its tokens as HTML, and what each memory layer did."""

    position: int
    tokens: str
    layers: tuple[LayerShare, ...]


def bin_of(read: Read, size: int, bins: int = BINS) -> int:
    """Return the stretch of the book in whose middle a read lies."""
    return min(bins - 1, max(0, (read.start + read.end) // 2 * bins // max(1, size)))


def bins_of(reads: Sequence[Read], size: int, bins: int = BINS) -> list[float]:
    """Sum the mass of reads over equal stretches of `size` characters, and scale the most to 1."""
    heights = [0.0] * bins
    for read in reads:
        if 0 <= read.start < size:
            heights[bin_of(read, size, bins)] += read.mass
    most = max(heights, default=0.0)
    return [height / most for height in heights] if most > 0 else heights


def book_of(reads: Sequence[Read], document: str) -> str:
    """Choose the book whose strip is shown: the open one if it was read, else the one read most."""
    masses: dict[str, float] = {}
    for read in reads:
        masses[read.document] = masses.get(read.document, 0.0) + read.mass
    if not masses or document in masses:
        return document
    return max(masses, key=masses.__getitem__)


def tokens_html(tokens: Sequence[TokenReads], book: str, size: int, place_of: PlaceOf) -> Html:
    """Write the answer; each token that read something knows where: bins of the strip, place, way there."""
    parts = []
    for token in tokens:
        if not token.reads:
            parts.append(token.text)
            continue
        first, total = token.reads[0], sum(read.mass for read in token.reads)
        heights: dict[int, float] = {}
        for read in token.reads:
            if read.document == book and size:
                bin_ = bin_of(read, size)
                heights[bin_] = heights.get(bin_, 0.0) + read.mass
        most = max(heights.values(), default=1.0)
        bins = " ".join(f"{one}:{height / most:.2f}" for one, height in heights.items())
        parts.append(
            markup.tag(
                "span", token.text, class_="lm-token", tabindex="-1", data_action="token",
                data_document=first.document, data_start=first.start, data_end=first.end, data_bins=bins,
                data_where=f"{place_of(first)} ({100 * first.mass / total:.0f} % of what it read)",
            )
        )  # fmt: skip
    return markup.joined(parts)


def strip_html(
    document: Document, name: str, reads: Sequence[Read], passages: Sequence[Read], hint: str, at: int | None
) -> Html:
    """Draw the whole book as bars that lead there; below them chapters, passages read again, and the view."""
    size = max(1, len(document.text))
    heights, bars = bins_of(reads, size), []
    for number, height in enumerate(heights):
        start, end = number * size // len(heights), (number + 1) * size // len(heights)
        label = f"{document.place(start)}, {100 * start // size} % of the book"
        bars.append(
            markup.tag(
                "button", type="button", class_="lm-bar", data_action="jump", title=label,
                tabindex="-1" if number else "0", aria_label=f"go to {label}",
                style=f"--h:{height**0.5:.2f}", data_document=name, data_start=start, data_end=end,
            )
        )  # fmt: skip
    marks = [_mark("lm-tick", start / size) for start in openings(document)]
    marks += [_mark("lm-again", read.start / size, (read.end - read.start) / size) for read in passages]
    if at is not None:
        marks.append(_mark("lm-here", at / size))
    inside = [
        markup.tag("div", *bars, class_="lm-bars lm-roving", role="toolbar",
                   aria_label="The whole book; arrow keys move along it"),
        markup.tag("div", *marks, class_="lm-marks", aria_hidden="true"),
        markup.tag("p", hint, class_="lm-facts lm-note", data_rest=hint, aria_live="polite"),
    ]  # fmt: skip
    return markup.tag(
        "div",
        *inside,
        class_="lm-strip" if any(heights) else "lm-strip lm-unread",
        role="group",
        aria_label="Where this answer was read from",
    )


def openings(document: Document) -> list[int]:
    """Find where the chapters begin, of the deepest level that a strip has room for."""
    levels = sorted({one.level for one in document.chapters}, reverse=True)
    for deepest in levels:
        starts = [one.start for one in document.chapters if one.level <= deepest and one.start]
        if len(starts) <= BINS // 2:
            return starts
    return []


def _mark(kind: str, left: float, width: float = 0.0) -> Html:
    return markup.tag("span", class_=kind, style=f"left:{100 * left:.2f}%;width:{100 * width:.2f}%")
