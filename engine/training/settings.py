"""Settings of a training run. What is here decides the result; where files lie does not."""

import dataclasses
import json
from dataclasses import dataclass

from engine.training.ring import READINGS
from ingest.errors import BadInput

METHODS = ("sidenet", "memtrm")
PARTS = ("all", "memory")


@dataclass(frozen=True)
class TrainingSettings:
    """steps: optimiser steps, each over `rows` books times `accumulate` segments of `segment` tokens.

    batch: rows that pass through the model at once; more of them fill a GPU, and only rounding differs.
    method: "sidenet" is LongMem; "memtrm" the baseline that tunes the backbone's own blocks from the memory
    block on. parts: "all" trains whole side layers, "memory" only what reads the bank: queries, outputs,
    scale, null slot. first_layer: side layers below stay as they start. capacity: tokens of each row's bank;
    0 trains the control: the same segments and positions, memory withheld. reading: "dense" or "sparse".
    loss_share: share of the positions that the loss is taken at (the language-model head is a fifth of a
    step's work). forget: share of the segments read with an empty bank, so that the same weights also serve
    without a document. copy_steps: a warm-up in which a segment also finds itself in its memory, surely in
    the first step and never after so many: memory learns to be believed before it has to be searched.
    foreign: share of the segments beside whose past another row's book stands in memory.
    scale_rate, memory_rate: learning rates of branch scales and gates, and of what null slots weigh.
    kl_weight, kl_every: pull towards the backbone on chat prompts, without a document and beside one, every
    so many steps.
    """

    method: str = "sidenet"
    steps: int = 1000
    rows: int = 2
    batch: int = 1
    accumulate: int = 1
    segment: int = 1024
    parts: str = "all"
    first_layer: int = 0
    capacity: int = 16384
    reading: str = "sparse"
    rate: float = 2e-4
    scale_rate: float = 5e-3
    memory_rate: float = 5e-3
    warmup: int = 20
    final_share: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    loss_share: float = 0.33
    forget: float = 0.1
    copy_steps: int = 0
    foreign: float = 0.0
    kl_weight: float = 1.0
    kl_every: int = 4
    seed: int = 1

    def __post_init__(self) -> None:
        if self.reading not in READINGS:
            raise BadInput(f"reading is '{self.reading}'; choose one of {', '.join(READINGS)}")
        if self.parts not in PARTS:
            raise BadInput(f"parts is '{self.parts}'; choose one of {', '.join(PARTS)}")
        if self.method not in METHODS:
            raise BadInput(f"method is '{self.method}'; choose one of {', '.join(METHODS)}")
        if self.method == "memtrm" and self.parts != "all":
            raise BadInput("memtrm tunes whole blocks; leave --parts at 'all'")
        if self.capacity and self.capacity < self.segment:
            raise BadInput(f"a bank of {self.capacity} tokens holds no segment of {self.segment}")
        for name in ("steps", "rows", "batch", "accumulate", "segment", "kl_every"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("capacity", "warmup", "first_layer", "seed", "copy_steps"):
            if getattr(self, name) < 0:
                raise BadInput(f"{name} is {getattr(self, name)}; it must not be negative")
        if not 0 < self.loss_share <= 1:
            raise BadInput("loss_share must be above 0 and at most 1")
        if not 0 <= self.forget < 1:
            raise BadInput("forget must be at least 0 and below 1")
        if not 0 <= self.foreign <= 1:
            raise BadInput("foreign must be at least 0 and at most 1")
        if self.copy_steps and self.method == "memtrm":
            raise BadInput("a segment of memtrm is stored by the weights of now; leave --copy-steps at 0")

    def copying(self, step: int) -> float:
        """Return the share of segments that find themselves in memory at a step: 1 at first, then fewer."""
        return max(0.0, 1 - step / self.copy_steps) if self.copy_steps else 0.0

    def factor(self, step: int) -> float:
        """Return the learning-rate factor of a step: linear warm-up, then linear decay to `final_share`."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return 1 - (1 - self.final_share) * min(1.0, done)

    @classmethod
    def from_json(cls, text: str) -> "TrainingSettings":
        """Read what `to_json` wrote, by this version or by one that knew fewer settings."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"
