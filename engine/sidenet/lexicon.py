"""The book's own words: what stands oftener in what may be read than in books at large is said more readily.

    b_y = λ · log[(c_y + α p_y) / ((n + α) p_y)]              added to the logit of token y, at every position

c_y: how often y stands among the n tokens that may be read; p_y: its share of books at large. Memory
attention finds where the book stood as it stands now; names and turns that a book is full of need no such
place. Nothing to read, or λ = 0, adds nothing.
"""

import torch
from torch import Tensor, nn

TRUST = 8000.0


class Lexicon(nn.Module):
    """share: λ. trust: α, the tokens of books at large that a book's own are mixed with. usual: (vocabulary,)
    log p of every token in books at large."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.zeros(()))
        self.register_buffer("trust", torch.tensor(TRUST))
        self.register_buffer("usual", torch.zeros(vocabulary))

    def forward(self, counts: Tensor) -> Tensor:
        """Return what to add to the logits; counts, result (rows, vocabulary)."""
        usual = self.usual.float()
        own = (counts + self.trust * usual.exp()).log() - (counts.sum(-1, keepdim=True) + self.trust).log()
        return self.share * (own - usual)


def counted(tokens: Tensor, vocabulary: int) -> Tensor:
    """Count how often each token stands in `tokens` (any shape; below 0: none); (vocabulary,) float32."""
    return torch.bincount(tokens[tokens >= 0], minlength=vocabulary).float()
