"""Search as the paper does it, untrained: mean attention keys per chunk and head, the backbone's own queries.

A passage scores the sum over heads and question tokens of the best inner product with one of its chunks: the
votes are counted as for the trained search map, so only what is compared differs.
"""

import numpy as np
import torch

from engine.backbone.backbone import Backbone
from engine.backbone.families import per_head
from engine.bank.layout import SEGMENT
from engine.evaluation.haystack import Haystack
from engine.retrieval.votes import Ballot, passage_scores, question_ids
from ingest.segments import segments

CHUNK = 4  # of the paper and of the bank


class RawKeys:
    """Chunk means of a block's pre-position keys over the first `tokens` tokens of a haystack."""

    def __init__(self, hay: Haystack, backbone: Backbone, block: int, tokens: int) -> None:
        means, done = [], 0
        for segment in segments(hay.text, backbone.tokenizer, SEGMENT):
            if done >= tokens:
                break
            keys = backbone.encode(torch.tensor([segment.token_ids]), hidden=(), memory_blocks=(block,))
            means += [part.mean(0) for part in keys.keys[block][0].float().cpu().split(CHUNK)]
            done += len(segment)
        self.keys = torch.stack(means).numpy()  # (chunks, kv_heads, head_dim)
        self.queries = [_queries(backbone, needle.question, block) for needle in hay.needles]
        self.group = backbone.heads // backbone.kv_heads

    @property
    def chunks(self) -> int:
        return len(self.keys)

    def scores(self, number: int, chunks: slice, owner: np.ndarray, passages: int) -> np.ndarray:
        """Return scores (passages,) of question `number` over a range of chunks; −inf where there is none."""
        queries = self.queries[number]
        total = np.zeros(passages, dtype=np.float32)
        for head in range(queries.shape[1]):
            asked = Ballot(queries[:, head], torch.ones(len(queries)))
            keys = self.keys[chunks, head // self.group]
            total += passage_scores(keys, owner, passages, asked, lowest=-np.inf)
        return total


@torch.inference_mode()
def _queries(backbone: Backbone, question: str, block: int) -> torch.Tensor:
    """Return the block's queries (tokens, heads, head_dim) for a question in chat form, before position."""
    ids, lead = question_ids(backbone.tokenizer, question)
    hidden = backbone.encode(torch.tensor([ids]), hidden=(block,)).hidden[block][0, lead:]
    maps = backbone.projections(block)
    normed = backbone.block_part(block, "attention_norm")(hidden)
    return per_head(normed, maps.query, maps.query_norm, backbone.head_dim).float().cpu()
