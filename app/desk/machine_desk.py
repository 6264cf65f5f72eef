"""Machine desk: which model, device, numbers, threads and data folder one may choose, and what was chosen."""

import contextlib
import os
import re
import threading
from pathlib import Path

from app.desk.desk import Desk
from engine import datafolder, preferences
from engine.arguments import PRECISIONS
from engine.backbone.known import KNOWN, KnownModel, fetched_bytes, reading_rate, size_of
from engine.backbone.placement import chosen_device, placed, precisions_of
from ingest.errors import BadInput

# as placement names them; the environment may name another card
DEVICES = ("cpu", "cuda", "mps")


class MachineDesk:
    """What is kept in the settings of a data folder, and what goes before it."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.path = desk, desk.shelf.paths.settings
        self._fetching: threading.Thread | None = None
        at_start = self.chosen()
        # --device and --precision are told by their variables; the other two options by the model itself
        started = {name: os.environ.get(variable, "") for name, variable in preferences.VARIABLES.items()}
        started |= {name: words for name, words in desk.assistant.library.model.named.items() if words}
        self.overruled = [name for name, words in started.items() if words not in ("", at_start.get(name))]

    def fetching(self) -> tuple[int, int | None] | None:
        """Return (bytes that are there, bytes of all where known) of a model of the hub until it is loaded.

        The first call begins that. None: it is loaded, or comes from nowhere else, or failed.
        """
        model = self.desk.assistant.library.model
        name = model.named["model"]
        if model.is_loaded or not re.fullmatch(preferences.HUB_NAME, name) or Path(name).is_dir():
            return None
        if self._fetching is None:
            self._fetching = threading.Thread(target=self._load, name="fetching", daemon=True)
            self._fetching.start()
        return (fetched_bytes(name), size_of(name)) if self._fetching.is_alive() else None

    def _load(self) -> None:
        # who looks next tries again, and is told why it failed
        with contextlib.suppress(Exception):
            _ = self.desk.assistant.library.model.backbone

    @property
    def may_change(self) -> bool:
        """Tell whether the page may choose: where it is its user's alone. A model's folder is a path."""
        return not self.desk.read_only and self.desk.accounts is None

    def changeable(self) -> None:
        """Raise BadInput where the page may not choose: events can be called without their form."""
        if not self.may_change:
            raise BadInput("the settings of this page are chosen by the command line alone")

    def chosen(self) -> dict[str, str]:
        """Return what was chosen; nothing where that cannot be read."""
        try:
            return preferences.kept(self.path)
        except BadInput:
            return {}

    def choose(self, values: dict[str, str], folder: str) -> tuple[bool, Path | None]:
        """Keep what is to be used from the next start on, all of it or nothing.

        folder: where books are from then on, "" for the usual one. Returns whether the model is another, and
        the data folder where that is another than today. Raises BadInput for what is no such thing, or cannot
        run here, and see `datafolder.checked`.
        """
        self.changeable()
        wanted = preferences.checked(values)
        placed(wanted.get("device", "auto"), wanted.get("precision", "auto"))
        present, before = self.desk.shelf.paths.home, self.chosen()
        home = None if folder.strip() == self.folder else datafolder.checked(folder, present)
        preferences.keep(self.path, wanted)
        try:
            if home is not None:
                datafolder.keep(home)
        except BadInput:
            preferences.keep(self.path, before)
            raise
        return wanted.get("model") != before.get("model"), None if home == present.resolve() else home

    @property
    def folder(self) -> str:
        """Return the data folder that was chosen for the next start, "" for the usual one."""
        return str(datafolder.chosen() or "")

    @property
    def is_folder_named(self) -> bool:
        """Tell whether this start was given its data folder, which goes before what is chosen."""
        return bool(os.environ.get(datafolder.HOME_VARIABLE))

    def devices(self) -> list[str]:
        """List the devices that are here."""
        return ["auto", *(name for name in DEVICES if _is_there(name))]

    def precisions(self) -> list[str]:
        """List the precisions that a device of this machine can run."""
        able = {one for name in self.devices() for one in precisions_of(chosen_device(name))}
        return ["auto", *(name for name in PRECISIONS if name in able)]

    def known(self) -> list[tuple[KnownModel, int, float]]:
        """List the known models with the bytes of memory and the least seconds for 100 words, as set now."""
        placement = placed()
        rate = reading_rate(placement.device)
        kind = placement.precision
        return [(one, one.memory(kind), one.least_seconds(kind, rate)) for one in KNOWN]


def _is_there(name: str) -> bool:
    try:
        chosen_device(name)
    except BadInput:
        return False
    return True
