"""The words around a question: chat template, re-read passages, the recent part of the talk."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.shelf.fulltext import Hit

NOT_TOLD = "The document does not seem to tell."
INSTRUCTION = (
    "You are a reading assistant. Answer the question about the text from the passages given, "
    "in one or two short sentences. Do not add anything that the passages do not say."
)
TALKING = "You are a friendly reading assistant. Answer in one or two short sentences."


@dataclass(frozen=True)
class Turn:
    """One message of a talk."""

    role: str
    text: str


def question_with_passages(question: str, passages: Sequence[Hit], recalled: Sequence[str] = ()) -> str:
    """The user's message: passages in the order of the book, what was said earlier, then the question."""
    parts = [f"From our earlier talk: {' '.join(text.split())}" for text in recalled]
    parts += [
        " ".join(hit.text.split()) for hit in sorted(passages, key=lambda hit: (hit.document, hit.start))
    ]
    return "\n\n".join([*parts, f"Question: {question.strip()}"])


def chat_ids(tokenizer: object, instruction: str, turns: Sequence[Turn], message: str) -> list[int]:
    """Token ids of a chat that asks for the assistant's next words.

    A tokenizer without a chat template gets plain text with the same content.
    """
    messages = [{"role": "system", "content": instruction}]
    messages += [{"role": turn.role, "content": turn.text} for turn in turns]
    messages.append({"role": "user", "content": message})
    if getattr(tokenizer, "chat_template", None):
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    else:
        text = "\n\n".join(one["content"] for one in messages) + "\nAnswer:"
    return tokenizer(text, add_special_tokens=False)["input_ids"]


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
