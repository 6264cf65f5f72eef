"""Assistant: everything that the command line and the page do, in one place.

    file -> Library -> bank;   question -> answering.pipeline -> answer -> talk

`ask` and `continue_` are generators of `AnswerEvent`; closing one, or setting `stop`, ends the computation
within a token.
"""

import threading
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Unpack

from engine.answering.answer import Answer, AnswerEvent
from engine.answering.early import awaited, is_surer
from engine.answering.pipeline import answered, held_turns, passages_again, reader_of, window_prompt
from engine.answering.prompt import Prompt
from engine.answering.question import Question
from engine.answering.scope import Scope
from engine.answering.trace import Trace
from engine.answering.utterance import Utterance
from engine.errors import Failure
from engine.intake import How
from engine.library import Library
from engine.reader import Reader
from engine.retrieval.memory import Stretch
from engine.sampling import ANSWERING, CONTINUING, Sampling
from engine.shelf.connections import Unwritable
from engine.shelf.entry import Entry
from engine.shelf.jobs import Job
from engine.shelf.talks import Message
from ingest.errors import BadInput
from ingest.position import find_position
from ingest.segments import plain_tokens


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
        """Return the generation loop over the loaded model."""
        return reader_of(self.library)

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
        for event in answered(Question(question, scope, turns, talk, least), self.library, utterance):
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
        said, before = _exchange(messages, position)
        scope = self._scope_then(talk, said)
        question = Question(said.text, scope, scope.known(self.library, messages[: position - 1]))
        ranges = self.library.keeper.narrowed(question.in_full, scope.ranges)
        found, text = passages_again(question, ranges, self.library) if reread else None, None
        prompt = window_prompt(question, found, held_turns(question, self.library), self.library)
        for event in utterance.generated(self.reader, prompt, [], found):
            text = event.answer.text if event.answer else text
            yield event
        if text is not None:
            kept = before.settings.get("without", {}) | {"passages" if reread else "nothing": text}
            talks.revise(talk, position, before.settings | {"without": kept})

    def better(self, talk: str, position: int, *, stop: Event | None = None) -> Iterator[AnswerEvent]:
        """Answer anew what was answered early, before the book had its memory, and keep the surer answer.

        Raises BadInput where there is no such answer, or is none any more in the end.
        """
        utterance, talks = self._utterance(ANSWERING, stop), self.shelf.talks
        messages = talks.messages(talk)
        said, early = _exchange(messages, position)
        scope, before = self._scope_then(talk, said), awaited(self.shelf, talk, position)
        turns, answer = scope.known(self.library, messages[: position - 1]), Answer("", stopped=True)
        for event in answered(Question(said.text, scope, turns), self.library, utterance):
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

    def _scope_then(self, talk: str, question: Message) -> Scope:
        """Return what could be read for a question of a talk, by the bounds that are kept with it."""
        until, within = question.settings.get("until"), question.settings.get("within")
        return Scope.of(self.library, self.shelf.talks.get(talk).document, until, within)

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
