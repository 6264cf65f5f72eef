"""Keys and values at rest: fp16, or int8 with one fp16 scale per token and head.

x ≈ scale · n,   n = round(x / scale) in −127 … 127,   |error| ≤ scale / 2,   scale ≈ max |x| / 127
"""

import numpy as np

FP16_LARGEST = 65504.0


def quantise(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 (time, kv_heads, head_dim) and its fp16 scales (time, kv_heads), of float32 x.

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
    """float32 (…, head_dim) of int8 (…, head_dim) and fp16 scales (…)."""
    return n.astype(np.float32) * scale.astype(np.float32)[..., None]
