"""Keys, values and states at rest: fp16, or int8 with one fp16 scale per token and head.

x ≈ scale · n,   n = round(x / scale) in −127 … 127,   |error| ≤ scale / 2,   scale ≈ max |x| / 127

Hidden states have a few dimensions that are dozens of times as large as the others and would leave them no
digits: each dimension is first divided by its mean size in the segment, which makes an error of .8 % of 2.6.
"""

import numpy as np

FP16_LARGEST = 65504.0
LEAST_COLUMN = 1e-3


def quantise(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 x as int8 (time, kv_heads, head_dim) with fp16 scales (time, kv_heads).

    Scales are rounded up to fp16, so that nothing is clipped. Values beyond 127 · 65,504 overflow to an
    infinite scale, which the writer refuses.
    """
    exact = np.abs(x).max(axis=-1) / np.float32(127)
    with np.errstate(over="ignore"):
        scale = exact.astype("<f2")
        low = scale.astype(np.float32) < exact
        scale[low] = np.nextafter(scale[low], np.float16(np.inf))
    divisor = scale.astype(np.float32)[..., None]
    divided = np.divide(x, divisor, out=np.zeros_like(x), where=divisor > 0)
    return np.rint(divided).astype(np.int8), scale


def dequantise(n: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return float32 (…, head_dim) of int8 (…, head_dim) and fp16 scales (…)."""
    return n.astype(np.float32) * scale.astype(np.float32)[..., None]


def quantise_states(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Quantise float32 states (time, width) to int8, with fp16 scales (time,) and columns (width,).

    x ≈ scale · n · column, the column being the mean size of a dimension over the segment.
    """
    columns = np.clip(np.abs(x).mean(axis=0), LEAST_COLUMN, FP16_LARGEST).astype("<f2")
    numbers, scales = quantise(x / columns.astype(np.float32))
    return numbers, scales, columns


def dequantise_states(n: np.ndarray, scale: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return float32 states of int8 (n, width), scales (n,) and their segments' columns (n, width)."""
    return dequantise(n, scale) * columns.astype(np.float32)
