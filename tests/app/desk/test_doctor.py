"""The doctor sees what is broken, says what to do, and its exit code tells."""

import hashlib
import json
import re
import shutil
from types import SimpleNamespace

import pytest

from app.command_line import commands
from app.desk import doctor
from engine.paths import Paths

PINNED = {
    "requirement": "llm-x==1",
    "file": "x/model.gguf",
    "file-sha256": hashlib.sha256(b"right").hexdigest(),
}


def test_packages_are_held_against_their_pins(monkeypatch):
    installed = {"torch": "2.13.0+cpu", "numpy": "1.0"}

    def version(name):
        if name not in installed:
            raise doctor.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(doctor.metadata, "version", version)
    assert doctor.off_pin(["torch==2.13.0"]) == []
    assert doctor.off_pin(["numpy==2.4.6", "lxml==6.1.3"]) == [
        "numpy is 1.0, pinned 2.4.6",
        "lxml is missing",
    ]
    assert doctor.packages(["numpy==2.4.6"]).state == "broken"
    assert doctor.test_packages(["pytest==9.2.0"]).state == "note"


@pytest.mark.parametrize(("content", "state"), [(b"right", "ok"), (b"wrong", "broken"), (None, "broken")])
def test_the_model_file_is_checked(tmp_path, content, state):
    (tmp_path / "x").mkdir()
    if content is not None:
        (tmp_path / "x" / "model.gguf").write_bytes(content)
    check = doctor.backbone_file(PINNED, tmp_path)
    assert check.state == state
    assert bool(check.advice) == (state == "broken")


def test_a_checkpoint_is_named_or_its_absence_said(tmp_path):
    assert "identity start" in doctor.sidenet(tmp_path / "sidenet").detail
    (tmp_path / "sidenet" / "first").mkdir(parents=True)
    (tmp_path / "sidenet" / "first" / "config.json").write_text("{}")
    assert doctor.sidenet(tmp_path / "sidenet").detail == "first"


def test_a_full_disk_is_broken(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=5))
    assert doctor.disk(Paths(tmp_path / "not" / "yet")).state == "broken"


def test_a_file_in_the_place_of_the_data_folder_is_broken(tmp_path):
    (tmp_path / "file").write_text("x")
    assert doctor.data_folder(Paths(tmp_path / "new")).state == "ok"
    found = doctor.data_folder(Paths(tmp_path / "file" / "home"))
    assert found.state == "broken" and str(tmp_path / "file") in found.detail


def test_the_self_test_leaves_nothing_behind(tmp_path):
    assert doctor.self_test(Paths(tmp_path)).state == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_failing_self_test_is_broken(tmp_path, monkeypatch):
    from engine.bank import selftest

    monkeypatch.setattr(
        selftest.MemoryBank, "verify", lambda bank: (_ for _ in ()).throw(OSError("disk read error"))
    )
    check = doctor.self_test(Paths(tmp_path))
    assert (check.state, check.detail) == ("broken", "disk read error")


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("note", 0), ("broken", 1)])
def test_the_exit_code_tells(monkeypatch, capsys, state, code):
    monkeypatch.setattr(doctor, "examine", lambda paths: iter([doctor.Check("disk", state, "so", "do this")]))
    assert commands.main(["doctor"]) == code
    assert capsys.readouterr().out == f"{state:<7} disk: so -> do this\n"
    assert commands.main(["doctor", "--json"]) == code
    assert json.loads(capsys.readouterr().out) == {
        "ok": code == 0,
        "checks": [{"name": "disk", "state": state, "detail": "so", "advice": "do this"}],
    }


def test_what_is_damaged_is_found_and_repaired(tmp_path, tiny_folder, monkeypatch, capsys):
    monkeypatch.setenv("LONGMEM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LONGMEM_MODEL", str(tiny_folder))
    paths = Paths(tmp_path / "home")
    (tmp_path / "book.txt").write_text("The whale is white. " * 30)
    assert commands.main(["add", str(tmp_path / "book.txt")]) == 0
    assert commands.main(["doctor", "--verify"]) == 0
    (keys, *_) = paths.documents.glob("*/bank/keys.*.bin")
    keys.write_bytes(bytes(keys.stat().st_size))
    capsys.readouterr()
    assert commands.main(["doctor", "--verify"]) == 1
    advice = re.search(r"-> .*python launch\.py (doctor --repair)", capsys.readouterr().out)
    assert commands.main(advice.group(1).split()) == 0
    assert commands.main(["doctor", "--verify"]) == 0
    assert "1, every file, text and memory as it was written" in capsys.readouterr().out


def test_what_was_put_aside_is_named(tmp_path):
    paths = Paths(tmp_path)
    assert list(doctor.found(paths)) == []
    (paths.found / "0123456789ab").mkdir(parents=True)
    (check,) = doctor.found(paths)
    assert check.state == "note" and "0123456789ab" in check.detail


def test_the_doctor_says_where_models_run_and_why_or_what_to_name_instead(tmp_path, monkeypatch):
    monkeypatch.setenv("LONGMEM_DEVICE", "cpu")
    monkeypatch.setenv("LONGMEM_PRECISION", "auto")
    assert re.fullmatch(
        r"float32 on cpu: nothing is lost.*; .* GB of its memory are free", doctor.device().detail
    )
    monkeypatch.setenv("LONGMEM_MODEL", str(tmp_path / "gone.gguf"))
    assert doctor.device().state == "broken" and "no file" in doctor.device().detail
    monkeypatch.setenv("LONGMEM_DEVICE", "cuda:99")
    assert (doctor.device().state, doctor.device().advice[:12]) == ("broken", "name another")


def test_every_check_of_this_machine_can_be_printed(tmp_path):
    names = [check.name for check in doctor.examine(Paths(tmp_path / "home"))]
    assert {
        "Python",
        "packages",
        "backbone",
        "device",
        "reranker",
        "SideNet",
        "data folder",
        "disk",
        "chromium",
        "self-test",
    } <= set(names)
    assert not (tmp_path / "home").exists()
