"""Memory attention whose values are the tokens that came next: the book read as its own continuation.

    a = softmax([q K̃ᵀ/√d, q·k_null/√d + b_null])              retrieved tokens s and the null slot, per head
    M = Σ_h g_h Σ_s a_hs (u(y_s) − ū) + Σ_h a_h0 v_h           y_s: the token that followed s in the book
    D += M W_oᵀ

The keys are attention keys of an early block, whose context is the last few words; the query says where the
book stood as it stands now; u(y) is the head's row for y, the direction that raises its logit. Reading values
V_s instead gives the token at s through a narrow map that names it right one time in four (CHANGELOG,
Findings). With every g_h and v_h at zero the layer is the backbone's.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.sidenet.attention import Retrieved, SlotAttention


class FollowingMemory(SlotAttention):
    """directions: the frozen head's weight (vocabulary, width); scale: its final norm's weight (width,)."""

    def __init__(
        self, heads: int, kv_heads: int, head_dim: int, null_slot: bool, directions: Tensor, scale: Tensor
    ) -> None:
        super().__init__(heads, kv_heads, head_dim, null_slot)
        width = directions.shape[1]
        self.gate = nn.Parameter(torch.zeros(heads))
        self.null_value = nn.Parameter(torch.zeros(heads, width))
        self.output = nn.Linear(width, width, bias=False)
        # Not parameters: the table stays the backbone's, and no checkpoint holds it.
        self._directions, self._mean = (directions,), (directions.mean(0),)
        typical = ((directions[::16] - self._mean[0]) * scale).norm(dim=1).mean()
        with torch.no_grad():
            self.output.weight.copy_(torch.diag(scale / typical))

    @property
    def is_open(self) -> bool:
        """Whether the branch gives anything but zero."""
        return bool(self.gate.any()) or bool(self.null_value.any())

    def openness(self) -> Tensor:
        """How much each head's reading counts (heads,): its factor."""
        return self.gate

    def forward(self, query: Tensor, memory: Retrieved) -> tuple[Tensor, Tensor]:
        """What to add to the residual (batch, time, width), and the mass (batch, time, heads, slots + 1).

        query: (batch, time, heads, head_dim) without position.
        """
        mass = self.mass(query, memory)
        voted = self._vote(mass[..., :-1] * self.gate[:, None], memory.following)
        null = torch.einsum("bth,hw->btw", mass[..., -1], self.null_value)
        return self.output(voted) + null, mass

    def _vote(self, weights: Tensor, following: Tensor) -> Tensor:
        """Σ_h Σ_s w_hs (u(y_s) − ū): weights (batch, time, heads, slots) -> (batch, time, width)."""
        table, mean = self._directions[0], self._mean[0]
        total = weights.sum((2, 3))[..., None]
        if following.shape[1] == 1:  # one bank for every token
            rows = F.embedding(following[:, 0, 0], table)  # (batch, slots, width)
            return weights.sum(2) @ rows - total * mean
        tokens = following.expand(weights.shape).flatten(0, 1).flatten(1)
        flat = weights.flatten(0, 1).flatten(1)
        if not tokens.shape[1]:
            return weights.new_zeros(*weights.shape[:2], len(mean))
        votes = F.embedding_bag(tokens, table, per_sample_weights=flat, mode="sum")
        return votes.view(*weights.shape[:2], -1) - total * mean
