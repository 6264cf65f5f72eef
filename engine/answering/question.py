"""Question: what was asked, what may be read for it, and what of the talk before it may be known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.answering.history import in_full
from engine.answering.prompt import Turn
from engine.answering.scope import Scope
from engine.library import Library


@dataclass(frozen=True)
class Question:
    """A question to one book or to all, as every step of the pipeline takes it.

    words: as they were typed. turns: the exchanges before it. talk: the one whose bank holds those that are
    older than the window, None for none. least: confidence below which nothing is answered, None for the
    checkpoint's.
    """

    words: str
    scope: Scope
    turns: Sequence[Turn] = ()
    talk: str | None = None
    least: float | None = None

    @property
    def in_full(self) -> str:
        """Return it with the exchange before it, where it leans on that."""
        return in_full(self.words, self.turns)

    def narrowed(self, library: Library) -> "Question":
        """Return it about the chapter or page that it names: "Who arrives in chapter 7?"."""
        return replace(self, scope=self.scope.narrowed(library, self.words))
