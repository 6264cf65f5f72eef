"""API of demonstrations: the public events of the demonstration libraries; see app.page.api."""

import time
from typing import Any

import gradio as gr

from app.desk import records
from app.desk.desk import Desk
from app.page.api import publish, saying
from app.tabs.library_frame import visited
from engine.errors import Failure


def declare(desk: Desk) -> None:
    """Register the public events in the Blocks under construction."""

    def list_libraries(request: gr.Request) -> list[dict[str, Any]]:
        """List all demonstration libraries: id, name, template, labels, examples, held_out, bank_bytes,
        state.

        `changeable` tells whether this account may change it.
        """
        mine = visited(desk, request)
        return [
            {
                "id": one.library.id,
                "name": one.library.name,
                "template": one.library.task.template,
                "labels": list(one.library.task.labels),
                "examples": one.library.size,
                "held_out": one.library.held("held-out"),
                "bank_bytes": one.bank_bytes,
                "state": one.state,
                "changeable": mine.may_change(one.library),
            }
            for one in mine.facts()
        ]

    def classify(request: gr.Request, library: str, text: str) -> dict[str, Any]:
        """Label one text with a demonstration library.

        Answers with the label, the probability of each label, and the demonstrations that memory read.

        Parameters:
            library: its id or its name, as `libraries` lists them
            text: what is to be labelled
        """
        with saying():
            identifier, speaker = desk.libraries.store.find(library).id, desk.speaker
            key = f"interface {time.monotonic_ns()}"
            trial = visited(desk, request).try_text(key, identifier, text)
            try:
                for _ in speaker.follow(trial.speech):
                    pass
            finally:
                # nobody waits any more, or it has ended
                speaker.stop(trial.speech.key)
            if trial.speech.error or trial.found is None:
                raise Failure(trial.speech.error or "it was stopped; ask again")
            return records.classification(trial.found)

    publish("libraries", list_libraries)
    publish("classify", classify)
