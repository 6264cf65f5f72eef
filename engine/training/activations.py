"""What training needs of the frozen backbone, computed once per segment: hidden states, keys, values.

The backbone never changes, so its activations never go stale: they can be kept on disk in fp16 and read again
by every later epoch and every other experiment beside the same backbone.
"""

import hashlib
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.backbone.backbone import Backbone
from engine.quantise import FP16_LARGEST
from engine.sidenet.config import SideNetConfig
from engine.training.lessons import Lesson
from engine.whole import whole
from ingest.segments import segments


@dataclass(frozen=True)
class Wanted:
    """Which activations: `H_j` of `hidden`, keys and values of `blocks`."""

    hidden: tuple[int, ...]
    blocks: tuple[int, ...]

    @classmethod
    def of(cls, config: SideNetConfig, states: Iterable[int]) -> "Wanted":
        """Choose the activations of a SideNet whose active layers read `states`."""
        extra = {config.search_block} if config.search == "pooled" and config.search_block is not None else ()
        return cls(tuple(sorted({*states, *extra})), config.memory_blocks)


@dataclass(frozen=True)
class Frozen:
    """One segment.

    ids: (time,). hidden: {j: (time, width)}. keys, values: {block: (time, kv_heads, head_dim)}. scored:
    (time,) True for the tokens that a lesson asks for; None for a book, all of which may be.
    """

    ids: Tensor
    hidden: dict[int, Tensor]
    keys: dict[int, Tensor]
    values: dict[int, Tensor]
    scored: Tensor | None = None


Place = tuple[int, int]  # number of a book, number of a segment in it


class Source(Protocol):
    """Books as frozen segments of equal length; what is left at a book's end is dropped."""

    names: list[str]

    def length(self, book: int) -> int:
        """Count the segments of one book."""

    def segment(self, book: int, index: int) -> Frozen:
        """Return one segment."""

    def segments(self, places: Sequence[Place]) -> list[Frozen]:
        """Return segments of some books, computed together."""


def freeze(backbone: Backbone, ids: Tensor, wanted: Wanted) -> Frozen:
    """Run the backbone over one segment of token ids (time,); the tensors may enter a gradient."""
    return freeze_all(backbone, ids[None], wanted)[0]


def freeze_all(backbone: Backbone, ids: Tensor, wanted: Wanted) -> list[Frozen]:
    """Compute the same over several segments at once, ids (segments, time)."""
    encoded = backbone.encode(ids, hidden=wanted.hidden, memory_blocks=wanted.blocks)
    # Tensors made under inference_mode cannot be saved for a backward pass; copies can.
    return [
        Frozen(
            ids[row].clone(),
            {j: encoded.hidden[j][row].clone() for j in wanted.hidden},
            {block: encoded.keys[block][row].clone() for block in wanted.blocks},
            {block: encoded.values[block][row].clone() for block in wanted.blocks},
        )
        for row in range(len(ids))
    ]


class TextBooks:
    """Books and lessons, encoded when asked for and, with a folder, kept there.

    texts: name -> function that gives the text (books are parsed one at a time) or the lesson. skip: segments
    left out at the start of each book (title page, contents). limit: the most segments of one, 0 for all.
    """

    def __init__(
        self,
        backbone: Backbone,
        texts: Mapping[str, Callable[[], str | Lesson]],
        wanted: Wanted,
        segment: int = 1024,
        skip: int = 0,
        limit: int = 0,
        folder: Path | None = None,
    ) -> None:
        self.backbone, self.wanted, self.segment_tokens = backbone, wanted, segment
        self.skip, self.limit, self.folder = skip, limit, folder
        self.names = list(texts)
        self._texts = list(texts.values())
        self._ids: dict[int, list[array]] = {}  # a fifth of what lists would take
        self._scored: dict[int, list[list[bool]]] = {}

    def _tokens(self, book: int) -> list[array]:
        if book not in self._ids:
            text = self._texts[book]()
            if isinstance(text, Lesson):
                pieces = text.segments(self.segment_tokens)[: self.limit or None]
                self._ids[book] = [array("i", piece.ids) for piece in pieces]
                self._scored[book] = [piece.scored for piece in pieces]
            else:
                self._ids[book] = self._segments(text)
        return self._ids[book]

    def _segments(self, text: str) -> list[array]:
        whole: list[array] = []
        for piece in segments(text, self.backbone.tokenizer, self.segment_tokens, self.skip):
            if len(piece) < self.segment_tokens or (self.limit and len(whole) == self.limit):
                break
            whole.append(array("i", piece.token_ids))
        return whole

    def length(self, book: int) -> int:
        return len(self._tokens(book))

    def ids(self, book: int, index: int) -> list[int]:
        """Return the token ids of one segment."""
        return self._tokens(book)[index].tolist()

    def forget(self, book: int) -> None:
        """Let go of a book's token ids."""
        self._ids.pop(book, None)
        self._scored.pop(book, None)

    def segment(self, book: int, index: int) -> Frozen:
        """Return one segment of one book."""
        return self.segments([(book, index)])[0]

    def segments(self, places: Sequence[Place]) -> list[Frozen]:
        found = self._computed(places) if self.folder is None else self._kept(places, self.folder)
        return [self._marked(frozen, *place) for frozen, place in zip(found, places, strict=True)]

    def _marked(self, frozen: Frozen, book: int, index: int) -> Frozen:
        if book not in self._scored:
            return frozen
        return replace(frozen, scored=torch.tensor(self._scored[book][index]))

    def _computed(self, places: Sequence[Place]) -> list[Frozen]:
        if not places:
            return []
        ids = torch.tensor([self.ids(*place) for place in places])
        return freeze_all(self.backbone, ids, self.wanted)

    def _kept(self, places: Sequence[Place], folder: Path) -> list[Frozen]:
        files = [folder / self._key(*place) for place in places]
        if missing := [number for number, file in enumerate(files) if not file.is_file()]:
            folder.mkdir(parents=True, exist_ok=True)
            computed = self._computed([places[number] for number in missing])
            for number, frozen in zip(missing, computed, strict=True):
                keep(frozen, files[number])
        return [recall(file, self.backbone.device) for file in files]

    def _key(self, book: int, index: int) -> str:
        """Name the file of one segment: a hash of what its activations depend on."""
        # fp32 goes without saying, so that what earlier versions kept is still found
        precision = "" if self.backbone.dtype == torch.float32 else f" {self.backbone.dtype}"
        precision += " bf16 products" if torch.is_autocast_enabled(self.backbone.device.type) else ""
        content = f"{self.backbone.fingerprint}{precision} {self.wanted} {self.ids(book, index)}"
        return hashlib.blake2b(content.encode(), digest_size=12).hexdigest() + ".safetensors"


def keep(frozen: Frozen, file: Path) -> None:
    """Write one segment in fp16; whole or not at all."""
    tensors = {"ids": frozen.ids.to(torch.int32)}
    for letter, group in (("h", frozen.hidden), ("k", frozen.keys), ("v", frozen.values)):
        for number, x in group.items():
            tensors[f"{letter}{number}"] = x.clamp(-FP16_LARGEST, FP16_LARGEST).half().contiguous()
    with whole(file, shared=True) as place:
        save_file(tensors, place)


def recall(file: Path, device: torch.device | str = "cpu") -> Frozen:
    """Read what `keep` wrote, in fp32."""
    groups: dict[str, dict[int, Tensor]] = {"h": {}, "k": {}, "v": {}}
    with safe_open(file, "pt") as tensors:
        ids = tensors.get_tensor("ids").to(device, torch.int64)
        for name in tensors.keys():  # noqa: SIM118 (a safetensors handle is no dict)
            if name != "ids":
                groups[name[0]][int(name[1:])] = tensors.get_tensor(name).to(device, torch.float32)
    return Frozen(ids, groups["h"], groups["k"], groups["v"])
