"""`bench soak`: visitors ask, add and remove at once, while the program is killed and its disk is full.

What a visitor was told has to hold afterwards: a book that was added is there with its text and memory, one
that was removed is gone from the disk, and everything on the shelf is as it was written. With --keep the same
command goes on where the last round ended, and its table is that of all rounds.
"""

import argparse
import contextlib
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from app.command_line.arguments import add_json
from app.command_line.small_disk import SmallDisk
from app.command_line.soak_ledger import Ledger
from app.command_line.soaked import Soaked
from engine.arguments import natural, positive, seed, thread_count
from engine.bench.subject import home_with_backbone, report
from engine.bench.tiny import write_tiny_model

STRIKE_AFTER, FULL_SECONDS = (0.3, 4.0), (1.0, 3.0)  # of a life; of a full disk
EARLY_SHARE, EARLY_AFTER = 0.25, (0.1, 3.0)  # of kills that come while it starts; seconds of the start
CALM = {"ask": 80, "add": 16, "remove": 4}  # per cent of the requests that follow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the benchmark to its parser."""
    parser.add_argument("--questions", type=positive, default=1000, help="default: 1000")
    parser.add_argument("--uploads", type=positive, default=200, help="default: 200")
    parser.add_argument("--removals", type=positive, default=50, help="default: 50")
    parser.add_argument(
        "--kills", type=natural, default=100, help="SIGKILLs at random moments (default: 100)"
    )
    parser.add_argument(
        "--full-disks", type=natural, default=10, help="times that the disk is full (default: 10; needs root)"
    )
    parser.add_argument("--calm", type=positive, default=300, help="requests after all that (default: 300)")
    parser.add_argument("--visitors", type=positive, default=4, help="at once (default: 4)")
    parser.add_argument("--tiny", action="store_true", help="with the tiny random model")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where a further round goes on")
    parser.add_argument("--minutes", type=positive, default=600, help="after which a round ends")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of what they do and when")
    parser.add_argument("--threads", type=thread_count, default=2, help="CPU threads (default: 2)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Soak the program; the exit code is 1 where anything was lost or torn."""
    with contextlib.ExitStack() as held:
        scratch = held.enter_context(tempfile.TemporaryDirectory(prefix="longmem-bench-"))
        folder = arguments.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        ledger = opened(folder / "soak.json", arguments)
        disk = SmallDisk(folder / "disk.img", folder / "disk", 400 if arguments.tiny else 2000)
        if arguments.full_disks:
            held.enter_context(disk)
        server = placed(folder, disk.place, arguments)
        server.start()
        held.callback(server.stop)
        began = time.monotonic()
        with visited(ledger, server, arguments.visitors):
            strike(ledger, server, disk, began + arguments.minutes * 60)
        if ledger.is_done:
            server.held = []
            ledger.left = {kind: max(1, arguments.calm * of // 100) for kind, of in CALM.items()}
            with visited(ledger, server, arguments.visitors):
                pass
        ledger.finish(server)
        ledger.done["round"] += 1
        ledger.seconds += time.monotonic() - began
        wrong = {**ledger.wrong(server.home), "faults that doctor --verify finds": server.verified()}
        ledger.write(folder / "soak.json")
        found = {"rounds": ledger.done["round"], "minutes": ledger.seconds / 60, **ledger.counted()}
        report(found | (used(server) if ledger.is_done else {}) | wrong, arguments)
        return 1 if any(wrong.values()) else 0


def opened(path: Path, arguments: argparse.Namespace) -> Ledger:
    """Go on with the ledger of the rounds before, or begin one."""
    if path.exists():
        return Ledger.read(path, random.Random(f"{arguments.seed} {path.stat().st_size}"))
    goal = {"ask": arguments.questions, "add": arguments.uploads, "remove": arguments.removals}
    strikes = Counter({"kill": arguments.kills, "full": arguments.full_disks})
    return Ledger(random.Random(arguments.seed), goal, strikes)


def placed(folder: Path, disk: Path, arguments: argparse.Namespace) -> Soaked:
    """Make the data folder on the disk, and the program that will serve it."""
    disk.mkdir(exist_ok=True)
    settings = {}
    if arguments.tiny:
        settings["LONGMEM_MODEL"] = str(write_tiny_model(folder / "model"))
    home = disk / "home" if arguments.tiny or (disk / "home").exists() else home_with_backbone(disk)
    return Soaked(home, folder / "temporary", arguments.threads, settings, lives=1 + arguments.kills)


@contextlib.contextmanager
def visited(ledger: Ledger, server: Soaked, number: int) -> Iterator[None]:
    """Let that many visitors come meanwhile; they end when their work is done or the body says so."""
    ledger.ended = False
    visitors = [threading.Thread(target=ledger.visit, args=(server,), daemon=True) for _ in range(number)]
    for visitor in visitors:
        visitor.start()
    yield
    for visitor in visitors:
        visitor.join()


def strike(ledger: Ledger, server: Soaked, disk: SmallDisk, end: float) -> None:
    """Kill the program, or fill its disk, at random moments until it was done often enough or the round ends.

    Every other time the program is killed and has to start while the disk is full.
    """
    while not ledger.is_done and time.monotonic() < end:
        time.sleep(ledger.chance.uniform(*STRIKE_AFTER))
        kinds = [kind for kind, left in ledger.strikes.items() if left]
        if not kinds:
            continue
        (kind,) = ledger.chance.choices(kinds, [ledger.strikes[kind] for kind in kinds])
        if kind == "kill":
            again(ledger, server)
        else:
            ledger.fill(is_filling=True, is_full=False)
            disk.fill()
            ledger.fill(is_filling=True, is_full=True)
            time.sleep(ledger.chance.uniform(*FULL_SECONDS))
            if ledger.strikes["kill"] and ledger.done["full"] % 2:
                again(ledger, server)
                ledger.done["full kill"] += 1
                time.sleep(ledger.chance.uniform(*FULL_SECONDS))
            disk.free()
            ledger.fill(is_filling=False, is_full=False)
            ledger.struck("full")
        print(f"bench soak: still to come {dict(ledger.strikes)}", file=sys.stderr, flush=True)
    ledger.ended = True


def again(ledger: Ledger, server: Soaked) -> None:
    """Kill the program and start it again; at times it is killed once more while it starts."""
    server.kill()
    ledger.struck("kill")
    while ledger.strikes["kill"] and ledger.chance.random() < EARLY_SHARE:
        server.begin()
        time.sleep(ledger.chance.uniform(*EARLY_AFTER))
        server.kill()
        ledger.struck("kill", "early kill")
    server.start()


def used(server: Soaked) -> dict[str, float]:
    """Tell what the program held in the calm after a third of the requests, and at their end."""
    moments = {"a third": server.held[len(server.held) // 3], "all": server.held[-1]}
    return {
        f"{name} after {share} of {len(server.held)} calm requests": one[name]
        for name in server.held[-1]
        for share, one in moments.items()
    }
