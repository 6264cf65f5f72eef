"""States of the frozen backbone, computed once and kept on disk: what side layers above block b learn from.

Texts are laid one after the other into segments of up to 512 tokens and cut out again, so that a passage's
states know of some text before it, as they do in a bank. A question stands alone, behind the mark that begins
every text. The file only grows; what an interrupted run left behind its last record is written again.
"""

import itertools
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from engine.backbone.backbone import Backbone
from engine.bank.layout import SEGMENT
from engine.locks import FileLock
from engine.sidenet.reading import opening, question_tokens
from ingest.segments import plain_tokens

BATCH = 8  # segments, or 128 questions
PACKED = SEGMENT // 2  # tokens laid side by side: attention over more of them costs more than the rest


@dataclass(frozen=True)
class Kept:
    """Where the states of a text lie: row `first` to `first + tokens`; spans: (tokens, 2) characters."""

    first: int
    spans: list[list[int]]


class StateStore:
    """States entering one block, fp16 (rows, width), and where each text's lie."""

    def __init__(self, folder: Path, backbone: Backbone, block: int, precision: torch.dtype) -> None:
        self.backbone, self.block, self.precision = backbone, block, precision
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{backbone.fingerprint}-{block}"
        self._data, self._records = folder / f"{name}.f16", folder / f"{name}.jsonl"
        self._lock = FileLock(folder / f"{name}.lock")
        self.texts: dict[str, Kept] = {}
        self.rows = self._known = 0
        self._map: np.ndarray | None = None
        self._load()

    def _load(self) -> None:
        """Take in the records that this or another process has added; half a line is none."""
        if not self._records.is_file():
            return
        with self._records.open("rb") as lines:
            lines.seek(self._known)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                self._known += len(line)
                for text, first, spans in json.loads(line):
                    self.texts[text] = Kept(first, spans)
                    self.rows = max(self.rows, first + len(spans))

    def add(self, questions: Sequence[str], passages: Sequence[str]) -> None:
        """Compute what is missing of the states of these texts; one process at a time does."""
        wanted = {*map(_question, questions), *passages}
        self._load()
        if not wanted <= self.texts.keys():
            with self._lock:
                self._load()
                self._add(questions, passages)

    def _add(self, questions: Sequence[str], passages: Sequence[str]) -> None:
        asked = sorted({one for one in questions if _question(one) not in self.texts}, key=len)
        missing = [one for one in dict.fromkeys(passages) if one not in self.texts]
        random.Random(len(missing)).shuffle(missing)
        with (
            self._data.open("r+b" if self._data.exists() else "w+b") as data,
            open(self._records, "r+b" if self._records.exists() else "w+b") as log,
        ):
            log.truncate(self._known)
            log.seek(0, 2)
            data.truncate(self.rows * self.backbone.width * 2)
            data.seek(0, 2)
            for at in range(0, len(asked), 128):
                part = asked[at : at + 128]
                ids = [question_tokens(self.backbone, one) for one in part]
                pieces = [
                    [(_question(one), 0, [[0, 0]] * len(row))] for one, row in zip(part, ids, strict=True)
                ]
                self._write(data, log, ids, pieces)
            for batch in _batches(self._packed(missing)):
                self._write(data, log, [ids for ids, _ in batch], [pieces for _, pieces in batch])

    def _packed(self, texts: Sequence[str]) -> Iterable[tuple[list[int], list]]:
        """Yield segments (ids, [(text, first token, spans)]) that hold whole texts one after the other."""
        gap = plain_tokens(self.backbone.tokenizer, "\n\n")[0]
        ids: list[int] = []
        pieces: list = []
        for text in texts:
            more, spans = plain_tokens(self.backbone.tokenizer, text)
            more, spans = more[: PACKED - len(gap)], spans[: PACKED - len(gap)]
            if ids and len(ids) + len(gap) + len(more) > PACKED:
                yield ids, pieces
                ids, pieces = [], []
            lead = gap if ids else opening(self.backbone)
            pieces.append((text, len(ids) + len(lead), [list(span) for span in spans]))
            ids = [*ids, *lead, *more]
        if ids:
            yield ids, pieces

    def _write(self, data: BinaryIO, log: BinaryIO, rows: list[list[int]], pieces: list[list]) -> None:
        longest = max(map(len, rows))
        padded = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
        with torch.autocast("cpu", self.precision, enabled=self.precision != torch.float32):
            hidden = self.backbone.encode(padded, hidden=(self.block,)).hidden[self.block]
        kept, record = [], []
        for row, inside in zip(hidden.float().clamp(-6e4, 6e4).half(), pieces, strict=True):
            for text, first, spans in inside:
                kept.append(row[first : first + len(spans)])
                record.append([text, self.rows, spans])
                self.texts[text] = Kept(self.rows, spans)
                self.rows += len(spans)
        data.write(torch.cat(kept).numpy().tobytes())
        data.flush()
        self._known += log.write(json.dumps(record).encode() + b"\n")
        log.flush()

    def states(self, text: str) -> Tensor:
        """Return the states (tokens, width) fp16 of a passage."""
        kept = self.texts[text]
        return torch.from_numpy(self._mapped()[kept.first : kept.first + len(kept.spans)])

    def question(self, text: str) -> Tensor:
        """Return the states (tokens, width) fp16 of a question."""
        return self.states(_question(text))

    def spans(self, text: str) -> list[list[int]]:
        """Return the characters (tokens, 2) that each token of a passage came from."""
        return self.texts[text].spans

    def _mapped(self) -> np.ndarray:
        if self._map is None or len(self._map) < self.rows:
            self._map = np.memmap(self._data, "<f2", "c", shape=(self.rows, self.backbone.width))
        return self._map


def _question(text: str) -> str:
    return "?\x00" + text


def _batches(rows: Iterable) -> Iterable[list]:
    left = iter(rows)
    while batch := list(itertools.islice(left, BATCH)):
        yield batch
