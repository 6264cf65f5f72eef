"""Classifier: a window of demonstrations, all others in memory, and the label of a text.

    log p(label) = v · vote(label) + l · [log p(label | window, memory, text) − log p(label | window, ∅)]

The second part is the language model's, calibrated by content-free inputs ∅; the first is the vote of every
demonstration. What is not wanted (Settings) is left out. The window of "random" is read once for all texts.
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.backbone.backbone import Backbone
from engine.demonstrations.calibration import CONTENT_FREE, calibrated, empty_scores
from engine.demonstrations.examplebank import batches, padded, voting_blocks, voting_state, written
from engine.demonstrations.memory import DemonstrationMemory, DemonstrationReader
from engine.demonstrations.mixture import (
    HELD_OUT,
    LIKELIHOOD_ALONE,
    VOTE_ALONE,
    Mixture,
    fit_mixture,
    kept_mixture,
)
from engine.demonstrations.settings import Settings
from engine.demonstrations.shots import fitting, random_rows
from engine.demonstrations.task import Task
from engine.demonstrations.vote import Vote
from engine.demonstrations.window import LabelScorer, Prefix
from engine.sidenet.sidenet import SideNet
from ingest.errors import BadInput
from ingest.segments import plain_ids

WINDOW = 2_048  # tokens of demonstrations and text
TEXT_ROOM = 256  # of them, at least, for the text
READ_SHOWN = 8
MIXTURES_FILE = "mixtures.json"
NEIGHBOURS = 4


@dataclass(frozen=True)
class ReadDemonstration:
    """One demonstration behind a label. where: "window", "memory" (the SideNet's attention) or "vote" (the
    nearest of those that voted); weight: 0 … 1 within its kind."""

    example: int
    text: str
    label: str
    weight: float
    where: str


@dataclass(frozen=True)
class Classification:
    """The label of one text. probabilities: in the order of the task's labels, adding up to 1."""

    label: str
    probabilities: dict[str, float]
    read: tuple[ReadDemonstration, ...]
    seconds: float
    memory_examples: int


class Classifier:
    """One library with one setting, over the demonstrations at `rows` of its memory."""

    def __init__(
        self,
        memory: DemonstrationMemory,
        task: Task,
        backbone: Backbone,
        sidenet: SideNet,
        settings: Settings | None = None,
        rows: np.ndarray | None = None,
    ) -> None:
        """Prepare to label texts. Raises BadInput when there is no demonstration to learn from."""
        self.memory, self.task, self.backbone, self.sidenet = memory, task, backbone, sidenet
        self.settings = settings or Settings()
        self.rows = memory.rows() if rows is None else rows
        if not len(self.rows):
            raise BadInput(
                "this library has no example in memory: add some, or take them back from the held-out part"
            )
        place = {label: at for at, label in enumerate(task.labels)}
        self.labels = np.array([place[one.label] for one in memory.examples])
        tokenise = backbone.tokenizer
        answers = [
            tokenise(task.answer(label), add_special_tokens=False)["input_ids"] for label in task.labels
        ]
        self.scorer = LabelScorer(backbone, sidenet if self.settings.memory else None, answers)
        self._answer_tokens = max(map(len, answers))
        self._is_warm = False
        self._empty: tuple[Prefix, DemonstrationReader | None, np.ndarray] | None = None

    # what it is made of

    @cached_property
    def vote(self) -> Vote:
        """Return the vote, fitted on every demonstration in memory."""
        return Vote.fit(self.memory.states[self.rows], self.labels[self.rows], len(self.task.labels))

    @cached_property
    def directions(self) -> np.ndarray:
        """Return where the demonstrations in memory lie among the states that vote, (examples, dim)."""
        return self.vote.directions(self.memory.states[self.rows])

    @cached_property
    def reader(self) -> DemonstrationReader | None:
        """Return the reader of what the SideNet may read: all demonstrations in memory."""
        return self._reader(self.rows)

    @cached_property
    def window_rows(self) -> np.ndarray:
        """Return the demonstrations of the shared window: at random, each label in turn, as many as fit."""
        chosen = random_rows(self.rows, self.labels, self.settings.shots, self.settings.seed)
        return self._fitting(chosen)

    @cached_property
    def mixture(self) -> Mixture:
        """Return the weights of vote and likelihood, kept on disk.

        They come from demonstrations left out of window and memory.
        """
        if not self.settings.vote:
            return LIKELIHOOD_ALONE
        return kept_mixture(self.memory.folder / MIXTURES_FILE, self._of_all(), self._fit_mixture)

    def _of_all(self) -> str:
        """Hash what the mixture depends on: settings, models, task, examples."""
        content = hashlib.blake2b(digest_size=16)
        examples = [(one.id, one.label) for one in self.memory.examples]
        models = self.backbone.fingerprint, self.sidenet.config, self.sidenet.gates
        for part in (self.settings, self.task, models, self.rows.tolist(), examples):
            content.update(repr(part).encode())
        return content.hexdigest()

    def _fit_mixture(self) -> Mixture:
        rest = np.setdiff1d(self.rows, self.window_rows)
        held = random_rows(
            rest, self.labels, min(HELD_OUT, len(rest) // 2), self.settings.seed + 1, evenly=False
        )
        if not len(held):
            return VOTE_ALONE
        reader = self._reader(np.setdiff1d(self.rows, held))
        texts = [self.memory.examples[row].text for row in held]
        likelihood = self._likelihood(texts, reader, self.memory.states[held], held)[0]
        left_out = self.vote.left_out_scores[np.searchsorted(self.rows, held)]
        return fit_mixture(left_out, likelihood, self.labels[held])

    # classifying

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """Label each text, and name the demonstrations behind the label."""
        began, self._is_warm = time.perf_counter(), True
        states = self.states(texts) if self.settings.vote or self.settings.choose == "similar" else None
        mixture = self.mixture
        likelihood, masses, windows = self._likelihood(texts, self.reader, states)
        voting = states if self.settings.vote else None
        vote = np.zeros_like(likelihood) if voting is None else self.vote.scores(voting)
        probabilities = np.exp(mixture.scores(vote, likelihood))
        seconds = (time.perf_counter() - began) / max(1, len(texts))
        near = [[] for _ in texts] if voting is None else self._near(voting)
        return [
            Classification(
                self.task.labels[int(row.argmax())],
                {label: float(p) for label, p in zip(self.task.labels, row, strict=True)},
                self._read(masses[at], near[at], windows[at]),
                seconds,
                len(self.rows),
            )
            for at, row in enumerate(probabilities)
        ]

    def warm(self) -> None:
        """Compute once what all texts share: the window, what its labels weigh without a text, the vote."""
        if not self._is_warm:
            self.classify([CONTENT_FREE[0]])

    def states(self, texts: Sequence[str]) -> np.ndarray:
        """Return the voting states (texts, dim) of texts, read by themselves as demonstrations are."""
        prompts = [self._prompt(text) for text in texts]
        blocks = voting_blocks(self.backbone)
        found = np.zeros((len(texts), len(blocks) * self.backbone.width), np.float32)
        for batch in batches(prompts):
            hidden = self.backbone.encode(padded([prompts[at] for at in batch]), blocks).hidden
            for row, at in enumerate(batch):
                found[at] = voting_state([hidden[block][row] for block in blocks], len(prompts[at]))
        return found

    @cached_property
    def prefix(self) -> Prefix:
        """Return the shared window, read once."""
        return self._prefix(self.window_rows)

    # inside

    def _reader(self, rows: np.ndarray) -> DemonstrationReader | None:
        if not self.settings.memory or not self.sidenet.reads_memory:
            return None
        return DemonstrationReader(self.memory, rows, self.sidenet)

    def _prompt(self, text: str) -> list[int]:
        ids = plain_ids(self.backbone.tokenizer, self.task.prompt(text))
        most = self.backbone.context - self._answer_tokens
        if len(ids) > most:
            raise BadInput(
                f"a text has {len(ids):,} tokens, more than the {most:,} that the model reads: shorten it"
            )
        return ids

    def _shots(self, rows: np.ndarray) -> list[list[int]]:
        return [written(self.memory.examples[row], self.task, self.backbone.tokenizer).ids for row in rows]

    def _prefix(self, rows: np.ndarray) -> Prefix:
        """Read these demonstrations into a window."""
        return self.scorer.prefix([token for shot in self._shots(rows) for token in shot])

    def _fitting(self, rows: np.ndarray, text: int = 0, most: int = WINDOW) -> np.ndarray:
        """Keep the demonstrations that a window of `most` tokens holds beside a text of `text` tokens."""
        room = min(most, self.backbone.context) - max(text, self._text_room) - self._answer_tokens
        return rows[np.array(fitting(self._shots(rows), room), dtype=np.int64)]

    @cached_property
    def _text_room(self) -> int:
        """Return the least room that a window leaves for a text.

        Content-free inputs have to fit, however long the template is.
        """
        return max(TEXT_ROOM, *(len(self._prompt(text)) for text in CONTENT_FREE))

    def _likelihood(
        self,
        texts: Sequence[str],
        reader: DemonstrationReader | None,
        states: np.ndarray | None,
        without: Sequence[int] | np.ndarray | None = None,
    ) -> tuple[np.ndarray, list[dict[int, float]], list[np.ndarray]]:
        """Return calibrated label scores (texts, labels), what memory read for each text, each window's rows.

        without: of each text, the demonstration that it is itself.
        """
        prompts = [self._prompt(text) for text in texts]
        if self.settings.choose == "random":
            windows = [self._random(prompt) for prompt in prompts]
        else:
            assert states is not None
            nearest = [
                self._nearest(states[at], None if without is None else without[at])
                for at in range(len(texts))
            ]
            windows = [
                self._fitting(rows, len(prompt)) for rows, prompt in zip(nearest, prompts, strict=True)
            ]
        shared = [at for at, window in enumerate(windows) if window is self.window_rows]
        alone = [[at] for at, window in enumerate(windows) if window is not self.window_rows]
        likelihood = np.zeros((len(texts), len(self.task.labels)))
        masses: list[dict[int, float]] = [{} for _ in texts]
        for group in filter(None, [shared, *alone]):
            prefix = self.prefix if group is shared else self._prefix(windows[group[0]])
            likelihood[group], read = self._window_scores(prefix, [prompts[at] for at in group], reader)
            for at, one in zip(group, read, strict=True):
                masses[at] = one
        return likelihood, masses, windows

    def _random(self, prompt: Sequence[int]) -> np.ndarray:
        """Choose the shared window's rows, or those that fit beside a text too long for the whole of it."""
        used = len(self.prefix.ids) + len(prompt) + self._answer_tokens
        if used <= self.backbone.context:
            return self.window_rows
        return self._fitting(self.window_rows, len(prompt), self.backbone.context)

    def _window_scores(
        self, prefix: Prefix, prompts: Sequence[list[int]], reader: DemonstrationReader | None
    ) -> tuple[np.ndarray, list[dict[int, float]]]:
        scores = self.scorer.score(prefix, prompts, (reader,))[0]
        empty = self._content_free(prefix, reader) if self.settings.calibrate else 0.0
        masses = [
            reader.masses(trace, row) if reader is not None and trace is not None else {}
            for trace, row in ((traces[0] if traces else None, row) for traces, row in scores.traces)
        ]
        return calibrated(scores.labels, empty), masses

    def _content_free(self, prefix: Prefix, reader: DemonstrationReader | None) -> np.ndarray:
        """Return the `empty_scores` of the window in hand."""
        kept = self._empty
        if kept is None or kept[0] is not prefix or kept[1] is not reader:
            scores = self.scorer.score(prefix, [self._prompt(text) for text in CONTENT_FREE], (reader,))[0]
            self._empty = kept = prefix, reader, empty_scores(scores.labels)
        return kept[2]

    def _nearest(self, state: np.ndarray, without: int | None) -> np.ndarray:
        """Return rows of the most similar demonstrations, the nearest last, where the model heeds it most."""
        likeness = self.directions @ self.vote.directions(state[None])[0]
        order = self.rows[np.argsort(-likeness)]
        return order[order != (-1 if without is None else without)][: self.settings.shots][::-1]

    def _near(self, states: np.ndarray) -> list[list[tuple[int, float]]]:
        likeness = self.vote.directions(states) @ self.directions.T
        best = np.argsort(-likeness, axis=1)[:, :NEIGHBOURS]
        return [
            [(int(self.rows[at]), float(row[at])) for at in order]
            for row, order in zip(likeness, best, strict=True)
        ]

    def _read(
        self, masses: dict[int, float], near: list[tuple[int, float]], window: np.ndarray
    ) -> tuple[ReadDemonstration, ...]:
        """List what is behind a label: nearest voters, what the memory layer read, then the window."""
        total = sum(masses.values()) or 1.0
        heavy = sorted(masses.items(), key=lambda one: -one[1])[: READ_SHOWN - len(near)]
        share = 1 / max(1, len(window))
        found = [(row, max(0.0, weight), "vote") for row, weight in near]
        found += [(row, mass / total, "memory") for row, mass in heavy]
        found += [(int(row), share, "window") for row in window]
        examples = self.memory.examples
        return tuple(
            ReadDemonstration(
                examples[row].id, examples[row].text, examples[row].label, round(weight, 4), where
            )
            for row, weight, where in found
        )
