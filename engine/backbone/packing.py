"""A Llama-like model whose matrices are packed in 4 or 8 bits: from a GGUF file or a folder, one by one.

No full copy in float32 is ever made. What was packed is kept in the data folder and mapped the next time.

* `int4`: what a GGUF file has in four bits stays as it is, what it has in 5 or 6 bits takes eight, the rest
  is rounded to four; the head and the table of words take eight;
* `int8`: everything is rounded to eight, with a scale for each row.
"""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import safe_open
from torch import Tensor, nn

from engine.backbone import packs
from engine.backbone.families import part
from engine.backbone.fingerprint import fingerprint_of, sampled_positions
from engine.backbone.llama import Llama, OwnConfig
from engine.backbone.mapped import MappedFile, load_mapped
from engine.backbone.packs import Codes, EightBits, FourBits, Matrix, SixteenBits
from engine.backbone.rows import is_plain
from ingest.errors import BadInput

WEIGHTS_FILE = "packed.safetensors"
ROWS_AT_ONCE = 4096


class Tensors(Protocol):
    """Where a model's tensors are read from, by their names in `transformers`."""

    def names(self) -> list[str]: ...

    def shape(self, name: str) -> tuple[int, ...]: ...

    def dense(self, name: str, rows: Tensor | None = None) -> Tensor: ...

    def codes(self, name: str) -> Codes | None: ...

    def is_fine(self, name: str) -> bool:
        """Tell whether four bits would lose what the file took care to keep."""
        ...


class FolderTensors:
    """The tensors of a folder with safetensors files."""

    def __init__(self, folder: Path) -> None:
        files = [safe_open(file, "pt") for file in sorted(folder.glob("model*.safetensors"))]
        self._files = {name: file for file in files for name in file.keys()}  # noqa: SIM118
        if not self._files:
            raise BadInput(
                f"{folder} has no model*.safetensors, which packing needs; choose --precision auto"
            )

    def names(self) -> list[str]:
        """List the tensors."""
        return list(self._files)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor."""
        return tuple(self._files[name].get_slice(name).get_shape())

    def dense(self, name: str, rows: Tensor | None = None) -> Tensor:
        """Return a tensor in float32, or some rows of it."""
        tensor = self._files[name].get_tensor(name)
        return (tensor if rows is None else tensor[rows]).float()

    def codes(self, name: str) -> Codes | None:
        """Return None: nothing here is stored in four bits."""
        return None

    def is_fine(self, name: str) -> bool:
        """Return False: a folder says nothing about it."""
        return False


class PackedLinear(nn.Module):
    """A linear map on a packed matrix; a copy of it is a plain one in float32, free to learn."""

    def __init__(self, matrix: Matrix, bias: Tensor | None = None) -> None:
        super().__init__()
        self.matrix = matrix
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)

    @property
    def weight(self) -> Tensor:
        """Return the matrix (out, in) in float32."""
        return dense_of(self.matrix)

    def forward(self, x: Tensor) -> Tensor:
        """Map states (…, in) to (…, out)."""
        if x.requires_grad:  # the kernels have no derivative
            return nn.functional.linear(x, self.weight, self.bias)
        mapped = self.matrix.times(x.reshape(-1, x.shape[-1])).reshape(*x.shape[:-1], -1)
        return mapped if self.bias is None else mapped + self.bias

    def __deepcopy__(self, memo: dict) -> nn.Linear:
        weight = self.weight
        linear = nn.Linear(weight.shape[1], weight.shape[0], bias=self.bias is not None)
        linear.weight = nn.Parameter(weight)
        if self.bias is not None:
            linear.bias = copy.deepcopy(self.bias, memo)
        return linear


class PackedEmbedding(nn.Module):
    """A packed table of words."""

    def __init__(self, matrix: Matrix) -> None:
        super().__init__()
        self.matrix = matrix

    @property
    def weight(self) -> Tensor:
        """Return the table (vocabulary, width) in float32."""
        return dense_of(self.matrix)

    def forward(self, ids: Tensor) -> Tensor:
        """Return the rows (…, width) of token ids, in float32."""
        rows = self.matrix.packed[ids].float()
        return (
            rows * self.matrix.scales[ids].float()[..., None] if isinstance(self.matrix, EightBits) else rows
        )


def dense_of(matrix: Matrix) -> Tensor:
    """Return a packed matrix (out, in) in float32, as its products have it."""
    if isinstance(matrix, EightBits):
        return matrix.packed * matrix.scales.float()[:, None]
    if isinstance(matrix, SixteenBits):
        return matrix.packed.float()
    columns = 2 * matrix.packed.shape[1]
    return matrix.times(torch.eye(columns)).T.contiguous()


def pack(source: Tensors, config: Any, precision: str, folder: Path) -> None:
    """Write the packed tensors of a model to `folder`, its fingerprint with them.

    Raises
    ------
    BadInput
        The model is built otherwise, or the source lacks a tensor.
    """
    if not is_plain(config):
        raise BadInput(f"models of type '{config.model_type}' cannot be packed; choose --precision float32")
    names = wanted(source, config)
    made = MappedFile(folder / WEIGHTS_FILE, 2 * len(names) + 1)
    for name in names:
        stem, kind = name.rsplit(".", 1)
        shape = source.shape(name)
        if kind == "bias" or len(shape) == 1:
            made.add(name, source.dense(name).contiguous())
            continue
        is_head = stem in ("lm_head", "model.embed_tokens")
        matrix = packed(source, name, shape, precision == "int4" and not is_head)
        for field, tensor in vars(matrix).items():
            made.add(f"{stem}.{field}", tensor)
    made.close({"fingerprint": fingerprint_of(samples(source, config))})


def wanted(source: Tensors, config: Any) -> list[str]:
    """List the tensors of a model. Raises BadInput where the source lacks one."""
    with torch.device("meta"):
        expected = model_of(config).state_dict()
    names, there = [name for name in expected if not is_tied(name, config)], set(source.names())
    if missing := [name for name in names if name not in there]:
        raise BadInput(f"the model lacks the tensor {missing[0]}; fetch it again, or choose another")
    return names


def is_tied(name: str, config: Any) -> bool:
    """Tell whether a tensor is another name of the table of words."""
    return name == "lm_head.weight" and config.tie_word_embeddings


def packed(source: Tensors, name: str, shape: tuple[int, ...], in_four: bool) -> Matrix:
    """Pack one matrix, in four bits where that is wanted and loses nothing the file has taken care of."""
    if not packs.is_packable(shape):
        return SixteenBits(source.dense(name).to(torch.float16))
    if in_four and (codes := source.codes(name)) is not None:
        return FourBits.of(codes)
    if in_four and not source.is_fine(name):
        return FourBits.of(Codes.nearest(source.dense(name)))
    parts = [EightBits.of(source.dense(name, rows)) for rows in torch.arange(shape[0]).split(ROWS_AT_ONCE)]
    return EightBits(torch.cat([one.packed for one in parts]), torch.cat([one.scales for one in parts]))


def samples(source: Tensors, config: Any) -> Iterator[tuple[str, tuple[int, ...], Tensor]]:
    """Yield what a fingerprint is made of: name, shape and sampled values of every tensor."""
    with torch.device("meta"):
        expected = model_of(config).state_dict()
    for name in sorted(expected):
        stored = "model.embed_tokens.weight" if is_tied(name, config) else name
        shape = source.shape(stored)
        at = sampled_positions(shape)
        if len(shape) == 1:
            yield name, shape, source.dense(stored)[at]
            continue
        rows, inverse = (at // shape[1]).unique(return_inverse=True)
        yield name, shape, source.dense(stored, rows)[inverse, at % shape[1]]


def model_of(config: Any) -> nn.Module:
    """Make the model of a configuration, in float32."""
    if isinstance(config, OwnConfig):
        return Llama(config)
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def load_packed(folder: Path, config: Any) -> nn.Module:
    """Make the model of a folder that `pack` wrote; its matrices are mapped, not read."""
    tensors = load_mapped(folder / WEIGHTS_FILE)
    with torch.device("meta"):
        model = model_of(config)
    stems = {name.rsplit(".", 1)[0] for name in tensors}
    for stem in stems:
        parent, name = part(model, stem.rpartition(".")[0]) if "." in stem else model, stem.rpartition(".")[2]
        weight, bias = tensors.get(f"{stem}.weight"), tensors.get(f"{stem}.bias")
        if weight is not None:  # a norm
            getattr(parent, name).weight = nn.Parameter(weight, requires_grad=False)
            continue
        matrix = _matrix(tensors[f"{stem}.packed"], tensors.get(f"{stem}.scales"))
        is_table = stem == "model.embed_tokens"
        setattr(parent, name, PackedEmbedding(matrix) if is_table else PackedLinear(matrix, bias))
    if config.tie_word_embeddings:
        model.lm_head = PackedLinear(model.model.embed_tokens.matrix)
    model.model.rotary_emb = type(model.model.rotary_emb)(config=config)
    with safe_open(folder / WEIGHTS_FILE, "pt") as file:
        model.fingerprint = file.metadata()["fingerprint"]
    return model


def _matrix(packed: Tensor, scales: Tensor | None) -> Matrix:
    """Return a matrix as its dtype tells."""
    if scales is None:
        return SixteenBits(packed)
    return FourBits(packed, scales) if packed.dtype == torch.uint8 else EightBits(packed, scales)
