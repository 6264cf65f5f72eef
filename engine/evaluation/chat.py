"""How far a SideNet without a document stands from its backbone on chat prompts: mean KL, in nats.

The prompts are made from templates over subjects that training's pull towards the backbone never used; each
is followed by the first tokens of the backbone's own greedy answer, where a change would be heard.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.paths import Paths
from engine.sidenet.checkpoint import sidenet_for
from engine.sidenet.sidenet import SideNet
from engine.training.activations import Frozen, Wanted, freeze
from engine.training.chats import chat_ids, prompts
from engine.training.trainer import chat_divergence


@dataclass(frozen=True)
class ChatCheck:
    """mean, highest: KL(backbone ‖ SideNet) in nats over all tokens."""

    prompts: int
    tokens: int
    mean: float
    highest: float


@torch.inference_mode()
def check_chat(
    sidenet: SideNet, backbone: Backbone, count: int = 200, answer: int = 16, seed: int = 7
) -> ChatCheck:
    """Compare next-token distributions on `count` prompts with `answer` tokens of the backbone's answer."""
    wanted = Wanted(sidenet.states, ())
    parts = []
    for prompt in prompts(count, seed, half=1):
        parts.append(chat_divergence(sidenet, backbone, _chat(backbone, prompt, answer, wanted)))
    whole = torch.cat(parts)
    return ChatCheck(len(parts), len(whole), whole.mean().item(), whole.max().item())


def _chat(backbone: Backbone, prompt: str, answer: int, wanted: Wanted) -> Frozen:
    ids = torch.tensor([chat_ids(backbone.tokenizer, prompt)], device=backbone.device)
    if answer:
        ids = backbone.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=answer,
            do_sample=False,
            pad_token_id=backbone.tokenizer.eos_token_id,
        )
    return freeze(backbone, ids[0], wanted)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sidenet", type=Path, metavar="DIR", help="checkpoint (default: the one in assets)")
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument("--prompts", type=int, default=200, metavar="N")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print as JSON; the exit code is 0."""
    backbone = load_backbone(Paths.default(), arguments.model)
    check = check_chat(sidenet_for(backbone, arguments.sidenet), backbone, arguments.prompts)
    print(json.dumps(asdict(check)))
    return 0
