"""Calibration: what a label scores after a text, less what it scores after inputs that say nothing."""

import numpy as np
from torch import Tensor

from engine.demonstrations.vote import log_softmax

CONTENT_FREE = ("N/A", "", "[MASK]")


def empty_scores(labels: Tensor) -> np.ndarray:
    """Return log of each label's mean probability (labels,), of scores (inputs, labels) of `CONTENT_FREE`."""
    return labels.double().log_softmax(-1).exp().mean(0).log().numpy()


def calibrated(labels: Tensor, empty: np.ndarray | float) -> np.ndarray:
    """Return log p (texts, labels) of label scores, less `empty_scores`; 0 leaves them as they are."""
    return log_softmax(labels.double().numpy() - empty)
