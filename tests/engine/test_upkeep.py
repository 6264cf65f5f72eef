"""Whatever of a book is damaged is found, and made again from what is left; talks and marks stay."""

import shutil

import pytest
import torch

from engine.assistant import Assistant
from engine.errors import Failure
from engine.library import Library
from engine.model import Model
from engine.paths import Paths
from engine.sampling import Sampling
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet
from engine.upkeep import faults, finish
from ingest.errors import BadInput
from ingest.parse import parse

LINES = [
    f"Captain Farrow walked to the harbour on day {n} and counted {n * 3} grey gulls." for n in range(20)
]
BOOK = "# The Harbour\n\n" + "\n\n".join(LINES)
ARRAYS = ("tokens", "spans", "keys", "values", "chunk_starts", "chunk_keys", "pooled", "derived")


@pytest.fixture(scope="module")
def added(tiny_folder, tmp_path_factory) -> Library:
    """One book with a talk, read half, and its bank with every kind of array."""
    home = tmp_path_factory.mktemp("added")
    library = Library(Paths(home / "home"), parse, model=str(tiny_folder))
    config = SideNetConfig.for_backbone(library.model.backbone, search="pooled", search_block=2)
    torch.manual_seed(2)
    library.model.take(sidenet=SideNet(config, library.model.backbone).eval())
    path = home / "harbour.md"
    path.write_text(BOOK)
    entry = library.add(path)
    talk = library.shelf.talks.create(entry.id)
    library.shelf.talks.append(talk.id, "user", "How many gulls?")
    library.shelf.read_to(entry.id, 300)
    library.shelf.close()
    return library


@pytest.fixture
def library(added, tmp_path) -> Library:
    """A copy of it."""
    shutil.copytree(added.paths.home.parent, tmp_path, dirs_exist_ok=True)
    return reopened(added, Paths(tmp_path / "home"))


def reopened(library: Library, paths: Paths | None = None) -> Library:
    """As the next start finds it: nothing is open."""
    again = Library(paths or library.paths, parse)
    again.model = library.model
    return again


def flip(path, at: float = 0.5) -> None:
    """Change one bit of a byte in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1
    path.write_bytes(data)


def contents(library: Library) -> dict[str, bytes]:
    (entry,) = library.shelf.entries()
    folder = library.paths.document(entry.id)
    skipped = ("entry.json", "fulltext.db", "fulltext.sum")  # which tell how long encoding took, or when
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in skipped]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.suffix != ".lock"}


def check_kept(library: Library) -> None:
    """Check that what people did is there, and that the book can be read and found in."""
    (entry,) = library.shelf.entries()
    (talk,) = library.shelf.talks.about(entry.id)
    assert [one.text for one in library.shelf.talks.messages(talk.id)] == ["How many gulls?"]
    assert entry.position == 300
    assert library.document(entry.id).text.endswith(LINES[-1])
    assert library.shelf.fulltext.count("gulls", entry.id) > 0


def damaged_file(library: Library, kind: str):
    (entry,) = library.shelf.entries()
    folder = library.paths.document(entry.id)
    (found,) = list(folder.glob(kind)) or sorted((folder / "bank").glob(f"{kind}.*bin"))[:1]
    return found


@pytest.mark.parametrize("kind", ["document.json", "fulltext.db", "bank/manifest.json", *ARRAYS])
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_every_kind_of_damage_is_found_and_mended(library, kind, damage):
    before = contents(library)
    assert list(faults(library)) == []
    path = damaged_file(library, kind)
    if damage == "flipped":
        flip(path)
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.unlink()
    again = reopened(library)
    found = list(faults(again))
    if kind == "derived" and damage != "flipped":
        assert found == [], "keys that are not all there count for nothing, and are made anew"
    else:
        assert len(found) == 1 and found[0].title == "The Harbour"
    check_kept(again)
    for one in found:
        assert one.mend is not None and one.mend()
    check_kept(again)
    assert not any(error for _, error in finish(again))
    (entry,) = again.shelf.entries()
    again.bank(entry.id).learned_keys()
    assert contents(again) == before
    assert list(faults(again)) == []
    check_kept(again)


@pytest.mark.parametrize(
    "kind", ["document.json", "bank/manifest.json", "chunk_starts", "chunk_keys", "pooled"]
)
def test_opening_notices_a_flipped_byte_and_renews_in_the_background(library, kind):
    """The probes look at what is searched; of what is read, at eight places: --verify looks at all."""
    before = contents(library)
    flip(damaged_file(library, kind))
    again = reopened(library)
    (entry,) = again.shelf.entries()
    if kind == "document.json":
        again.bank(entry.id)
    else:
        with pytest.raises(Failure, match="doctor --repair; until then the book can be read"):
            again.bank(entry.id)
        assert again.shelf.get(entry.id).state == "waiting"
        check_kept(again)
        assert [error for _, error in finish(again)] == [None]
        again.bank(entry.id).learned_keys()
    assert contents(again) == before
    check_kept(again)


def test_a_start_renews_what_is_damaged(library):
    (entry,) = library.shelf.entries()
    (library.paths.bank(entry.id) / "manifest.json").unlink()
    again = reopened(library)
    again.renews = False
    again.inspect()
    assert again.shelf.jobs.all(unfinished=True) == [] and again.fault(entry.id), (
        "not where nothing may change"
    )
    again.renews = True
    again.inspect()
    assert [job.document for job in again.shelf.jobs.all(unfinished=True)] == [entry.id]


def test_a_damaged_file_is_added_again(library, tmp_path):
    """Following the line to its end: the same file, added again, replaces the damaged copy."""
    source = damaged_file(library, "source.md")
    flip(source)
    (fault,) = faults(library)
    assert fault.mend is None and fault.what.endswith("add it again")
    library.add(tmp_path / "harbour.md")
    assert list(faults(library)) == [] and source.read_text() == BOOK
    check_kept(library)


def test_text_and_file_damaged_together_are_added_again(library, tmp_path):
    for kind in ("document.json", "source.md"):
        flip(damaged_file(library, kind))
    again = reopened(library)
    (entry,) = again.shelf.entries()
    with pytest.raises(Failure, match="add its file again"):
        again.document(entry.id)
    assert again.add(tmp_path / "harbour.md").id == entry.id
    assert list(faults(again)) == []
    check_kept(again)


def test_a_lost_file_is_added_again(library, tmp_path):
    damaged_file(library, "source.md").unlink()
    (fault,) = faults(library)
    assert fault.what.endswith("is gone from the shelf: add it again")
    library.add(tmp_path / "harbour.md")
    assert list(faults(library)) == []


def test_a_text_that_was_lost_is_parsed_again_in_its_encoding(library, tmp_path):
    text = "Ein schöner Tag am Hafen, an dem die Möwen über die Dächer flogen. " * 9
    (tmp_path / "german.txt").write_bytes(text.encode("cp1250"))
    entry = library.add(tmp_path / "german.txt", encoding="cp1250")
    library.renew(entry.id)  # a later job that names no encoding
    flip(library.paths.parsed(entry.id))
    assert reopened(library).document(entry.id).text.strip() == text.strip()


@pytest.mark.parametrize("other", ["format", "chunk_size"])
def test_a_memory_of_another_version_or_model_is_made_anew_by_adding_the_file_again(library, tmp_path, other):
    """As the line says; talks and places stay, which removing the book would take along."""
    (entry,) = library.shelf.entries()
    manifest = library.paths.bank(entry.id) / "manifest.json"
    if other == "format":
        manifest.write_text(manifest.read_text().replace('"format": 2', '"format": 1'))
    else:
        config = SideNetConfig.for_backbone(
            library.model.backbone, search="pooled", search_block=2, chunk_size=2
        )
        other_model = Model(library.paths)
        other_model.take(
            backbone=library.model.backbone, sidenet=SideNet(config, library.model.backbone).eval()
        )
        library.model = other_model
    again = reopened(library)
    with pytest.raises(BadInput, match="add its file again to make it anew"):
        again.bank(entry.id)
    assert again.shelf.get(entry.id).state == "ready", "with the model it was made with it can be used"
    again.add(tmp_path / "harbour.md")
    assert again.bank(entry.id).bank.tokens == entry.tokens
    check_kept(again)


def test_a_text_that_was_not_parsed_yet_is_when_its_file_is_added_again(library, tmp_path):
    (entry,) = library.shelf.entries()
    with library.shelf.connections.writing() as db:
        db.execute("UPDATE documents SET text_sum = ''")  # as before there were sums
    library.paths.parsed(entry.id).unlink()
    with pytest.raises(Failure, match="add it again"):
        library.document(entry.id)
    library.add(tmp_path / "harbour.md")
    check_kept(library)


def test_damaged_keys_are_deleted_and_made_again(library):
    """The advice of the line itself: delete the file, and ask on."""
    (entry,) = library.shelf.entries()
    path = damaged_file(library, "derived")
    flip(path)
    with pytest.raises(Failure, match=f"delete {path}"):
        library.bank(entry.id).bank.verify()
    path.unlink()
    again = reopened(library)
    again.bank(entry.id).learned_keys()
    assert path.exists() and list(faults(again)) == []


def test_the_memory_of_a_talk_is_looked_at_too(library):
    assistant = Assistant(library)
    (entry,) = library.shelf.entries()
    (talk,) = library.shelf.talks.about(entry.id)
    for number in range(12):
        library.shelf.talks.append(talk.id, "assistant", f"{number} gulls " * 40)
        library.shelf.talks.append(talk.id, "user", f"And on day {number}? " * 20)
    short = Sampling(max_tokens=4)
    list(assistant.ask(entry.id, "How many gulls?", talk=talk.id, sampling=short))
    bank = library.paths.talk_bank(talk.id)
    flip(bank / "keys.0.bin" if (bank / "keys.0.bin").exists() else next(bank.glob("keys.*.bin")))
    (fault,) = faults(library)
    assert fault.title == "memory of a talk" and fault.mend is not None
    fault.mend()
    list(assistant.ask(entry.id, "How many gulls?", talk=talk.id, sampling=short))
    assert bank.exists() and list(faults(library)) == []
