"""Checkpoints of a run in progress: all it needs to go on after a kill, replaced as a whole.

Not what is shipped: that is `engine.sidenet.checkpoint`, which holds the learned tensors alone.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch

from engine.arguments import option
from engine.training.settings import TrainingSettings
from engine.whole import whole
from ingest.errors import BadInput

STATE_FILE = "state.pt"
OPTIONS_FILE = "options.json"
DIGESTS = ("start", "books")  # options of which a digest is kept


def save_state(folder: Path, state: dict, settings: TrainingSettings) -> None:
    """Write the state of a run; an interrupted write leaves the one before."""
    write_state(folder, {"settings": settings.to_json(), **state})


def write_state(folder: Path, state: dict) -> None:
    """Replace the state kept in a run's folder as a whole."""
    folder.mkdir(parents=True, exist_ok=True)
    with whole(folder / STATE_FILE) as file:
        torch.save(state, file)


def read_state(folder: Path) -> dict | None:
    """Read the state kept in a run's folder, or None where there is none."""
    file = folder / STATE_FILE
    # mmap is off: the file is replaced while the run goes on.
    return torch.load(file, map_location="cpu", weights_only=True) if file.is_file() else None


def keep_options(folder: Path, options: Mapping[str, object]) -> None:
    """Keep what a run was begun with beside its settings, so that it can only go on with the same.

    Raises
    ------
    BadInput
        The run was begun with another value of one of them.
    """
    file = folder / OPTIONS_FILE
    if (folder / STATE_FILE).is_file() and file.is_file():
        for name, value in json.loads(file.read_text()).items():
            if name in options and options[name] != value:
                begun = f"{option(name)} {value}, not {options[name]}"
                if name in DIGESTS:
                    begun = f"another {option(name)}"
                raise BadInput(
                    f"the run in {folder} was begun with {begun}; give that, or another --out folder"
                )
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(dict(options), indent=2) + "\n")


def load_state(folder: Path, settings: TrainingSettings) -> dict | None:
    """Load the state kept in a run's folder, or None where there is none.

    Raises
    ------
    BadInput
        The run was started with other settings.
    """
    state = read_state(folder)
    if state is None:
        return None
    if TrainingSettings.from_json(state.pop("settings")) != settings:
        raise BadInput(f"the run in {folder} has other settings; give its own, or another --out folder")
    return state
