"""`python launch.py classify`: the label of a text, or of every row of a file, by a demonstration library."""

import argparse
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from app.command_line import printing
from app.command_line.arguments import add_json, add_model_arguments
from app.command_line.opening import assistant
from app.desk import records
from app.html import wording
from engine.arguments import seed
from engine.demonstrations.files import writable
from engine.demonstrations.settings import CHOICES, Settings
from engine.errors import Failure
from ingest.errors import BadInput

if TYPE_CHECKING:
    from engine.demonstrations.demonstrations import Demonstrations
    from engine.shelf.jobs import Job
    from ingest.tables import Table

OF_INPUT = ("column", "encoding")
GOES_ON = "the same command goes on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument(
        "--demos",
        required=True,
        metavar="FILE",
        help="demonstrations: a CSV, TSV, JSONL or Parquet file with text and label columns (imported once), "
        "a library's name, or one that comes along",
    )
    parser.add_argument(
        "--demos-encoding", metavar="NAME", help="of the file of --demos, where the guess is wrong"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", help="classify this text")
    what.add_argument("--input", type=Path, metavar="FILE", help="classify every row of this table")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="where the labels of --input go: .csv, .tsv, .jsonl"
    )
    parser.add_argument("--column", metavar="NAME", help="the text column of --input (default: a guess)")
    parser.add_argument("--encoding", metavar="NAME", help="of --input, where the guess is wrong")
    parser.add_argument(
        "--shots", type=int, metavar="N", help="demonstrations in the local window (default: 20)"
    )
    parser.add_argument(
        "--choose", choices=CHOICES, help="how the window's are chosen (default: random, read once)"
    )
    parser.add_argument(
        "--no-memory", action="store_true", help="the window and the vote only, for comparison"
    )
    parser.add_argument("--no-vote", action="store_true", help="the language model only, for comparison")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of the random choice")
    add_json(parser)
    add_model_arguments(parser.add_argument_group("model"))


def run(arguments: argparse.Namespace) -> int:
    """Import and encode the demonstrations where that is not done, then classify; the exit code is 0."""
    _check(arguments)
    settings, table = _settings(arguments), _table(arguments)
    demos = demonstrations(arguments)
    library = demos.find(arguments.demos, _say_of_demos, arguments.demos_encoding)
    progress = printing.Progress(library.name, sys.stderr)
    try:
        demos.encode(library.id, progress)
        if demos.state(library.id) != "ready":
            raise Failure(f'the encoding of "{library.name}" was stopped from elsewhere: {GOES_ON}')
        if table is None:
            return _one(demos, library.id, settings, arguments)
        return _file(demos, library.id, table, settings, arguments, progress)
    finally:
        progress.close()


def demonstrations(arguments: argparse.Namespace) -> "Demonstrations":
    """Return the demonstration libraries over the user's data folder, with the table reader put in."""
    from engine.demonstrations.demonstrations import Demonstrations
    from ingest.apart import read_table

    return Demonstrations(assistant(arguments).library, read_table)


def _check(arguments: argparse.Namespace) -> None:
    """Raise BadInput before anything is loaded where options do not fit together."""
    if arguments.text is not None and not arguments.text.strip():
        raise BadInput("the text is empty; type one")
    if arguments.input is not None and arguments.output is None:
        raise BadInput("--input needs --output FILE: where the labels go")
    if arguments.input is None and arguments.output is not None:
        raise BadInput("--output belongs to --input FILE; the label of --text is printed")
    for name in OF_INPUT:
        if arguments.input is None and getattr(arguments, name) is not None:
            raise BadInput(f"--{name} belongs to --input FILE; --text is the text itself")
    if arguments.output is not None:
        _check_output(arguments)


def _check_output(arguments: argparse.Namespace) -> None:
    """Raise BadInput where the labels cannot be written, or would take the place of what is read."""
    output = writable(arguments.output)
    if not output.absolute().parent.is_dir():
        raise BadInput(f"there is no folder {output.absolute().parent}: make it first")
    for option, read in (("--input", arguments.input), ("--demos", arguments.demos)):
        read = os.path.expanduser(read)
        if os.path.isfile(read) and os.path.isfile(output) and os.path.samefile(read, output):
            raise BadInput(f"--output {output} is the file of {option} itself: give another name")


def _say(line: str) -> None:
    print(wording.plain(line), file=sys.stderr)


def _say_of_demos(line: str) -> None:
    """Print what a reader of tables says of an encoding, with the option that is meant here."""
    _say(line.replace("--encoding", "--demos-encoding"))


def _settings(arguments: argparse.Namespace) -> Settings:
    named = {"shots": arguments.shots, "choose": arguments.choose, "seed": arguments.seed}
    given = {name: value for name, value in named.items() if value is not None}
    return Settings(memory=not arguments.no_memory, vote=not arguments.no_vote, **given)


def _table(arguments: argparse.Namespace) -> "Table | None":
    """Read the rows to classify first, None for one text: what is wrong there must not wait for a bank."""
    from ingest.apart import read_table

    if arguments.input is None:
        return None
    table = read_table(arguments.input, encoding=arguments.encoding)
    for warning in table.warnings:
        _say(f"{table.name}: {warning}")
    return table


def _one(demos: "Demonstrations", identifier: str, settings: Settings, arguments: argparse.Namespace) -> int:
    found = demos.classify(identifier, arguments.text, settings)
    if arguments.json:
        printing.print_json(records.classification(found), arguments.results)
        return 0
    for line in printing.label_lines(found):
        print(line)
    print(f"{found.memory_examples:,} demonstrations in memory, {found.seconds:.2f} s", file=sys.stderr)
    return 0


def _file(
    demos: "Demonstrations",
    identifier: str,
    table: "Table",
    settings: Settings,
    arguments: argparse.Namespace,
    progress: printing.Progress,
) -> int:
    began = time.monotonic()
    run, job = demos.start_run(identifier, table, arguments.column, settings)
    if run.done:
        print(f"{run.done:,} of {run.rows:,} rows were done before; going on from there", file=sys.stderr)
    _require_done(demos.run(job, progress), arguments.input.name)
    rows = demos.export_run(run, arguments.output)
    labels = dict(Counter(result.label for result in demos.run_results(run)).most_common())
    demos.remove_run(run)
    seconds = round(time.monotonic() - began, 2)
    if arguments.json:
        result = {"output": str(arguments.output), "rows": rows, "labels": labels, "seconds": seconds}
        printing.print_json(result, arguments.results)
        return 0
    shown = ", ".join(f"{wording.plain(label)} {count:,}" for label, count in labels.items())
    print(f"{rows:,} rows to {wording.plain(str(arguments.output))}: {shown}; {seconds:.1f} s")
    return 0


def _require_done(job: "Job", name: str) -> None:
    """Raise Failure where another program ended the job: what there is of its labels is no result."""
    if job.state == "failed":
        raise Failure(f"{name}: {job.message}")
    if job.state != "done":
        raise Failure(
            f"{name} was {job.state} from elsewhere, {job.done:,} of {job.total:,} rows done and nothing "
            f"written: {GOES_ON}"
        )
