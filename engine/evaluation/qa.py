"""`evaluate qa`: answers to held-out questions about a long document, scored as SQuAD does.

Several ways to the same question, from a backbone that never saw the document to what `ask` does; all of them
say their answer through the very functions that `ask` uses. Exact match and F1 of words are those of the best
of several accepted answers, after SQuAD's normalisation; intervals are over documents (stories, articles).
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from engine.answering.passages import CANDIDATES, chosen, find_passages
from engine.answering.prompt import Prompt, prompted
from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.evaluation.bootstrap import Total, interval, mean_loss
from engine.evaluation.haystack import Haystack, Needle
from engine.evaluation.haystackshelf import (
    add_haystack_arguments,
    answered,
    haystacks,
    looked,
    put,
    shelf_folder,
    shelved,
)
from engine.evaluation.squadscore import exact, f1
from engine.paths import Paths
from engine.reader import Reader
from engine.report import parts, table, tell
from engine.retrieval.memory import Memory, Stretch
from engine.sampling import ANSWERING
from engine.shelf.fulltext import Hit
from engine.sidenet.checkpoint import sidenet_for
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet

OPENING = 1000  # tokens
FOUND = 8  # passages
REFUSED = ""
SHORT = replace(ANSWERING, max_tokens=40)  # no accepted answer is longer


@dataclass(frozen=True)
class Row:
    """One way of answering one set of questions; intervals over its documents."""

    questions: str
    method: str
    count: int
    exact_match: float
    exact_match_interval: tuple[float, float]
    f1: float
    f1_interval: tuple[float, float]
    refused: float
    words: float
    seconds: float

    def heading(self) -> str:
        """Name the set of questions."""
        return f"{self.questions}, {self.count} questions"


class Examination:
    """One haystack on a shelf of its own, and the ways to answer about it."""

    def __init__(
        self, hay: Haystack, backbone: Backbone, sidenet: SideNet, home: Path, checkpoint: Path | None
    ) -> None:
        self.hay, self.backbone = hay, backbone
        self.assistant = shelved(backbone, sidenet, home, checkpoint)
        self.document = put(self.assistant, hay.document, home)
        plain = SideNet(SideNetConfig.for_backbone(backbone), backbone).eval()
        self.plain = Reader(backbone, plain, window=2048)
        self.reader = Reader(backbone, sidenet, window=2048)

    def ways(self) -> dict[str, Callable[[Needle], str]]:
        """Return functions from a question to its answer, by name."""
        by_words: dict[str, Callable[[str], str]] = {
            "backbone, no document": self.alone,
            "backbone, first 1k tokens": self.opening,
            "backbone, BM25 passages": self.by_words,
            "SideNet, memory only": self.memory_only,
            "SideNet, memory of the passages found": self.found_memory_only,
            "ask": self.asked,
            "ask, never refusing": self.never_refusing,
        }
        ways = {name: lambda needle, way=way: way(needle.question) for name, way in by_words.items()}
        return ways | {"reading layers, the right passages only": self.read_right}

    def alone(self, question: str) -> str:
        """Answer by the backbone, which never saw the document."""
        return self._say(self.plain, prompted(self.backbone.tokenizer, question, None))

    def opening(self, question: str) -> str:
        """Answer by the backbone with the document's first thousand tokens in its window."""
        tokens = self.backbone.tokenizer(self.hay.text[: OPENING * 8], return_offsets_mapping=True)
        end = tokens["offset_mapping"][:OPENING][-1][1]
        start = Hit(self.document, 0, 0, end, 0.0, self.hay.text[:end], ())
        return self._say(self.plain, prompted(self.backbone.tokenizer, question, chosen(question, [start])))

    def by_words(self, question: str) -> str:
        """Answer by the backbone with the passages that full-text search finds."""
        ranked = self.assistant.shelf.fulltext.rank(question, self.document, limit=CANDIDATES)
        return self._say(self.plain, prompted(self.backbone.tokenizer, question, chosen(question, ranked)))

    def memory_only(self, question: str) -> str:
        """Answer by the SideNet with the whole document in memory, and nothing in its window."""
        stretch = self.assistant.library.stretch(self.document, 0, len(self.hay.text))
        return self._from_memory(question, [stretch])

    def found_memory_only(self, question: str) -> str:
        """Answer as `memory_only` does, but only the passages that the search finds may be read."""
        library = self.assistant.library
        ranges = {self.document: (0, len(self.hay.text))}
        hits = find_passages(question, library, ranges)[:FOUND]
        return self._from_memory(
            question, [library.stretch(self.document, hit.start, hit.end) for hit in hits]
        )

    def _from_memory(self, question: str, stretches: Sequence[Stretch]) -> str:
        memory = Memory(stretches, self.reader.sidenet, goes_on=False) if stretches else None
        return self._say(self.reader, prompted(self.backbone.tokenizer, question, None), memory)

    def asked(self, question: str, least: float | None = None) -> str:
        """Answer as `ask` does."""
        answer = answered(self.assistant, self.document, question, sampling=SHORT, least=least)
        return (answer.span or answer.text) if answer.answered else REFUSED

    def never_refusing(self, question: str) -> str:
        """Answer as `ask` would were it sure that the document tells."""
        return self.asked(question, least=0.0)

    def read_right(self, needle: Needle) -> str:
        """Answer by the reading layers from nothing but the section that the question was written beside."""
        section = int(self.hay.spans[needle.gold[0], 0]), int(self.hay.spans[needle.gold[-1], 1])
        answers = looked(self.assistant, needle.question, {self.document: section}).answers
        return answers[0].text if answers else REFUSED

    def _say(self, reader: Reader, prompt: Prompt, memory: Memory | None = None) -> str:
        tokens = reader.generate(prompt.ids, memory, SHORT)
        return "".join(token.text for token in tokens).strip().split("\n\n")[0]


def rows(examination: Examination, ways: Sequence[str]) -> list[Row]:
    """Answer the questions of the haystack in every way whose name holds one of the texts in `ways`."""
    made, hay = [], examination.hay
    for name, way in examination.ways().items():
        if not any(part in name for part in ways):
            continue
        began = time.perf_counter()
        answers = [way(needle) for needle in hay.needles]
        seconds = (time.perf_counter() - began) / len(answers)
        matches, shares = (_by_story(hay.needles, answers, score) for score in (exact, f1))
        made.append(
            Row(
                hay.name, name, len(answers), mean_loss(matches), interval(matches), mean_loss(shares),
                interval(shares), answers.count(REFUSED) / len(answers),
                sum(len(answer.split()) for answer in answers) / len(answers), seconds,
            )
        )  # fmt: skip
        print(markdown(made[-1:]), flush=True)
    return made


def _by_story(
    needles: Sequence[Needle], answers: Sequence[str], score: Callable[[str, Sequence[str]], float]
) -> list[Total]:
    """Add up the scores of the answers to each story's questions."""
    stories: dict[int, list[float]] = {}
    for needle, answer in zip(needles, answers, strict=True):
        stories.setdefault(needle.reading, []).append(score(answer, needle.answers))
    return [Total(sum(story), len(story)) for story in stories.values()]


def markdown(rows: Sequence[Row]) -> str:
    """Write one table for each set of questions."""
    heads = ("", "exact match:", "95 %", "F1:", "95 %", "refused:", "words:", "seconds:")
    return parts(rows, Row.heading, lambda part: table(heads, map(_cells, part)))


def _cells(one: Row) -> tuple[str, ...]:
    return (
        one.method, f"{one.exact_match:.3f}", _span(one.exact_match_interval), f"{one.f1:.3f}",
        _span(one.f1_interval), f"{one.refused:.2f}", f"{one.words:.1f}", f"{one.seconds:.2f}",
    )  # fmt: skip


def _span(ends: tuple[float, float]) -> str:
    return f"[{ends[0]:.3f}, {ends[1]:.3f}]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_haystack_arguments(parser)
    parser.add_argument(
        "--ways", default="", metavar="TEXT,TEXT", help="only rows whose name holds one of these"
    )


def run(arguments: argparse.Namespace) -> int:
    """Answer, score, print the table; the exit code is 0."""
    backbone = load_backbone(Paths.default(), arguments.model)
    sidenet = sidenet_for(backbone, arguments.sidenet)
    made: list[Row] = []
    for hay in haystacks(arguments):
        with shelf_folder(arguments) as home:
            examination = Examination(hay, backbone, sidenet, home, arguments.sidenet)
            made += rows(examination, arguments.ways.split(","))
    tell(arguments.out, "qa", markdown(made), [asdict(one) for one in made])
    return 0
