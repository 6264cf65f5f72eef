"""Ranking passages by the memory's own search keys: late interaction between question tokens and chunks.

    score(P) = Σ_t w_t · max_{c ∈ P} q_t · c

over the tokens t of the question (in the chat template, with the template's tokens after it) and the chunks c
that begin inside passage P. Everything but the map is frozen.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.retrieval.memory import SearchableBank
from engine.retrieval.votes import ballot
from engine.sidenet.search import SearchMap
from ingest.passages import Passage

BLOCK_CHUNKS = 32_768


@torch.inference_mode()
def passage_scores(
    search: SearchMap, states: Tensor, source: SearchableBank, passages: Sequence[Passage]
) -> np.ndarray:
    """Scores (passages,) of consecutive passages of one bank for a question's states (time, width).

    Only chunks that begin inside these passages are read; a passage without any scores −inf.
    """
    starts = source.bank.spans[:, 0][np.asarray(source.bank.chunk_starts)]
    bounds = np.searchsorted(starts, [[one.start, one.end] for one in passages])
    lo, hi = int(bounds[0, 0]), int(bounds[-1, 1])
    asked = ballot(search, states)
    keys = source.learned_keys()
    products = np.empty((len(states), hi - lo), np.float32)
    for at in range(lo, hi, BLOCK_CHUNKS):
        block = torch.from_numpy(np.array(keys[at : min(hi, at + BLOCK_CHUNKS)], np.float32))
        products[:, at - lo : at - lo + len(block)] = (asked.queries @ block.T).numpy()
    scores = np.full(len(passages), -np.inf, np.float32)
    held = np.flatnonzero(bounds[:, 1] > bounds[:, 0])
    if len(held):
        best = np.maximum.reduceat(products, bounds[held, 0] - lo, axis=1)
        scores[held] = asked.weights.numpy() @ best
    return scores
