"""The words around a question: chat template, re-read passages, the recent part of the talk."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.answering.passages import Chosen
from engine.reader import WINDOW
from engine.sampling import ANSWERING
from engine.shelf.fulltext import Hit

NOT_TOLD = "The document does not seem to tell."
INSTRUCTION = (
    "You are a reading assistant. Answer the question about the text from the passages given, "
    "in one or two short sentences. Do not add anything that the passages do not say. "
    f'If the passages do not tell, answer only: "{NOT_TOLD}"'
)
TALKING = "You are a friendly reading assistant. Answer in one or two short sentences."


_CIVIL = (
    r"hi|hello|hey|good (?:morning|afternoon|evening|night)|thanks?(?: you)?(?: (?:so|very) much| a lot)?|"
    r"bye|goodbye|how are you(?: (?:doing|today))*|who are you|what can you do|nice to meet you|ok(?:ay)?|"
    r"great|cool|well done|please|there|i see|sorry"
)
REFUSAL = re.compile(r"(?:not seem to|do not|does not) tell")
SMALL_TALK = re.compile(rf"\W*(?:(?:{_CIVIL})\b\W*)+", re.I)


@dataclass(frozen=True)
class Turn:
    """One message of a talk."""

    role: str
    text: str


def says_nothing_tells(answer: str) -> bool:
    """Tell whether a model refuses in the words that it was given for that, or nearly."""
    return REFUSAL.search(answer) is not None


def is_small_talk(message: str) -> bool:
    """Tell whether a message is a greeting, thanks or the like: nothing in a book answers it."""
    return SMALL_TALK.fullmatch(message) is not None


@dataclass(frozen=True)
class Prompt:
    """What the model reads before it answers."""

    ids: list[int]


def prompted(
    tokenizer: Any,
    question: str,
    chosen: Chosen | None,
    recent: Sequence[Turn] = (),
    earlier: Sequence[str] = (),
    window: int = WINDOW,
) -> Prompt:
    """Make the prompt for a question about a document; chosen: None where no passage may be read again.

    recent: turns of the talk as they were; earlier: what was said before those and may matter. Beside
    an answer the window holds them all in English; where a script takes more tokens, the weakest passages are
    left out, then what was said before, never the best passage.
    """
    if chosen is None or not chosen.question or not chosen.passages:
        return Prompt(chat_ids(tokenizer, TALKING, recent, question))
    read, recent, earlier = list(chosen.passages), list(recent), list(earlier)
    while True:
        message = question_with_passages(question, read, earlier)
        ids = chat_ids(tokenizer, INSTRUCTION, recent, message)
        if len(ids) + ANSWERING.max_tokens < window or not _shorter(read, recent, earlier):
            return Prompt(ids)


def _shorter(read: list[Hit], recent: list[Turn], earlier: list[str]) -> bool:
    """Leave out what matters least; False where nothing is left but the best passage."""
    if len(read) > 1:
        read.pop()
    elif earlier:
        earlier.pop()
    elif recent:
        del recent[:2]  # a question goes with its answer
    else:
        return False
    return True


def question_with_passages(question: str, passages: Sequence[Hit], recalled: Sequence[str] = ()) -> str:
    """Write the user's message: passages in the order of the book, what was said before, the question."""
    parts = [f"From our earlier talk: {' '.join(text.split())}" for text in recalled]
    parts += [
        " ".join(hit.text.split()) for hit in sorted(passages, key=lambda hit: (hit.document, hit.start))
    ]
    return "\n\n".join([*parts, f"Question: {question.strip()}"])


def chat_ids(tokenizer: Any, instruction: str, turns: Sequence[Turn], message: str) -> list[int]:
    """Encode a chat that asks for the assistant's next words as token ids.

    A tokenizer without a chat template gets plain text with the same content. Marks of the chat format that
    stand in a book or a message are broken up, so that no text can end a turn or begin another.
    """
    said = [("system", instruction), *((turn.role, turn.text) for turn in turns), ("user", message)]
    messages = [{"role": role, "content": without_marks(tokenizer, text)} for role, text in said]
    if getattr(tokenizer, "chat_template", None):
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    else:
        text = "\n\n".join(one["content"] for one in messages) + "\nAnswer:"
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def without_marks(tokenizer: Any, text: str) -> str:
    """Break up what the tokenizer takes for a special token, whether it has a name for it or not."""
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    marks = {one.content for one in added if one.special} | set(getattr(tokenizer, "all_special_tokens", ()))
    for mark in sorted(marks):
        text = text.replace(mark, f"{mark[:1]} {mark[1:]}")
    return text
