"""Memorymap: a strip of the whole book that shows where the last answer was read from."""

from app import markup
from app.view import Desk, View

BINS = 120


def bins_of(spans: list[tuple[int, int, float]], size: int, bins: int = BINS) -> list[float]:
    """Mass of (start, end, mass) spans over equal stretches of `size` characters, the most being 1."""
    heights = [0.0] * bins
    for start, end, mass in spans:
        if size > 0 and 0 <= start < size:
            heights[min(bins - 1, (start + end) // 2 * bins // size)] += mass
    most = max(heights, default=0.0)
    return [height / most for height in heights] if most > 0 else heights


def strip(desk: Desk, view: View, owner: str) -> str:
    """The strip for the talk in view; empty where no answer of this program run is known."""
    speech = desk.speaker.current(view.talk) if view.talk else None
    if speech is None or not speech.ended or not view.document or not desk.may_hear(view, owner):
        return ""
    here = [read for reads in speech.reads for read in reads if read.document == view.document]
    caption = "Where in the book the last answer was read from"
    if not here and speech.answer is not None:
        here = [read for read in speech.answer.passages if read.document == view.document]
        caption = "The passages that were read again for the last answer"
    if not here:
        return ""
    size = len(desk.document(view.document).text)
    heights = bins_of([(read.start, read.end, read.mass) for read in here], size)
    return strip_html(heights, size, view.document, caption)


def strip_html(heights: list[float], size: int, document: str, words: str) -> str:
    """Bars of one strip; each leads to its stretch of the book."""
    bars = []
    for number, height in enumerate(heights):
        start, end = number * size // len(heights), (number + 1) * size // len(heights)
        label = f"{100 * start // max(1, size)} % of the book"
        where = {"data_document": document, "data_start": start, "data_end": end}
        bars.append(
            markup.tag(
                "button", type="button", class_="lm-bar", data_action="jump", tabindex="-1", title=label,
                aria_label=f"go to {label}", style=f"--h:{height:.2f}", **where,
            )
        )  # fmt: skip
    caption = markup.tag("p", markup.text(words), class_="lm-facts")
    row = markup.tag("div", *bars, class_="lm-bars")
    return markup.tag("div", row, caption, class_="lm-strip", role="group", aria_label="memory map")
