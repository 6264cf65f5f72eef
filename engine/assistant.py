"""Assistant: everything that the command line and the page do, in one place.

    file -> Library -> bank;   question -> passages + memory -> Reader -> tokens and traces -> citations

`ask` and `continue_` are generators of `AnswerEvent`; closing one, or setting `stop`, ends the computation
within a token.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from engine.answering.answer import Answer, AnswerEvent, Read
from engine.answering.citing import citation, cite, looked_at
from engine.answering.evidence import LEAST_TOLD
from engine.answering.history import recent_turns
from engine.answering.prompt import NOT_TOLD, Prompt, Turn, is_small_talk, prompted
from engine.answering.reread import Chosen, choose_passages
from engine.answering.structure import structure_answer
from engine.answering.trace import Recorder, Trace
from engine.library import Library
from engine.reader import Reader, Token
from engine.retrieval.memory import Memory, Stretch
from engine.sampling import ANSWERING, CONTINUING, Sampling
from engine.scope import Scope
from engine.shelf.jobs import Job, Listener
from engine.shelf.shelf import Entry
from engine.talkmemory import TALK, Overflow, recalled, remember
from ingest.errors import BadInput
from ingest.segments import plain_tokens

HISTORY_TOKENS = 256


class Assistant:
    """A reader's assistant over one data folder."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.shelf = library.shelf
        self.least_told = LEAST_TOLD
        self._speaking = threading.Lock()
        self.shelf.sweep()

    @property
    def reader(self) -> Reader:
        """The generation loop over the loaded model."""
        return Reader(self.library.backbone, self.library.sidenet)

    def add(
        self,
        path: Path,
        *,
        password: str | None = None,
        encoding: str | None = None,
        dtype: str | None = None,
        progress: Listener | None = None,
    ) -> Entry:
        """See `Library.add`."""
        return self.library.add(path, password=password, encoding=encoding, dtype=dtype, progress=progress)

    def enqueue(
        self,
        path: Path,
        name: str | None = None,
        *,
        password: str | None = None,
        encoding: str | None = None,
        owner: str = "",
    ) -> tuple[Entry, Job | None]:
        """Put a file on the shelf and queue its job for a JobRunner; no job where it is there and ready.

        `name` is what the user calls the file, `owner` the account that adds it. Raises BadInput for a
        missing file, Failure when it cannot be copied.
        """
        entry, _ = self.shelf.add(path, name, owner)
        self.library.check_encoding(entry, encoding)
        if entry.state == "ready" and self.library.is_current(entry.id):
            return entry, None
        return entry, self.library.enqueue(entry.id, password, encoding)

    def remove(self, words: str) -> int:
        """See `Library.remove`."""
        return self.library.remove(words)

    # asking

    def ask(
        self,
        words: str | None,
        question: str,
        *,
        until: str | None = None,
        within: str | None = None,
        sampling: Sampling | None = None,
        talk: str | None = None,
        owner: str = "",
        stop: Event | None = None,
    ) -> Iterator[AnswerEvent]:
        """Answer a question about a document (or None: all of them) from memory and re-read passages.

        until, within: a place and a chapter that bound what may be read. talk: whose history counts and which
        keeps question and answer. The last event carries the `Answer`.
        """
        began = time.perf_counter()
        if not question.strip():
            raise BadInput("the question is empty; type one")
        scope = Scope.of(self.library, words, until, within, owner)
        said = [] if talk is None else self.shelf.talks.messages(talk, owner)
        turns = scope.known(self.library, said, owner)
        if talk is not None:
            bounds = {name: place for name, place in (("until", until), ("within", within)) if place}
            self.shelf.talks.append(talk, "user", question, settings=bounds, owner=owner)
        answer = Answer("")
        for event in self._answered(scope, question, turns, talk, sampling or ANSWERING, stop, began):
            answer = event.answer or answer
            yield event
        if talk is not None:
            self._keep(talk, answer, owner)

    def without_memory(
        self,
        talk: str,
        position: int,
        *,
        reread: bool = True,
        sampling: Sampling | None = None,
        owner: str = "",
        stop: Event | None = None,
    ) -> Iterator[AnswerEvent]:
        """The question whose answer stands at `position` of a talk once more, without the bank.

        reread: whether the window holds the passages again, as it did (False: the bare backbone). The text is
        kept in the answer's settings as `without["passages"]` or `without["nothing"]`. Raises BadInput where
        there is no such answer.
        """
        began = time.perf_counter()
        talks = self.shelf.talks
        messages = talks.messages(talk, owner)
        pair = messages[position - 1 : position + 1] if position > 0 else []
        if [one.role for one in pair] != ["user", "assistant"]:
            raise BadInput("there is no such answer (any more)")
        question, answered = pair
        until, within = question.settings.get("until"), question.settings.get("within")
        scope = Scope.of(self.library, talks.get(talk, owner).document, until, within, owner)
        turns, text = scope.known(self.library, messages[: position - 1], owner), None
        for event in self._generated_without(
            scope, question.text, turns, reread, sampling or ANSWERING, stop, began
        ):
            text = event.answer.text if event.answer else text
            yield event
        if text is not None:
            kept = answered.settings.get("without", {}) | {"passages" if reread else "nothing": text}
            talks.revise(talk, position, settings=answered.settings | {"without": kept}, owner=owner)

    def continue_(
        self,
        words: str | None,
        *,
        at: str | None = None,
        prompt: str | None = None,
        tokens: int | None = None,
        memory: bool = True,
        sampling: Sampling | None = None,
        owner: str = "",
        stop: Event | None = None,
    ) -> Iterator[AnswerEvent]:
        """Continue a document's text at a place (default: its end), or a prompt of one's own.

        The local window holds the text just before the place; memory holds all that came before that window.
        """
        began = time.perf_counter()
        sampling = sampling or CONTINUING
        if tokens is not None:
            sampling = replace(sampling, max_tokens=tokens)
        encode = self.library.backbone.tokenizer
        stretches: list[Stretch] = []
        if words is None:
            if not (prompt or "").strip():
                raise BadInput("there is nothing to continue: name a document or give a prompt")
            ids = encode(prompt, add_special_tokens=False)["input_ids"]
        else:
            identifier = self.library.find(words, owner).id
            document = self.library.document(identifier)
            place = document.position(at) if at else len(document.text)
            if place == 0 and not prompt:
                raise BadInput("nothing stands before that place; choose a later one")
            if prompt:
                ids, known = encode(prompt, add_special_tokens=False)["input_ids"], place
            else:
                ids, known = self._text_before(document.text, place)
            if memory:
                stretches = [self.library.stretch(identifier, 0, known)]
        yield from self._generated(Prompt(ids), stretches, sampling, stop, began, None)

    # inside

    def _answered(
        self,
        scope: Scope,
        question: str,
        turns: Sequence[Turn],
        talk: str | None,
        sampling: Sampling,
        stop: Event | None,
        began: float,
    ) -> Iterator[AnswerEvent]:
        if (known := self._structure(scope, question)) is not None:
            yield from _told(known, began)
            return
        tokenizer = self.library.backbone.tokenizer
        recent, older = recent_turns(tokenizer, turns, HISTORY_TOKENS)
        stretches = [self.library.stretch(name, *span) for name, span in scope.ranges.items()]
        earlier: list[str] = []
        if older:
            folder = self.shelf.talks.folder / talk / "bank"
            source = remember(turns[:older], folder, self.library.backbone, self.library.sidenet)
            stretches.append(Stretch.whole(source))
            earlier = recalled(question, turns[:older])
        chosen = None if is_small_talk(question) else choose_passages(question, self.library, scope.ranges)
        if (
            chosen is not None
            and chosen.question
            and chosen.told < self.least_told
            and not earlier
            and not recent
        ):
            yield from _told(Answer(NOT_TOLD, memory_tokens=sum(one.tokens for one in stretches)), began)
            return
        chosen = chosen if chosen is not None and chosen.passages else None
        prompt = prompted(tokenizer, question, chosen, recent, earlier, self.reader.window)
        yield from self._generated(prompt, stretches, sampling, stop, began, chosen)

    def _generated_without(
        self,
        scope: Scope,
        question: str,
        turns: Sequence[Turn],
        reread: bool,
        sampling: Sampling,
        stop: Event | None,
        began: float,
    ) -> Iterator[AnswerEvent]:
        """An answer by the backbone alone, over the passages (reread) or nothing."""
        tokenizer = self.library.backbone.tokenizer
        recent, older = recent_turns(tokenizer, turns, HISTORY_TOKENS)
        earlier = recalled(question, turns[:older]) if older else []
        reread = reread and not is_small_talk(question)
        chosen = choose_passages(question, self.library, scope.ranges) if reread else None
        chosen = chosen if chosen is not None and chosen.passages else None
        prompt = prompted(tokenizer, question, chosen, recent, earlier, self.reader.window)
        yield from self._generated(prompt, [], sampling, stop, began, chosen)

    def _generated(
        self,
        prompt: Prompt,
        stretches: Sequence[Stretch],
        sampling: Sampling,
        stop: Event | None,
        began: float,
        chosen: Chosen | None,
    ) -> Iterator[AnswerEvent]:
        """Run the reader; the last event carries the answer with its citations and numbers."""
        stop = stop or Event()
        memory = Memory(stretches, self.library.sidenet)
        pieces: list[str] = []
        recorder = Recorder()
        first = last = 0.0
        count = 0
        reader, sidenet = self.reader, self.library.sidenet
        with self._speaking, TemporaryDirectory(prefix="longmem-") as scratch:
            readable = memory if stretches else None
            spill = None
            if readable is not None and sidenet.reads_memory:
                spill = Overflow(Path(scratch) / "bank", reader.backbone, sidenet, memory)
            for token in reader.generate(prompt.ids, readable, sampling, stop, spill, prompt.allowed):
                last = time.perf_counter()
                first = first or last
                count += 1
                pieces.append(token.text)
                seen = self._reads(token, memory)
                recorder.take(token.text, seen, token.trace)
                if chosen is not None and _ends_paragraph(pieces):
                    break
                yield AnswerEvent(token.text, tuple(seen))
        text = "".join(pieces).strip("\n") if chosen is None else "".join(pieces).strip()
        citations = looked = ()
        passages = tuple(
            Read(hit.document, hit.start, hit.end, hit.score) for hit in (chosen.passages if chosen else ())
        )
        if chosen is not None and text:
            citations = cite(text, chosen, self.library.document)
            looked = () if citations else looked_at(chosen, self.library.document)
        yield AnswerEvent(
            answer=Answer(
                text=text,
                citations=citations,
                looked=looked,
                tokens=count,
                seconds_to_first_token=round((first or time.perf_counter()) - began, 3),
                tokens_per_second=round((count - 1) / (last - first), 2) if count > 1 else 0.0,
                memory_tokens=memory.tokens,
                passages=passages,
                stopped=stop.is_set(),
                trace=recorder.finished(text, sidenet.gates, passages) if stretches else None,
            )
        )

    def _structure(self, scope: Scope, question: str) -> Answer | None:
        """What the table of contents answers, with the heading as its citation."""
        if scope.single is None:
            return None
        document = self.library.document(scope.single)
        found = structure_answer(question, document, scope.ranges[scope.single][1])
        if found is None:
            return None
        if found.chapter is None:
            return Answer(found.text)
        heading = found.chapter.start, document.heading_end(found.chapter)
        return Answer(found.text, citations=(citation(document, scope.single, *heading, 1.0),))

    def _text_before(self, text: str, place: int) -> tuple[list[int], int]:
        """Token ids of the half window before a place, and the character where that window begins."""
        half = self.reader.window // 2
        begin = max(0, place - half * 8)
        ids, spans = plain_tokens(self.library.backbone.tokenizer, text[begin:place])
        return ids[-half:], begin + (spans[-half:][0][0] if spans else 0)

    def _reads(self, token: Token, memory: Memory) -> list[Read]:
        """The characters that a token read from, each with its mass over layers and heads."""
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

    def trace(self, talk: str, position: int, owner: str = "") -> Trace | None:
        """Where the answer at `position` of a talk was read from; None where that is not known."""
        packed = self.shelf.talks.trace(talk, position, owner)
        return None if packed is None else Trace.unpacked(packed)

    def _keep(self, talk: str, answer: Answer, owner: str) -> None:
        statistics = {
            "tokens": answer.tokens,
            "seconds_to_first_token": answer.seconds_to_first_token,
            "tokens_per_second": answer.tokens_per_second,
            "memory_tokens": answer.memory_tokens,
            "stopped": answer.stopped,
        }
        self.shelf.talks.append(
            talk, "assistant", answer.text, statistics=statistics, owner=owner,
            citations=[one.as_dict() for one in answer.citations],
            settings={"looked": [one.as_dict() for one in answer.looked]} if answer.looked else None,
            trace=answer.trace.packed() if answer.trace else None,
        )  # fmt: skip


def _ends_paragraph(pieces: Sequence[str]) -> bool:
    """Whether an answer has come to a blank line: what a small model writes after one is seldom an answer."""
    text = "".join(pieces[-8:])
    return "\n\n" in text and bool("".join(pieces).split("\n\n")[0].strip())


def _told(answer: Answer, began: float) -> Iterator[AnswerEvent]:
    """An answer that needed no generation."""
    yield AnswerEvent(answer.text)
    yield AnswerEvent(answer=replace(answer, seconds_to_first_token=round(time.perf_counter() - began, 3)))
