"""State: what one browser looks at, as plain data. The desk turns it into HTML."""

from dataclasses import dataclass, field, replace

BOUNDS = {"The whole book": "book", "Only what I have read": "read", "This chapter": "chapter",
          "All my books": "shelf", "All I have read": "shelf-read"}  # fmt: skip


@dataclass(unsafe_hash=True)
class Line:
    """The character at the top of the window.

    It is moved in place as one scrolls: an event that is changing the view at that time shares it, so that
    neither undoes what the other did.
    """

    at: int = 0


@dataclass(frozen=True)
class View:
    """Which document, line and talk a browser shows. `at`, `cursor` and the like count characters.

    `led` counts how often the reader was led somewhere: what is drawn anew without that stays where it was.
    `back` is the document and the place in it from which the reader was led away.
    `editing` and `answer` are positions in the talk: the question that is being put otherwise, and the
    answer whose memory map is shown (None: the last one that has one).
    `last` is when the reader had opened the document before, where that is long ago.
    """

    document: str = ""
    line: Line = field(default_factory=Line)
    cursor: int | None = None
    cited: tuple[int, int] | None = None
    found: tuple[tuple[int, int], ...] = ()
    back: tuple[str, int] | None = None
    talk: str = ""
    bound: str = "book"
    editing: int | None = None
    draft: str = ""
    answer: int | None = None
    led: int = 0
    last: float | None = None

    @property
    def at(self) -> int:
        """Return the character at the top of the window."""
        return self.line.at

    @property
    def is_shelf(self) -> bool:
        """Tell whether answers come from all books."""
        return self.bound in ("shelf", "shelf-read")

    def with_talk(self, talk: str) -> "View":
        """Return the view with another talk in it, of which nothing is chosen."""
        return replace(self, talk=talk, editing=None, draft="", answer=None)

    def kept(self) -> dict:
        """Return what the browser remembers over a refresh."""
        names = ("document", "talk", "bound", "answer")
        return {name: getattr(self, name) for name in names}
