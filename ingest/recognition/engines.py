"""Engines: what recognises text on this machine, and which of them reads a language."""

from types import ModuleType

from ingest.errors import BadInput
from ingest.recognition import rapid, tesseract

# equals, asked in this order: each has NAME, languages() and recognise(picture, language)
ENGINES: tuple[ModuleType, ...] = (tesseract, rapid)
AUTO = "auto"  # the language is left to us
_USUAL = ("eng", rapid.LATIN)
_INSTALL = (
    "text recognition is not installed here: install tesseract (https://tesseract-ocr.github.io), or "
    'RapidOCR by pip install "longmem-reader[ocr]", and try again'
)


def installed() -> list[tuple[str, tuple[str, ...]]]:
    """List the name and the languages of each engine that is on this machine."""
    return [(engine.NAME, engine.languages()) for engine in ENGINES if engine.languages()]


def choose_engine(language: str) -> tuple[ModuleType, str]:
    """Choose the engine for a language ("deu", "deu+eng", "auto"), and what it calls that.

    Raises BadInput where none is installed or none reads it: names what is there.
    """
    there = [engine for engine in ENGINES if engine.languages()]
    if not there:
        raise BadInput(_INSTALL)
    if language == AUTO:
        known = there[0].languages()
        return there[0], next((usual for usual in _USUAL if usual in known), known[0])
    wanted = [one.strip() for one in language.split("+")]
    for engine in there:
        if all(one in engine.languages() for one in wanted):
            return engine, "+".join(wanted)
    names = "; ".join(f"{engine.NAME}: {', '.join(engine.languages())}" for engine in there)
    raise BadInput(f"no text recognition here reads “{language}”: name one of these ({names})")
