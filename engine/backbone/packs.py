"""Matrices in few bits, for products with few rows at a time.

A product with one row is as slow as its matrix is large: in four bits it is read in a sixth of the time of
float32. PyTorch's kernels take bfloat16 rows, and are quick where the processor has AVX2 or AVX-512.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

GROUP = 32
ROWS = 16  # the kernel's unit
PROBE_ROWS, PROBE, PROBES = 256, 768, 5  # of the product that is timed, and how many times
LIKELIEST = 64  # words that are scored exactly
MANY = 32  # rows from which a matrix of eight bits is unpacked first: of 600 in a quarter of the time


def is_quick() -> bool:
    """Tell whether this processor has a quick kernel for packed matrices."""
    return torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


@cache
def multiplies_bfloat16() -> bool:
    """Tell whether products of bfloat16 are quicker here than those of float32; takes hundredths of a second.

    A processor that multiplies bfloat16 by itself may take a quarter of the time (AMD's), or twice as long
    (Intel's without AMX).
    """
    if not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return False
    return product_seconds(torch.bfloat16) < product_seconds(torch.float32)


def product_seconds(dtype: torch.dtype) -> float:
    """Measure the least seconds of a product as the readers take it."""
    rows, matrix = torch.ones(PROBE_ROWS, PROBE, dtype=dtype), torch.ones(PROBE, PROBE, dtype=dtype)
    took = []
    for _ in range(PROBES):
        began = time.perf_counter()
        F.linear(rows, matrix)
        took.append(time.perf_counter() - began)
    return min(took)


def layout() -> str:
    """Name how matrices are packed here: by the processor and the version of PyTorch."""
    version = torch.__version__.partition("+")[0]
    return f"{torch.backends.cpu.get_cpu_capability().lower()}-{version}"


def is_packable(shape: Sequence[int]) -> bool:
    """Tell whether the kernels take a matrix (out, in)."""
    return shape[0] % ROWS == 0 and shape[1] % GROUP == 0


@dataclass(frozen=True)
class Codes:
    """A matrix (out, in) as `w = step · code + base`, step and base for each 32 numbers of a row.

    codes: (out, in) uint8 from 0 to 15. step, base: (out, in / 32) float32.
    """

    codes: Tensor
    step: Tensor
    base: Tensor

    @classmethod
    def nearest(cls, weight: Tensor) -> "Codes":
        """Round a matrix (out, in) to four bits."""
        groups = weight.float().unflatten(-1, (-1, GROUP))
        base = groups.amin(-1)
        step = (groups.amax(-1) - base) / 15
        codes = ((groups - base[..., None]) / step.clamp_min(1e-12)[..., None]).round_().clamp_(0, 15)
        return cls(codes.flatten(-2).to(torch.uint8), step, base)

    @classmethod
    def joined(cls, parts: "Sequence[Codes]") -> "Codes":
        """Stack matrices that take the same rows."""
        return cls(*(torch.cat([getattr(one, name) for one in parts]) for name in ("codes", "step", "base")))

    def reordered(self, rows: Tensor) -> "Codes":
        """Return the matrix whose row `i` is this one's row `rows[i]`."""
        return Codes(self.codes[rows], self.step[rows], self.base[rows])

    def dense(self) -> Tensor:
        """Return the matrix (out, in) in float32."""
        groups = self.codes.unflatten(-1, (-1, GROUP)) * self.step[..., None] + self.base[..., None]
        return groups.flatten(-2)


@dataclass(frozen=True)
class FourBits:
    """A matrix (out, in) of four bits, as the kernel has it.

    packed: (out, in / 2) uint8. scales: (in / 32, out, 2) bfloat16, of each group its step and its middle.
    """

    packed: Tensor
    scales: Tensor

    @classmethod
    def of(cls, matrix: Codes) -> "FourBits":
        """Pack a matrix."""
        packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(matrix.codes.to(torch.int32), 1)
        middle = matrix.base + 8 * matrix.step  # the kernel takes codes from −8 to 7
        scales = torch.stack((matrix.step, middle), -1).transpose(0, 1)
        return cls(packed, scales.to(torch.bfloat16).contiguous())

    def times(self, rows: Tensor) -> Tensor:
        """Return rows (n, in) times the matrix, (n, out), in the dtype that the rows have."""
        product = torch.ops.aten._weight_int4pack_mm_for_cpu
        return product(rows.to(torch.bfloat16), self.packed, GROUP, self.scales).to(rows.dtype)


@dataclass(frozen=True)
class EightBits:
    """A matrix of eight bits: packed (out, in) int8, scales (out,) bfloat16, one for each of its rows."""

    packed: Tensor
    scales: Tensor

    @classmethod
    def of(cls, weight: Tensor) -> "EightBits":
        """Round a matrix (out, in) to eight bits."""
        scales = (weight.float().abs().amax(1).clamp_min(1e-12) / 127).to(torch.bfloat16)
        codes = (weight.float() / scales.float()[:, None]).round_().clamp_(-127, 127)
        return cls(codes.to(torch.int8), scales)

    def times(self, rows: Tensor) -> Tensor:
        """Return rows (n, in) times the matrix, (n, out), in the dtype that the rows have."""
        if len(rows) >= MANY:
            dtype = torch.bfloat16 if multiplies_bfloat16() else torch.float32
            whole = F.linear(rows.to(dtype), self.packed.to(dtype))
            return (whole * self.scales).to(rows.dtype)
        product = torch.ops.aten._weight_int8pack_mm
        return product(rows.to(torch.bfloat16), self.packed, self.scales).to(rows.dtype)


@dataclass(frozen=True)
class SixteenBits:
    """A matrix of float16 (out, in): one of eight bits loses next to nothing by it."""

    packed: Tensor

    def times(self, rows: Tensor) -> Tensor:
        """Return rows (n, in) times the matrix, (n, out), in the dtype that the rows have."""
        return F.linear(rows.to(torch.float16), self.packed).to(rows.dtype)


@dataclass(frozen=True)
class Head:
    """The map to the vocabulary in eight bits, whose likeliest words are scored again by the whole matrix.

    rough: its eight bits, whose product is good to a hundredth. whole: the matrix (vocabulary, in) itself.
    """

    rough: EightBits
    whole: Tensor

    @classmethod
    def of(cls, weight: Tensor) -> "Head":
        """Round a matrix (vocabulary, in), and keep it."""
        return cls(EightBits.of(weight), weight)

    def times(self, rows: Tensor) -> Tensor:
        """Return the logits (n, vocabulary) of rows (n, in), in the dtype that the rows have."""
        logits = self.rough.times(rows)
        likeliest = logits.topk(min(LIKELIEST, logits.shape[-1]), sorted=False).indices
        return logits.scatter_(-1, likeliest, (self.whole[likeliest] @ rows[..., None])[..., 0])


Matrix = FourBits | EightBits | SixteenBits
