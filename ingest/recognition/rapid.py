"""RapidOCR, where its package is installed: it brings its models, which read Latin letters and Chinese."""

import importlib.util
from typing import TYPE_CHECKING

from ingest.recognition.sheet import Row

if TYPE_CHECKING:
    import pymupdf

NAME = "RapidOCR"
LATIN = "latin"


def languages() -> tuple[str, ...]:
    """List what its models read; nothing where the package is not installed."""
    found = all(importlib.util.find_spec(name) for name in ("rapidocr", "onnxruntime"))
    return (LATIN, "chinese") if found else ()


def recognise(picture: "pymupdf.Pixmap", language: str) -> list[Row]:
    """Read the lines of a grey picture; places are those of its pixels. One model reads all its languages."""
    import numpy
    from rapidocr import RapidOCR

    settings = {
        "Global.log_level": "critical",
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
    grey = numpy.frombuffer(picture.samples, dtype=numpy.uint8).reshape(picture.height, picture.stride)
    found = RapidOCR(params=settings)(grey[:, : picture.width, None].repeat(3, axis=2))
    if found.boxes is None:
        return []
    rows = []
    for box, text, score in zip(found.boxes, found.txts, found.scores, strict=True):
        (x0, y0), (x1, y1) = box.min(axis=0), box.max(axis=0)
        rows.append(Row(float(x0), float(y0), float(x1), float(y1), text, 100 * float(score)))
    return rows
