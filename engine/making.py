"""Making: text, bank and back matter of a file, into the store, by a worker that has no shelf.

A worker has a folder of its own for each file, named by its content: interrupted, it goes on at the last
complete segment when it gets that file again. The bank is published first, then what else is made of the
text, the text last, each whole: a text in the store is the mark that its file is done. Whoever then adds the
file finds them all and makes none.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import backmatter
from engine.bank.bank import MemoryBank
from engine.bank.store import Store, fingerprint
from engine.cast.kept import kept_cast
from engine.catalogue.vectors import book_vectors
from engine.filling import bank_identity, bank_layout, encode_text
from engine.intake import Parser
from engine.locks import FileLock, document_lock
from engine.model import Model
from engine.parsed import read_document
from engine.paths import CAST, TEXT, Paths
from engine.retrieval.memory import SearchableBank
from engine.shelf.fulltext import index_text
from engine.sums import file_hash
from engine.whole import write_whole
from ingest.document import JSON_VERSION, Document
from ingest.errors import BadInput
from ingest.passages import passages

PICTURES = "pictures"
LEFTOVER_SECONDS = 86_400.0
Waiting = Callable[[], None]


@dataclass(frozen=True)
class Order:
    """A file to be made, as it travels: what its user calls it, its bytes, and how it is read and kept."""

    name: str
    content: bytes
    encoding: str | None = None
    dtype: str | None = None


class Maker:
    """Makes what a shelf needs of a file, into `store`."""

    def __init__(self, paths: Paths, model: Model, parse: Parser, store: Store) -> None:
        self.paths, self.model, self.store = paths, model, store
        self._parse = shared(parse, store)

    def make(self, order: Order) -> None:
        """Parse and encode a file, and publish both. Raises BadInput for one that cannot be read, Failure."""
        digest = hashlib.sha256(order.content).hexdigest()
        folder, name = self.paths.making / digest, text_name(digest, order.name, order.encoding)
        with self._lock(digest):
            (folder / PICTURES).mkdir(parents=True, exist_ok=True)
            (folder / "source").write_bytes(order.content)
            given = {"name": order.name, "encoding": order.encoding, "pictures": folder / PICTURES}
            try:
                document = self._parse(folder / "source", **given)
            except BadInput:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            self._encode(document, folder, order.dtype)
            self._publish_text(document, name, folder / PICTURES)
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Delete what nobody went on with for a day."""
        old = time.time() - LEFTOVER_SECONDS
        for folder in self.paths.making.glob("*"):
            lock = self._lock(folder.name)
            if lock.acquire(0):
                if folder.stat().st_mtime < old:
                    shutil.rmtree(folder, ignore_errors=True)
                lock.release()

    def _lock(self, digest: str) -> FileLock:
        return document_lock(self.paths.locks, f"making-{digest[:16]}")

    def _encode(self, document: Document, folder: Path, dtype: str | None) -> None:
        """Publish the bank of a document and its back matter, each where it is not there yet."""
        sidenet, backbone, bank = self.model.sidenet, self.model.backbone, folder / "bank"
        made_of = bank_identity(document.text, backbone), bank_layout(sidenet.config, dtype, states=True)
        if not self.store.has(fingerprint(*made_of)):
            encode_text(document.text, bank, backbone, made_of[1])
            self.store.publish(bank)
        name = backmatter.name_of(document, *made_of, sidenet.search)
        if not self.store.has(name):
            place = bank if bank.exists() else self.store.fetched(*made_of) or bank
            source = SearchableBank(MemoryBank.open(place, *made_of), sidenet)
            index_text(folder, document)
            kept_cast(folder / CAST, document)
            backmatter.publish(self.store, name, folder, book_vectors(source, passages(document)))

    def _publish_text(self, document: Document, name: str, pictures: Path) -> None:
        write_whole(pictures / TEXT, document.to_json())
        self.store.put(name, pictures, sorted(path.name for path in pictures.iterdir()))


def text_name(digest: str, name: str, encoding: str | None) -> str:
    """Name a text by the file that it was read from, and by how. digest: SHA-256 of the file."""
    read = json.dumps([digest, name, encoding, JSON_VERSION])
    return f"text-{hashlib.blake2b(read.encode(), digest_size=16).hexdigest()}"


def shared(parse: Parser, store: Store) -> Parser:
    """Return a parser that takes from the store what a worker has read; what is locked is read here."""

    def read(path: Path, *, pictures: Path, waiting: Waiting = lambda: None, **given: Any) -> Document:
        known = text_name(file_hash(path), given["name"], given.get("encoding"))
        if given.get("password") is not None or not store.has(known):
            return parse(path, pictures=pictures, waiting=waiting, **given)
        waiting()
        pictures.mkdir(parents=True, exist_ok=True)
        store.get(known, pictures)
        document = read_document(pictures)
        (pictures / TEXT).unlink()
        return document

    return read
