"""What was said before in a talk, as far as the next answer may know it."""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from engine.answering.prompt import Turn
from engine.shelf.talks import Message


def turns_before(messages: Sequence[Message], may_know: Callable[[Message], bool]) -> list[Turn]:
    """Return the exchanges of a talk as the model is told them; a question that was never answered is none.

    may_know: of a question, whether its answer may be known now.
    """
    turns = []
    for question, answer in pairwise(messages):
        if (question.role, answer.role) == ("user", "assistant") and may_know(question):
            turns += [Turn("user", question.text), Turn("assistant", answer.text)]
    return turns


def recent_turns(tokenizer: Any, turns: Sequence[Turn], budget: int) -> tuple[list[Turn], int]:
    """Return the last whole exchanges that fit into `budget` tokens, and how many turns are left out."""
    kept, used = 0, 0
    for turn in reversed(turns):
        used += len(tokenizer(turn.text, add_special_tokens=False)["input_ids"]) + 8
        if used > budget:
            break
        kept += 1
    kept -= kept % 2  # a question goes with its answer
    return list(turns[len(turns) - kept :]), len(turns) - kept


OPENS = re.compile(r"\W*(?:and|but|so|then|what about|how about)\b", re.I)
PRONOUN = re.compile(r"\b(?:he|she|it|they|him|her|his|hers|its|them|their|theirs)\b", re.I)
NAME = re.compile(r"(?<=\s)[^\W\d_a-z]")  # a capital letter behind the first word
LONG_ANSWER = 160  # characters of an answer that says more than a name
SHORT = 3  # words of a question that cannot stand by itself


def in_full(question: str, turns: Sequence[Turn]) -> str:
    """Return a question with the exchange before it where it leans on that: "And his sister?"."""
    named = NAME.search(question) is not None
    leans = OPENS.match(question) or len(question.split()) <= SHORT
    if len(turns) < 2 or not (leans or (PRONOUN.search(question) and not named)):
        return question
    asked, answer = turns[-2].text, turns[-1].text
    said = "" if len(answer) > LONG_ANSWER else f" {answer}"
    return f"{asked}{said} {question}"
