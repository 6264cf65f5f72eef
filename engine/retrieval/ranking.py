"""Ranking passages by the memory's own search keys: late interaction between question tokens and chunks.

    score(P) = Σ_t w_t · max_{c ∈ P} q_t · c

over the tokens t of the question (in the chat template, with the template's tokens after it) and the chunks c
that begin inside passage P. Everything but the map is frozen.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.backbone.backbone import Backbone
from engine.retrieval.memory import SearchableBank
from engine.sidenet.search import SearchMap
from ingest.passages import Passage

BLOCK_CHUNKS = 32_768


def question_states(backbone: Backbone, question: str, block: int) -> Tensor:
    """States (time, width) entering `block` of the question's tokens and of the template's after them."""
    tokenizer, begin = backbone.tokenizer, 0
    text = question
    if getattr(tokenizer, "chat_template", None):
        chat = [{"role": "user", "content": question}]
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        begin = max(0, text.rfind(question.strip()))
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids = torch.tensor([encoded["input_ids"]])
    first = next((n for n, (start, _) in enumerate(encoded["offset_mapping"]) if start >= begin), 0)
    return backbone.encode(ids, hidden=(block,)).hidden[block][0, first:]


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
    queries, weights = search.queries(states), search.weights(states)
    keys = source.learned_keys()
    products = np.empty((len(states), hi - lo), np.float32)
    for at in range(lo, hi, BLOCK_CHUNKS):
        block = torch.from_numpy(np.array(keys[at : min(hi, at + BLOCK_CHUNKS)], np.float32)).to(queries)
        products[:, at - lo : at - lo + len(block)] = (queries @ block.T).float().cpu().numpy()
    scores = np.full(len(passages), -np.inf, np.float32)
    held = np.flatnonzero(bounds[:, 1] > bounds[:, 0])
    if len(held):
        best = np.maximum.reduceat(products, bounds[held, 0] - lo, axis=1)
        scores[held] = weights.float().cpu().numpy() @ best
    return scores
