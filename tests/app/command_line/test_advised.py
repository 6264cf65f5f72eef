"""Every advice of the command line is followed: what is refused works once it is typed as its line says.

A row is what is typed (and set in the environment), words of the line, and what its advice makes of it.
"""

import io
import json
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.command_line import adding, commands
from app.page import access
from engine import datafolder, preferences
from engine.backbone import packs
from engine.backbone.load import load_backbone
from engine.bank.store import CACHE_SETTING, SETTING, Store
from engine.errors import Failure
from engine.executors import cluster
from engine.paths import Paths
from engine.shelf.accounts import Accounts
from ingest.errors import BadInput
from tests.engine.families import TINY_FAMILIES

BOOK = "# One\n\nThe lamp burned all night.\n\n# Two\n\nThe grey cat slept.\n"
ROWS = "text,label\n" + "".join(
    f"a {word} film,{label}\n"
    for word, label in [
        ("lovely", "good"),
        ("dreary", "bad"),
        ("splendid", "good"),
        ("clumsy", "bad"),
        ("charming", "good"),
    ]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_folder) -> Path:
    """A folder with files to name, and a data folder with one book that was read."""
    made = tmp_path_factory.mktemp("advised")
    files = {"lamp.md": BOOK, "newer.md": BOOK + "More.\n", "films.csv": ROWS, "secret": "a long password\n"}
    for name, text in (files | {"old.md": BOOK + "Old.\n", "new.csv": "text\na lovely film\n"}).items():
        (made / name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        settle(patch, made, tiny_folder)
        for typed in (
            ["add", "lamp.md", "old.md"], ["notes", "lamp", "--add", "start"], ["backup", "kept.zip"],
            ["account", "add", "bob", "--password-file", "secret"],
        ):  # fmt: skip
            assert commands.main(typed) == 0
    return made


@pytest.fixture(autouse=True)
def settled(monkeypatch, folder, tiny_folder) -> None:
    settle(monkeypatch, folder, tiny_folder)


def settle(patch: pytest.MonkeyPatch, folder: Path, model: Path) -> None:
    patch.setenv("LONGMEM_HOME", str(folder / "home"))
    patch.setenv("LONGMEM_MODEL", str(model))
    patch.delenv("LONGMEM_AUTH", raising=False)
    patch.setattr("sys.stdin", io.StringIO())
    patch.chdir(folder)


DEMOS = ["classify", "--demos", "films.csv"]
ONE = [*DEMOS, "--text", "a lovely film"]
# (typed, words of the line, typed as it says)
TYPED: list[tuple[list[str], str, list[str]]] = [
    ([*DEMOS, "--input", "new.csv"], "--output FILE", [*DEMOS, "--input", "new.csv", "--output", "a.csv"]),
    ([*ONE, "--output", "b.csv"], "belongs to --input FILE",
     [*DEMOS, "--input", "new.csv", "--output", "b.csv"]),
    ([*DEMOS, "--input", "new.csv", "--output", "new.csv"], "give another name",
     [*DEMOS, "--input", "new.csv", "--output", "c.csv"]),
    ([*DEMOS, "--text", " "], "is empty; type one", ONE),
    (["notes", "--add", "start"], "notes DOC --add PLACE", ["notes", "lamp", "--add", "start"]),
    (["notes", "lamp", "--note", "a bell"], "--note belongs to --add PLACE",
     ["notes", "lamp", "--note", "a bell", "--add", "start"]),
    (["notes", "lamp", "--add", "page 9"], "chapter", ["notes", "lamp", "--add", "One"]),
    (["export", "lamp", "--format", "epub"], "name its file with --output FILE",
     ["export", "lamp", "--format", "epub", "--output", "notes.epub"]),
    (["export", "lamp", "--output", "lamp.md"], "name another", ["export", "lamp", "--output", "other.md"]),
    (["export", "lamp", "--output", "none/a.md"], "there is no folder none: make it first",
     ["export", "lamp", "--output", "d.md"]),
    (["add", "none.md"], "none.md.*check the name", ["add", "lamp.md"]),
    (["remove", "bell"], "no document", ["shelf"]),
    (["read", "lamp", "--at", "120%"], "from 0 to 100", ["read", "lamp", "--at", "50%"]),
    (["ask", "lamp", " "], "is empty; give some words", ["ask", "lamp", "Who wrote it?"]),
    (["ask", "lamp", "Who slept?", "--until", "read"], "choose a place, or ask without one",
     ["ask", "lamp", "Who slept?", "--until", "Two"]),
    (["ask", "lamp", "Who slept?", "--until", "start"], "choose a later place",
     ["ask", "lamp", "Who slept?", "--until", "end"]),
    (["ask", "lamp", "Who slept?", "--within", "Nine"], "its chapters are 'One'",
     ["ask", "lamp", "Who slept?", "--within", "Two"]),
    (["ask", "--all", "Who slept?", "--until", "read"], "ask one of them, or all there is",
     ["ask", "--all", "Who slept?"]),
    (["continue", "lamp", "--at", "start", "--tokens", "2"], "choose a later one",
     ["continue", "lamp", "--at", "Two", "--tokens", "2"]),
    (["shelf", "--model", "x"], "unrecognized|--model", ["shelf"]),
    (["ask", "lamp", "Who slept?", "--model", "none.gguf"], "give the path of a GGUF file",
     ["ask", "lamp", "How many chapters are there?"]),
    (["ask", "lamp", "Who slept?", "--device", "gpu"], "choose auto, cpu",
     ["ask", "lamp", "Who slept?", "--device", "cpu"]),
    (["ask", "lamp", "Who slept?", "--device", "cuda:9"], "choose auto or cpu",
     ["ask", "lamp", "Who slept?", "--device", "auto"]),
    (["ask", "lamp", "Who slept?", "--precision", "int3"], "no precision|choose from 'auto', 'float32'",
     ["ask", "lamp", "Who slept?", "--precision", "float32"]),
    (["account", "add", "ann"], "give --password-file",
     ["account", "add", "ann", "--password-file", "secret"]),
    (["account", "add", "bob", "--password-file", "secret"], "account password changes",
     ["account", "password", "bob", "--password-file", "secret"]),
    (["backup", "lamp.md"], "name another", ["backup", "other.zip"]),
    (["backup", "none/kept.zip"], "make it first", ["backup", "more.zip"]),
    (["add", "lamp.md", "newer.md", "--replaces", "old"], "name one file",
     ["add", "newer.md", "--replaces", "old"]),
    (["add", "lamp.md", "--ray", "local", "--password", "bell"], "--ray goes with .*: add such files without",
     ["add", "lamp.md", "--password", "bell"]),
    (["restore", "lamp.md"], "no whole backup|another copy|no backup", ["restore", "kept.zip"]),
]  # fmt: skip


def ended(typed: list[str]) -> int:
    """Run a command; returns its exit code, also where the parser itself ends it."""
    try:
        return commands.main(typed)
    except SystemExit as end:
        return int(end.code or 0)


@pytest.mark.parametrize(("typed", "words", "advised"), TYPED, ids=[" ".join(row[0]) for row in TYPED])
def test_a_command_works_where_the_advice_is_followed(capsys, typed, words, advised):
    assert ended(typed) == 2
    line = capsys.readouterr().err
    assert re.search(words, line) and "Traceback" not in line
    code, said = ended(advised), capsys.readouterr()
    assert code == 0, said.err
    assert ended(["shelf", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["documents"], "no book is lost"


# --- the page, the model, the store: what is called in place of what is typed ---


def accounts_file(folder: Path, content: bytes) -> list[str]:
    (folder / "accounts.txt").write_bytes(content)
    return [f"@{folder / 'accounts.txt'}"]


def on_taken_port(folder: Path) -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        return access.free_port("127.0.0.1", taken.getsockname()[1])


def with_an_account(folder: Path) -> None:
    accounts = Accounts(folder / "page.json", folder)
    accounts.add("ann", "a long password")
    access.check("0.0.0.0", bool(accounts.all()))


def changed(folder: Path, model: Path, **values: object) -> Path:
    """A copy of the model whose configuration says something else."""
    made = shutil.copytree(model, folder / "changed", dirs_exist_ok=True)
    config = json.loads((made / "config.json").read_text()) | values
    (made / "config.json").write_text(json.dumps(config))
    return made


def without(folder: Path, model: Path, pattern: str) -> Path:
    """A copy of the model that lacks some files."""
    made = shutil.copytree(model, folder / "lacking", dirs_exist_ok=True)
    for file in made.glob(pattern):
        file.unlink()
    return made


def loaded(folder: Path, model: Path, **how: str) -> object:
    return load_backbone(Paths(folder / "models"), str(model), **how)


def gpt2(folder: Path, model: Path) -> Path:
    """A tiny model of a kind that is not packed, with the tokenizer of another."""
    made = shutil.copytree(model, folder / "gpt2", dirs_exist_ok=True)
    configuration, kind, _ = TINY_FAMILIES["gpt2"]
    kind(configuration).save_pretrained(made)
    return made


def on_a_slow_processor(folder: Path, model: Path, precision: str) -> object:
    """Load where few bits are slower than many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packs, "is_quick", lambda: False)
        return loaded(folder, model, precision=precision)


def settings(folder: Path, content: str | None) -> object:
    file = folder / "settings.json"
    file.unlink(missing_ok=True)
    if content is not None:
        file.write_text(content)
    return preferences.kept(file)


def kept_in(folder: Path, words: str, *, lost: bool = False, without: str = "") -> bool:
    """Choose a data folder, lose it, delete a file, as told; tell whether it is used."""
    with pytest.MonkeyPatch.context() as changed:
        for name in ("XDG_DATA_HOME", "LOCALAPPDATA", "HOME"):
            changed.setenv(name, str(folder / "usual"))
        changed.delenv(datafolder.HOME_VARIABLE, raising=False)
        (folder / "full").mkdir(exist_ok=True)
        (folder / "full" / "letters.txt").write_text("others")
        wanted = datafolder.checked(words, folder / "usual" / "books")
        datafolder.keep(wanted)
        if lost:
            wanted.rmdir()
        if without:
            (datafolder.user_data_folder() / without).unlink()
            wanted = datafolder.user_data_folder()
        return datafolder.data_folder() == wanted


def stored(folder: Path, is_damaged: bool) -> bool:
    """Take from a store what was put there, and damaged then; or deleted, and put there again."""
    store, bank, there = (
        Store(str(folder / "store"), folder / "cache", 10**9),
        folder / "bank",
        folder / "store" / "a1b2",
    )
    bank.mkdir(exist_ok=True)
    (bank / "keys.bin").write_bytes(b"keys of a bank")
    if not is_damaged:
        shutil.rmtree(there)
    store.put("a1b2", bank, ["keys.bin"])
    if is_damaged:
        (there / "keys.bin").write_bytes(b"keys of a bark")
    return store.get("a1b2", folder)


def stored_once(folder: Path) -> bool:
    """Put a bank into a store that is a folder, and take it from there."""
    store, bank = Store(str(folder / "store"), folder / "cache", 10**9), folder / "bank"
    bank.mkdir()
    (bank / "manifest.json").write_bytes(b"{}")
    store.put("a1b2", bank, ["manifest.json"])
    return store.get("a1b2", folder) is not None


def on_cluster_with(store: Store | None) -> list:
    """Have no file made by a cluster that has this store."""
    library = SimpleNamespace(store=store, shelf=SimpleNamespace(entries=list))
    arguments = SimpleNamespace(ray="none", threads=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adding, "sendable", lambda arguments: arguments)
        patch.setattr(cluster.Cluster, "each", lambda self, things: iter(()))
        return list(adding.on_cluster([], arguments, library))


def cache(folder: Path, gigabytes: str) -> Store:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_SETTING, gigabytes)
        patch.setenv(SETTING, str(folder / "store"))
        return Store.named(folder / "cache")


Deed = Callable[[Path, Path], object]
# (what is done, words of the line, what its advice makes of it), of a folder and the model
DONE: dict[str, tuple[Deed, str, Deed]] = {
    "an open page without accounts": (
        lambda folder, model: access.check("0.0.0.0", False),
        "first run .* account add NAME",
        lambda folder, model: with_an_account(folder),
    ),
    "tools beside accounts": (
        lambda folder, model: access.check_mcp("6", True),
        "open the page without any",
        lambda folder, model: pytest.importorskip("mcp") and access.check_mcp("6", False),
    ),
    "a name without a password": (
        lambda folder, model: access.accounts(["ann"]),
        "takes user:password",
        lambda folder, model: access.accounts(["ann:a long password"]),
    ),
    "a file of no account": (
        lambda folder, model: access.accounts(accounts_file(folder, b"# none\n")),
        "write user:password in a line",
        lambda folder, model: access.accounts(accounts_file(folder, b"ann:a long password\n")),
    ),
    "a file that is no UTF-8": (
        lambda folder, model: access.accounts(accounts_file(folder, "zoë:longer".encode("cp1252"))),
        "save the file as UTF-8",
        lambda folder, model: access.accounts(accounts_file(folder, "zoë:longer".encode())),
    ),
    "a short password": (
        lambda folder, model: access.opened(Paths(folder / "home"), ["ann:x"]),
        "has 8 characters or more",
        lambda folder, model: access.opened(Paths(folder / "home"), ["ann:x" * 8]),
    ),
    "a port in use": (
        lambda folder, model: on_taken_port(folder),
        "give another --port",
        lambda folder, model: access.free_port("127.0.0.1", None),
    ),
    "an address of another machine": (
        lambda folder, model: access.free_port("192.0.2.1", None),
        "give another --host",
        lambda folder, model: access.free_port("127.0.0.1", None),
    ),
    "an unknown family": (
        lambda folder, model: loaded(folder, changed(folder, model, model_type="bert")),
        "cannot be a backbone; choose one of type",
        lambda folder, model: loaded(folder, changed(folder, model, model_type="llama")),
    ),
    "a model in four bits without its file": (
        lambda folder, model: loaded(folder, without(folder, model, "model*.safetensors"), precision="int8"),
        "cannot load|choose --precision auto|packing needs",
        lambda folder, model: loaded(folder, model, precision="auto"),
    ),
    "a model that cannot be packed": (
        lambda folder, model: loaded(folder, gpt2(folder, model), precision="int8"),
        "cannot be packed; choose --precision float32",
        lambda folder, model: loaded(folder, gpt2(folder, model), precision="float32"),
    ),
    "a device that cannot do a precision": (
        lambda folder, model: on_a_slow_processor(folder, model, "int4"),
        "cannot run a model in .*; choose",
        lambda folder, model: on_a_slow_processor(folder, model, "float32"),
    ),
    "a model without its tokenizer": (
        lambda folder, model: loaded(folder, without(folder, model, "token*")),
        "give a hub name, a folder or a GGUF",
        lambda folder, model: loaded(folder, model),
    ),
    "half a GGUF file": (
        lambda folder, model: loaded(folder, half_gguf(folder)),
        "fetch it again|give a hub name",
        lambda folder, model: loaded(folder, model),
    ),
    "damaged settings": (
        lambda folder, model: settings(folder, "{"),
        "choose anew on the page, or delete the file",
        lambda folder, model: settings(folder, None) == {},
    ),
    "settings of an unknown precision": (
        lambda folder, model: preferences.keep(folder / "kept.json", {"precision": "int3"}),
        "there is no precision .*; choose",
        lambda folder, model: preferences.keep(folder / "kept.json", {"precision": "float32"}),
    ),
    "settings of no model": (
        lambda folder, model: preferences.keep(folder / "kept.json", {"model": "./none here"}),
        "a folder or a GGUF",
        lambda folder, model: preferences.keep(folder / "kept.json", {"model": str(model)}),
    ),
    "a data folder that is no whole path": (
        lambda folder, model: kept_in(folder, "books"),
        "give one that begins at the top",
        lambda folder, model: kept_in(folder, str(folder / "books")),
    ),
    "a data folder inside another": (
        lambda folder, model: kept_in(folder, str(folder / "usual" / "books" / "more")),
        "choose one outside of it",
        lambda folder, model: kept_in(folder, str(folder / "more")),
    ),
    "a data folder of other things": (
        lambda folder, model: kept_in(folder, str(folder / "full")),
        "choose an empty folder, or",
        lambda folder, model: kept_in(folder, str(folder / "empty")),
    ),
    "a data folder that is a file": (
        lambda folder, model: kept_in(folder, str(half_gguf(folder))),
        "cannot be the data folder .*: choose another",
        lambda folder, model: kept_in(folder, str(folder / "folder")),
    ),
    "a data folder on a disk that is gone": (
        lambda folder, model: kept_in(folder, str(folder / "disk"), lost=True),
        "attach its disk, or delete",
        lambda folder, model: kept_in(folder, str(folder / "disk")),
    ),
    "a data folder that is gone for good": (
        lambda folder, model: kept_in(folder, str(folder / "disk"), lost=True),
        "attach its disk, or delete",
        lambda folder, model: kept_in(folder, str(folder / "disk"), lost=True, without=datafolder.CHOSEN),
    ),
    "damage in the store": (
        lambda folder, model: stored(folder, is_damaged=True),
        "damaged: delete .* there",
        lambda folder, model: stored(folder, is_damaged=False),
    ),
    "a store of no kind": (
        lambda folder, model: Store("nowhere://a", folder / "cache", 10**9).get("a1b2", folder),
        "cannot be used .*: see ",
        lambda folder, model: stored_once(folder),
    ),
    "a cluster without a store": (
        lambda folder, model: on_cluster_with(None),
        "name a folder or address in ",
        lambda folder, model: on_cluster_with(Store(str(folder / "store"), folder / "cache", 10**9)) == [],
    ),
    "a cache of no number": (
        lambda folder, model: cache(folder, "inf"),
        "is a number of gigabytes",
        lambda folder, model: cache(folder, "5"),
    ),
}


def half_gguf(folder: Path) -> Path:
    (folder / "half.gguf").write_bytes(b"GGUF" + bytes(40))
    return folder / "half.gguf"


@pytest.mark.parametrize(("done", "words", "advised"), DONE.values(), ids=DONE)
def test_it_goes_on_where_the_advice_is_followed(tmp_path, tiny_folder, done, words, advised):
    with pytest.raises((BadInput, Failure), match=words) as refusal:
        done(tmp_path, tiny_folder)
    assert "\n" not in str(refusal.value)
    assert advised(tmp_path, tiny_folder) is not False
