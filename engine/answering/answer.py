"""What an answer is made of: text, citations, numbers, and where memory was read."""

from dataclasses import dataclass, field
from typing import Any

from engine.answering.reading import Reading
from engine.answering.trace import Read, Trace
from ingest.document import Place


@dataclass(frozen=True)
class Citation:
    """A sentence that an answer leans on: `text` is exactly the document's characters [start, end).

    words: where nothing is sure, the characters [first, last) of `text` that may be the answer.
    """

    document: str
    text: str
    start: int
    end: int
    place: Place
    score: float
    words: tuple[int, int] | None = None

    def as_dict(self) -> dict[str, str | int | float | list[int]]:
        """Return it for JSON, and as a talk keeps it."""
        known: dict[str, str | int | float | list[int]] = {
            "document": self.document,
            "text": self.text,
            "start": self.start,
            "end": self.end,
            "place": str(self.place),
            "score": self.score,
        }
        return known if self.words is None else known | {"words": list(self.words)}


@dataclass(frozen=True)
class Answer:
    """A finished answer. Rates are 0 where nothing was generated.

    looked: where nothing is sure enough to be cited, the best passages found. answered: False where nothing
    sure was found. span: the words found in the book that answer, None where the answer is in other words.
    confidence: probability (0 to 1) that it is right, None where nothing measures it. early: documents
    that were read without a memory, which is still being made. reading: all that was read for it, sure or
    not, None where nothing was read; a talk does not keep it.
    """

    text: str
    citations: tuple[Citation, ...] = ()
    tokens: int = 0
    seconds_to_first_token: float = 0.0
    tokens_per_second: float = 0.0
    memory_tokens: int = 0
    looked: tuple[Citation, ...] = ()
    passages: tuple[Read, ...] = ()
    stopped: bool = False
    answered: bool = True
    span: str | None = None
    confidence: float | None = None
    early: tuple[str, ...] = ()
    trace: Trace | None = None
    reading: Reading | None = None

    @property
    def statistics(self) -> dict[str, int | float | bool | str]:
        """Return the answer's numbers, as a talk keeps them."""
        names = ("tokens", "seconds_to_first_token", "tokens_per_second", "memory_tokens", "stopped")
        numbers = {name: getattr(self, name) for name in names}
        known = {"answered": self.answered, "span": self.span, "confidence": self.confidence}
        return numbers | {name: value for name, value in known.items() if value is not None}

    @property
    def kept(self) -> dict[str, Any]:
        """Return all of the answer but its text, as `Talks.append` and `Talks.put` take it."""
        looked = {"looked": [one.as_dict() for one in self.looked]} if self.looked else {}
        return {
            "citations": [one.as_dict() for one in self.citations],
            "statistics": self.statistics,
            "settings": looked | ({"early": list(self.early)} if self.early else {}),
            "trace": self.trace.packed() if self.trace else None,
        }


@dataclass(frozen=True)
class AnswerEvent:
    """One step of an answer: the text it adds, what that token read; `answer` on the last step."""

    text: str = ""
    reads: tuple[Read, ...] = ()
    answer: Answer | None = field(default=None)
