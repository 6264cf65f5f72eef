"""Who is who, the story so far, terms and dates, as a reader sees them: each line leads to its place."""

from collections.abc import Sequence

from app.html import leaves, markup
from app.html.markup import Html
from engine.cast.person import Cast, Figure
from engine.cast.story import Told
from ingest.document import Document

MOST = 60  # figures on one list
KINDS = {"who": "Who is who", "story": "Story so far", "terms": "Terms", "dates": "Dates"}
MOST_DATES = 200
BINS = 60
BEGUN = 2_000  # characters: a cover and a title page were looked at, the book was not begun
_HEADINGS = {"person": "People", "place": "Places", "other": "Other names"}
_NOTHING = (
    "You have not read anything of this book yet. Press “I have read to here” as you go: "
    "what is told here goes as far as you have read, and no further."
)


def who_html(document: Document, cast: Cast, until: int, book: str) -> Html:
    """List the figures met before a character, with their names, places and company. book: its id."""
    known = cast.known(until)[:MOST]
    if not known:
        return _empty("who", until, "There are no names in what you have read.")
    parts = []
    for kind, heading in _HEADINGS.items():
        if figures := [one for one in known if one.kind == kind]:
            rows = [_figure(document, cast, one, until, book) for one in figures]
            parts.append(markup.tag("h4", heading) + markup.tag("ul", *rows))
    return _pane("who", _limit(document, until), *parts)


def story_html(document: Document, told: Sequence[Told], until: int, book: str) -> Html:
    """Tell the story up to a character, chapter by chapter, in the book's own sentences. book: its id."""
    if not told:
        return _empty("story", until, "There is no sentence in what you have read that could tell its story.")
    parts = []
    for one in told:
        title = "" if one.chapter is None else document.chapter_names[one.chapter]
        parts.append(markup.tag("h4", title) if title else "")
        parts.append(
            markup.tag("ul", *(markup.tag("li", _sentence(document, span, book)) for span in one.sentences))
        )
    return _pane("story", _limit(document, until), *parts)


def terms_html(document: Document, cast: Cast, until: int, book: str) -> Html:
    """List the terms that were explained before a character, each with the sentence that does."""
    rows = [
        markup.tag("li", markup.tag("strong", one.word),
                   markup.tag("p", _sentence(document, (one.start, one.end), book)))
        for one in cast.explained(until)
    ]  # fmt: skip
    if not rows:
        return _empty("terms", until, "No word is explained in what you have read.")
    return _pane("terms", _limit(document, until), markup.tag("ul", *rows))


def dates_html(document: Document, cast: Cast, until: int, book: str) -> Html:
    """List the dates that were named before a character in the order of time, each with its sentence."""
    rows = [
        markup.tag("li", markup.tag("strong", one.words),
                   markup.tag("p", _sentence(document, (one.start, one.end), book)))
        for one in cast.dated(until)[:MOST_DATES]
    ]  # fmt: skip
    if not rows:
        return _empty("dates", until, "No date is named in what you have read.")
    return _pane("dates", _limit(document, until), markup.tag("ul", *rows))


def offer_html(ago: str) -> Html:
    """Offer the story so far to who comes back. ago: when the book was open before, in words."""
    button = markup.button("Story so far", "about", kind="story", class_="lm-primary")
    row = markup.tag("div", markup.tag("span", f"Last opened {ago}."), button, class_="lm-row")
    head = markup.tag("div", row, markup.button("Close", "close"), class_="lm-about-head")
    return markup.tag("section", head, class_="lm-about", aria_label="Welcome back")


def _limit(document: Document, until: int) -> Html:
    """Say why there is no more, where not all was read: who comes later is not told of."""
    if until >= len(document.text):
        return markup.NOTHING
    words = f"As far as you have read: {leaves.share(document, until)}."
    return markup.tag("p", words, class_="lm-soft")


def _empty(kind: str, until: int, words: str) -> Html:
    return _pane(kind, markup.tag("p", _NOTHING if until < BEGUN else words))


def _pane(kind: str, *inside: str) -> Html:
    """Write a pane under the ways to all of them, of which its own says what it is."""
    ways = [
        markup.button(label, "about", kind=name, aria_pressed=str(name == kind).lower())
        for name, label in KINDS.items()
    ]
    row = markup.tag("div", *ways, class_="lm-row", role="group", aria_label="What the book holds")
    head = markup.tag("div", row, markup.button("Close", "close"), class_="lm-about-head")
    return markup.tag("section", head, *inside, class_="lm-about", aria_label=KINDS[kind])


def _figure(document: Document, cast: Cast, figure: Figure, until: int, book: str) -> Html:
    seen = figure.seen(until)
    name = markup.tag("strong", figure.name(until))
    aliases = ", ".join(figure.aliases(until))
    called = markup.tag("span", f" also {aliases}", class_="lm-soft") if aliases else ""
    times = f" · {len(seen)} {'mention' if len(seen) == 1 else 'mentions'}"
    parts = [name, called, markup.tag("span", times, class_="lm-soft"), _strip(document, figure, until, book)]
    if (introduction := figure.introduction(until)) is not None:
        parts.append(markup.tag("p", _sentence(document, introduction, book)))
    if company := cast.company(figure, until):
        names = ", ".join(f"{other.name(until)} ({count})" for other, count in company)
        parts.append(markup.tag("p", f"Appears with {names}", class_="lm-soft"))
    return markup.tag("li", *parts)


def _strip(document: Document, figure: Figure, until: int, book: str) -> Html:
    """Write the first mention in each stretch of the book as a mark that leads to it."""
    size = max(1, len(document.text))
    firsts: dict[int, int] = {}
    for one in figure.seen(until):
        firsts.setdefault(one.start * BINS // size, one.start)
    marks = [
        markup.tag("button", "", type="button", class_="lm-dot", style=f"left:{100 * start / size:.1f}%",
                   data_action="jump", data_document=book, data_start=start,
                   aria_label=str(document.place(start)))
        for start in firsts.values()
    ]  # fmt: skip
    return markup.tag("div", *marks, class_="lm-line lm-roving")


def _sentence(document: Document, span: tuple[int, int], book: str) -> Html:
    words = " ".join(document.text[span[0] : span[1]].split())
    return markup.tag("button", words, type="button", class_="lm-link", data_action="cite",
                      data_document=book, data_start=span[0], data_end=span[1])  # fmt: skip
