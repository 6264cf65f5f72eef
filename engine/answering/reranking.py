"""Weighing the answers found by a language model that reads the passages they stand in side by side.

score(answer) = score(both)^(1−τ) · P(answer | read)^τ
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.answering.found import Found
from engine.answering.prompt import chat_ids
from engine.answering.windows import Window
from engine.sidenet.crossreader import joint
from engine.sidenet.reranker import Reranker

WEIGHED = 8  # answers
INSTRUCTION = (
    "You answer questions about a book. Use only the passages. Answer with as few words as possible, copied "
    "from the passages. If the passages do not tell, answer: not told."
)


def likelihoods(
    reranker: Reranker,
    question: str,
    answers: Sequence[Found],
    windows: Sequence[Window],
    texts: Mapping[str, str],
) -> tuple[float, ...]:
    """Return P(answer | read) of the first `WEIGHED` answers.

    windows: those found, of which the reranker reads the ones that the answers stand in.
    """
    best, tokenizer = answers[:WEIGHED], reranker.backbone.tokenizer
    if not best:
        return ()
    side_by_side = together(best, windows, reranker.config.passages)
    prompt = prompt_ids(tokenizer, question, [passage(one, texts) for one in side_by_side])
    found = reranker.log_likelihoods(prompt, [answer_ids(tokenizer, one.text) for one in best])
    return tuple(math.exp(one) for one in found)


def reranked(answers: Sequence[Found], chances: Sequence[float], share: float) -> tuple[Found, ...]:
    """Return the answers that have chances with their joint scores, best first. share: τ."""
    weighed = [
        replace(one, score=joint(one.score, chance, share))
        for one, chance in zip(answers, chances, strict=False)
    ]
    return tuple(sorted(weighed, key=lambda one: -one.score))


def together(answers: Sequence[Found], windows: Sequence[Window], most: int) -> list[Window]:
    """Return the windows that hold the answers' best places, then those found first, in the book's order."""
    by_rank = sorted(windows, key=lambda one: one.rank)
    held = [one for found in answers for one in by_rank if holds(one, found)]
    chosen = {id(one): one for one in (*held, *by_rank)}
    return sorted(list(chosen.values())[:most], key=lambda one: (one.document, int(one.spans[0][0])))


def holds(window: Window, found: Found) -> bool:
    """Tell whether the best place of an answer lies in a window."""
    place = found.spans[0]
    return (
        place.document == window.document
        and window.spans[0][0] <= place.start
        and place.end <= window.spans[-1][1]
    )


def passage(window: Window, texts: Mapping[str, str]) -> str:
    """Return the text of a window."""
    return texts[window.document][int(window.spans[0][0]) : int(window.spans[-1][1])]


def prompt_ids(tokenizer: Any, question: str, passages: Sequence[str]) -> list[int]:
    """Return the tokens that come before an answer."""
    numbered = "\n\n".join(f"[{number}] {text}" for number, text in enumerate(passages, 1))
    message = f"Passages:\n{numbered}\n\nQuestion: {question}\nAnswer in a few words:"
    return chat_ids(tokenizer, INSTRUCTION, (), message)


def answer_ids(tokenizer: Any, answer: str) -> list[int]:
    """Return the tokens of an answer and of its end."""
    return [*tokenizer(answer, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
