"""Scores over a bank are the equation, and what lies outside the passages is never read."""

import numpy as np
import pytest
import torch

from engine.backbone.backbone import Backbone
from engine.bank.bank import MemoryBank
from engine.filling import bank_layout, encode_text
from engine.retrieval.memory import SearchableBank
from engine.retrieval.votes import ballot, bank_scores, question_states
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet
from ingest.passages import Passage
from tests.engine.families import tiny_model

TEXT = "".join(f"Sentence {n} tells of item {n * 7 % 23}. " for n in range(90))


@pytest.fixture(scope="module")
def setting(tiny_tokenizer, tmp_path_factory):
    backbone = Backbone(tiny_model("llama"), tiny_tokenizer, "llama")
    config = SideNetConfig.for_backbone(backbone, memory_layers=(1,), search="pooled", search_block=2)
    torch.manual_seed(5)
    sidenet = SideNet(config, backbone).eval()
    folder = tmp_path_factory.mktemp("bank")
    encode_text(TEXT, folder, backbone, bank_layout(config))
    return backbone, sidenet.search, SearchableBank(MemoryBank.open(folder), sidenet)


def test_scores_are_the_equation(setting):
    backbone, search, source = setting
    states = question_states(backbone, "Which sentence tells of item 7?", 2)
    cuts = [100, 221, 222, 640, 1500]
    passages = [Passage(n, a, b) for n, (a, b) in enumerate(zip(cuts, cuts[1:], strict=False))]
    scores = bank_scores(ballot(search, states), source, passages)
    keys = torch.from_numpy(np.array(source.learned_keys(), np.float32))
    begins = source.bank.spans[:, 0][source.bank.chunk_starts].astype(int)
    middles, within = begins + 2, (begins >= 100) & (begins + 4 <= 1500)  # four bytes a chunk
    with torch.no_grad():
        products, weights = search.queries(states) @ keys.T, search.weights(states)
    for passage, score in zip(passages, scores, strict=True):
        inside = torch.from_numpy(within & (middles >= passage.start) & (middles < passage.end))
        if not inside.any():
            assert score == -np.inf
            continue
        expected = (weights * products[:, inside].max(dim=1).values).sum() / weights.sum()
        assert float(score) == pytest.approx(float(expected), rel=1e-4)
    assert np.isinf(scores).sum() == 1  # the passage of one character holds no chunk's middle


def test_the_system_part_of_the_chat_does_not_vote(setting):
    backbone, _, _ = setting
    question = "Which sentence tells of item 7?"
    states = question_states(backbone, question, 2)
    after = ["<|im_end|>", "\n", "<|im_start|>", *"assistant", "\n"]  # one token each here
    assert len(states) == len(question) + len(after)


def test_rows_outside_the_passages_are_not_read(setting, monkeypatch):
    backbone, search, source = setting
    states = question_states(backbone, "item", 2)
    passages = [Passage(0, 401, 800), Passage(1, 800, 1203)]  # chunks straddle both ends
    before = bank_scores(ballot(search, states), source, passages)
    keys = np.array(source.learned_keys())
    begins = source.bank.spans[:, 0][source.bank.chunk_starts].astype(int)
    keys[(begins < 401) | (begins + 4 > 1203)] = np.nan
    monkeypatch.setattr(source, "learned_keys", lambda: keys)
    assert np.array_equal(before, bank_scores(ballot(search, states), source, passages))
