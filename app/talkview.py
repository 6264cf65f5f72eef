"""Talkview: questions, answers, citation chips and footnotes as HTML. Plain functions, all text escaped."""

from collections.abc import Mapping, Sequence
from typing import Any

from app import markup
from engine.answering.answer import Answer
from engine.shelf.talks import Message

SPEAKERS = {"user": "You", "assistant": "The book", "system": "Note"}
SHOWN_QUOTE = 160


def conversation(messages: Sequence[Message], titles: Mapping[str, str], waiting: str = "") -> str:
    """All messages of a talk, oldest first; `waiting` is shown where there is none."""
    if not messages:
        return markup.tag("p", markup.text(waiting), class_="lm-empty") if waiting else ""
    last_question = max((one.position for one in messages if one.role == "user"), default=-1)
    return "".join(message(one, titles, one.position == last_question) for one in messages)


def message(one: Message, titles: Mapping[str, str], is_last_question: bool = False) -> str:
    """One message with what belongs below it."""
    parts = [markup.tag("h4", SPEAKERS[one.role]), markup.tag("div", markup.text(one.text), class_="lm-said")]
    if one.role == "assistant":
        parts.append(chips(one.citations, titles))
        parts.append(footnote(one.statistics))
    if is_last_question:
        parts.append(
            markup.tag(
                "div",
                markup.button("Ask again", "retry"),
                markup.button("Edit", "edit", text=one.text),
                markup.button("Take back", "undo"),
                class_="lm-row lm-small",
            )
        )
    return markup.tag("section", *parts, class_=f"lm-message lm-{one.role}")


def chips(citations: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> str:
    """The places an answer leans on; each is a button that leads there."""
    made = []
    for number, one in enumerate(citations, 1):
        words = " ".join(str(one["text"]).split())
        quote = words if len(words) <= SHOWN_QUOTE else words[:SHOWN_QUOTE].rsplit(" ", 1)[0] + " …"
        place = str(one["place"])
        if len(titles) > 1:
            place = f"{titles.get(one['document'], 'a removed book')}, {place}"
        made.append(
            markup.button(
                f"[{number}] {place}", "cite", document=one["document"], start=one["start"], end=one["end"],
                class_="lm-chip", title=f"“{quote}”", aria_label=f"Citation {number}, {place}: {quote}",
            )
        )  # fmt: skip
    return markup.tag("div", *made, class_="lm-row lm-chips") if made else ""


def footnote(statistics: Mapping[str, Any]) -> str:
    """Tokens, seconds and memory under an answer."""
    if not statistics:
        return ""
    return markup.tag("p", markup.text(footnote_words(statistics)), class_="lm-footnote")


def footnote_words(statistics: Mapping[str, Any]) -> str:
    """'41 tokens · first after 0.52 s · 20.1 a second · 61,204 tokens of memory'."""
    memory = f"{statistics.get('memory_tokens', 0):,} tokens of memory"
    if not statistics.get("tokens"):
        parts = ["read off the table of contents" if not statistics.get("memory_tokens") else memory]
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


def statistics_of(answer: Answer) -> dict[str, Any]:
    """The numbers of an answer, as a talk keeps them."""
    names = ("tokens", "seconds_to_first_token", "tokens_per_second", "memory_tokens", "stopped")
    return {name: getattr(answer, name) for name in names}


def live(question: str, words: str, note: str, said_already: bool = False) -> str:
    """A question and the part of its answer that has come so far."""
    asked = "" if said_already else _said("user", question)
    body = markup.text(words) + markup.tag("span", "▌", class_="lm-caret", aria_hidden="true")
    answer = markup.tag(
        "section", markup.tag("h4", SPEAKERS["assistant"]), markup.tag("div", body, class_="lm-said"),
        markup.tag("p", markup.text(note), class_="lm-footnote", role="status") if note else "",
        class_="lm-message lm-assistant lm-live",
    )  # fmt: skip
    return asked + answer


def _said(role: str, words: str) -> str:
    return markup.tag("section", markup.tag("h4", SPEAKERS[role]),
                      markup.tag("div", markup.text(words), class_="lm-said"),
                      class_=f"lm-message lm-{role}")  # fmt: skip
