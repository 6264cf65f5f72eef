"""The closed-form start: attention falls where the book went on, and what it reads votes for that token."""

import pytest
import torch

from engine.backbone.backbone import Backbone
from engine.evaluation.chat import check_chat
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet
from engine.training.activations import Wanted, freeze
from engine.training.ring import Ring
from engine.training.start import GATE_OPEN, copying_start, vote_directions
from ingest.errors import BadInput
from tests.engine.families import tiny_model


def made(backbone: Backbone) -> SideNet:
    torch.manual_seed(0)
    return SideNet(SideNetConfig.for_backbone(backbone, memory_layers=(1,)), backbone)


def songs(backbone: Backbone, sidenet: SideNet, count: int, seed: int = 0) -> list:
    """Segments over a fixed order of letters with random letters between: the next letter can be copied."""
    torch.manual_seed(seed)
    wanted = Wanted.of(sidenet.config, (*sidenet.config.boundaries,))
    order = torch.arange(20, 60)
    return [
        freeze(backbone, torch.cat([order.roll(int(torch.randint(40, ()))) for _ in range(3)]), wanted)
        for _ in range(count)
    ]


def mass_on_next(sidenet: SideNet, frozen, bank) -> float:
    """Share of what is not null that falls on bank tokens equal to the true next token."""
    ring = Ring(sidenet.config, 1, 240)
    ring.append(0, bank.ids, bank.keys, bank.values)
    with torch.no_grad():
        sidenet.train()
        output = sidenet({j: state[None] for j, state in frozen.hidden.items()}, ring.reader(0))
    mass = output.traces[0].mass[0, :-1]
    right = frozen.ids[1:, None] == bank.ids[None]
    found = (mass[..., :-1] * right[:, None]).sum(-1) / mass[..., :-1].sum(-1)
    return found.mean().item()


def test_attention_falls_on_what_follows(backbone):
    sidenet = made(backbone)
    segments = songs(backbone, sidenet, 6)
    held_out = songs(backbone, sidenet, 2, seed=1)
    before = mass_on_next(sidenet, *held_out)
    copying_start(sidenet, backbone, segments, bank_tokens=120, beta=4.0)
    assert before < 1.2 / 40  # chance is 1 in 40
    assert mass_on_next(sidenet, *held_out) > 3 / 40


def test_reading_raises_the_right_logit(backbone):
    sidenet = made(backbone)
    segments = songs(backbone, sidenet, 6)
    copying_start(sidenet, backbone, segments)
    layer, frozen = sidenet.layers[1], songs(backbone, sidenet, 1, seed=2)[0]
    block = sidenet.config.memory_blocks[0]
    values = frozen.values[block].repeat_interleave(layer.heads // layer.kv_heads, dim=1).flatten(1)
    votes = layer.output(values) @ vote_directions(backbone).T
    # The regression answers against the mean token of the corpus, so ranks are what can be compared.
    rank = (votes[:, 20:60] >= votes.gather(1, frozen.ids[:, None])).sum(1).float()
    assert rank.mean() < 12  # of 40, chance 20: a head of the tiny model holds 8 numbers


def test_branch_reads_memory_alone(backbone):
    sidenet = made(backbone)
    copying_start(sidenet, backbone, songs(backbone, sidenet, 3))
    memory = sidenet.layers[1].memory
    assert torch.all(memory.gate == GATE_OPEN)
    assert torch.equal(
        memory.combine(torch.ones(1, 2, 6, 8), torch.zeros(1, 2, 6, 8)), torch.zeros(1, 2, 6, 8)
    )
    hidden = songs(backbone, sidenet, 1)[0].hidden
    sidenet.eval()
    with torch.no_grad():
        off = sidenet({j: state[None] for j, state in hidden.items()}).normed
    torch.testing.assert_close(off[0], backbone.final_norm(hidden[backbone.blocks]), atol=1e-4, rtol=0)


def test_chat_check_is_zero_for_an_untrained_sidenet_and_not_for_another(backbone):
    sidenet = made(backbone).eval()
    same = check_chat(sidenet, backbone, count=3, answer=2)
    assert same.prompts == 3
    assert same.highest < 1e-5
    with torch.no_grad():
        sidenet.layers[2].mlp_scale.fill_(1.0)
    sidenet.eval()
    assert check_chat(sidenet, backbone, count=3, answer=2).mean > 1e-3


def test_a_bias_does_not_join_the_query(tiny_tokenizer):
    biased = Backbone(tiny_model("qwen2"), tiny_tokenizer, "tiny")
    sidenet = made(biased)
    assert sidenet.layers[1].query.bias.any()
    copying_start(sidenet, biased, songs(biased, sidenet, 2), bank_tokens=120)
    assert not sidenet.layers[1].query.bias.any() and sidenet.layers[0].query.bias.any()


def test_queries_that_are_normed_have_no_sharpness_to_set(tiny_tokenizer):
    normed = Backbone(tiny_model("qwen3"), tiny_tokenizer, "tiny")
    with pytest.raises(BadInput, match="leave --copy-start out"):
        copying_start(made(normed), normed, [])
