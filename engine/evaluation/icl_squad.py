"""SQuAD by example: 3 solved questions in the window, 200 in memory, exact match of the greedy answer.

Demonstrations come from other articles than the question. Rows: the backbone with the same window, the
SideNet without and with memory.
"""

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from engine.backbone.backbone import Backbone
from engine.bank.bank import MemoryBank
from engine.demonstrations.examplebank import encode_examples, voting_blocks, written
from engine.demonstrations.memory import DemonstrationMemory, DemonstrationReader
from engine.demonstrations.store import Example
from engine.demonstrations.task import Task
from engine.evaluation.kept import bank_folder
from engine.evaluation.squadscore import exact
from engine.filling import bank_layout
from engine.reader import Reader
from engine.sampling import Sampling
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet
from ingest.errors import BadInput

SHOTS, IN_MEMORY = 3, 200
ANSWER_TOKENS = 16
TEMPLATE = "{} Answer: {}"


@dataclass(frozen=True)
class Solved:
    """One question with its paragraph and answers, of one article."""

    article: str
    prompt: str
    answers: tuple[str, ...]


def read_solved(questions: Path) -> list[Solved]:
    """Read questions that name their paragraph, with the paragraphs of the documents file beside them.

    Raises BadInput where either is missing.
    """
    documents = questions.with_name(questions.name.replace("questions", "documents"))
    try:
        sections = {
            (row["document"], section["id"]): section["text"]
            for row in map(json.loads, documents.read_text(encoding="utf-8").splitlines())
            for section in row["sections"]
        }
        rows = [json.loads(line) for line in questions.read_text(encoding="utf-8").splitlines()]
        return [
            Solved(
                row["document"],
                f"{sections[row['document'], row['sections'][0]]} Question: {row['question']}",
                tuple(row["answers"]),
            )
            for row in rows
        ]
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise BadInput(
            f"{questions} is no file of questions with a documents file beside it ({error})"
        ) from error


def squad(file: Path, count: int, cache: Path, backbone: Backbone, sidenet: SideNet) -> dict[str, float]:
    """Measure exact match in percent of every row, over `count` questions.

    No demonstration is of the articles that they ask about.
    """
    solved = read_solved(file)
    pick = random.Random(0)
    articles = pick.sample(sorted({one.article for one in solved}), len({one.article for one in solved}))
    pool: list[Any] = []
    asked: list[Any] = []
    for article in articles:
        (pool if len(pool) < IN_MEMORY else asked).extend(one for one in solved if one.article == article)
    pool, asked = pool[:IN_MEMORY], pick.sample(asked, min(count, len(asked)))
    if len(pool) < SHOTS or not asked:
        raise BadInput(f"{file} has too few articles: {IN_MEMORY} questions and another article are needed")
    examples = [Example(at, one.prompt, one.answers[0]) for at, one in enumerate(pool, 1)]
    task = Task(TEMPLATE, {"a": "a", "b": "b"})
    cast(dict[str, str], task.words).update({one.answers[0]: one.answers[0] for one in pool})
    place = bank_folder(cache, "squad", examples)
    encode_examples(examples, "squad", task, place, backbone, bank_layout(sidenet.config))
    dim = len(voting_blocks(backbone)) * backbone.width
    memory = DemonstrationMemory(place, MemoryBank.open(place / "bank"), examples, dim)
    identity = (
        SideNet(SideNetConfig.for_backbone(backbone), backbone).to(backbone.device, backbone.dtype).eval()
    )
    rows = {
        "backbone": (identity, None),
        "SideNet, no memory": (sidenet, None),
        f"SideNet, memory {len(pool)}": (sidenet, DemonstrationReader(memory, np.arange(len(pool)), sidenet)),
    }
    right = dict.fromkeys(rows, 0.0)
    for one in asked:
        shots = [written(shot, task, backbone.tokenizer).ids for shot in pick.sample(examples, SHOTS)]
        ids = [token for shot in shots for token in shot]
        ids += backbone.tokenizer(task.prompt(one.prompt), add_special_tokens=False)["input_ids"]
        for name, (network, reader) in rows.items():
            right[name] += exact(
                _answer(Reader(backbone, network, backbone.context), ids, reader), one.answers
            )
    return {
        "questions": len(asked),
        **{name: round(100 * hits / len(asked), 2) for name, hits in right.items()},
    }


def _answer(reader: Reader, ids: list[int], memory: DemonstrationReader | None) -> str:
    """Continue greedily up to the end of the line."""
    text = ""
    for token in reader.generate(ids, memory, Sampling(temperature=0, max_tokens=ANSWER_TOKENS)):
        text += token.text
        if "\n" in text.lstrip():
            break
    return text.strip().split("\n")[0]
