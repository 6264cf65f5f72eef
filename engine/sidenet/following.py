"""Memory attention whose values are the tokens that came next: the book read as its own continuation.

    a = softmax([q K̃ᵀ/√d, q·k_null/√d + b_null])              retrieved tokens s and the null slot, per head
    M = Σ_h g_h Σ_s a_hs u(y_s)                                y_s: the token that followed s in the book
    D += ρ (M W_oᵀ + Σ_h a_h0 v_h)                             ρ: the usual size of H_n, a constant

The keys are attention keys of an early block, whose context is the last few words; the query asks where the
book stood as it stands now; u(y) is the head's row for y against the mean row, the direction that raises its
logit. Reading values V_s instead gives the token at s through a narrow map that names it right one time in
four (`engine/FINDINGS.md`). With every g_h and v_h at zero the layer is the backbone's.
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
        nn.init.eye_(self.output.weight)
        self.register_buffer("size", torch.ones(()))
        # In a tuple, neither parameter nor buffer: the table is the backbone's, and no checkpoint holds it.
        # In fp32 beside a bf16 backbone too: CUDA's embedding_bag has no bf16 gradient for its weights.
        directions, scale = directions.float(), scale.detach().float()
        mean = directions.mean(0)
        typical = ((directions[::16] - mean) * scale).norm(dim=1).mean()
        self._table = (directions, mean, scale / typical)

    @property
    def is_open(self) -> bool:
        """Tell whether the branch gives anything but zero."""
        return bool(self.gate.any()) or bool(self.null_value.any())

    def openness(self) -> Tensor:
        """Return how much each head's reading counts (heads,): its factor."""
        return self.gate

    def forward(self, query: Tensor, memory: Retrieved) -> tuple[Tensor, Tensor]:
        """Return what to add (batch, time, width), and the mass (batch, time, heads, slots + 1).

        query: (batch, time, heads, head_dim) without position.
        """
        mass = self.mass(query, memory)
        voted = self._vote(mass[..., :-1] * self.gate[:, None], memory.following)
        null = torch.einsum("bth,hw->btw", mass[..., -1], self.null_value)
        return self.size * (self.output(voted) + null), mass

    def _vote(self, weights: Tensor, following: Tensor) -> Tensor:
        """Sum Σ_h Σ_s w_hs u(y_s): weights (batch, time, heads, slots) -> (batch, time, width)."""
        directions, mean, scale = self._table
        given, weights = weights.dtype, weights.to(directions)
        if following.shape[1:3] == (1, 1):  # one bank for every token and head
            votes = weights.sum(2) @ F.embedding(following[:, 0, 0], directions)
        elif not weights.shape[-1]:
            votes = weights.new_zeros(*weights.shape[:2], len(mean))
        else:
            tokens = following.expand(weights.shape).flatten(0, 1).flatten(1)
            flat = weights.flatten(0, 1).flatten(1)
            votes = F.embedding_bag(tokens, directions, per_sample_weights=flat, mode="sum")
            votes = votes.view(*weights.shape[:2], -1)
        return ((votes - weights.sum((2, 3))[..., None] * mean) * scale).to(given)
