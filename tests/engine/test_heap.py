"""What is given back of memory: never anything that was written."""

import ctypes
import mmap
import subprocess
import sys

import numpy as np
import pytest

from engine import heap
from tests.conftest import PROJECT

RESIDENT = """
import re, sys
import numpy as np
from engine import heap

def held():
    return int(re.search(r"RssFile:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024

mapped = np.memmap(sys.argv[1], "u1", "r")
before = held()
total = int(mapped.sum())
assert held() - before > mapped.size / 2, "reading it made it resident"
heap.give_back()
assert held() - before < mapped.size / 4, "it was given back"
assert int(mapped.sum()) == total
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what is mapped is asked of Linux")
def test_pages_that_lie_in_files_are_given_back(tmp_path):
    file = tmp_path / "states.bin"
    np.arange(40_000_000, dtype="u1").tofile(file)
    subprocess.run([sys.executable, "-c", RESIDENT, file], cwd=PROJECT, check=True)


def test_what_was_written_over_a_file_stays(tmp_path):
    file = tmp_path / "model.safetensors"
    np.zeros(1_000_000, "u1").tofile(file)
    changed = np.memmap(file, "u1", "c")
    changed[500_000] = 7
    heap.give_back()
    assert changed[500_000] == 7 and not file.read_bytes().strip(b"\0")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what is mapped is asked of Linux")
def test_memory_that_took_the_place_of_a_file_meanwhile_stays(monkeypatch):
    place = mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    place[:] = b"x" * len(place)
    address = ctypes.addressof(ctypes.c_char.from_buffer(place))
    monkeypatch.setattr(heap, "_mapped", lambda regions: [(address, len(place))])
    heap.give_back()
    assert place[:] == b"x" * len(place)


def test_only_weights_and_banks_are_named():
    regions = "".join(
        f"{start}000-{end}000 rw-p 00000000 fe:00 22                         {path}\n"
        for start, end, path in [
            ("10", "12", "/home/a/my model.safetensors"), ("30", "31", "/lib/libc.so"),
            ("40", "44", "/home/a/states.7.bin"), ("50", "51", "[heap]"),
        ]
    )  # fmt: skip
    assert list(heap._mapped(regions)) == [(0x10000, 0x2000), (0x40000, 0x4000)]
