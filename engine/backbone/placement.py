"""Where a model runs and in which precision: what was asked for, what this machine can do, what `auto` takes.

`auto` takes the quickest device that is there and loses nothing: numbers of 16 bits stay so on a graphics
card, everything else is float32. On the CPU a text is written on the file's own four bits beside that, where
it has them (`rows.py`); a large model of few bits stays in few bits: float32 would take eight times its size.
"""

import os
import re
from dataclasses import dataclass

import psutil
import torch

from engine.arguments import DEVICE_VARIABLE, DEVICES, PRECISION_VARIABLE, PRECISIONS
from engine.backbone import packs
from ingest.errors import BadInput

# bytes of one weight; packed ones with their scales
BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0, "int8": 1.05, "int4": 0.7}
SPARE_BYTES = 300_000_000  # the program, the window and its cache, what a bank is searched with


@dataclass(frozen=True)
class Placement:
    """A device and a precision (float32, bfloat16, float16, int8 or int4), and why these.

    writes_packed: whether single rows may take the four bits of the model's own file.
    """

    device: torch.device
    precision: str
    reason: str
    writes_packed: bool = False

    @property
    def is_packed(self) -> bool:
        """Tell whether the weights are held in few bits only."""
        return self.precision in ("int8", "int4")

    @property
    def dtype(self) -> torch.dtype:
        """Return the dtype of states, and of weights that are not packed."""
        return torch.float32 if self.is_packed else getattr(torch, self.precision)

    def __str__(self) -> str:
        return f"{self.precision} on {self.device}: {self.reason}"


def placed(
    device: str | None = None,
    precision: str | torch.dtype | None = None,
    stored: torch.dtype | None = None,
    few_bits: str | None = None,
) -> Placement:
    """Choose for a model whose weights are `stored` so; None: what the environment names, or `auto`.

    few_bits: the packed precision nearest to the file of a large model, where that has few bits.

    Raises
    ------
    BadInput
        The device is not there, or cannot do the precision.
    """
    where = chosen_device(device)
    asked = str(precision or os.environ.get(PRECISION_VARIABLE) or "auto").removeprefix("torch.")
    if asked not in PRECISIONS:
        raise BadInput(f"there is no precision '{asked[:40]}'; choose {', '.join(PRECISIONS)}")
    able = precisions_of(where)
    if asked == "auto":
        kept = str(stored).removeprefix("torch.")
        if where.type != "cpu" and kept in able and kept in ("bfloat16", "float16"):
            return Placement(where, kept, "the weights are stored so, and nothing is lost")
        if where.type == "cpu" and packs.is_quick() and few_bits is not None:
            return Placement(where, few_bits, "its file has few bits, and float32 would take much memory")
        if where.type == "cpu" and packs.is_quick():
            said = "nothing is lost; words are written on the model file's own four bits, where it has them"
            return Placement(where, "float32", said, writes_packed=True)
        return Placement(where, "float32", "nothing is lost")
    if asked not in able:
        raise BadInput(f"{where} cannot run a model in {asked}; choose {', '.join(able)}")
    return Placement(where, asked, "as it was asked for")


def chosen_device(name: str | None = None) -> torch.device:
    """Return the device of a name (None: what LONGMEM_DEVICE says, or `auto`).

    Raises
    ------
    BadInput
        It is no name of a device, or not on this machine.
    """
    name = name or os.environ.get(DEVICE_VARIABLE) or "auto"
    if not re.fullmatch(DEVICES, name):
        raise BadInput(f"there is no device '{name[:40]}'; choose auto, cpu, cuda, cuda:N or mps")
    if name == "auto":
        name = next((one for one in ("cuda", "mps") if _is_there(torch.device(one))), "cpu")
    device = torch.device(name)
    if not _is_there(device):
        raise BadInput(f"the device {name} is not on this machine (or this PyTorch has no part for it);"
                       " choose auto or cpu")  # fmt: skip
    return device


def _is_there(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    return device.type == "cpu" or torch.backends.mps.is_available()


def precisions_of(device: torch.device) -> tuple[str, ...]:
    """List what a device can do."""
    if device.type == "cpu":
        packed = ("int8", "int4") if packs.is_quick() else ()
        return ("float32", "bfloat16", "float16", *packed)
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return ("float32", "float16")
    return ("float32", "bfloat16", "float16")


def free_bytes(device: torch.device) -> int:
    """Return the memory of a device that is free."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


def require_memory(weights: int, placement: Placement) -> None:
    """Refuse, before anything is loaded, a model of so many weights that this machine cannot hold.

    Raises
    ------
    BadInput
        Names what is needed, what is free, and a precision that would do.
    """
    free = free_bytes(placement.device)
    needed = weights * BYTES[placement.precision] + SPARE_BYTES
    if needed <= free:
        return
    able = precisions_of(placement.device)
    fits = [one for one in able if weights * BYTES[one] + SPARE_BYTES <= free]
    way = f"choose --precision {fits[0]}, or a smaller model" if fits else "choose a smaller model"
    raise BadInput(
        f"the model needs {needed / 1e9:,.1f} GB of memory in {placement.precision}, and"
        f" {free / 1e9:,.1f} GB are free on {placement.device}; {way}"
    )
