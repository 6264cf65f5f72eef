"""Labelling: a text that is classified, or a library that is measured, by the page's one voice."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from app.desk.speaking import Speech
from engine.demonstrations.heldout import HeldOut

KEPT_MEASUREMENTS = 32

Found = TypeVar("Found")


@dataclass
class Labelling(Generic[Found]):
    """A text being classified, or a library being measured, by the page's one voice."""

    speech: Speech = field(init=False)
    found: Found | None = None
    done: int = 0
    total: int = 0

    @property
    def ended(self) -> bool:
        """Tell whether nothing more comes of it."""
        return self.speech.ended


class Measurements:
    """The newest measurements, by the key that they were spoken under."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Labelling[HeldOut]] = OrderedDict()

    def keep(self, made: Labelling[HeldOut]) -> None:
        """Keep a measurement that was just begun, in the place of the one before."""
        self._kept[made.speech.key] = made
        while len(self._kept) > KEPT_MEASUREMENTS:
            self._kept.popitem(last=False)

    def newest(self, key: str) -> Labelling[HeldOut] | None:
        """Return the newest measurement of that key, under way or ended."""
        return self._kept.get(key)

    def is_busy(self) -> bool:
        """Tell whether one is under way."""
        return not all(one.ended for one in list(self._kept.values()))
