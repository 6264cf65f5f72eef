"""The command line: parse arguments, call the engine, print.

The standard library is enough to import this and to parse: launch.py does so before anything is installed.
The engine is imported by the command that needs it. Results go to standard output, all else to standard
error; exit codes: 0, 2 for what the user has to change, 1 for a failure, 130 for Ctrl-C.
"""

import argparse
import contextlib
import importlib
import itertools
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.command_line import adding, printing, reading, run_tests
from app.command_line.arguments import (
    PAGE,
    PAGE_OPTIONS,
    Parser,
    add_device_arguments_below,
    add_json,
    add_model_arguments,
    file_name,
    page_arguments,
    sampling_arguments,
    words,
)
from app.command_line.opening import (
    assistant,
    choose_device,
    choose_kept,
    data_folder,
    named_model,
    own_environment,
    sampling,
    stay_local,
    texts,
    wait_asleep,
)
from app.command_line.sending import done, model_settings
from app.html import wording
from engine.arguments import MODEL, add_device_arguments, positive
from engine.errors import Failure
from engine.paths import PROGRAM
from ingest.errors import BadInput

if TYPE_CHECKING:
    from ingest.document import Document
    from ingest.tables import Table

DESCRIPTION = "Read, ask and continue documents longer than any context window, on your own machine."
DOCUMENT_HELP = "an id, an unambiguous start of one, a title, or a file (added first)"


@dataclass(frozen=True)
class Delegate:
    """A command whose module gives `add_arguments(parser)` and `run(arguments) -> int` (the exit code)."""

    module: str
    help: str


# A further command is one line here.
DELEGATES: dict[str, Delegate] = {
    "classify": Delegate(
        "app.command_line.classify", "label texts with thousands of demonstrations in memory"
    ),
    "add-reranker": Delegate("app.command_line.add_reranker", "a larger model that weighs answers (1.1 GB)"),
    "account": Delegate("app.command_line.account", "who may sign in to the page, and with what limits"),
    "train": Delegate("engine.training.train", "train a SideNet on books"),
    "train-search": Delegate("engine.training.search", "train the search map on questions"),
    "train-lexicon": Delegate(
        "engine.training.lexicon", "count books at large, so that a book's own words tell"
    ),
    "make-questions": Delegate("engine.training.madeanswers", "make questions about books by rule"),
    "train-reader": Delegate("engine.training.reading", "train the reading layers on questions"),
    "train-crossreader": Delegate("engine.training.crossreading", "train the cross-reader on questions"),
    "adapt": Delegate("engine.training.adapt", "give another model all that the default one has"),
    "evaluate": Delegate("engine.evaluation.command", "measure what the memory is worth"),
    "bench": Delegate("app.command_line.bench", "measure speed and size"),
}

# The module whose `run(arguments, opened) -> int` opens the page.
PAGE_MODULE = "app.page.page"


def build_parser(chosen: str | None = None) -> Parser:
    """Build the parser of all commands. Only the chosen delegate's module is imported, for its arguments."""
    common = Parser(add_help=False)
    common.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error"
    )
    as_json = Parser(add_help=False)
    add_json(as_json)
    model = Parser(add_help=False)
    add_model_arguments(model.add_argument_group("model"))

    parser = Parser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog="Without a command: open the page.",
        parents=[page_arguments()],
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND")

    def command(name: str, function: Callable | None, help: str, *parents: Parser) -> Parser:
        made = commands.add_parser(name, help=help, description=help, parents=[common, *parents])
        made.set_defaults(function=function)
        return made

    declare_adding(command, as_json, model)
    declare_answers(command, as_json, model, sampling_arguments())
    declare_keeping(command, as_json)
    reading.declare(command, DOCUMENT_HELP, as_json)
    declare_delegates(command, chosen)
    declare_upkeep(command, as_json)
    return parser


def declare_adding(command: Callable[..., Parser], as_json: Parser, model: Parser) -> None:
    """Add the commands that fill and list the shelf."""
    add = command("add", add_documents, "parse and encode files; goes on where it stopped", as_json, model)
    add.add_argument(
        "files",
        nargs="+",
        type=file_name,
        metavar="FILE",
        help="a file, a folder, a Calibre library, or a feed of files",
    )
    add.add_argument("--watch", action="store_true", help="go on adding what comes into them, until Ctrl-C")
    add.add_argument("--workers", type=positive, default=1, metavar="N", help="processes (default: 1)")
    add.add_argument(
        "--ray",
        metavar="ADDRESS",
        help='a Ray cluster whose machines share LONGMEM_STORE ("auto", "local")',
    )
    add.add_argument("--password", help="of an encrypted file")
    add.add_argument("--encoding", help="of a text file, where the guess is wrong")
    add.add_argument(
        "--ocr",
        nargs="?",
        const="auto",
        metavar="LANG",
        help="read scanned pages (eng, deu+eng)",
    )
    add.add_argument(
        "--replaces", metavar="DOC", help="an older edition: its notes, talks and place go over, then it goes"
    )
    add.add_argument(
        "--int8", action="store_true", help="keep keys and values as bytes, where a bank keeps any"
    )

    command("shelf", list_shelf, "list the documents", as_json)


def declare_answers(command: Callable[..., Parser], as_json: Parser, model: Parser, sampling: Parser) -> None:
    """Add the commands that ask a document and go on with it."""
    ask = command("ask", ask_document, "ask a document a question", as_json, model, sampling)
    ask.add_argument("document", nargs="?", metavar="DOC", help=DOCUMENT_HELP)
    ask.add_argument("--all", action="store_true", help="ask all books at once, instead of DOC")
    ask.add_argument("question", type=words, metavar="QUESTION")
    ask.add_argument(
        "--until",
        type=words,
        metavar="PLACE",
        help="read nothing after this place: 'page 12', 'chapter 3', 45%%, or 'read' for what you have read",
    )
    ask.add_argument("--within", type=words, metavar="CHAPTER", help="read this chapter only")
    ask.add_argument("--max-tokens", type=positive, metavar="N", help="longest answer")

    go_on = command("continue", continue_text, "continue the text of a document", as_json, model, sampling)
    go_on.add_argument("document", nargs="?", metavar="DOC", help=DOCUMENT_HELP)
    start = go_on.add_mutually_exclusive_group()
    start.add_argument("--at", type=words, metavar="PLACE", help="go on from this place of the document")
    start.add_argument("--prompt", type=words, metavar="TEXT", help="go on from this text instead")
    go_on.add_argument("--tokens", type=positive, default=200, metavar="N", help="how many (default: 200)")
    go_on.add_argument("--no-memory", action="store_true", help="by the backbone alone, for comparison")


def declare_keeping(command: Callable[..., Parser], as_json: Parser) -> None:
    """Add the commands that remove, keep and bring back documents."""
    remove = command("remove", remove_document, "delete a document and all that was made of it", as_json)
    remove.add_argument("document", metavar="DOC", help="an id, an unambiguous start of one, or a title")
    remove.add_argument("--keep-notes", action="store_true", help="keep highlights, notes and bookmarks")

    backup = command("backup", back_up, "keep all books, talks and places read in one file", as_json)
    backup.add_argument("file", type=Path, metavar="FILE", help="a new file")
    backup.add_argument(
        "--memories", action="store_true", help="with what was encoded: large, and quick again"
    )

    restored = command(
        "restore", restore_backup, "bring back what a backup has and the shelf has not", as_json
    )
    restored.add_argument("file", type=Path, metavar="FILE", help="what backup wrote")


def declare_delegates(command: Callable[..., Parser], chosen: str | None) -> None:
    """Add the commands of `DELEGATES`; only the chosen one has its arguments."""
    for name, delegate in DELEGATES.items():
        made = command(name, None, delegate.help)
        if name == chosen:
            module = importlib.import_module(delegate.module)
            module.add_arguments(made)
            add_device_arguments_below(made)
            made.set_defaults(function=module.run, parse_file=parse_book, read_table=parse_table)


def declare_upkeep(command: Callable[..., Parser], as_json: Parser) -> None:
    """Add the commands that look after the program."""
    test = command("test", run_tests.run, "run the tests; arguments are pytest's")
    test.add_argument("pytest", nargs="*", metavar="PYTEST ARGUMENTS")
    doctor = command("doctor", run_doctor, "what is installed, which model, disk, self-test", as_json)
    doctor.add_argument("--repair", action="store_true", help="mend what is damaged; every book stays")
    doctor.add_argument("--verify", action="store_true", help="read every book and memory against its sums")
    add_device_arguments(doctor)


def parse_book(file: Path) -> "Document":
    """Parse a book for a delegate: the engine knows no file format."""
    from ingest.apart import parse

    return parse(file)


def parse_table(file: Path) -> "Table":
    """Read a table of labelled examples for a delegate: the engine knows no file format."""
    from ingest.apart import read_table

    return read_table(file)


def parse(argv: list[str], installed: bool = True) -> argparse.Namespace:
    """Parse a command line; `--help` and errors end the process, as argparse does (exit codes 0 and 2).

    Before set-up (`installed` false) a delegate takes anything: its module may need what is not there yet.
    """
    given = [word for word in argv if word != "--debug"]
    chosen = given[0] if given else None
    if chosen == "test" and given[1:] not in (["-h"], ["--help"]):
        rest = argv[argv.index("test") + 1 :]
        return argparse.Namespace(
            command="test", pytest=rest, function=run_tests.run, debug="--debug" in argv
        )
    if chosen in DELEGATES and not installed:
        return argparse.Namespace(command=chosen)
    parser = build_parser(chosen)
    arguments, unknown = parser.parse_known_args(argv)
    if arguments.command is None:
        arguments.function = open_page
    else:
        refuse_page_options(parser, arguments)
    # only now: what a delegate would have taken is unknown where a page's option stands before its name
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if arguments.command == "ask" and arguments.all == (arguments.document is not None):
        parser.error("ask takes DOC and QUESTION, or --all and QUESTION")
    if arguments.command == "continue" and arguments.document is None and arguments.prompt is None:
        parser.error("continue needs a document or --prompt TEXT")
    if arguments.command == "continue" and arguments.document is None and arguments.at is not None:
        parser.error("--at needs a document")
    return arguments


def refuse_page_options(parser: Parser, arguments: argparse.Namespace) -> None:
    """End the process where an option of the page stands before a command."""
    for name in PAGE_OPTIONS:
        if getattr(arguments, name) is None:
            continue
        option = name.removeprefix(PAGE)
        is_its = hasattr(arguments, option) or hasattr(arguments, f"{MODEL}{option}")
        is_shared = option != name and (arguments.command in DELEGATES or is_its)
        where = f"stands after {arguments.command}, or belongs to the page"
        words = where if is_shared else "belongs to the page; leave it out"
        parser.error(f"--{option.replace('_', '-')} {words}")


@own_environment()
def main(argv: list[str]) -> int:
    """Run one command; returns its exit code. What a library prints never gets into a JSON result."""
    choose_kept(argv)
    stay_local(named_model(argv))  # before any import: libraries read these settings when they are loaded
    wait_asleep()
    arguments = parse(argv)
    choose_device(arguments)
    arguments.results = sys.stdout
    aside = sys.stderr if getattr(arguments, "json", False) else sys.stdout
    try:
        with contextlib.redirect_stdout(aside):
            code = arguments.function(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # `… | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return fail("interrupted", 130, arguments.debug)
    except BadInput as error:
        return fail(str(error), 2, arguments.debug)
    except Failure as error:
        return fail(str(error), 1, arguments.debug)
    except Exception as error:  # whatever it is, a user gets one line and a way to see more
        what = f"{type(error).__name__}: {error}"
        return fail(
            f"{what} (a fault of the program or the machine; --debug shows where)", 1, arguments.debug
        )


def longmem() -> int:
    """Run the command line of this process: where the entry point of an installed copy leads."""
    return main(sys.argv[1:])


def fail(message: str, code: int, debug: bool) -> int:
    """Say what went wrong in one line, after the traceback where it was asked for."""
    if debug:
        traceback.print_exc()
    print(wording.plain(" ".join(message.split())), file=sys.stderr)
    return code


def add_documents(arguments: argparse.Namespace) -> int:
    """Add files and all that folders, Calibre libraries and feeds hold; the engine opens once."""
    return adding.add(arguments, assistant, fail)


def list_shelf(arguments: argparse.Namespace) -> int:
    """Print the documents."""
    (found,) = done("shelf", arguments, lambda: texts(arguments), {})
    if arguments.json:
        printing.print_json(found, arguments.results)
    elif found["documents"]:
        print(printing.table(found["documents"]))
    else:
        print(f"The shelf is empty; put a document there with: {PROGRAM} add FILE", file=sys.stderr)
    return 0


def ask_document(arguments: argparse.Namespace) -> int:
    """Print the answer to a question."""
    given = {name: getattr(arguments, name) for name in ("document", "question", "until", "within")}
    said = done("ask", arguments, lambda: assistant(arguments), given | {"sampling": sampling(arguments)})
    return print_answer(said, arguments)


def continue_text(arguments: argparse.Namespace) -> int:
    """Print how a text goes on."""
    given = {name: getattr(arguments, name) for name in ("document", "at", "prompt", "tokens")}
    given |= {"memory": not arguments.no_memory, "sampling": sampling(arguments)}
    return print_answer(done("continue", arguments, lambda: assistant(arguments), given), arguments)


def print_answer(said: Iterable[dict], arguments: argparse.Namespace) -> int:
    """Print an answer as it comes, or at its end as one JSON object."""
    answer = None
    for message in said:
        answer = message.get("answer", answer)
        if not arguments.json and "text" in message:
            print(wording.plain(message["text"]), end="", flush=True)
    if answer is None:
        raise Failure("the answer ended too early; ask again")
    if arguments.json:
        printing.print_json(answer, arguments.results)
        return 0
    print()
    for line in printing.citations(answer):
        print(line)
    print(printing.footnote(answer), file=sys.stderr)
    return 0


def remove_document(arguments: argparse.Namespace) -> int:
    """Delete a document and print what that freed."""
    freed = assistant(arguments).library.remove(arguments.document, keep_marks=arguments.keep_notes)
    if arguments.json:
        printing.print_json({"removed": arguments.document, "freed_bytes": freed}, arguments.results)
    else:
        print(f"removed {arguments.document}, {wording.size(freed)} freed")
    return 0


def back_up(arguments: argparse.Namespace) -> int:
    """Write a backup and print what it holds."""
    from engine.shelf import backup

    written = backup.back_up(data_folder(), arguments.file.expanduser(), arguments.memories)
    if arguments.json:
        printing.print_json(vars(written), arguments.results)
    else:
        held = f"{written.books} books, {written.talks} talks, {written.libraries} libraries of examples"
        print(f"{arguments.file}: {held}, {wording.size(written.bytes)}")
    return 0


def restore_backup(arguments: argparse.Namespace) -> int:
    """Restore a backup and print what came back."""
    from engine.shelf.restore import restore

    back = restore(data_folder(), arguments.file.expanduser())
    if arguments.json:
        printing.print_json(vars(back), arguments.results)
        return 0
    print(f"restored {back.books} books, {back.talks} talks, {back.libraries} libraries of examples")
    if there := sum(back.kept.values()):
        print(f"{there} of them were on the shelf already and stay as they are there")
    if back.books:
        print(f"what is not encoded will be, by the page or by: {PROGRAM} doctor --repair", file=sys.stderr)
    return 0


def run_doctor(arguments: argparse.Namespace) -> int:
    """Print every check as it is done; the exit code is 1 where something is broken."""
    from app.desk import doctor

    paths, checks = data_folder(), []
    if arguments.repair:
        work = doctor.repair(paths, lambda: assistant(arguments).library)
    elif arguments.verify:
        work = itertools.chain([doctor.shelf(paths)], doctor.verify(assistant(arguments).library))
    else:
        work = doctor.examine(paths)
    for check in work:
        checks.append(check)
        if not arguments.json:
            print(check, flush=True)
    broken = any(check.state == "broken" for check in checks)
    if arguments.json:
        printing.print_json(
            {"ok": not broken, "checks": [vars(check) for check in checks]}, arguments.results
        )
    return 1 if broken else 0


def open_page(arguments: argparse.Namespace) -> int:
    """Serve the page until it is ended."""
    arguments.settings = model_settings(arguments, PAGE)
    return importlib.import_module(PAGE_MODULE).run(arguments, lambda: assistant(arguments, PAGE))
