"""Keeper: keeps the catalogue in step with the shelf, and narrows a question about all books to a few.

    question -> likest passages (faiss), books with its words -> `BOOKS` books -> exact ranking, reading

The catalogue only proposes: which passages are read is decided within the books that it proposes, by exact
ranking as for one book, over the characters that may be read and no others.
"""

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from typing import TypeVar

import numpy as np

from engine.catalogue.catalogue import TOGETHER, Catalogue, Volume
from engine.catalogue.vectors import NO_DIMENSIONS, asking_vector, book_vectors
from engine.catalogue.view import Allowed
from engine.errors import Failure
from engine.model import Model
from engine.retrieval.memory import SearchableBank
from engine.retrieval.votes import ballot, question_states
from engine.shelf.entry import Extent
from engine.shelf.fulltext import NoIndex
from engine.shelf.shelf import Shelf
from engine.shelf.terms import question_terms
from ingest.errors import BadInput
from ingest.passages import Passage

BOOKS = 24  # that are ranked exactly; as many are asked without a catalogue
UNMADE = 4  # books that are asked besides, by their words: the newest whose memory is still being made
LIKEST = 1500  # passages that a question's vector proposes
HALFWAY = 4.0  # a proposal's place at which it counts half
Done = TypeVar("Done")
Span = TypeVar("Span", tuple[int, int], tuple[int, int | None])


class Keeper:
    """The catalogue of one library.

    model: gives the one in use. bank, passages: open those of a book, told its id.
    """

    def __init__(
        self,
        shelf: Shelf,
        model: Callable[[], Model],
        bank: Callable[[str], SearchableBank],
        passages: Callable[[str], list[Passage]],
    ) -> None:
        self._shelf, self._model, self._bank, self._passages = shelf, model, bank, passages
        self._gathers, self._late = False, list[Volume]()

    @cached_property
    def catalogue(self) -> Catalogue:
        """Return the catalogue by the search map in use; words alone where there is none."""
        paths, search = self._shelf.paths, self._model().sidenet.search
        if search is None:
            return Catalogue(paths.catalogue, paths.locks, "words", NO_DIMENSIONS)
        return Catalogue(paths.catalogue, paths.locks, search.fingerprint(), search.key.out_features)

    def enter(self, identifier: str, vectors: np.ndarray) -> None:
        """Enter a book whose bank was published; left out where it cannot be, and tried again when asked.

        vectors: (passages, dim), see `engine.catalogue.vectors.book_vectors`.
        """
        with suppress(OSError, sqlite3.Error, NoIndex):
            self._late.append(self._volume(identifier, vectors))
            if not self._gathers or len(self._late) == TOGETHER:
                self._put_late()

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Enter the books of a whole `add` by many at a time; those that a kill costs when all are asked."""
        self._gathers = True
        try:
            yield
        finally:
            self._gathers = False
            with suppress(OSError, sqlite3.Error):
                self._put_late()

    def drop(self, identifier: str) -> None:
        """Delete a book that was removed from the shelf; no model is needed for that."""
        with suppress(OSError, sqlite3.Error):
            Catalogue(self._shelf.paths.catalogue, self._shelf.paths.locks).drop(identifier)

    def keep_up(self, ready: Mapping[str, Extent]) -> None:
        """Enter the books that are ready and not in the catalogue, and delete those that are gone."""
        match = partial(self._match, ready)
        with suppress(OSError, sqlite3.Error):
            self._mended(match, match)

    def narrowed(self, question: str, ranges: Mapping[str, Span]) -> Mapping[str, Span]:
        """Choose the books that a question about many is asked of. ranges: characters that may be read."""
        if len(ranges) <= BOOKS:
            return ranges
        ready = self._shelf.ready()
        self.keep_up(ready)
        there = ((name, span) for name, span in ranges.items() if name in ready)
        allowed = {name: self._inside(name, ready[name], *span) for name, span in there}
        propose = partial(self.proposed, question, allowed)
        found = self._mended(propose, partial(self._match, ready))
        unmade = [name for name in ranges if name not in ready][:UNMADE]
        asked = found + unmade
        return {name: ranges[name] for name in asked}

    def proposed(self, question: str, allowed: Allowed) -> list[str]:
        """Propose up to `BOOKS` books of the catalogue for a question, best first.

        A question about a book nearly always has a name or a rare word of it: words count twice.
        """
        by_words = self.catalogue.by_words(question_terms(question), allowed)
        return fused([by_words, by_words, self._by_likeness(question, allowed)])[:BOOKS]

    # inside

    def _match(self, ready: Mapping[str, Extent]) -> None:
        self.catalogue.keep_only({book: extent.created for book, extent in ready.items()})
        self.catalogue.put_all(self._volumes(ready.keys() - self.catalogue.books().keys()))

    def _mended(self, work: Callable[[], Done], make: Callable[[], None]) -> Done:
        """Do something with the catalogue; where it turns out to be damaged, `make` it again before."""
        try:
            return work()
        except sqlite3.OperationalError:  # it cannot be had now, and may be whole
            raise
        except sqlite3.DatabaseError:
            self.catalogue.clear()
            make()
            return work()

    def _volumes(self, identifiers: Iterable[str]) -> Iterator[Volume]:
        for identifier in identifiers:
            with suppress(BadInput, Failure):  # its memory is not to be had now
                yield self._volume(
                    identifier, book_vectors(self._bank(identifier), self._passages(identifier))
                )

    def _put_late(self) -> None:
        late, self._late = self._late, []
        self.catalogue.put_all(late)

    def _volume(self, identifier: str, vectors: np.ndarray) -> Volume:
        """Join what the catalogue holds of a book. Raises NoIndex."""
        created = self._shelf.get(identifier).created
        return Volume(identifier, created, vectors, self._shelf.fulltext.stems(identifier))

    def _inside(self, book: str, extent: Extent, start: int, end: int | None) -> tuple[int, int | None]:
        """Return the passages, first and last (not included), that lie within characters of a book."""
        if start == 0 and (end is None or end >= extent.characters):
            return 0, None
        every = self._passages(book)
        first = bisect_left(every, start, key=lambda one: one.start)
        return first, len(every) if end is None else bisect_right(every, end, key=lambda one: one.end)

    def _by_likeness(self, question: str, allowed: Allowed) -> list[str]:
        """Rank books by their likest passage."""
        backbone, sidenet = self._model().backbone, self._model().sidenet
        search, block = sidenet.search, sidenet.config.search_block
        if search is None or block is None:
            return []
        asked = ballot(search, question_states(backbone, question, block))
        (found,) = self.catalogue.nearest(asking_vector(asked), LIKEST, allowed)
        return list(dict.fromkeys(one.book for one in found))


def fused(rankings: Iterable[list[str]]) -> list[str]:
    """Join rankings of books by reciprocal places, best first: Σ 1 / (4 + place)."""
    scores: dict[str, float] = {}
    for ranking in rankings:
        for place, book in enumerate(ranking):
            scores[book] = scores.get(book, 0.0) + 1 / (HALFWAY + place)
    return sorted(scores, key=lambda book: (-scores[book], book))
