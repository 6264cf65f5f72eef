"""Texts written on: whose names are counted, and the whole evaluation on a tiny model."""

import argparse
import json

import pytest

from engine.evaluation.continuing import judged, run
from engine.training.lexicon import usual, with_lexicon
from ingest.errors import BadInput

BOOK = "Then Anne went to see Captain Wentworth. "


@pytest.mark.parametrize(
    ("text", "local", "counts"),
    [
        ("She saw Anne and Captain Wentworth there.", "It was a fine day.", (7, 3, 0, 0)),
        ("She saw Anne there.", "So Anne’s sister said.", (4, 0, 0, 0)),  # the window has her
        ("She saw Rupert there. Then Rupert went.", "It was a fine day.", (7, 0, 2, 0)),
        ("he sat and he sat and he sat and so on", "", (11, 0, 0, 3)),
        ("", "", (0, 0, 0, 0)),
    ],
)
def test_names_and_repeats_are_counted(text, local, counts):
    made = judged(text, local, {"anne", "captain", "wentworth"}, 3.0)
    assert (made.words, made.recalled, made.foreign, made.repeated) == counts


@pytest.mark.parametrize("long", [True, False])
def test_a_book_is_written_on_with_and_without_memory(tmp_path, tiny_folder, monkeypatch, capsys, long):
    import torch

    from engine.backbone.load import load_backbone
    from engine.paths import Paths
    from engine.sidenet.checkpoint import save_sidenet
    from engine.sidenet.config import SideNetConfig
    from engine.sidenet.sidenet import SideNet

    monkeypatch.setenv("LONGMEM_HOME", str(tmp_path / "home"))
    backbone = load_backbone(Paths.default(), str(tiny_folder))
    config = SideNetConfig.for_backbone(backbone, memory_layers=(1,), memory_values="following")
    made = with_lexicon(SideNet(config, backbone), usual(torch.ones(len(backbone.head_weight))), backbone)
    made.lexicon.share.data.fill_(0.5)
    save_sidenet(made, backbone, tmp_path / "checkpoint")
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "a.txt").write_text(BOOK * (1000 if long else 3))
    arguments = argparse.Namespace(
        books=tmp_path / "books", places=2, past=6, tokens=8, seed=1, model=str(tiny_folder),
        out=tmp_path / "out", sidenet=tmp_path / "checkpoint",
        parse_file=lambda file: argparse.Namespace(text=file.read_text()),
    )  # fmt: skip
    if not long:
        with pytest.raises(BadInput, match="name books of"):
            run(arguments)
        return
    assert run(arguments) == 0
    rows = capsys.readouterr().out
    assert all(f"| {name} |" in rows for name in ("memory off", "memory", "votes alone"))
    written = json.loads((tmp_path / "out" / "continuing.json").read_text())["written"]
    assert len(written) == 2
    assert len(written[0]) == 4
