"""Fixtures that several tests of the engine share: an empty shelf, a tiny model with random weights."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.backbone.backbone import Backbone
from engine.paths import Paths
from engine.shelf.shelf import Shelf
from tests.engine.families import tiny_model


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """An empty shelf."""
    shelf = Shelf(Paths(tmp_path / "home"))
    yield shelf
    shelf.close()


@pytest.fixture
def backbone(tiny_tokenizer) -> Backbone:
    """A backbone made for one test."""
    return Backbone(tiny_model("llama"), tiny_tokenizer, "tiny")
