"""The way of a question to its answer, read from top to bottom.

    scope -> table of contents -> cast -> turns -> passages -> reading -> words -> citations

A step takes the `Question` and what the step before it found, and asks the library for books, banks and
models. A checkpoint without reading layers answers in the model's own words.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from engine.answering.answer import Answer, AnswerEvent
from engine.answering.capitals import with_capitals
from engine.answering.citing import citation, cite_spans, looked_at, nearest
from engine.answering.early import unmade
from engine.answering.evidence import LEAST_TOLD
from engine.answering.history import in_full, recent_turns
from engine.answering.passages import Chosen, chosen, find_passages
from engine.answering.prompt import NOT_TOLD, Prompt, Turn, is_small_talk, prompted
from engine.answering.question import Question
from engine.answering.reading import READ, read
from engine.answering.structure import structure_answer
from engine.answering.talkmemory import recalled, remember
from engine.answering.telling import telling
from engine.answering.trace import Read, TokenReads, Trace
from engine.answering.utterance import Utterance
from engine.answering.wording import asks_yes_or_no, quoted, wants_one, worded
from engine.cast.kept import kept_cast
from engine.cast.person import Cast
from engine.errors import Failure
from engine.library import Library
from engine.reader import Reader
from engine.retrieval.memory import Stretch
from engine.sidenet.reading import Calibration
from engine.sidenet.reranker import Reranker

HISTORY_TOKENS = 256
Bounds = Mapping[str, tuple[int, int]]  # characters [start, end) of each document


@dataclass(frozen=True)
class Turns:
    """The turns before a question: the last ones, which the window holds again; older ones, which memory
    holds; and what of these the question reminds of.
    """

    recent: Sequence[Turn]
    older: Sequence[Turn]
    recalled: Sequence[str]


def answered(question: Question, library: Library, utterance: Utterance) -> Iterator[AnswerEvent]:
    """Yield the answer of the first step that has one; the last event carries the `Answer`."""
    known = from_contents(question, library)
    question = question.narrowed(library)
    if (known := known or from_cast(question, library)) is not None:
        yield from utterance.told(known)
        return
    ranges = library.keeper.narrowed(question.in_full, question.scope.ranges)
    if library.model.reader is not None and not is_small_talk(question.words):
        yield from utterance.read(lambda: from_reading(question, ranges, library))
    else:
        yield from in_own_words(question, ranges, library, utterance)


def from_contents(question: Question, library: Library) -> Answer | None:
    """Answer from the table of contents where it can, with the heading as the citation; else None."""
    name = question.scope.single
    if name is None:
        return None
    document = library.document(name)
    found = structure_answer(question.words, document, question.scope.ranges[name][1])
    if found is None:
        return None
    if found.chapter is None:
        return Answer(found.text)
    heading = found.chapter.start, document.heading_end(found.chapter)
    return Answer(found.text, citations=(citation(document, name, *heading, 1.0),))


def from_cast(question: Question, library: Library) -> Answer | None:
    """Tell who somebody is or what happens, as the only document's own sentences do; else None."""
    name = question.scope.single
    if name is None:
        return None
    document, (low, high) = library.document(name), question.scope.ranges[name]
    bounded = (low, high) != (0, len(document.text))
    told = telling(question.words, document, cast_of(name, library), low, high, bounded)
    if told is None:
        return None
    cited = tuple(citation(document, name, *span, 1.0) for span in told.sentences)
    text = told.words or " ".join(quoted(one.text) for one in cited)
    return Answer(text, citations=cited, span=cited[0].text if len(cited) == 1 else None)


def from_reading(question: Question, ranges: Bounds, library: Library) -> Answer:
    """Answer with what the reading layers find in the best passages of `ranges`."""
    asked = in_full(spelled(question, library), question.turns)
    early = unmade(library, ranges)  # before it is read: a memory that is made meanwhile was not
    hits = find_passages(asked, library, ranges)[:READ]
    reranker = library.model.reranker if wants_one(question.words) else None
    reading = read(asked, library, hits, ranges, reranker)
    said = worded(question.words, reading, calibration(question, library, reranker))
    score = round(said.confidence, 3)
    read_from = tuple(Read(hit.document, hit.start, hit.end, hit.score) for hit in hits)
    reads = tuple(Read(one.document, one.start, one.end, one.probability) for one in said.spans)
    # no word of the book is a yes or a no: its places are those found, and nothing in them is marked
    likely = () if asks_yes_or_no(question.words) else reading.answers
    places = () if said.answered else nearest(hits, likely)
    return Answer(
        said.text,
        citations=cite_spans(said.spans, library.document, lambda name: ranges[name][0], score),
        looked=looked_at(places, library.document, likely) if places else (),
        memory_tokens=question.scope.tokens(library),
        passages=read_from,
        answered=said.answered,
        span=said.spans[0].text if said.answered else None,
        confidence=score,
        early=early,
        trace=Trace((TokenReads(said.text, reads),), (), read_from) if hits else None,
        reading=reading,
    )


def in_own_words(
    question: Question, ranges: Bounds, library: Library, utterance: Utterance
) -> Iterator[AnswerEvent]:
    """Let the model answer, from memory and the passages that its window holds again."""
    early = tuple(name for name in ranges if library.shelf.get(name).state != "ready")
    stretches = [library.stretch(name, *span) for name, span in ranges.items() if name not in early]
    turns = held_turns(question, library)
    if turns.older and question.talk is not None:
        folder, model = library.shelf.paths.talk_bank(question.talk), library.model
        with contextlib.suppress(OSError, Failure):  # on a full disk older turns are left out
            stretches.append(Stretch.whole(remember(turns.older, folder, model.backbone, model.sidenet)))
    found = passages_again(question, ranges, library)
    least = LEAST_TOLD if question.least is None else question.least
    is_new = not turns.recent and not turns.recalled
    if is_new and found is not None and found.question and found.told < least:
        tokens = sum(one.tokens for one in stretches)
        yield from utterance.told(Answer(NOT_TOLD, memory_tokens=tokens, answered=False, early=early))
        return
    prompt = window_prompt(question, found, turns, library)
    for event in utterance.generated(reader_of(library), prompt, stretches, found):
        yield replace(event, answer=replace(event.answer, early=early)) if event.answer else event


# what the steps ask on their way


def cast_of(name: str, library: Library) -> Callable[[], Cast]:
    """Return what gives who is who in a document, when it is called."""
    return partial(kept_cast, library.shelf.paths.cast(name), library.document(name))


def spelled(question: Question, library: Library) -> str:
    """Return a question to one book with the capitals of the names in it, where it was typed without."""
    name = question.scope.single
    if name is None:
        return question.words
    return with_capitals(question.words, cast_of(name, library), question.scope.ranges[name][1])


def calibration(question: Question, library: Library, reranker: Reranker | None) -> Calibration:
    """Return how scores become confidences."""
    layers = library.model.reader
    assert layers is not None
    fitted = layers.calibration if reranker is None else reranker.config.calibration
    return fitted if question.least is None else replace(fitted, least=question.least)


def reader_of(library: Library) -> Reader:
    """Return the generation loop over the loaded model."""
    return Reader(library.model.backbone, library.model.sidenet)


def passages_again(question: Question, ranges: Bounds, library: Library) -> Chosen | None:
    """Choose the passages that the window holds again; None where nothing in a book answers the question."""
    if is_small_talk(question.words):
        return None
    return chosen(question.words, find_passages(question.words, library, ranges))


def held_turns(question: Question, library: Library) -> Turns:
    """Share the turns before a question between the window and memory."""
    recent, older = recent_turns(library.model.backbone.tokenizer, question.turns, HISTORY_TOKENS)
    before = question.turns[:older]
    return Turns(recent, before, recalled(question.words, before))


def window_prompt(question: Question, found: Chosen | None, turns: Turns, library: Library) -> Prompt:
    """Make what the window holds: passages, the last turns, and what of the older ones matters."""
    tokenizer, window = library.model.backbone.tokenizer, reader_of(library).window
    return prompted(tokenizer, question.words, found, turns.recent, turns.recalled, window)
