"""Opening: the engine's assistant, with the model and the settings that a command line names."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from app.command_line.arguments import PAGE, model_options
from engine import preferences
from engine.arguments import DEVICE_VARIABLE, MODEL, PRECISION_VARIABLE
from engine.paths import Paths
from ingest.errors import BadInput

if TYPE_CHECKING:
    from engine.assistant import Assistant
    from engine.making import Maker
    from engine.texts import Texts

SPINS = "10000"  # looks of a thread for work before it sleeps: half a millisecond of an Intel, less of an AMD
# what is tried, trained or measured is as its own command line says, not as a reader likes it
NOT_READING = {
    "test",
    "adapt",
    "train",
    "train-search",
    "train-lexicon",
    "make-questions",
    "train-reader",
    "train-crossreader",
    "evaluate",
    "bench",
}


def named_model(argv: list[str]) -> str | None:
    """Return what --model or LONGMEM_MODEL says."""
    after = dict(zip(argv, argv[1:], strict=False))
    joined = [word.partition("=")[2] for word in argv if word.startswith("--model=")]
    given = after.get("--model") or next(iter(joined), None)
    return given or os.environ.get(preferences.MODEL_VARIABLE) or None


def choose_kept(argv: list[str]) -> None:
    """Let a reader's command begin with what was chosen on the page; what cannot be read is told."""
    if next((word for word in argv if not word.startswith("-")), "") in NOT_READING:
        return
    try:
        settings = Paths.default().settings
    except BadInput:  # the data folder is not there: the command says so, where it needs it
        return
    try:
        preferences.apply(settings, os.environ)
    except BadInput as error:
        print(f"going on without what was chosen in the settings: {error}", file=sys.stderr)


@contextlib.contextmanager
def own_environment() -> Iterator[None]:
    """Put back, when a command ends, the variables that it set: what follows in the process knows none."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def stay_local(model: str | None) -> None:
    """Keep every library from the network, unless the user named a model that has to come from there."""
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1")
    if model is None or model.endswith(".gguf") or Path(model).exists():
        os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")


def wait_asleep() -> None:
    """Let threads that wait for work fall asleep, but not at once.

    Awake for long they take the processor from whatever runs beside; asleep after each product, two of them
    were woken on one core, where they took as long as one. OpenMP reads it when PyTorch is loaded, so this
    comes before.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)


def choose_device(arguments: argparse.Namespace) -> None:
    """Let every model of this process be loaded as --device and --precision say: by their variables."""
    for name, variable in (("device", DEVICE_VARIABLE), ("precision", PRECISION_VARIABLE)):
        named = getattr(arguments, f"{MODEL}{name}", None) or getattr(arguments, f"{PAGE}{name}", None)
        if named:
            os.environ[variable] = named


def data_folder() -> Paths:
    """Return the user's data folder, which nobody else may read."""
    paths = Paths.default()
    paths.keep_private()
    return paths


def assistant(arguments: argparse.Namespace, prefix: str = "") -> "Assistant":
    """Return the engine's assistant over the user's data folder, with the parsers put in.

    prefix: see `add_model_arguments`.
    """
    from engine.assistant import Assistant
    from engine.library import Library
    from ingest.apart import parse as parse_file
    from ingest.apart import recognise

    options = model_options(arguments, prefix)
    options["model"] = options["model"] or named_model([])
    options["threads"] = options["threads"] or preferences.named_threads()
    return Assistant(Library(data_folder(), parse_file, recognise=recognise, **options))


def texts(arguments: argparse.Namespace, document: str | None = None) -> "Texts":
    """Return the user's books without model and memories; with both where a file is named: that is added."""
    if document is not None and os.path.isfile(os.path.expanduser(document)):
        return assistant(arguments).library
    from engine.texts import Texts
    from ingest.apart import parse as parse_file
    from ingest.apart import recognise

    found = Texts(data_folder(), parse_file, recognise)
    found.shelf.sweep()
    return found


def maker(arguments: argparse.Namespace) -> "Maker":
    """Return what makes texts and banks for the store, in a worker that has no shelf."""
    from engine.bank.store import Store
    from engine.making import Maker
    from engine.model import Model
    from ingest.apart import parse as parse_file

    paths, options = data_folder(), model_options(arguments)
    store = Store.named(paths.fetched)
    assert store is not None  # the coordinator named it
    checkpoint = Path(options["sidenet"]) if options["sidenet"] else None
    model = Model(paths, options["model"] or named_model([]), checkpoint, options["threads"] or 1)
    made = Maker(paths, model, parse_file, store)
    made.sweep()
    return made


def sampling(arguments: argparse.Namespace) -> dict:
    """Return the engine's sampling settings that the user named."""
    names = ("temperature", "top_p", "repetition_penalty", "seed", "max_tokens")
    return {name: value for name in names if (value := getattr(arguments, name, None)) is not None}
