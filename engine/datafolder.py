"""Data folder: where a user's books are kept, chosen by LONGMEM_HOME, on the page, or by custom.

What the page chose stands in one file in the platform's own folder, as it has to be found before the data
folder is. Standard library only until something is written: set-up asks before the environment stands.
"""

import os
import sys
from pathlib import Path

from ingest.errors import BadInput

HOME_VARIABLE = "LONGMEM_HOME"
CHOSEN = "data-folder.txt"
SHELF = "shelf.db"


def user_data_folder() -> Path:
    """Return the platform's user data folder for this program."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "LongMemReader"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "LongMemReader"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "longmem-reader"


def data_folder() -> Path:
    """Return the data folder of this process. Raises BadInput where the chosen one is not there.

    A disk that is not attached must not look like an empty shelf.
    """
    if named := os.environ.get(HOME_VARIABLE):
        return Path(named).expanduser().resolve()
    folder = chosen()
    if folder is None:
        return user_data_folder()
    if not folder.is_dir():
        raise BadInput(
            f"the data folder {folder} that was chosen on the page is not there: attach its disk, or delete"
            f" {user_data_folder() / CHOSEN} to go back to {user_data_folder()}"
        )
    return folder


def chosen() -> Path | None:
    """Return the folder that was chosen on the page, None where none was."""
    try:
        words = (user_data_folder() / CHOSEN).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return Path(words) if words else None


def checked(words: str, present: Path) -> Path:
    """Return the folder that is named, made where it is missing; no words: the platform's. Raises BadInput.

    present: the data folder of this start, into which another one must not go.
    """
    folder = Path(words.strip()).expanduser() if words.strip() else user_data_folder()
    if folder == user_data_folder():
        return folder
    if not folder.is_absolute():
        raise BadInput(f"'{words[:80]}' is no whole path: give one that begins at the top, such as {present}")
    folder = folder.resolve()
    if present.resolve() in folder.parents:
        raise BadInput(f"{folder} lies inside the data folder of today: choose one outside of it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = next(folder.iterdir(), None) is not None and not (folder / SHELF).exists()
        if not os.access(folder, os.W_OK):
            raise PermissionError("it cannot be written")
    except OSError as error:
        raise _refused(folder, error) from error
    if others:
        raise BadInput(f"{folder} holds other things: choose an empty folder, or one that keeps books")
    return folder


def keep(folder: Path) -> None:
    """Write which data folder is used from the next start on. Raises BadInput."""
    from engine.whole import write_whole

    note = user_data_folder() / CHOSEN
    try:
        if folder == user_data_folder():
            note.unlink(missing_ok=True)
        else:
            note.parent.mkdir(parents=True, exist_ok=True)
            write_whole(note, f"{folder}\n")
    except OSError as error:
        raise _refused(folder, error) from error


def _refused(folder: Path, error: OSError) -> BadInput:
    what = error.strerror or str(error)
    return BadInput(f"{folder} cannot be the data folder ({what}): choose another one")
