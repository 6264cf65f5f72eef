"""API of demonstrations: the public events of the demonstration libraries; see app.page.api."""

import time
from typing import Any

import gradio as gr

from app.desk import records
from app.desk.demonstrations_desk import DemonstrationsDesk
from app.page.api import saying
from app.tabs.frame import owner_of
from engine.errors import Failure


def declare(desk: DemonstrationsDesk) -> None:
    """Register the public events in the Blocks under construction."""

    def list_libraries(request: gr.Request) -> list[dict[str, Any]]:
        """List all demonstration libraries: id, name, template, labels, examples, held_out, bank_bytes,
        state.

        `changeable` tells whether this account may change it.
        """
        owner = owner_of(request)
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
                "changeable": desk.may_change(one.library, owner),
            }
            for one in desk.facts(owner)
        ]

    def classify(request: gr.Request, library: str, text: str) -> dict[str, Any]:
        """Label one text with a demonstration library (id or name).

        Answers with the label, the probability of each label, and the demonstrations that memory read.
        """
        with saying():
            identifier, speaker = desk.store.find(library).id, desk.desk.speaker
            key = f"interface {time.monotonic_ns()}"
            trial = desk.try_text(key, identifier, text, owner=owner_of(request))
            try:
                for _ in speaker.follow(trial.speech):
                    pass
            finally:
                # nobody waits any more, or it has ended
                speaker.stop(trial.speech.key)
            if trial.speech.error or trial.found is None:
                raise Failure(trial.speech.error or "it was stopped; ask again")
            return records.classification(trial.found)

    quick = {"queue": True, "concurrency_limit": None}
    gr.api(list_libraries, api_name="libraries", **quick)
    gr.api(classify, api_name="classify", **quick)
