"""What is chosen for good: it is kept in the words of the command line, and gives way to what is named."""

import pytest

from engine import preferences
from ingest.errors import BadInput

CHOSEN = {"model": "Qwen/Qwen2.5-0.5B-Instruct", "device": "cpu", "precision": "bfloat16", "threads": "2"}
REFUSED = {
    ("model", "no such thing"): "there is no model 'no such thing'; give a name of the hub",
    ("model", "/nowhere/a.gguf"): "there is no model '/nowhere/a.gguf'",
    ("device", "gpu"): "there is no device 'gpu'; choose auto, cpu",
    ("precision", "int2"): "there is no precision 'int2'; choose auto, float32",
    ("threads", "0"): "'0' is not a whole number from 1",
    ("threads", "two"): "'two' is not a whole number from 1",
}


def test_what_is_chosen_is_kept_and_gives_way_to_what_is_named(tmp_path):
    path = tmp_path / "home" / "settings.json"
    assert preferences.kept(path) == {}
    assert preferences.keep(path, CHOSEN) == preferences.kept(path) == CHOSEN
    environment = {"LONGMEM_DEVICE": "cuda", "LONGMEM_THREADS": ""}
    preferences.apply(path, environment)
    assert environment == {
        "LONGMEM_MODEL": CHOSEN["model"],
        "LONGMEM_DEVICE": "cuda",
        "LONGMEM_PRECISION": "bfloat16",
        "LONGMEM_THREADS": "2",
    }
    assert preferences.keep(path, {"model": str(tmp_path), "device": "auto"}) == {"model": str(tmp_path)}


@pytest.mark.parametrize(("wrong", "said"), REFUSED.items())
def test_what_cannot_be_is_refused_in_one_line_and_changes_nothing(tmp_path, wrong, said):
    path = tmp_path / "settings.json"
    preferences.keep(path, {"threads": "3"})
    with pytest.raises(BadInput) as refused:
        preferences.keep(path, CHOSEN | dict([wrong]))
    assert str(refused.value).startswith(said) and "\n" not in str(refused.value)
    assert preferences.kept(path) == {"threads": "3"}


@pytest.mark.parametrize("text", ["{", "[]", '{"device": "gpu"}', "\udcff"])
def test_a_file_that_says_nothing_is_named(tmp_path, text):
    path = tmp_path / "settings.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInput, match=r"settings\.json: .*choose anew on the page, or delete the file"):
        preferences.kept(path)


def test_threads_are_those_of_the_variable(monkeypatch):
    for words, number in (("", None), ("3", 3)):
        monkeypatch.setenv("LONGMEM_THREADS", words)
        assert preferences.named_threads() == number
    monkeypatch.setenv("LONGMEM_THREADS", "many")
    with pytest.raises(BadInput, match="LONGMEM_THREADS: 'many' is not a whole number"):
        preferences.named_threads()
