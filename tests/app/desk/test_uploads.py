"""Upload folders: what is deleted when, and that a dead program's is found and a live one's left alone."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from app.desk import uploads
from ingest import formats
from ingest.errors import BadInput
from ingest.limits import Limits
from tests.app.browser import PROJECT

UPLOADED = "0123456789abcdef" * 4


def test_what_else_lies_with_the_uploads_was_not_uploaded(tmp_path, monkeypatch):
    """The lock, half an upload, what another reader is about to download, links out of the folder."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    going = uploads.outgoing("labelled.csv")
    home, outside = tmp_path / "uploads", tmp_path / UPLOADED
    for folder in (home / UPLOADED, home / UPLOADED / UPLOADED, outside):
        folder.mkdir()
    inner = [home / uploads.LOCK, home / "tmp3a7f", going, home / UPLOADED / UPLOADED / "book.txt"]
    for path in (*inner, outside / "book.txt"):
        path.write_text("x")
    link = home / UPLOADED / "link.txt"
    link.symlink_to(outside / "book.txt")
    for path in (*inner, link, home / UPLOADED / ".." / uploads.LOCK, outside / "book.txt"):
        with pytest.raises(BadInput, match="was not uploaded"):
            uploads.inside(path)
        assert path.exists()


def test_uploads_are_deleted_and_nothing_else_is(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    home = uploads.folder()
    (home / UPLOADED).mkdir()
    upload, other = home / UPLOADED / "book.txt", tmp_path / "keep.txt"
    upload.write_text("x")
    other.write_text("x")
    assert uploads.inside(upload) == upload
    with pytest.raises(BadInput):
        uploads.inside(other)
    uploads.discard(upload)
    uploads.discard(other)
    assert not upload.parent.exists() and other.exists()
    uploads.clear(home)
    assert not home.exists()


def test_a_page_starts_where_there_is_no_room_for_a_temporary_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "none")])
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert uploads.sweep() == []
    home = uploads.folder()
    assert not home.exists() and not uploads.is_crowded()
    upload = home / UPLOADED / "book.txt"  # with room again
    upload.parent.mkdir(parents=True)
    upload.write_text("x")
    assert uploads.inside(upload) == upload
    uploads.clear(home)
    assert not home.exists()


def test_the_page_takes_what_the_command_line_takes():
    assert {*formats.SUFFIXES, ".zip", ".cbz", *formats.PICTURES} == set(uploads.SUFFIXES)
    assert {".xhtml", ".jpg", ".webp"} <= set(uploads.SUFFIXES)
    assert Limits().file_bytes == uploads.LIMIT_BYTES and uploads.LIMIT_WORDS == "300 MB"


HOLD = """
import os, sys
from app.desk import uploads
made = uploads.folder()
(made / "a1").mkdir()
(made / "a1" / "book.txt").write_text("x")
print(made, flush=True)
sys.stdin.read()
"""


def test_upload_folders_of_dead_programs_are_removed_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    monkeypatch.setattr(tempfile, "tempdir", None)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    programs = [subprocess.Popen([sys.executable, "-c", HOLD], cwd=PROJECT, **pipes) for _ in range(2)]
    try:
        killed, living = (Path(program.stdout.readline().strip()) for program in programs)
        programs[0].kill()
        programs[0].wait()
        assert killed.is_dir() and killed.parent == tmp_path
        ours, old, new = uploads.folder(), tmp_path / "longmem-uploads-old", tmp_path / "longmem-uploads-new"
        for folder in (old, new, tmp_path / "another"):
            folder.mkdir()
        os.utime(old, (0, 0))
        (tmp_path / "longmem-uploads-link").symlink_to(tmp_path / "another", target_is_directory=True)
        assert sorted(uploads.sweep()) == sorted([killed, old])
        assert uploads.sweep() == []
        assert (living / "a1" / "book.txt").exists() and ours.is_dir() and new.is_dir()
        assert (tmp_path / "another").is_dir()
    finally:
        for program in programs:
            program.communicate("")
    assert uploads.sweep() == [living]
    uploads.clear(ours)
    assert not ours.exists()
