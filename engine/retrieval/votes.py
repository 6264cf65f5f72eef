"""Passages that the tokens of a question vote for, by the learned search map (late interaction).

    score(P) = Σ_t w_t · max_{c ∈ P} q_t · k_c  /  Σ_t w_t

Every token gives its best chunk of every passage, whatever the bank holds besides: nothing is cut off at a
top k, and a passage scores the same in a short document and in a long one. Measured against the probability
mass that a token puts on a passage, the maximum is far better, trained and untrained.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.backbone.backbone import Backbone
from engine.retrieval.memory import SearchableBank
from engine.sidenet.search import SearchMap
from ingest.passages import Passage

MARK = "\x01"  # stands for the question while its template is cut in two
ROWS_AT_ONCE = 32_768


@dataclass(frozen=True)
class Ballot:
    """What one question searches with: queries (tokens, dim), weights (tokens,) ≥ 0."""

    queries: Tensor
    weights: Tensor


def question_ids(tokenizer: Any, question: str) -> tuple[list[int], int]:
    """Return token ids of a question in chat form, and how many of them stand before the question.

    What follows the question (the end of the turn and the opening of the answer) votes too: those tokens have
    read the whole of it. A tokenizer without a chat template gets the bare question.
    """
    before, after = "", ""
    if getattr(tokenizer, "chat_template", None):
        turn = [{"role": "user", "content": MARK}]
        whole = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        before, after = whole.split(MARK)
    lead, rest = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in (before, question))
    tail = tokenizer(after, add_special_tokens=False)["input_ids"] if after else []
    return [*lead, *rest, *tail], len(lead)


def question_states(backbone: Backbone, question: str, block: int) -> Tensor:
    """Return the hidden states (tokens, width) entering `block`, of the question and what follows it."""
    ids, lead = question_ids(backbone.tokenizer, question)
    return backbone.encode(torch.tensor([ids]), hidden=(block,)).hidden[block][0, lead:]


@torch.inference_mode()
def ballot(search: SearchMap, states: Tensor) -> Ballot:
    """Compute queries and weights of the states (tokens, width) of a question."""
    states = states.to(search.mean)
    return Ballot(search.queries(states).float().cpu(), search.weights(states).float().cpu())


def owners(spans: np.ndarray, chunk_starts: np.ndarray, passages: np.ndarray) -> np.ndarray:
    """Find the passage (chunks,) that holds the middle of each chunk, −1 where none does.

    spans: (tokens, 2) characters; chunk_starts: (chunks,) tokens; passages: (passages, 2) characters, rising.
    """
    if len(chunk_starts) == 0 or len(passages) == 0:
        return np.full(len(chunk_starts), -1, dtype=np.int64)
    last = np.append(chunk_starts[1:], len(spans)).astype(np.int64) - 1
    middle = (spans[chunk_starts, 0].astype(np.int64) + spans[last, 1]) // 2
    found = np.searchsorted(passages[:, 0], middle, side="right") - 1
    inside = (found >= 0) & (middle < passages[np.maximum(found, 0), 1])
    return np.where(inside, found, -1)


def passage_scores(
    keys: np.ndarray, owner: np.ndarray, passages: int, asked: Ballot, lowest: float = -1.0
) -> np.ndarray:
    """Score passages for a question: (passages,) float32 in −1 … 1; `lowest` for one without a chunk.

    keys: (chunks, dim) unit search keys, fp16 or fp32, mapped or not. owner: (chunks,) from `owners`.
    """
    best = np.full((passages, len(asked.weights)), lowest, dtype=np.float32)
    queries = asked.queries.T
    for lo in range(0, len(keys), ROWS_AT_ONCE):
        block = owner[lo : lo + ROWS_AT_ONCE]
        # PyTorch widens halves many times as fast as NumPy
        rows = torch.from_numpy(np.asarray(keys[lo : lo + ROWS_AT_ONCE])).float()
        likeness = (rows @ queries).numpy()
        runs = np.flatnonzero(np.diff(block, prepend=block[0] - 1))
        highest = np.maximum.reduceat(likeness, runs, axis=0)
        held = block[runs] >= 0
        np.maximum.at(best, block[runs][held], highest[held])
    weights = asked.weights.numpy()
    total = float(weights.sum())
    return best @ weights / total if total > 0 else best.mean(axis=1)


def bank_scores(asked: Ballot, source: SearchableBank, passages: Sequence[Passage]) -> np.ndarray:
    """Score consecutive passages (passages,) of one bank for a question.

    Only chunks that lie wholly between the first passage's start and the last one's end are read; a passage
    without any scores −inf.
    """
    bank = source.bank
    lo, hi = bank.chunk_range(*bank.token_range(passages[0].start, passages[-1].end))
    if hi <= lo:
        return np.full(len(passages), -np.inf, np.float32)
    first, end = bank.chunk_tokens(lo)[0], bank.chunk_tokens(hi - 1)[1]
    starts = bank.chunk_starts[lo:hi].astype(np.int64) - first
    edges = (edge for one in passages for edge in (one.start, one.end))
    owner = owners(bank.spans[first:end], starts, np.fromiter(edges, np.int64).reshape(-1, 2))
    keys = source.learned_keys()[lo:hi]
    return passage_scores(keys, owner, len(passages), asked, lowest=-np.inf)
