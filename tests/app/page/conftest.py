"""A page with two accounts, for the tests of what is whose."""

from collections.abc import Iterator

import pytest

from tests.app.callers import ANN, BEN, Caller
from tests.app.conftest import Served, serving


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, tiny_folder, upload_folder) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home"), tiny_folder, [ANN, BEN]) as page:
        yield page


@pytest.fixture(scope="module")
def ann(guarded) -> Caller:
    return Caller(guarded.url, ANN)


@pytest.fixture(scope="module")
def ben(guarded) -> Caller:
    return Caller(guarded.url, BEN)
