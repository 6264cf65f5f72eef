"""Tesseract, where its program is installed: one language or several ("deu+eng")."""

import csv
import functools
import io
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from ingest.errors import BadInput
from ingest.recognition.sheet import Row

if TYPE_CHECKING:
    import pymupdf

NAME = "tesseract"
_PROGRAM = "tesseract"
_SECONDS = 120  # for a page
_NO_LANGUAGES = ("osd", "equ", "snum")  # which way a page is turned, formulas and numbers
_WORD = "5"  # the level of a word among the rows that it prints


@functools.cache
def languages() -> tuple[str, ...]:
    """List the languages that are installed; none where the program is not."""
    if shutil.which(_PROGRAM) is None:
        return ()
    try:
        said = subprocess.run([_PROGRAM, "--list-langs"], capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    names = said.stdout.decode("utf-8", "replace").splitlines()[1:]
    return tuple(name.strip() for name in names if name.strip() and name.strip() not in _NO_LANGUAGES)


def recognise(picture: "pymupdf.Pixmap", language: str) -> list[Row]:
    """Read the lines of a grey picture; places are those of its pixels. Raises BadInput where it gives up."""
    command = [_PROGRAM, "stdin", "stdout", "-l", language, "tsv"]
    try:
        # threads of its own make a page hardly faster and the machine much slower
        done = subprocess.run(
            command, input=picture.tobytes("pgm"), capture_output=True, timeout=_SECONDS,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise BadInput(f"tesseract gave up ({type(error).__name__})") from error
    if done.returncode:
        raise BadInput(f"tesseract gave up (exit code {done.returncode})")
    return _rows(done.stdout.decode("utf-8", "replace"))


def _rows(table: str) -> list[Row]:
    lines: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for word in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        if word["level"] == _WORD and (word["text"] or "").strip():
            lines.setdefault((word["block_num"], word["par_num"], word["line_num"]), []).append(word)
    return [_row(words) for words in lines.values()]


def _row(words: list[dict[str, str]]) -> Row:
    lefts, tops = ([float(word[name]) for word in words] for name in ("left", "top"))
    rights = [left + float(word["width"]) for left, word in zip(lefts, words, strict=True)]
    feet = [top + float(word["height"]) for top, word in zip(tops, words, strict=True)]
    sure = sum(float(word["conf"]) * len(word["text"]) for word in words)
    return Row(
        min(lefts), min(tops), max(rights), max(feet), " ".join(word["text"].strip() for word in words),
        max(0.0, sure / sum(len(word["text"]) for word in words)),
    )  # fmt: skip
