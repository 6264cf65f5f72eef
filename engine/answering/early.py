"""Early answers: given while the memory of a book was still being made, and given anew once it is there."""

from collections.abc import Iterable

from engine.answering.answer import Answer
from engine.library import Library
from engine.shelf.shelf import Shelf
from engine.shelf.talks import Message


def unmade(library: Library, books: Iterable[str]) -> tuple[str, ...]:
    """List the books whose memory is still being made; one that cannot be used is told of elsewhere."""
    without = [name for name in books if library.ready_bank(name) is None]
    return tuple(name for name in without if not library.fault(name))


def awaited(shelf: Shelf, talk: str, position: int) -> list[str]:
    """List the books whose memory an early answer waits for; those that are gone keep nothing waiting."""
    about, there = shelf.talks.get(talk).document, {one.id for one in shelf.entries()}
    kept = shelf.talks.messages(talk)[position].settings.get("early") or []
    named = [about] if kept is True else kept  # an older version kept no names
    return [one for one in named if one in there]


def can_better(library: Library, talk: str, position: int) -> bool:
    """Tell whether all books that an early answer waits for have their memory by now."""
    shelf = library.shelf
    books = awaited(shelf, talk, position)
    return all(shelf.get(one).state == "ready" and library.is_current(one) for one in books)


def is_surer(answer: Answer, early: Message) -> bool:
    """Tell whether an answer from memory takes the place of an early one, where anything measures that."""
    before = early.statistics
    if answer.confidence is None or "confidence" not in before:
        return True
    return (answer.answered, answer.confidence) >= (before["answered"], before["confidence"])
