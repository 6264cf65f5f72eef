"""Intake: how the file of a document is read: its password, the encoding and the recognition that were named.

A password stays in this process' memory; the rest stands in the options of the document's jobs.
"""

from collections.abc import Callable
from typing import Any, TypedDict

from engine.paths import Paths
from engine.shelf.entry import Entry
from engine.shelf.jobs import Job
from engine.shelf.report import Report, Stopped
from engine.shelf.shelf import Shelf
from ingest.document import Document
from ingest.errors import BadInput

Parser = Callable[..., Document]
Recogniser = Callable[..., None]
# option of a job -> how a text was read that was read with another one
_READ_AS = {"encoding": "in another encoding", "ocr": "without this text recognition"}


class How(TypedDict, total=False):
    """How a file is to be read: what opens it, its encoding, the language of its scanned pages.

    What is left out, or None, was not named.
    """

    password: str | None
    encoding: str | None
    ocr: str | None


def options_of(how: How) -> dict[str, str]:
    """Return what of it a job may keep."""
    named = {"encoding": how.get("encoding"), "ocr": how.get("ocr")}
    return {option: value for option, value in named.items() if value is not None}


class Intake:
    """Reads the files of one shelf by `parse` and `recognise` of `ingest.apart`, put in from outside."""

    def __init__(self, shelf: Shelf, paths: Paths, parse: Parser, recognise: Recogniser | None) -> None:
        self.passwords: dict[str, str] = {}
        self._shelf, self._paths = shelf, paths
        self._parse, self._recognise = parse, recognise

    def check(self, entry: Entry, how: How) -> None:
        """Raise BadInput where a text was read otherwise: places in it would lie elsewhere then."""
        if not self._shelf.is_stored(entry.id):
            return
        for option, value in options_of(how).items():
            if value and all(job.options.get(option) != value for job in self._shelf.jobs.all(entry.id)):
                raise BadInput(
                    f'"{entry.title}" is on the shelf already, read {_READ_AS[option]}; '
                    "remove it there first (its talks go with it, notes where you do not keep them), then "
                    "add it again"
                )

    def keep_password(self, identifier: str, how: How) -> None:
        """Keep a password until the file is read; to be called before another thread can take up the job."""
        if (password := how.get("password")) is not None:
            self.passwords[identifier] = password

    def tell(self, job: Job, how: How) -> None:
        """Change how a file is read that is still to be read; what was read stays as it is."""
        if (given := options_of(how)) and not self._shelf.is_stored(job.document):
            self._shelf.jobs.configure(job.id, **given)

    def read_for(self, job: Job, report: Report) -> Document:
        """Recognise what was asked for, page by page, and parse the file."""
        if language := self._named(job.document, "ocr"):
            self._recognised(job.document, language, report)
        report("parse", 0, 1)
        return self.read(job.document, lambda: report("parse", 0, 1))

    def read(self, identifier: str, waiting: Callable[[], None] = lambda: None) -> Document:
        """Parse the file of a document, with the pages that were recognised."""
        return self._with_password(
            identifier,
            self._parse,
            encoding=self._named(identifier, "encoding"),
            pictures=self._paths.pictures(identifier),
            sheets=self._paths.sheets(identifier),
            waiting=waiting,
        )

    def _recognised(self, identifier: str, language: str, report: Report) -> None:
        if self._recognise is None:
            raise BadInput("text recognition (OCR) is not offered here: add the file by the command line")
        password = self.passwords.get(identifier)
        self._with_password(
            identifier,
            self._recognise,
            sheets=self._paths.sheets(identifier),
            language=language,
            report=lambda done, total: report("recognise", done, total),
        )
        if password is not None:  # the parser needs it too
            self.passwords[identifier] = password

    def _with_password(self, identifier: str, read: Callable[..., Any], **given: Any) -> Any:
        password = self.passwords.pop(identifier, None)
        try:
            return read(
                self._shelf.source(identifier),
                name=self._shelf.get(identifier).source_name,
                password=password,
                **given,
            )
        except Stopped:
            if password is not None:  # for when it goes on
                self.passwords[identifier] = password
            raise

    def _named(self, identifier: str, option: str) -> str | None:
        values = [job.options[option] for job in self._shelf.jobs.all(identifier) if job.options.get(option)]
        return values[-1] if values else None
