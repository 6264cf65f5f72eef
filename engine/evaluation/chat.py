"""How far a SideNet stands from its backbone on chat prompts, alone and beside a book: KL in nats.

The prompts are made from templates over subjects that training's pull towards the backbone never used; each
is followed by the first tokens of the backbone's own greedy answer, where a change would be heard.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from engine.arguments import positive
from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.bank.layout import SEGMENT
from engine.evaluation.textbank import TextBank
from engine.paths import Paths
from engine.sidenet.checkpoint import sidenet_for
from engine.sidenet.sidenet import SideNet
from engine.training.activations import TextBooks, Wanted, freeze
from engine.training.chats import answered_chat, prompts
from engine.training.trainer import chat_distributions
from ingest.errors import BadInput

SEED = 7  # which training does not draw by


@dataclass(frozen=True)
class ChatCheck:
    """mean, highest: KL(backbone ‖ SideNet) in nats over all tokens. same: share with one likeliest token.

    memory_tokens: size of the book that was in memory, 0 for none.
    """

    prompts: int
    tokens: int
    memory_tokens: int
    mean: float
    highest: float
    same: float


@torch.inference_mode()
def check_chat(
    sidenet: SideNet,
    backbone: Backbone,
    count: int = 200,
    answer: int = 16,
    bank: TextBank | None = None,
) -> ChatCheck:
    """Compare next-token distributions on `count` prompts with `answer` tokens of the backbone's answer."""
    wanted = Wanted(sidenet.states, ())
    memory = bank.reader(bank.tokens, 0, sidenet.search) if bank is not None else None
    divergences, same = [], []
    for prompt in prompts(count, SEED, half=1):
        chat = freeze(backbone, answered_chat(backbone, prompt, answer), wanted)
        ours, theirs = chat_distributions(sidenet, backbone, chat, memory)
        divergences.append(F.kl_div(ours, theirs, log_target=True, reduction="none").sum(-1))
        same.append((ours.argmax(-1) == theirs.argmax(-1)).float())
    whole = torch.cat(divergences)
    return ChatCheck(
        len(divergences), len(whole), bank.tokens if bank is not None else 0,
        whole.mean().item(), whole.max().item(), torch.cat(same).mean().item(),
    )  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--sidenet", type=Path, metavar="DIR", help="checkpoint (default: the one in assets)")
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument("--prompts", type=positive, default=200, metavar="N")
    parser.add_argument("--book", type=Path, metavar="FILE", help="also with the start of this in memory")
    parser.add_argument("--book-tokens", type=positive, default=16384, metavar="N")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print as JSON; the exit code is 0."""
    backbone = load_backbone(Paths.default(), arguments.model)
    sidenet = sidenet_for(backbone, arguments.sidenet)
    checks = {"alone": asdict(check_chat(sidenet, backbone, arguments.prompts))}
    if arguments.book is not None:
        text = arguments.parse_file(arguments.book).text
        bank = _bank(sidenet, backbone, text, arguments.book_tokens)
        checks["beside a book"] = asdict(check_chat(sidenet, backbone, arguments.prompts, bank=bank))
    print(json.dumps(checks, indent=2))
    return 0


def _bank(sidenet: SideNet, backbone: Backbone, text: str, tokens: int) -> TextBank:
    """Fill a bank with the first `tokens` tokens of a text, in whole segments."""
    wanted = Wanted.of(sidenet.config, ())
    source = TextBooks(backbone, {"book": lambda: text}, wanted, limit=max(1, tokens // SEGMENT))
    if not source.length(0):
        raise BadInput(f"the book is shorter than {SEGMENT} tokens; name a longer one")
    return TextBank.of(sidenet.config, [source.segment(0, number) for number in range(source.length(0))])
