"""Known models: some that fit a reader's machine, and what each takes; any of their families will do."""

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.backbone.placement import BYTES, SPARE_BYTES
from engine.sums import folder_bytes

TOKENS_OF_100_WORDS = 130
PROBE = 4096  # rows and columns of the matrix that is read to learn how quickly this machine reads weights


@dataclass(frozen=True)
class KnownModel:
    """A model of the hub; weights: how many, size: bytes of its files."""

    name: str
    weights: int
    size: int

    def memory(self, precision: str) -> int:
        """Return the bytes of memory that it needs in a precision."""
        return int(self.weights * BYTES[precision] + SPARE_BYTES)

    def least_seconds(self, precision: str, rate: float) -> float:
        """Return the seconds that 100 words take at least where all weights are read once a token.

        rate: bytes a second, as `reading_rate` measures.
        """
        return TOKENS_OF_100_WORDS * self.weights * BYTES[precision] / rate


# the numbers of weights and the sizes are those of the files of the hub
KNOWN = (
    KnownModel("HuggingFaceTB/SmolLM2-360M-Instruct", 361_821_120, 723_674_912),
    KnownModel("Qwen/Qwen2.5-0.5B-Instruct", 494_032_768, 988_097_824),
    KnownModel("Qwen/Qwen2.5-1.5B-Instruct", 1_543_714_304, 3_087_467_144),
    KnownModel("HuggingFaceTB/SmolLM2-1.7B-Instruct", 1_711_376_384, 3_422_777_952),
)


def fetched_bytes(name: str) -> int:
    """Return how many bytes of a model of the hub lie on this machine, whole files and begun ones."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return folder_bytes(Path(HF_HUB_CACHE) / f"models--{name.replace('/', '--')}" / "blobs")


def size_of(name: str) -> int | None:
    """Return the bytes of a known model's files; None for another one."""
    return next((one.size for one in KNOWN if one.name == name), None)


def reading_rate(device: torch.device) -> float:
    """Measure how many bytes of weights a second a device reads for one row; takes hundredths of a second."""
    weights, row = torch.ones(PROBE, PROBE, device=device), torch.ones(PROBE, device=device)
    torch.mv(weights, row)[0].item()
    began = time.perf_counter()
    for _ in range(3):
        torch.mv(weights, row)[0].item()
    return 3 * weights.nbytes / (time.perf_counter() - began)
