"""Fixtures that several tests of the engine share: an empty shelf, and tiny models with random weights."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
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


@pytest.fixture(scope="session")
def loaded(tiny_folder: Path, tmp_path_factory) -> Backbone:
    """A backbone as the program loads it from a folder, for tests that leave it as it is."""
    return load_backbone(Paths(tmp_path_factory.mktemp("loaded")), str(tiny_folder))
