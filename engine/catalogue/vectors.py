"""Vectors of passages: the mean of the search keys of a passage's chunks, and what a question asks with.

Exact ranking lets every token of a question choose its best chunk of a passage. One vector a passage cannot
say that, but is near to all chunks of its passage; it only proposes books, which are then ranked exactly.
"""

from collections.abc import Sequence

import numpy as np

from engine.retrieval.memory import SearchableBank
from engine.retrieval.votes import Ballot, owners
from ingest.passages import Passage

ASKING = 8  # tokens of a question that ask by themselves, besides all of them together


def passage_vectors(source: SearchableBank, passages: Sequence[Passage]) -> np.ndarray:
    """Return vectors (passages, dim) float16; zeros for a passage without a chunk of its own."""
    bank, keys = source.bank, source.learned_keys()
    borders = np.array([(one.start, one.end) for one in passages], np.int64).reshape(-1, 2)
    owner = owners(bank.spans[:], bank.chunk_starts[:], borders)
    held = owner >= 0
    sums = np.zeros((len(passages), keys.shape[1]), np.float32)
    np.add.at(sums, owner[held], keys[held].astype(np.float32))
    counts = np.bincount(owner[held], minlength=len(passages))
    return (sums / np.maximum(counts, 1)[:, None]).astype(np.float16)


def asking_vectors(asked: Ballot) -> np.ndarray:
    """Return what a question searches with: all its tokens together, then its weightiest (n, dim) float32."""
    queries, weights = asked.queries.numpy(), asked.weights.numpy()
    heaviest = np.argsort(-weights, kind="stable")[:ASKING]
    together = weights @ queries
    return np.vstack((together, queries[heaviest] * weights[heaviest, None])).astype(np.float32)
