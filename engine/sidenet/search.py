"""The learned search map: one unit vector per chunk, one query per token, both from frozen hidden states.

    c = unit(W_c (p − μ))             p: mean over the chunk of the hidden states entering the search block
    q_t = unit(W_q (h_t − μ) + b_q)   h_t: the same state of the token that asks
    w_t = softplus(a·(h_t − μ) + b)   how much the token's vote counts

Questions in chat form have another mean than the text of a book, hence the shift b_q.

The bank keeps p, so a better map searches books that were encoded long ago.
"""

import hashlib

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SearchMap(nn.Module):
    """Maps hidden states (…, width) to search vectors (…, dim)."""

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.key = nn.Linear(width, dim, bias=False)
        self.query = nn.Linear(width, dim)
        nn.init.zeros_(self.query.bias)
        self.weight = nn.Linear(width, 1)
        self.register_buffer("mean", torch.zeros(width))

    def keys(self, pooled: Tensor) -> Tensor:
        """Compute unit search keys (…, dim) of pooled chunk states (…, width)."""
        return F.normalize(self.key(pooled - self.mean), dim=-1)

    def queries(self, hidden: Tensor) -> Tensor:
        """Compute unit search queries (…, dim) of token states (…, width)."""
        return F.normalize(self.query(hidden - self.mean), dim=-1)

    def weights(self, hidden: Tensor) -> Tensor:
        """Compute the weight ≥ 0 of each token's vote, (…)."""
        return F.softplus(self.weight(hidden - self.mean)).squeeze(-1)

    def fingerprint(self) -> str:
        """Hash what search keys depend on, to name their copy beside a bank."""
        digest = hashlib.blake2b(digest_size=8)
        for tensor in (self.key.weight, self.mean):
            digest.update(tensor.detach().float().cpu().numpy().tobytes())
        return digest.hexdigest()
