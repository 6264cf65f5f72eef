"""How to classify. The defaults measured best on tasks that no report is made of (`engine/FINDINGS.md`)."""

from dataclasses import dataclass

from ingest.errors import BadInput

CHOICES = ("random", "similar")
MOST_SHOTS = 200


@dataclass(frozen=True)
class Settings:
    """shots: demonstrations in the local window. choose: "random" (one window for all texts, each label in
    turn) or "similar" (the nearest in memory, a window for each text). memory: whether the SideNet reads the
    bank. vote: whether the states of all demonstrations vote. calibrate: whether what the labels score on
    empty inputs is taken off. seed: of the random choice.
    """

    shots: int = 20
    choose: str = "random"
    memory: bool = True
    vote: bool = True
    calibrate: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.choose not in CHOICES:
            raise BadInput(f"examples of the window are chosen {' or '.join(CHOICES)}, not '{self.choose}'")
        if not 0 <= self.shots <= MOST_SHOTS:
            raise BadInput(f"the window takes 0 to {MOST_SHOTS} demonstrations, not {self.shots}")
