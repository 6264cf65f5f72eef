"""Back matter: what is made of a book beside its text and memory, and needs no shelf to be made.

The full-text index, who is who, and the passages' vectors for the catalogue. Who made them publishes them
together, where there is a store; whoever adds the book then takes them over, and has rows to write, no more.
"""

import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np

from engine.bank.layout import BankIdentity, BankLayout
from engine.bank.store import Store, fingerprint
from engine.filling import text_hash
from engine.paths import CAST
from engine.shelf import fulltext
from engine.sidenet.search import SearchMap
from ingest.document import Document

VECTORS = "vectors.npy"
KEPT = (fulltext.FILE_NAME, fulltext.SUM_NAME, CAST)  # with a book; its vectors are the catalogue's


def name_of(document: Document, identity: BankIdentity, layout: BankLayout, search: SearchMap | None) -> str:
    """Name the back matter of a document by what it is made of: text, memory and search map."""
    made_of = [
        text_hash(document.to_json()),
        fingerprint(identity, layout),
        search and search.fingerprint(),
        fulltext.FORMAT,
    ]
    return f"index-{hashlib.blake2b(json.dumps(made_of).encode(), digest_size=16).hexdigest()}"


def publish(store: Store, name: str, folder: Path, vectors: np.ndarray) -> None:
    """Copy the back matter of a document into the store, index and cast out of a folder. Raises Failure."""
    if not all((folder / file).is_file() for file in KEPT):  # made by an older version, or on a full disk
        return
    np.save(folder / VECTORS, vectors)
    store.put(name, folder, [*KEPT, VECTORS])
    (folder / VECTORS).unlink()


def take_over(store: Store, name: str, folder: Path) -> np.ndarray | None:
    """Put what is in the store of this name into a document's folder; returns the vectors, None: no such.

    Raises Failure where the store cannot be reached, or holds other bytes than its list says.
    """
    with tempfile.TemporaryDirectory(prefix=".taken-", dir=folder) as taken:
        if not store.get(name, Path(taken)):
            return None
        for file in KEPT:
            (Path(taken) / file).replace(folder / file)
        return np.load(Path(taken) / VECTORS)
