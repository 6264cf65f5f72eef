"""What was said before in a talk, as far as the next answer may know it."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from engine.answering.prompt import Turn
from engine.shelf.talks import Message


def turns_before(messages: Sequence[Message], may_know: Callable[[Message], bool]) -> list[Turn]:
    """The exchanges of a talk as the model is told them; a question that was never answered is none.

    may_know: of a question, whether its answer may be known now.
    """
    turns = []
    for question, answer in pairwise(messages):
        if (question.role, answer.role) == ("user", "assistant") and may_know(question):
            turns += [Turn("user", question.text), Turn("assistant", answer.text)]
    return turns


def recent_turns(tokenizer: object, turns: Sequence[Turn], budget: int) -> tuple[list[Turn], int]:
    """The last whole exchanges that fit into `budget` tokens, and how many turns are left out."""
    kept, used = 0, 0
    for turn in reversed(turns):
        used += len(tokenizer(turn.text, add_special_tokens=False)["input_ids"]) + 8
        if used > budget:
            break
        kept += 1
    kept -= kept % 2  # a question goes with its answer
    return list(turns[len(turns) - kept :]), len(turns) - kept
