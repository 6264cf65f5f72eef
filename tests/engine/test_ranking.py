"""Passage scores are the late interaction of the equation, over the chunks that begin inside each passage."""

import numpy as np
import pytest
import torch

from engine.backbone.backbone import Backbone
from engine.bank.bank import MemoryBank
from engine.encoding import bank_layout, encode_text
from engine.retrieval.memory import SearchableBank
from engine.retrieval.ranking import passage_scores
from engine.retrieval.votes import question_states
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
    scores = passage_scores(search, states, source, passages)
    keys = torch.from_numpy(np.array(source.learned_keys(), np.float32))
    begins = source.bank.spans[:, 0][source.bank.chunk_starts]
    with torch.no_grad():
        products, weights = search.queries(states) @ keys.T, search.weights(states)
    for passage, score in zip(passages, scores, strict=True):
        inside = torch.from_numpy((begins >= passage.start) & (begins < passage.end))
        if not inside.any():
            assert score == -np.inf
            continue
        expected = (weights * products[:, inside].max(dim=1).values).sum()
        assert float(score) == pytest.approx(float(expected), rel=1e-4)
    assert np.isinf(scores).sum() == 1  # the passage of one character holds no chunk's beginning


def test_the_system_part_of_the_chat_does_not_vote(setting):
    backbone, _, _ = setting
    question = "Which sentence tells of item 7?"
    states = question_states(backbone, question, 2)
    after = len("<|im_end|>") and 1 + 1 + 1 + len("assistant") + 1  # marks are one token each here
    assert len(states) == len(question) + after


def test_rows_outside_the_passages_are_not_read(setting):
    backbone, search, source = setting
    states = question_states(backbone, "item", 2)
    passages = [Passage(0, 400, 800), Passage(1, 800, 1200)]
    before = passage_scores(search, states, source, passages)
    keys = np.array(source.learned_keys())
    begins = source.bank.spans[:, 0][source.bank.chunk_starts]
    keys[(begins < 400) | (begins >= 1200)] = np.nan
    source.learned_keys = lambda: keys
    assert np.array_equal(before, passage_scores(search, states, source, passages))
