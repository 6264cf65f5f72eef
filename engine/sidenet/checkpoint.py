"""A SideNet on disk: `config.json` and `sidenet.safetensors`, holding only what training changed.

Tensors that still equal the backbone's copy are left out, so a checkpoint is as large as what it learned.
"""

import contextlib
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from engine.backbone.backbone import Backbone
from engine.paths import SIDENETS, Paths
from engine.sidenet.config import CARRIED_GATE, SideNetConfig
from engine.sidenet.reading import ReadingLayers, has_reader, load_reader
from engine.sidenet.sidenet import SideNet, changed_tensors
from engine.whole import whole
from ingest.errors import BadInput

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "sidenet.safetensors"


def save_sidenet(
    sidenet: SideNet, backbone: Backbone, folder: Path, dtype: torch.dtype = torch.bfloat16
) -> None:
    """Write the configuration and every tensor that differs from the identity start, in `dtype`."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = changed_tensors(sidenet, SideNet(sidenet.config, backbone))
    tensors = {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in changed.items()}
    with whole(folder / WEIGHTS_FILE) as file:
        save_file(tensors, file)
        (folder / CONFIG_FILE).write_text(sidenet.config.to_json())


def load_sidenet(folder: Path, backbone: Backbone, to_learn: bool = True) -> SideNet:
    """Load the SideNet of a checkpoint folder, ready to answer.

    to_learn: whether it may be changed; else layers that have learned nothing share the backbone's weights.

    Raises
    ------
    BadInput
        The folder is no checkpoint, or was trained beside another backbone (names the field).
    """
    try:
        config = SideNetConfig.from_json((folder / CONFIG_FILE).read_text())
        tensors = load_file(folder / WEIGHTS_FILE)
    except (OSError, ValueError, SafetensorError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(
            f"{folder} is not a SideNet checkpoint ({error}); name a folder with {CONFIG_FILE}"
        ) from error
    learned = {int(name.split(".")[1]) for name in tensors if name.startswith("layers.")}
    sidenet = SideNet(config, backbone, () if to_learn else {*range(config.side_layers)} - learned)
    try:
        unexpected = sidenet.load_state_dict(tensors, strict=False).unexpected_keys
    except RuntimeError as error:
        raise BadInput(
            f"{folder} does not fit its own {CONFIG_FILE}; download the checkpoint again"
        ) from error
    if unexpected:
        raise BadInput(f"{folder} holds tensors unknown to its {CONFIG_FILE}: {unexpected[0]}")
    return sidenet.to(backbone.device, backbone.dtype).eval()


def with_search_of(sidenet: SideNet, other: SideNet, backbone: Backbone) -> SideNet:
    """Give `sidenet` the search map of `other`; its memory goes on reading by attention keys.

    The two are trained apart, on questions and on books, and ship as one checkpoint.

    Raises
    ------
    BadInput
        `other` has no search map.
    """
    if other.search is None:
        raise BadInput("the checkpoint to take the search map of has none; name one made by train-search")
    theirs = {name: getattr(other.config, name) for name in ("search", "search_block", "search_dim")}
    made = SideNet(dataclasses.replace(sidenet.config, reading="attention", **theirs), backbone)
    made.load_state_dict(sidenet.state_dict(), strict=False)
    assert made.search is not None
    made.search.load_state_dict(other.search.state_dict())
    return made.to(backbone.device)


def with_values(sidenet: SideNet, layers: Sequence[int], backbone: Backbone, follow: bool = False) -> SideNet:
    """Let further layers of `sidenet` read value vectors, carried through the blocks above; its votes stay.

    follow: see `values_follow` of the configuration.

    Raises
    ------
    BadInput
        A layer of them votes already, or some other branch has learned.
    """
    config = sidenet.config
    if taken := sorted({*layers} & {*config.memory_layers}):
        raise BadInput(f"side layer {taken[0]} reads memory already; name another with --value-layers")
    if config.memory_values != "following" or not sidenet.pointwise:
        raise BadInput("values go beside a checkpoint that votes for what followed and does nothing else")
    config = dataclasses.replace(
        config,
        memory_layers=tuple(sorted({*layers, *config.memory_layers})),
        value_layers=tuple(layers),
        values_follow=follow,
        branch_scale="carried",
        gate_start=CARRIED_GATE,
    )
    made = SideNet(config, backbone)
    scales = ("attention_scale", "mlp_scale")
    votes = {name: part for name, part in sidenet.state_dict().items() if not name.endswith(scales)}
    made.load_state_dict(votes, strict=False)
    return made.to(backbone.device)


def mean_sidenet(one: SideNet, other: SideNet) -> SideNet:
    """Take the mean of the weights of two checkpoints that share a start (`one`, changed).

    Raises
    ------
    BadInput
        They are configured differently.
    """
    if one.config != other.config:
        raise BadInput("the two SideNets are configured differently; average runs of one start")
    theirs = other.state_dict()
    for name, tensor in one.state_dict().items():
        if tensor.is_floating_point():
            tensor.lerp_(theirs[name].to(tensor), 0.5)
    return one.eval()


def checkpoint_for(backbone: Backbone) -> Path | None:
    """Find the checkpoint folder made beside this backbone: by `adapt`, or one that comes along."""
    for folder in (Paths.default().sidenets, SIDENETS):
        for file in sorted(folder.glob(f"*/{CONFIG_FILE}")):
            with contextlib.suppress(
                OSError, ValueError, AttributeError
            ):  # some other folder's configuration
                if json.loads(file.read_text()).get("fingerprint") == backbone.fingerprint:
                    return file.parent
    return None


def reader_for(backbone: Backbone, folder: Path | None = None) -> ReadingLayers | None:
    """Return the reading layers of a named checkpoint or of the backbone's own, None where it has none."""
    folder = folder or checkpoint_for(backbone)
    return load_reader(folder, backbone) if folder is not None and has_reader(folder) else None


def sidenet_for(backbone: Backbone, folder: Path | None = None) -> SideNet:
    """Load a named checkpoint, else the backbone's own, else the identity start (the backbone itself).

    It is for reading, not for learning: see `load_sidenet`.
    """
    folder = folder or checkpoint_for(backbone)
    if folder is not None:
        return load_sidenet(folder, backbone, to_learn=False)
    config = SideNetConfig.for_backbone(backbone)
    bare = SideNet(config, backbone, range(config.side_layers))
    return bare.to(backbone.device, backbone.dtype).eval()
