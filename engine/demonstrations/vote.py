"""The vote of all demonstrations: a least-squares read of a library's states.

    ŷ(t) = k(t, A) (K + λI)⁻¹ (Y − p) + p          k(t, a) = z(t)·z(a),  z: standardised states

which is attention of a text over every demonstration, with values that make it right on those already seen.
Computed in the primal, whose size does not grow with the library. λ and the sharpness s of the probabilities
softmax(s·ŷ) come from leaving one demonstration out at a time, which least squares gives in closed form.
"""

from dataclasses import dataclass

import numpy as np

PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # times the mean square length of a state
SHARPNESS = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
LEAST_EXAMPLES = 8


@dataclass(frozen=True)
class Vote:
    """A fitted vote. mean, scale: (dim,); weights: (dim, labels); prior: (labels,) shares of the labels;
    left_out: (examples, labels) what each demonstration's own label would have been given without it."""

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    prior: np.ndarray
    sharpness: float
    left_out: np.ndarray

    @classmethod
    def fit(cls, states: np.ndarray, labels: np.ndarray, count: int) -> "Vote":
        """Fit to states (n, dim) and labels (n,) in 0 … count − 1. Fewer than 8 tell only their shares."""
        truth = np.eye(count, dtype=np.float32)[labels]
        prior = truth.mean(0) if len(labels) else np.full(count, 1 / count, np.float32)
        if len(labels) < LEAST_EXAMPLES:
            nothing = np.zeros((states.shape[1], count), np.float32)
            left_out = np.tile(prior, (len(labels), 1))
            return cls(np.zeros(states.shape[1]), np.ones(states.shape[1]), nothing, prior, 1.0, left_out)
        mean, scale = states.mean(0), states.std(0) + 1e-3
        z = ((states - mean) / scale).astype(np.float64)
        goal = (truth - prior).astype(np.float64)
        values, vectors = np.linalg.eigh(z.T @ z)
        turned = z @ vectors
        pulled = turned.T @ goal
        best: tuple[float, np.ndarray, np.ndarray] | None = None
        for penalty in PENALTIES:
            inverse = 1 / (np.maximum(values, 0) + penalty * z.shape[1])
            lever = np.einsum("nd,d,nd->n", turned, inverse, turned)
            solved = inverse[:, None] * pulled
            error = (goal - turned @ solved) / np.maximum(1 - lever, 1e-6)[:, None]
            loss = float((error**2).mean())
            if best is None or loss < best[0]:
                best = loss, vectors @ solved, goal - error
        assert best is not None
        left_out = (best[2] + prior).astype(np.float32)
        sharp = min(SHARPNESS, key=lambda s: log_loss(s * left_out, labels))
        return cls(mean, scale, best[1].astype(np.float32), prior, sharp, left_out)

    def scores(self, states: np.ndarray) -> np.ndarray:
        """Return log p (texts, labels) for states (texts, dim)."""
        given = ((states - self.mean) / self.scale) @ self.weights + self.prior
        return log_softmax(self.sharpness * given)

    @property
    def left_out_scores(self) -> np.ndarray:
        """Return the scores, as `scores` gives them, of every fitted demonstration, each without itself."""
        return log_softmax(self.sharpness * self.left_out)

    def directions(self, states: np.ndarray) -> np.ndarray:
        """Standardise states (n, dim) to unit length: their inner products say how alike two are."""
        standard = ((states - self.mean) / self.scale).astype(np.float32)
        return standard / np.maximum(np.linalg.norm(standard, axis=1, keepdims=True), 1e-6)


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """Compute the logarithm of the softmax over the last axis."""
    shifted = scores - scores.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def log_loss(scores: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean −log p of the right labels."""
    return float(-log_softmax(scores)[np.arange(len(labels)), labels].mean())
