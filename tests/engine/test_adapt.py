"""adapt: every stage on a tiny model, a kill amid them, and that the checkpoint is found afterwards."""

import argparse

import pytest

from engine.backbone.load import load_backbone
from engine.paths import Paths
from engine.sidenet.checkpoint import checkpoint_for, reader_for, sidenet_for
from engine.sidenet.crossreader import load_crossreader
from engine.training import adapt, adaptation
from ingest.errors import BadInput
from tests.engine.commands import parsed

NAMES = ("Tansy", "Humphrey", "Farrow", "Quill", "Marlow", "Amberley")
PARAGRAPH = (
    "The miller {0} said that {1} was late on day {n}. “We sit here for the {n}th time,” said {0}. He "
    "smiled at {1} again, and {1} laughed at {0}. {0}’s sister, {1}, kept a dog called {2} in the yard. {0} "
    "married {1} in the spring, and {0} walked the long way home by the river with {n} geese."
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A data folder, and two books beside it."""
    monkeypatch.setenv("LONGMEM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(adaptation, "ASKED", 2)
    monkeypatch.setattr(adaptation, "FEWEST", 2)
    monkeypatch.setattr(adaptation, "OF_EACH", 12)
    (tmp_path / "books").mkdir()
    for book in range(2):
        paragraphs = [
            PARAGRAPH.format(*(NAMES[(book + n + k * (1 + n % 2)) % 6] for k in range(3)), n=n)
            for n in range(12 - 2 * book)
        ]
        (tmp_path / "books" / f"mill-{book}.txt").write_text("\n\n".join(paragraphs))
    return tmp_path


def command(home, model, *words: str) -> argparse.Namespace:
    return parsed(adapt, "--model", model, "--books", home / "books", *words)


def test_a_backbone_is_adapted_goes_on_after_a_kill_and_its_checkpoint_is_found(
    home, tiny_folder, monkeypatch, capsys
):
    stages, calls = dict(adapt.STAGES), []

    def noted(name, stage):
        def work(*given):
            calls.append(name)
            stage(*given)

        return work

    def killed(work, steps):
        raise KeyboardInterrupt

    monkeypatch.setattr(adapt, "STAGES", {name: noted(name, one) for name, one in stages.items()})
    monkeypatch.setitem(adapt.STAGES, "reader", killed)
    steps = ("--steps", "3,2,3")
    with pytest.raises(KeyboardInterrupt):
        adapt.run(command(home, tiny_folder, *steps))
    assert calls == ["search", "memory", "words"]
    backbone = load_backbone(Paths.default(), str(tiny_folder))
    assert checkpoint_for(backbone) is None
    (home / "books" / "mill-2.txt").write_text("Another book.")
    with pytest.raises(BadInput, match="other books"):
        adapt.run(command(home, tiny_folder, *steps))
    (home / "books" / "mill-2.txt").unlink()

    calls.clear()
    monkeypatch.setitem(adapt.STAGES, "reader", noted("reader", stages["reader"]))
    assert adapt.run(command(home, tiny_folder, *steps)) == 0
    assert calls == ["reader", "checkpoint", "measures", "card"]

    found = checkpoint_for(backbone)
    assert found is not None and found.parent == home / "home" / "sidenet"
    sidenet, reader = sidenet_for(backbone), reader_for(backbone)
    assert sidenet.search is not None and sidenet.reads_memory and reader is not None
    cross = load_crossreader(found).config
    assert cross.width == 768 and cross.share == 1.0, "the one that comes along, alone"
    assert sidenet.config.state_block == reader.block == 1
    assert not sidenet.config.lexicon  # the book held out is too short to fit how far its words tell
    assert sidenet.config.memory_layers == (1, 2) and sidenet.config.memory_block == 1
    assert reader.calibration == cross.alone and cross.alone.slope < 1
    card = (found / "README.md").read_text()
    assert "| search | 3 |" in card and "answered right" in card and "held out: 001-mill-1.txt" in card
    assert (found / "questions.jsonl").is_file() and not list((home / "home" / "adapting").iterdir())
    assert "min left in all" in capsys.readouterr().out
    with pytest.raises(BadInput, match="has a checkpoint already"):
        adapt.run(command(home, tiny_folder))


def test_steps_are_what_the_hours_allow(home, tiny_folder):
    backbone = load_backbone(Paths.default(), str(tiny_folder))
    folder = home / "run"
    folder.mkdir()
    work = adaptation.Adaptation(command(home, tiny_folder, "--hours", "0.001"), backbone, folder)
    plan = adapt.planned(work, {}, lambda: None)
    assert set(plan.steps) == {"search", "memory", "reader"} and plan.held == ("001-mill-1.txt",)
    assert all(adapt.LEAST_STEPS <= plan.steps[name] <= most for name, most in adapt.MOST_STEPS.items())
    assert plan.seconds["memory"] > 0 and not (folder / "trial").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [(("--hours", "0"), "above 0"), (("--steps", "1,2"), "three of them"), ((), "one book")],
)
def test_what_cannot_be_is_refused(home, tiny_folder, words, says):
    if not words:
        (home / "books" / "mill-0.txt").unlink()
    with pytest.raises(BadInput, match=says):
        adapt.run(command(home, tiny_folder, *words))
