"""Assistant: everything that the command line and the page do, in one place.

    file -> Library -> bank;   question -> passages -> reading layers -> words of the book -> citations

A checkpoint without reading layers answers in the model's own words, from memory and the passages found.

`ask` and `continue_` are generators of `AnswerEvent`; closing one, or setting `stop`, ends the computation
within a token.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Unpack

from engine.answering.answer import Answer, AnswerEvent
from engine.answering.capitals import with_capitals
from engine.answering.citing import citation, cite_spans, looked_at, nearest
from engine.answering.early import awaited, is_surer
from engine.answering.evidence import LEAST_TOLD
from engine.answering.history import in_full, recent_turns
from engine.answering.passages import Chosen, chosen, find_passages
from engine.answering.prompt import NOT_TOLD, Prompt, Turn, is_small_talk, prompted
from engine.answering.reading import READ, read
from engine.answering.structure import structure_answer
from engine.answering.telling import telling
from engine.answering.trace import Read, TokenReads, Trace
from engine.answering.wording import quoted, wants_one, worded
from engine.cast.kept import kept_cast
from engine.cast.person import Cast
from engine.errors import Failure
from engine.intake import How
from engine.library import Library
from engine.reader import Reader
from engine.retrieval.memory import Stretch
from engine.sampling import ANSWERING, CONTINUING, Sampling
from engine.scope import Scope
from engine.shelf.connections import Unwritable
from engine.shelf.entry import Entry
from engine.shelf.jobs import Job
from engine.shelf.talks import Message
from engine.sidenet.reading import Calibration
from engine.sidenet.reranker import Reranker
from engine.talkmemory import recalled, remember
from engine.utterance import Utterance
from ingest.errors import BadInput
from ingest.position import find_position
from ingest.segments import plain_tokens

HISTORY_TOKENS = 256


@dataclass(frozen=True)
class Asked:
    """A question, what may be read for it, and what of the talk before it counts.

    turns: all of them. recent: the last turns, which the window holds again; older: those before them, which
    memory holds; recalled: what of these the question reminds of. ranges: of the scope's books those
    that are looked into.
    """

    question: str
    scope: Scope
    ranges: Mapping[str, tuple[int, int]]
    turns: Sequence[Turn]
    recent: Sequence[Turn]
    older: Sequence[Turn]
    recalled: Sequence[str]


class Assistant:
    """A reader's assistant over one data folder."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.shelf = library.shelf
        self._speaking = threading.Lock()
        self.shelf.sweep()

    def of(self, owner: str) -> "Assistant":
        """Return the same assistant for another reader, see `Shelf.of`."""
        theirs = copy(self)
        theirs.library = self.library.of(owner)
        theirs.shelf = theirs.library.shelf
        return theirs

    @property
    def reader(self) -> Reader:
        """The generation loop over the loaded model."""
        return Reader(self.library.model.backbone, self.library.model.sidenet)

    def enqueue(self, path: Path, name: str | None = None, **how: Unpack[How]) -> tuple[Entry, Job | None]:
        """Put a file on the shelf and queue its job for a JobRunner; no job where it is there and ready.

        `name` is what the user calls the file. Raises BadInput for a missing file, Failure when it cannot be
        copied. Of a book that another account has added, its work and what it named stay as they are; only
        where that was given up, this one's begins.
        """
        entry, _ = self.shelf.add(path, name)
        if not entry.belongs_to(self.shelf.owner):
            return entry, self._taken_over(entry, how)
        self.library.intake.check(entry, how)
        if entry.state == "ready" and self.library.is_current(entry.id):
            return entry, None
        return entry, self.library.enqueue(entry.id, **how)

    def _taken_over(self, entry: Entry, how: How) -> Job | None:
        if entry.state not in ("paused", "failed") or self.shelf.jobs.all(entry.id, unfinished=True):
            return None
        with self.shelf.connections.writing():  # no runner sees it before it says whose it is
            job = self.library.enqueue(entry.id, **how)
            self.shelf.jobs.configure(job.id, owner=self.shelf.owner)
        return self.shelf.jobs.get(job.id)

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
        stop: Event | None = None,
        least: float | None = None,
    ) -> Iterator[AnswerEvent]:
        """Answer a question about a document (or None: all of them) from memory and re-read passages.

        until, within: a place (see `Scope.of`) and a chapter that bound what may be read. talk: whose history
        counts and which keeps question and answer. least: confidence below which nothing is answered
        (default: the checkpoint's). The last event carries the `Answer`; what is raised after it says why it
        is not kept.
        """
        utterance = self._utterance(sampling or ANSWERING, stop)
        if not question.strip():
            raise BadInput("the question is empty; type one")
        scope = Scope.of(self.library, words, until, within)
        said = [] if talk is None else self.shelf.talks.messages(talk)
        turns = scope.known(self.library, said)
        unkept: Unwritable | None = None
        if talk is not None:
            bounds = {name: place for name, place in (("until", until), ("within", within)) if place}
            try:
                self.shelf.talks.append(talk, "user", question, settings=bounds)
            except Unwritable as error:  # what cannot be kept can be answered
                unkept = error
        answer = Answer("")
        for event in self._answered(scope, question, turns, talk, utterance, least):
            answer = event.answer or answer
            yield event
        try:
            if talk is not None and not unkept:
                self._keep(talk, answer)
        except Unwritable as error:
            unkept = error
        if unkept:
            raise Failure(f"this answer is not kept: {unkept}")

    def without_memory(
        self,
        talk: str,
        position: int,
        *,
        reread: bool = True,
        sampling: Sampling | None = None,
        stop: Event | None = None,
    ) -> Iterator[AnswerEvent]:
        """Answer the question whose answer stands at `position` of a talk once more, without the bank.

        reread: whether the window holds the passages again, as it did (False: the bare backbone). The text is
        kept in the answer's settings as `without["passages"]` or `without["nothing"]`. Raises BadInput where
        there is no such answer.
        """
        utterance = self._utterance(sampling or ANSWERING, stop)
        talks = self.shelf.talks
        messages = talks.messages(talk)
        question, answered = _exchange(messages, position)
        scope = self._scope_then(talk, question)
        asked = self._asked(scope, question.text, scope.known(self.library, messages[: position - 1]))
        found, text = self._chosen(asked) if reread else None, None
        for event in utterance.generated(self.reader, self._prompt(asked, found), [], found):
            text = event.answer.text if event.answer else text
            yield event
        if text is not None:
            kept = answered.settings.get("without", {}) | {"passages" if reread else "nothing": text}
            talks.revise(talk, position, answered.settings | {"without": kept})

    def better(self, talk: str, position: int, *, stop: Event | None = None) -> Iterator[AnswerEvent]:
        """Answer anew what was answered early, before the book had its memory, and keep the surer answer.

        Raises BadInput where there is no such answer, or is none any more in the end.
        """
        utterance, talks = self._utterance(ANSWERING, stop), self.shelf.talks
        messages = talks.messages(talk)
        question, early = _exchange(messages, position)
        scope, before = self._scope_then(talk, question), awaited(self.shelf, talk, position)
        turns, answer = scope.known(self.library, messages[: position - 1]), Answer("", stopped=True)
        for event in self._answered(scope, question.text, turns, None, utterance, None):
            answer = event.answer or answer
            yield event
        if answer.stopped or set(answer.early) & set(before):
            return
        left = {"early": list(answer.early)} if answer.early else {}  # books that came since
        if is_surer(answer, early):
            told = {"bettered": True} if answer.text != early.text else {}
            talks.put(early, answer.text, **answer.kept | {"settings": answer.kept["settings"] | told})
        else:
            settings = {name: how for name, how in early.settings.items() if name != "early"}
            talks.revise(talk, position, settings | left)

    def continue_(
        self,
        words: str | None,
        *,
        at: str | None = None,
        prompt: str | None = None,
        tokens: int | None = None,
        memory: bool = True,
        sampling: Sampling | None = None,
        stop: Event | None = None,
    ) -> Iterator[AnswerEvent]:
        """Continue a document's text at a place (default: its end), or a prompt of one's own.

        The local window holds the text just before the place; memory holds all that came before that window.
        """
        sampling = sampling or CONTINUING
        if tokens is not None:
            sampling = replace(sampling, max_tokens=tokens)
        utterance = self._utterance(sampling, stop)
        encode = self.library.model.backbone.tokenizer
        stretches: list[Stretch] = []
        if words is None:
            if prompt is None or not prompt.strip():
                raise BadInput("there is nothing to continue: name a document or give a prompt")
            ids = encode(prompt, add_special_tokens=False)["input_ids"]
        else:
            identifier = self.library.find(words).id
            document = self.library.document(identifier)
            place = find_position(document, at) if at else len(document.text)
            if place == 0 and not prompt:
                raise BadInput("nothing stands before that place; choose a later one")
            if prompt:
                ids, known = encode(prompt, add_special_tokens=False)["input_ids"], place
            else:
                ids, known = self._text_before(document.text, place)
            if memory:
                stretches = [self.library.stretch(identifier, 0, known)]
        yield from utterance.generated(self.reader, Prompt(ids), stretches)

    # inside

    def _utterance(self, sampling: Sampling, stop: Event | None) -> Utterance:
        return Utterance(self.library, sampling, stop, self._speaking)

    def _answered(
        self,
        scope: Scope,
        question: str,
        turns: Sequence[Turn],
        talk: str | None,
        utterance: Utterance,
        least: float | None,
    ) -> Iterator[AnswerEvent]:
        """Answer from contents or cast; or that nothing tells; or from memory and passages."""
        known = self._structure(scope, question)
        scope = scope.narrowed(self.library, question)
        if (known := known or self._told(scope, question)) is not None:
            yield from utterance.told(known)
            return
        asked = self._asked(scope, question, turns)
        if self.library.model.reader is not None and not is_small_talk(question):
            yield from utterance.read(lambda: self._read(asked, least))
            return
        early = tuple(name for name in asked.ranges if self.shelf.get(name).state != "ready")
        stretches = [
            self.library.stretch(name, *span) for name, span in asked.ranges.items() if name not in early
        ]
        if asked.older and talk is not None:
            folder, model = self.shelf.paths.talk_bank(talk), self.library.model
            with contextlib.suppress(OSError, Failure):  # on a full disk older turns are left out
                source = remember(asked.older, folder, model.backbone, model.sidenet)
                stretches.append(Stretch.whole(source))
        found = self._chosen(asked)
        is_new = not asked.recent and not asked.recalled
        if (
            is_new
            and found is not None
            and found.question
            and found.told < (LEAST_TOLD if least is None else least)
        ):
            tokens = sum(one.tokens for one in stretches)
            yield from utterance.told(Answer(NOT_TOLD, memory_tokens=tokens, answered=False, early=early))
            return
        for event in utterance.generated(self.reader, self._prompt(asked, found), stretches, found):
            yield replace(event, answer=replace(event.answer, early=early)) if event.answer else event

    def _read(self, asked: Asked, least: float | None) -> Answer:
        """Answer with what the reading layers find in the best passages."""
        question, ranges = in_full(self._spelled(asked), asked.turns), asked.ranges
        early = self._unmade(ranges)
        hits = find_passages(question, self.library, ranges)[:READ]
        reranker = self.library.model.reranker if wants_one(asked.question) else None
        reading = read(question, self.library, hits, ranges, reranker)
        said = worded(asked.question, reading, self._calibration(reranker, least))
        score = round(said.confidence, 3)
        read_from = tuple(Read(hit.document, hit.start, hit.end, hit.score) for hit in hits)
        reads = tuple(Read(one.document, one.start, one.end, one.probability) for one in said.spans)
        return Answer(
            said.text,
            citations=cite_spans(said.spans, self.library.document, lambda name: ranges[name][0], score),
            looked=()
            if said.answered
            else looked_at(nearest(hits, reading), self.library.document, reading.answers),
            memory_tokens=self._readable_tokens(asked.scope),
            passages=read_from,
            answered=said.answered,
            span=said.spans[0].text if said.answered else None,
            confidence=score,
            early=early,
            trace=Trace((TokenReads(said.text, reads),), (), read_from) if hits else None,
            reading=reading,
        )

    def _calibration(self, reranker: Reranker | None, least: float | None) -> Calibration:
        """Return how scores become confidences. least: below which nothing is answered, if it is told."""
        layers = self.library.model.reader
        assert layers is not None
        fitted = layers.calibration if reranker is None else reranker.config.calibration
        return fitted if least is None else replace(fitted, least=least)

    def _spelled(self, asked: Asked) -> str:
        """Return a question to one book with the capitals of the names in it, where it was typed without."""
        name = asked.scope.single
        if name is None:
            return asked.question
        return with_capitals(asked.question, self._cast(name), asked.scope.ranges[name][1])

    def _cast(self, name: str) -> Callable[[], Cast]:
        """Return what gives who is who in a document, when it is called."""
        return partial(kept_cast, self.shelf.paths.cast(name), self.library.document(name))

    def _unmade(self, ranges: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
        """List the books whose memory is still being made; one that cannot be used is told of elsewhere."""
        without = [name for name in ranges if self.library.ready_bank(name) is None]
        return tuple(name for name in without if not self.library.fault(name))

    def _scope_then(self, talk: str, question: Message) -> Scope:
        """Return what could be read for a question of a talk, by the bounds that are kept with it."""
        until, within = question.settings.get("until"), question.settings.get("within")
        return Scope.of(self.library, self.shelf.talks.get(talk).document, until, within)

    def _readable_tokens(self, scope: Scope) -> int:
        """Count the tokens that a question may read; of parts of many books about, opening no bank."""
        if scope.single is None:
            ready = self.shelf.ready()
            shares = ((end - start, ready[one]) for one, (start, end) in scope.ranges.items() if one in ready)
            return sum(round(part * of.tokens / max(1, of.characters)) for part, of in shares)
        if self.library.ready_bank(scope.single) is None:
            return 0
        return self.library.stretch(scope.single, *scope.ranges[scope.single]).tokens

    def _asked(self, scope: Scope, question: str, turns: Sequence[Turn]) -> Asked:
        recent, older = recent_turns(self.library.model.backbone.tokenizer, turns, HISTORY_TOKENS)
        ranges = self.library.keeper.narrowed(in_full(question, turns), scope.ranges)
        return Asked(question, scope, ranges, turns, recent, turns[:older], recalled(question, turns[:older]))

    def _chosen(self, asked: Asked) -> Chosen | None:
        """Choose what the window is to hold again for a question; None where nothing in a book answers it."""
        if is_small_talk(asked.question):
            return None
        return chosen(asked.question, find_passages(asked.question, self.library, asked.ranges))

    def _prompt(self, asked: Asked, found: Chosen | None) -> Prompt:
        tokenizer, window = self.library.model.backbone.tokenizer, self.reader.window
        return prompted(tokenizer, asked.question, found, asked.recent, asked.recalled, window)

    def _structure(self, scope: Scope, question: str) -> Answer | None:
        """Answer from the table of contents where it can, with the heading as the citation; else None."""
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

    def _told(self, scope: Scope, question: str) -> Answer | None:
        """Tell who somebody is or what happens, as the only document's own sentences do; else None."""
        name = scope.single
        if name is None:
            return None
        document = self.library.document(name)
        low, high = scope.ranges[name]
        bounded = (low, high) != (0, len(document.text))
        told = telling(question, document, self._cast(name), low, high, bounded)
        if told is None:
            return None
        cited = tuple(citation(document, name, *span, 1.0) for span in told.sentences)
        text = told.words or " ".join(quoted(one.text) for one in cited)
        return Answer(text, citations=cited, span=cited[0].text if len(cited) == 1 else None)

    def _text_before(self, text: str, place: int) -> tuple[list[int], int]:
        """Return token ids of the half window before a place, and the character where it begins."""
        half = self.reader.window // 2
        begin = max(0, place - half * 8)
        ids, spans = plain_tokens(self.library.model.backbone.tokenizer, text[begin:place])
        return ids[-half:], begin + (spans[-half:][0][0] if spans else 0)

    def trace(self, talk: str, position: int) -> Trace | None:
        """Return where the answer at `position` of a talk was read from; None where that is not known."""
        packed = self.shelf.talks.trace(talk, position)
        return None if packed is None else Trace.unpacked(packed)

    def _keep(self, talk: str, answer: Answer) -> None:
        self.shelf.talks.append(talk, "assistant", answer.text, **answer.kept)


def _exchange(messages: Sequence[Message], position: int) -> tuple[Message, Message]:
    """Return a question and its answer, which stands at `position`. Raises BadInput where none does."""
    pair = messages[position - 1 : position + 1] if position > 0 else []
    if [one.role for one in pair] != ["user", "assistant"]:
        raise BadInput("there is no such answer (any more)")
    return pair[0], pair[1]
