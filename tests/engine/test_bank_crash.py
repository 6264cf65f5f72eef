"""Killed, full, or watched while it writes: a bank never shows half a segment, and ends the same."""

import errno
import multiprocessing
import os
import random
import sys
import time

import pytest
import torch

from engine.bank import writer as writers
from engine.bank.bank import MemoryBank
from engine.bank.manifest import Manifest
from engine.bank.writer import BankWriter
from engine.errors import Failure
from tests.engine.synthetic_bank import (
    IDENTITY,
    LAYOUT,
    contents,
    fill,
    fill_and_die,
    fill_slowly,
    segment,
    tokens_of,
)

SEGMENTS = 24
KILLS = 36

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="SIGKILL and the fork server are not on Windows"
)


@pytest.fixture(scope="module")
def processes():
    """Starts processes that have the engine imported already: a few milliseconds each."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.engine.synthetic_bank"])
    return context


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return contents(fill(tmp_path_factory.mktemp("whole") / "bank", SEGMENTS))


def check_complete_segments(folder, at_least: int) -> int:
    """What a reader finds is whole segments, equal to what was given; returns how many."""
    if Manifest.read(folder) is None:
        assert at_least == 0
        return 0
    bank = MemoryBank.open(folder, IDENTITY, LAYOUT)
    bank.verify()
    assert bank.segments >= at_least and bank.tokens == tokens_of(bank.segments)
    assert bank.token_ids.tolist() == list(range(bank.tokens))
    if bank.segments:
        last = segment(bank.segments - 1)
        t0 = tokens_of(bank.segments - 1)
        chunks = torch.arange(*bank.chunk_range(t0, bank.tokens))
        keys, values, mask = bank.gather(5, chunks)
        assert torch.equal(keys[mask], last["keys"][5].half().float())
        assert torch.equal(values[mask], last["values"][5].half().float())
    return bank.segments


def test_killed_at_random_moments(processes, tmp_path, uninterrupted):
    chance, kills, round_, stopped_at = random.Random(7), 0, 0, set()
    while kills < KILLS:
        folder, segments, round_ = tmp_path / f"bank{round_}", 0, round_ + 1
        while True:
            ready, sender = processes.Pipe(duplex=False)
            process = processes.Process(target=fill_slowly, args=(folder, SEGMENTS, kills, sender))
            process.start()
            sender.close()
            ready.recv()
            process.join(chance.uniform(0.0, 0.15))
            process.kill()
            process.join()
            if process.exitcode == 0:
                break
            kills += 1
            segments = check_complete_segments(folder, segments)
            stopped_at.add(segments)
        assert contents(folder) == uninterrupted
    assert len(stopped_at) > 3, "the kills all fell on the same places"


def test_killed_at_every_step_of_a_segment(processes, tmp_path, uninterrupted):
    """Before, within and after each write of each array and of the manifest, from the empty folder on."""
    begin = 3  # places in the first manifest
    steps = range(begin + 2 * len(LAYOUT.arrays) + 3)
    for step in steps:
        folder = tmp_path / str(step)
        process = processes.Process(target=fill_and_die, args=(folder, SEGMENTS, step))
        process.start()
        process.join()
        assert process.exitcode == -9
        segments = check_complete_segments(folder, 0)
        assert segments == (1 if step == steps[-1] else 0)
    assert contents(fill(folder, SEGMENTS)) == uninterrupted


def test_one_writes_and_another_reads(processes, tmp_path):
    folder = fill(tmp_path, 1, publish=False)
    early = MemoryBank.open(folder)
    ready, sender = processes.Pipe(duplex=False)
    process = processes.Process(target=fill_slowly, args=(folder, SEGMENTS, 0, sender))
    process.start()
    ready.recv()
    seen, refusals = [1], 0
    while process.is_alive():
        seen.append(check_complete_segments(folder, seen[-1]))
        if 1 < seen[-1] < SEGMENTS:  # it holds the lock, or has just finished
            try:
                with BankWriter.open(folder, LAYOUT, IDENTITY) as bank:
                    assert bank.segments == SEGMENTS, "two writers at once"
            except Failure as refusal:
                assert "another process is writing" in str(refusal)
                refusals += 1
        time.sleep(0.002)
    process.join()
    assert process.exitcode == 0 and refusals and len(set(seen)) > 2
    assert early.tokens == tokens_of(1) and early.token_ids.tolist() == list(range(early.tokens))
    assert check_complete_segments(folder, SEGMENTS) == SEGMENTS


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_full_disk_is_said_and_what_was_encoded_stays(tmp_path, monkeypatch, uninterrupted, code):
    folder = fill(tmp_path / "bank", 2, publish=False)
    whole, write_at, publish_file = contents(folder), writers.write_at, Manifest.write
    with BankWriter.open(folder, LAYOUT, IDENTITY) as bank:
        for step in range(len(LAYOUT.arrays) + 1):
            left = iter(range(step, -1, -1))

            def full(file, offset, data, left=left):
                if next(left) == 0:
                    file.seek(offset)
                    file.write(memoryview(data).cast("B")[:5])
                    raise OSError(code, os.strerror(code))
                write_at(file, offset, data)

            def full_manifest(manifest, folder):
                (folder / "manifest.json.tmp").write_bytes(b"{")
                raise OSError(code, os.strerror(code))

            monkeypatch.setattr(writers, "write_at", full)
            monkeypatch.setattr(Manifest, "write", full_manifest)
            words = "disk is full.*start again" if code == errno.ENOSPC else "cannot write the memory bank"
            with pytest.raises(Failure, match=words) as failure:
                bank.append(**segment(2))
            assert "\n" not in str(failure.value)
            assert contents(folder) == whole and bank.segments == 2
        monkeypatch.setattr(writers, "write_at", write_at)
        monkeypatch.setattr(Manifest, "write", publish_file)
        bank.append(**segment(2))
    assert contents(fill(folder, SEGMENTS)) == uninterrupted


def test_interrupted_after_the_manifest_took_its_place(tmp_path, monkeypatch):
    """The segment counts on disk although the writer was told otherwise: the disk is the truth."""
    write = Manifest.write

    def interrupted(manifest, folder):
        write(manifest, folder)
        raise KeyboardInterrupt

    with BankWriter.open(tmp_path, LAYOUT, IDENTITY) as bank:
        monkeypatch.setattr(Manifest, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            bank.append(**segment(0))
        monkeypatch.setattr(Manifest, "write", write)
        assert bank.segments == 1
        bank.append(**segment(1))
    assert check_complete_segments(tmp_path, 2) == 2


def test_reopening_and_republishing_change_no_byte(tmp_path, uninterrupted):
    for segments in range(0, SEGMENTS + 1, 5):
        fill(tmp_path, segments, publish=segments % 2 == 0)
    assert contents(fill(tmp_path, SEGMENTS)) == uninterrupted
    assert contents(fill(tmp_path, SEGMENTS)) == uninterrupted
