"""API: the page's public events, for Gradio's HTTP API and client, and as MCP tools.

Every function's docstring is what a caller reads. Errors are `gr.Error` with one line that says what to do.
"""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any, Literal

import gradio as gr
from gradio.components.api_component import Api
from gradio.context import Context
from gradio.utils import get_function_description, get_function_params

from app.desk import records
from app.desk.desk import Desk
from app.desk.speaking import Start
from app.desk.uploads import discard, inside
from app.desk.visit import Visit
from app.html import wording
from app.tabs.frame import visit_of
from engine.answering.answer import AnswerEvent
from engine.errors import Failure
from ingest.errors import BadInput

JobAction = Literal["pause", "cancel", "resume"]


def publish(name: str, function: Any) -> None:
    """Register a public event, with what its docstring says of each parameter, in the Blocks being built."""
    gr.api(function, api_name=name, queue=True, concurrency_limit=None)
    page = Context.root_block
    assert page is not None
    inputs = list(page.fns.values())[-1].inputs
    _, said, _ = get_function_description(function)
    taken = [parameter for parameter, *_ in get_function_params(function)]
    for parameter, component in zip(taken, inputs, strict=True):
        assert isinstance(component, Api)
        component._api_info["additional_description"] = said[parameter]


@contextlib.contextmanager
def saying() -> Iterator[None]:
    """Turn what the engine refuses into an error of the interface."""
    try:
        yield
    except (BadInput, Failure) as error:
        raise gr.Error(wording.plain(str(error)), print_exception=False) from error


def declare(desk: Desk) -> None:
    """Register the public events in the Blocks under construction."""
    api = PublicApi(desk)
    for name, function in {
        "add": api.add_document, "shelf": api.list_shelf, "job": api.job, "control_job": api.control_job,
        "ask": api.ask, "continue": api.continue_text, "search": api.search, "read": api.read,
        "remove": api.remove_document, "rename": api.rename_document,
    }.items():  # fmt: skip
        publish(name, function)


class PublicApi:
    """The public events, each a method; `named` and `spoken` serve them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def named(self, document: str, visit: Visit) -> str | None:
        """Find the id of a document of the shelf; the engine would take a file's name for one to add."""
        with saying():
            return visit.shelf.find(document).id if document else None

    def add_document(
        self, request: gr.Request, file: gr.FileData, password: str = "", encoding: str = "", ocr: str = ""
    ) -> dict[str, Any]:
        """Put a file on the shelf and begin to encode it; answers at once with its id and state.

        Watch it with `job`. The uploaded copy is deleted. The same file again is the same document. Where
        there are accounts, everybody can read it, and only the account that added it can change it.

        Parameters:
            file: an uploaded file; for a tool a "data:text/plain;base64,..." address, no other is fetched
            password: of an encrypted PDF; empty: it has none
            encoding: of a text file, e.g. "cp1251"; empty: it is guessed
            ocr: the language in which a scan or a picture is read, e.g. "eng", "deu+eng", "auto"; empty: none
        """
        with saying():
            path = Path(file["path"] if isinstance(file, dict) else file.path)
            inside(path)
            try:
                entry = visit_of(self.desk, request).add(path, password, encoding, ocr.strip())
            finally:
                discard(path)
            return records.entry(entry)

    def list_shelf(self, request: gr.Request) -> list[dict[str, Any]]:
        """List all documents of the shelf: id, title, author, tokens, bank_bytes, state."""
        return [records.entry(entry) for entry in visit_of(self.desk, request).shelf.entries()]

    def job(self, request: gr.Request, document: str) -> dict[str, Any]:
        """Return the newest job: state, stage, percentage, tokens_per_second, seconds_left, message.

        Of a book that another account added: how far it is, without id and message.

        Parameters:
            document: its id, an unambiguous start of that, or its title
        """
        with saying():
            visit = visit_of(self.desk, request)
            entry = visit.shelf.find(document)
            latest = visit.job_of(entry)
            names = ("id", "state", "stage", "percentage", "tokens_per_second", "seconds_left", "message")
            return {"document": entry.id} | {name: getattr(latest, name, None) for name in names}

    def control_job(self, request: gr.Request, job_id: int, action: JobAction) -> dict[str, Any]:
        """Pause, cancel or resume a job of one's own.

        Parameters:
            job_id: the id that `job` gives
            action: "pause", "cancel" or "resume"
        """
        with saying():
            if action not in ("pause", "cancel", "resume"):
                raise BadInput('the action is "pause", "cancel" or "resume"')
            visit_of(self.desk, request).act(action, job_id)
            return {"id": job_id, "state": self.desk.shelf.jobs.get(job_id).state}

    def ask(
        self, request: gr.Request, document: str, question: str, until: str = "", within: str = ""
    ) -> Iterator[dict[str, Any]]:
        """Ask a document, or the whole shelf, a question.

        Streams {"answer": text so far}; the last has citations, tokens and speeds as well.

        Parameters:
            document: its id, an unambiguous start of that, or its title; empty: the whole shelf
            question: in plain words
            until: read nothing after this place: "page 12", "45%"; "read": as far as you have read
            within: read this chapter only, by its title or number; empty: all
        """
        visit = visit_of(self.desk, request)
        identifier = self.named(document, visit)

        def start(stop: Event) -> Iterator[AnswerEvent]:
            return visit.assistant.ask(
                identifier, question, until=until or None, within=within or None, stop=stop
            )

        yield from self.spoken(start, question, visit)

    def continue_text(
        self,
        request: gr.Request,
        document: str = "",
        at: str = "",
        prompt: str = "",
        tokens: int = 100,
        memory: bool = True,
    ) -> Iterator[dict[str, Any]]:
        """Continue a document at a place, or words of one's own; streams as `ask` does.

        Parameters:
            document: its id, an unambiguous start of that, or its title; empty: none, the prompt alone
            at: the place to go on from, e.g. "page 12", "45%"; empty: its end
            prompt: words of one's own to go on from; empty: the text of the document
            tokens: how many to write at most
            memory: whether the document's memory is read; false: the language model alone
        """
        visit = visit_of(self.desk, request)
        with saying():
            visit.check_tokens(tokens)
        identifier = self.named(document, visit)

        def start(stop: Event) -> Iterator[AnswerEvent]:
            return visit.assistant.continue_(
                identifier,
                at=at or None,
                prompt=prompt or None,
                tokens=tokens,
                memory=memory,
                stop=stop,
            )

        yield from self.spoken(start, prompt, visit)

    def search(self, document: str, query: str, limit: int = 20) -> list[dict[str, Any]]:
        """Find passages of a document, or of all, that hold all words of a query; in reading order.

        Parameters:
            document: its id, an unambiguous start of that, or its title; empty: all
            query: the words to find
            limit: how many passages at most, up to 200
        """
        with saying():
            where = self.desk.shelf.find(document).id if document else None
            hits = self.desk.shelf.fulltext.search(query, where, limit=max(1, min(limit, 200)))
            return [
                {
                    "document": hit.document,
                    "start": hit.start,
                    "end": hit.end,
                    "text": hit.text,
                    "place": str(self.desk.books.document(hit.document).place(hit.start, hit.end)),
                    "score": hit.score,
                }
                for hit in hits
            ]

    def read(self, document: str, start: int = 0, characters: int = 4000) -> dict[str, Any]:
        """Read the text of a document from a character on, with its place.

        Parameters:
            document: its id, an unambiguous start of that, or its title
            start: the character to begin at, counted from 0
            characters: how many, up to 20,000
        """
        with saying():
            whole = self.desk.books.document(self.desk.shelf.find(document).id)
            start = max(0, start)
            end = min(len(whole.text), start + max(0, min(characters, 20_000)))
            return {
                "text": whole.text[start:end],
                "start": start,
                "end": end,
                "place": str(whole.place(start)),
                "characters": len(whole.text),
            }

    def remove_document(self, request: gr.Request, document: str) -> dict[str, Any]:
        """Delete a document with its memory, full text and talks; says how many bytes that freed.

        Where another account has added the same file, it stays for that one.

        Parameters:
            document: its id, an unambiguous start of that, or its title
        """
        with saying():
            self.desk.changeable()
            visit = visit_of(self.desk, request)
            _, freed = visit.remove(visit.shelf.find(document).id)
            return {"removed": document, "freed_bytes": freed}

    def rename_document(self, request: gr.Request, document: str, title: str) -> dict[str, Any]:
        """Give a document another title.

        Parameters:
            document: its id, an unambiguous start of that, or its title
            title: what it is called from now on
        """
        with saying():
            self.desk.changeable()
            visit = visit_of(self.desk, request)
            return records.entry(visit.rename(visit.shelf.find(document).id, title))

    def spoken(self, start: Start, question: str, visit: Visit) -> Iterator[dict[str, Any]]:
        """Yield what is said so far, and again as it grows; ended where the caller has gone."""
        key = f"interface {time.monotonic_ns()}"
        with saying():
            speech = visit.speaker.say(key, question, start)
            try:
                for one in self.desk.speaker.follow(speech):
                    if one.pieces and not one.ended:
                        yield {"answer": one.text}
            finally:
                # nobody looks any more, or it has ended
                self.desk.speaker.stop(key)
            if speech.error:
                raise Failure(speech.error)
            if speech.answer is None:
                raise Failure("the answer ended too early; ask again")
            yield records.answer(speech.answer)
