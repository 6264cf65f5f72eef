"""Sending: an errand is done by the page of the same data folder where one runs, else in this process."""

import argparse
import os
from collections.abc import Callable, Iterator
from typing import Any

from app.command_line.arguments import model_options
from app.command_line.opening import data_folder, named_model
from app.desk import wire
from app.desk.errands import ERRANDS
from engine.errors import Failure


def model_settings(arguments: argparse.Namespace, prefix: str = "") -> dict:
    """Return the model that a command line names, as `wire.settings` does."""
    options = model_options(arguments, prefix)
    return wire.settings(**options | {"model": options["model"] or named_model([])})


def done(
    errand: str, arguments: argparse.Namespace, opened: Callable[[], Any], given: dict
) -> Iterator[dict]:
    """Yield what an errand says. opened: gives the assistant, where it has to be done here."""
    document = given.get("document")
    is_file = document is not None and os.path.isfile(os.path.expanduser(document))
    if not is_file:
        replies = wire.call(data_folder(), model_settings(arguments), errand, given)
        has_begun = False
        try:
            for reply in replies or ():
                has_begun = True
                yield reply
        except wire.Lost as error:
            if has_begun:
                raise Failure("the page that was answering has ended; ask again") from error
        else:
            if replies is not None:
                return
    yield from ERRANDS[errand](opened(), None, **given)
