"""Utterance: what the Reader says to one prompt, token by token, and the answer that this makes."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from threading import Event, Lock

from engine.answering.answer import Answer, AnswerEvent, Citation
from engine.answering.citing import cite, looked_at
from engine.answering.passages import Chosen
from engine.answering.prompt import Prompt, says_nothing_tells
from engine.answering.talkmemory import TALK, Overflow
from engine.answering.trace import Read, Recorder
from engine.library import Library
from engine.reader import Reader, Token
from engine.retrieval.memory import Memory, Stretch
from engine.sampling import Sampling
from engine.sidenet.sidenet import SideNet
from engine.stopping import GivenUp, stopped_by


class Utterance:
    """One answer in the making; its clock starts where it is made.

    speaking: held while the model runs, so that one answer is computed at a time. stop: ends the computation
    within a token.
    """

    def __init__(self, library: Library, sampling: Sampling, stop: Event | None, speaking: Lock) -> None:
        self.library, self.sampling, self.stop = library, sampling, stop or Event()
        self._speaking, self._began = speaking, time.perf_counter()
        self._times: list[float] = []
        self._pieces: list[str] = []
        self._recorder = Recorder()

    def told(self, answer: Answer) -> Iterator[AnswerEvent]:
        """Give an answer that needs no generation."""
        yield AnswerEvent(answer.text)
        yield AnswerEvent(answer=replace(answer, seconds_to_first_token=self._seconds()))

    def read(self, make: Callable[[], Answer]) -> Iterator[AnswerEvent]:
        """Say what reading layers find: `make` computes the answer, while nothing else computes one."""
        try:
            with self._speaking, stopped_by(self.stop):
                answer = make()
        except GivenUp:
            answer = Answer("", stopped=True)
        yield from self.told(answer)

    def generated(
        self, reader: Reader, prompt: Prompt, stretches: Sequence[Stretch], chosen: Chosen | None = None
    ) -> Iterator[AnswerEvent]:
        """Run the reader over a prompt and what memory may read; the last event carries the answer.

        chosen: the passages that the prompt holds again, which an answer about a document may cite.
        """
        memory = Memory(stretches, reader.sidenet, goes_on=chosen is None) if stretches else None
        about = chosen if chosen is not None and chosen.passages else None
        with closing(self._tokens(reader, prompt, memory)) as tokens:
            for token in tokens:
                self._times.append(time.perf_counter())
                self._pieces.append(token.text)
                reads = reads_of(token, memory) if memory is not None else []
                self._recorder.take(token.text, reads, token.trace)
                if about is not None and self._ends_paragraph():
                    break
                yield AnswerEvent(token.text, tuple(reads))
        yield AnswerEvent(answer=self._answer(reader.sidenet, about, memory))

    def _tokens(self, reader: Reader, prompt: Prompt, memory: Memory | None) -> Generator[Token, None, None]:
        spill = None
        if memory is not None and reader.sidenet.reads_memory:
            spill = Overflow(reader.backbone, reader.sidenet, memory)
        with self._speaking, spill or nullcontext():
            yield from reader.generate(prompt.ids, memory, self.sampling, self.stop, spill)

    def _ends_paragraph(self) -> bool:
        """Tell whether a blank line has come: what a small model writes after one is no answer."""
        return "\n\n" in "".join(self._pieces[-8:]) and "".join(self._pieces).split("\n\n")[0].strip() != ""

    def _answer(self, sidenet: SideNet, about: Chosen | None, memory: Memory | None) -> Answer:
        said = "".join(self._pieces)
        text = said.strip("\n") if about is None else said.strip()
        citations: tuple[Citation, ...] = ()
        looked: tuple[Citation, ...] = ()
        passages: tuple[Read, ...] = ()
        tells = not says_nothing_tells(text)
        if about is not None:
            passages = tuple(Read(hit.document, hit.start, hit.end, hit.score) for hit in about.passages)
            citations = cite(text, about, self.library.document) if text and tells else ()
            looked = looked_at(about.passages, self.library.document) if text and not citations else ()
        return Answer(
            text=text,
            citations=citations,
            looked=looked,
            tokens=len(self._times),
            seconds_to_first_token=self._seconds(),
            tokens_per_second=self._speed(),
            memory_tokens=memory.tokens if memory is not None else 0,
            passages=passages,
            stopped=self.stop.is_set(),
            answered=about is None or tells,
            trace=None if memory is None else self._recorder.finished(text, sidenet.gates, passages),
        )

    def _seconds(self) -> float:
        """Return the seconds to the first token, or until now where there is none."""
        return round((self._times[0] if self._times else time.perf_counter()) - self._began, 3)

    def _speed(self) -> float:
        """Return the tokens a second after the first."""
        count = len(self._times)
        return round((count - 1) / (self._times[-1] - self._times[0]), 2) if count > 1 else 0.0


def reads_of(token: Token, memory: Memory) -> list[Read]:
    """Return the characters of documents that a token read, each with its mass over layers and heads."""
    masses: dict[int, float] = {}
    for layer in token.trace:
        heads = layer.mass.shape[0]
        chunks = layer.chunks.repeat(heads, axis=0) if layer.chunks.shape[0] == 1 else layer.chunks
        for chunk, mass in zip(chunks.ravel().tolist(), layer.mass.ravel().tolist(), strict=True):
            if chunk >= 0:
                masses[chunk] = masses.get(chunk, 0.0) + mass
    reads = []
    for chunk, mass in masses.items():
        place = memory.locate(chunk)
        if not place.name.startswith(TALK):
            reads.append(Read(place.name, *place.characters, mass))
    return reads
