"""Talk as HTML: questions, answers, citation chips and footnotes. Plain functions, all text escaped."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from app.html import markup
from app.html.markup import Html
from app.html.memory_map import AnswerRead
from engine.answering.trace import LayerShare
from engine.shelf.talks import Message

SPEAKERS = {"user": "You", "assistant": "The book", "system": "Note"}
SHOWN_QUOTE = 160
BESIDE, LOOKED_AT = 240, 360  # characters of a passage shown around its sentence, or where there is none
WITHOUT = {"passages": "The same without memory", "nothing": "The same without the book"}
LOOKED_WORDS = "Closest places:"
EARLY_WORDS = (
    "Found by words alone where a book’s memory is still being made; it is looked for again after that."
)
BETTERED_WORDS = "Looked for again, once the book’s memory was there."
PERHAPS_WORDS = "Closest places, the words that may answer underlined:"
LAYER_WORDS = (
    "Gate: how much of what this layer adds comes from the book's memory, over its heads. Took nothing: "
    "the share of its attention that chose the empty slot over the book. Without memory, the passages "
    "found by search stay; without the book, the model answers alone."
)


def conversation(
    messages: Sequence[Message],
    titles: Mapping[str, str],
    waiting: str = "",
    traced: Collection[int] = (),
    read: AnswerRead | None = None,
    offered: Sequence[str] = (),
) -> Html:
    """Write all messages of a talk, oldest first; `waiting` is shown where there is none.

    traced: positions of the answers whose memory map can be shown. read: the one whose map is shown.
    offered: questions to begin or to go on with.
    """
    if not messages:
        words = markup.tag("p", waiting, class_="lm-empty") if waiting else ""
        return words + _offered(offered)
    last_question = max((one.position for one in messages if one.role == "user"), default=-1)
    shown = []
    for one in messages:
        if one.role == "assistant":
            own = read if read is not None and read.position == one.position else None
            shown.append(answer(one, titles, one.position in traced, own))
        else:
            shown.append(question(one, one.position == last_question))
    return markup.joined(shown) + _offered(offered)


def _offered(questions: Sequence[str]) -> Html:
    rows = [markup.tag("li", markup.button(one, "suggest", question=one, field="#lm-question"))
            for one in questions]  # fmt: skip
    return (
        markup.tag("ul", *rows, class_="lm-suggested", aria_label="Questions you may ask")
        if rows
        else markup.NOTHING
    )


def question(one: Message, is_last: bool = False) -> Html:
    """Write a question with what can be done about it; what a book was written on with is not asked anew."""
    if one.settings.get("written_on"):
        return _message(one.role, one.text)
    into = {"title": "Ask with other words", "field": "#lm-question"}
    buttons = [markup.button("Edit", "edit", position=one.position, **into)]
    if is_last:
        buttons = [markup.button("Ask again", "retry"), *buttons, markup.button("Take back", "undo")]
    row = markup.tag("div", *buttons, class_="lm-row lm-small")
    return _message(one.role, one.text, row if one.role == "user" else "")


def answer(
    one: Message, titles: Mapping[str, str], has_map: bool = False, read: AnswerRead | None = None
) -> Html:
    """Write an answer with citations and numbers; the chosen one with its tokens and how it was read."""
    buttons = [markup.button("Copy", "copy")]
    if has_map:
        buttons.append(
            markup.button(
                "Where in the book", "choose", position=one.position,
                aria_pressed="true" if read else "false",
                title="Shows on the strip above where this answer was read from",
            )
        )  # fmt: skip
    said = one.text
    if read is not None and read.tokens:
        label = "The answer; arrow keys lead from word to word and show where each was read"
        said = markup.tag(
            "span", read.tokens, class_="lm-tokens lm-roving", tabindex="0", role="group", aria_label=label
        )
    below = [passages(one.citations, titles), looked_at(one.settings.get("looked", ()), titles)]
    for name, words in (("early", EARLY_WORDS), ("bettered", BETTERED_WORDS)):
        below += [markup.tag("p", words, class_="lm-footnote")] if one.settings.get(name) else []
    # told by the book's sentences or its table of contents, or stopped: that is for every reader to see
    counted = one.statistics.get("tokens") or one.statistics.get("memory_tokens")
    if one.statistics.get("stopped") or not (counted or one.settings.get("early")):
        below.append(footnote(one.statistics, one.text.startswith("“")))
    below.append(markup.tag("div", *buttons, class_="lm-row lm-small"))
    below.append(details(one, read))
    return _message("assistant lm-chosen" if read else "assistant", said, *below, speaker="assistant")


def details(one: Message, read: AnswerRead | None) -> Html:
    """Write what only the curious want: tokens, seconds; of the chosen answer how each layer read it."""
    parts = [markup.tag("summary", "Details"), footnote(one.statistics)]
    if read is None:
        named = {"class_": "lm-more", "data_name": f"details {one.position}"}
        return (
            markup.tag("details", *parts, **named) if one.statistics.get("memory_tokens") else markup.NOTHING
        )
    if read.layers:
        heads = markup.joined(
            markup.tag("th", name, scope="col") for name in ("Memory layer", "Gate", "Took nothing")
        )
        rows = [_layer_row(layer) for layer in read.layers]
        parts.append(markup.tag("table", markup.tag("tr", heads), *rows))
        parts.append(markup.tag("p", LAYER_WORDS, class_="lm-facts"))
    kept = one.settings.get("without", {})
    columns = [_column("With memory", one.text)] if kept else []
    columns += [_column(label, str(kept[name])) for name, label in WITHOUT.items() if name in kept]
    buttons = [
        markup.button(label, "without", position=one.position, kind=name)
        for name, label in WITHOUT.items()
        if name not in kept
    ]
    if columns:
        parts.append(markup.tag("div", *columns, class_="lm-beside"))
    if buttons:
        parts.append(markup.tag("div", *buttons, class_="lm-row lm-small"))
    return markup.tag("details", *parts, class_="lm-more", data_name=f"details {one.position}")


def _layer_row(layer: LayerShare) -> Html:
    cells = [markup.tag("td", gate_words(layer)), markup.tag("td", spread_words(layer.null, percent=True))]
    return markup.tag("tr", markup.tag("th", str(layer.layer), scope="row"), *cells)


def _column(label: str, words: str) -> Html:
    return markup.tag("div", markup.tag("h5", label),
                      markup.tag("div", words or "(nothing)", class_="lm-said"))  # fmt: skip


def gate_words(layer: LayerShare) -> str:
    """Tell how much a layer's reading counts: '35 % memory (10 to 80)', or as '× 0.42 (-0.1 to 1.2)'."""
    if layer.is_share:
        return f"{spread_words(layer.gate, percent=True)} memory"
    return f"× {spread_words(layer.gate)}"


def spread_words(values: Sequence[float], percent: bool = False) -> str:
    """Tell the mean over the heads, and the least and the most where they differ."""
    scale, form = (100, "{:.0f}") if percent else (1, "{:.2f}")
    mean, low, high = (
        form.format(scale * one) for one in (sum(values) / len(values), min(values), max(values))
    )
    spread = f" ({low} to {high})" if low != high else ""
    return f"{mean}{' %' if percent else ''}{spread}"


def looked_at(looked: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> Html:
    """Write the places read again for an answer that cites nothing, as buttons that lead there."""
    if not looked:
        return markup.NOTHING
    lead = PERHAPS_WORDS if any("words" in one for one in looked) else LOOKED_WORDS
    return markup.tag("p", lead, class_="lm-facts") + passages(looked, titles, is_cited=False)


def passages(
    citations: Sequence[Mapping[str, Any]], titles: Mapping[str, str], is_cited: bool = True
) -> Html:
    """Write the passages an answer leans on, or that were looked at: a button that leads there, the words.

    `around` of a citation is the passage it stands in, as (start, text); without it, its own words are shown.
    """
    kind, class_ = ("Citation", "lm-chip") if is_cited else ("Looked at", "lm-chip lm-looked")
    made = []
    for number, one in enumerate(citations, 1):
        words = " ".join(str(one["text"]).split())
        quote = words if len(words) <= SHOWN_QUOTE else words[:SHOWN_QUOTE].rsplit(" ", 1)[0] + " …"
        place = str(one["place"])
        if len(titles) > 1:
            place = f"{titles.get(one['document'], 'a removed book')}, {place}"
        lead = markup.button(
            f"[{number}] {place}" if is_cited else place, "cite",
            document=one["document"], start=one["start"], end=one["end"],
            class_=class_, title=f"“{quote}”", aria_label=f"{kind} {number}, {place}: {quote}",
        )  # fmt: skip
        made.append(markup.tag("div", lead, markup.tag("p", _shown(one, is_cited)), class_="lm-passage"))
    return markup.joined(made)


def _shown(one: Mapping[str, Any], is_cited: bool) -> Html:
    """Write what stands near the sentence cited, or the words that may answer, with these marked."""
    start, words = one.get("around") or (one["start"], str(one["text"]))
    if is_cited:
        first, last = max(0, one["start"] - start), min(len(words), one["end"] - start)
    else:
        first, last = one.get("words", (0, 0))
    begin = _space(words, first - BESIDE)
    end = len(words) if last + BESIDE >= len(words) else words.find(" ", last + BESIDE)
    if not last:
        begin, end = 0, len(words) if len(words) <= LOOKED_AT else words.rfind(" ", 0, LOOKED_AT)
    end = len(words) if end < 0 else end
    kind = "cited" if is_cited else "perhaps"
    # one line for each paragraph, and as many characters as before
    inside = markup.marked(words[begin:end].replace("\n\n", " \n"), [(first, last)], begin, kind)
    return ("… " if begin else "") + inside + (" …" if end < len(words) else "")


def _space(words: str, at: int) -> int:
    """Find where the word after a character begins; 0 before the first."""
    return 0 if at <= 0 else words.find(" ", at) + 1


def footnote(statistics: Mapping[str, Any], is_quoted: bool = False) -> Html:
    """Tell an answer's tokens, seconds and memory. is_quoted: whether it is made of the book's sentences."""
    if not statistics:
        return markup.NOTHING
    return markup.tag("p", footnote_words(statistics, is_quoted), class_="lm-footnote")


def footnote_words(statistics: Mapping[str, Any], is_quoted: bool = False) -> str:
    """Write '41 tokens · first after 0.52 s · 20.1 a second · 61,204 tokens of memory'."""
    memory = f"{statistics.get('memory_tokens', 0):,} tokens of memory"
    if not statistics.get("tokens"):
        told = "in the book's own sentences" if is_quoted else "read off the table of contents"
        parts = [told if not statistics.get("memory_tokens") else memory]
    else:
        parts = [
            f"{statistics['tokens']} tokens",
            f"first after {statistics.get('seconds_to_first_token', 0):.2f} s",
            f"{statistics.get('tokens_per_second', 0):.1f} a second",
            memory,
        ]
    if statistics.get("stopped"):
        parts.append("stopped")
    return " · ".join(parts)


def live(asked: str, words: str, note: str, heading: str = "") -> Html:
    """Write a question (or, with a heading, that) and the part of the answer that has come so far."""
    body = words + markup.tag("span", "▌", class_="lm-caret", aria_hidden="true")
    below = markup.tag("p", note, class_="lm-footnote", role="status") if note else ""
    above = "" if heading else _message("user", asked)
    return above + _message("assistant lm-live", body, below, speaker="assistant", heading=heading)


def over(asked: str, words: str, heading: str = "") -> Html:
    """Write an answer that has ended while the next one of its talk is under way."""
    above = "" if heading else _message("user", asked)
    return above + _message("assistant", words, speaker="assistant", heading=heading)


def failed(words: str) -> Html:
    """Tell why there is no answer."""
    return markup.tag("p", words, class_="lm-failed", role="alert")


def editing(number: int) -> Html:
    """Write what asking will do to the talk while a question is put otherwise, and the way out."""
    words = f"This takes the place of question {number} and what follows."
    note = markup.tag("p", words, class_="lm-facts", role="status")
    return markup.tag("div", note, markup.button("Don’t edit", "leave"), class_="lm-row lm-small")


def _message(kind: str, said: str, *below: str, speaker: str = "", heading: str = "") -> Html:
    title = markup.tag("h4", heading or SPEAKERS[speaker or kind])
    return markup.tag("section", title, markup.tag("div", said, class_="lm-said"), *below,
                      class_=f"lm-message lm-{kind}")  # fmt: skip
