"""Commands of a reader: search, read, notes, export."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from app.command_line import printing
from app.command_line.arguments import Parser, words
from app.command_line.opening import texts
from app.command_line.sending import done
from app.html.wording import plain
from engine.arguments import positive
from engine.errors import Failure
from ingest.errors import BadInput

SHOWN = 20


def declare(command: Callable[..., Parser], document: str, *parents: Parser) -> None:
    """Add the commands to a parser. document: the help for DOC."""
    search = command("search", search_books, "find words in a document, or in all of them", *parents)
    search.add_argument("document", nargs="?", metavar="DOC", help=f"{document}; left out: all")
    search.add_argument("words", type=words, metavar="WORDS", help='words, or "an exact phrase"')
    search.add_argument("--limit", type=positive, default=SHOWN, metavar="N", help=f"default: {SHOWN}")

    read = command("read", read_book, "print the text of a document as the page shows it", *parents)
    read.add_argument("document", metavar="DOC", help=document)
    read.add_argument("--at", type=words, metavar="PLACE", help="the leaf of this place (default: all of it)")
    read.add_argument("--html", action="store_true", help="as a page of HTML, with its form and pictures")

    notes = command("notes", list_notes, "list highlights, notes and bookmarks", *parents)
    notes.add_argument("document", nargs="?", metavar="DOC", help="of this document; left out: of all")
    notes.add_argument("--search", type=words, metavar="WORDS", help="those that hold these words")
    notes.add_argument(
        "--add", type=words, metavar="PLACE", help="bookmark this place of DOC, with --note as its note"
    )
    notes.add_argument("--note", type=words, metavar="TEXT", help="what --add says of the place")
    notes.add_argument(
        "--import", type=Path, dest="source", metavar="FILE", help="take what export wrote (JSON)"
    )

    export = command("export", export_notes, "write notes as Markdown, JSON or EPUB", *parents)
    export.add_argument("document", nargs="?", metavar="DOC", help="of this document; left out: of all")
    export.add_argument("--format", choices=("markdown", "json", "epub"), help="default: by the file's name")
    export.add_argument("--output", type=Path, metavar="FILE", help="a new file (default: print it)")


def search_books(arguments: argparse.Namespace) -> int:
    """Print the passages that hold all words, in reading order; a letter may be wrong."""
    given = {name: getattr(arguments, name) for name in ("document", "words", "limit")}
    (found,) = done("search", arguments, lambda: texts(arguments, arguments.document), given)
    if arguments.json:
        printing.print_json(found, arguments.results)
        return 0
    if found["query"] != arguments.words:
        looked = plain(found["query"])
        print(f"nothing has “{plain(arguments.words)}”; looked for “{looked}”", file=sys.stderr)
    for row in found["hits"]:
        title = "" if arguments.document else f"{plain(row['title'])}, "
        print(f"{title}{plain(row['place'])}: {plain(' '.join(row['text'].split()))}")
    count = f"{len(found['hits'])} of {found['total']} {'place' if found['total'] == 1 else 'places'}"
    print(count, file=sys.stderr)
    return 0


def read_book(arguments: argparse.Namespace) -> int:
    """Print a document, or the leaf of it that a place stands on."""
    given = {name: getattr(arguments, name) for name in ("document", "at", "html")}
    (found,) = done("read", arguments, lambda: texts(arguments, arguments.document), given)
    if arguments.html:
        print(found["html"])
    elif arguments.json:
        printing.print_json(found, arguments.results)
    else:
        print(plain(found["text"]))
    return 0


def list_notes(arguments: argparse.Namespace) -> int:
    """Print marks; before that, take in a file of them or make one."""
    from app.desk import marks_desk
    from ingest.position import find_start

    library = texts(arguments, arguments.document)
    entry = library.find(arguments.document) if arguments.document else None
    if arguments.source:
        taken, there = marks_desk.imported(library, _content(arguments.source))
        print(f"{taken} came, {there} were here already", file=sys.stderr)
    if arguments.note and not arguments.add:
        raise BadInput("--note belongs to --add PLACE, which says where")
    if arguments.add:
        if entry is None:
            raise BadInput("--add PLACE needs the document before it: notes DOC --add PLACE")
        document = library.document(entry.id)
        at = find_start(document, arguments.add)
        library.shelf.marks.add(entry.id, document, at, at, kind="bookmark", note=arguments.note or "")
    marks = library.shelf.marks.search(arguments.search or "", book=entry.id if entry else None)
    if arguments.json:
        printing.print_json({"notes": [mark.record() for mark in marks]}, arguments.results)
        return 0
    for mark in marks:
        title = "" if entry else f"{plain(mark.title)}, "
        print(f"{title}{plain(mark.place)}: “{plain(' '.join(mark.quote.split()))}”")
        for line in mark.note.splitlines():
            print(f"    {plain(line)}")
    if not marks:
        print("no notes there", file=sys.stderr)
    return 0


def export_notes(arguments: argparse.Namespace) -> int:
    """Write marks into a new file, or print them."""
    from app.desk import marks_desk

    library = texts(arguments, arguments.document)
    book = library.find(arguments.document).id if arguments.document else None
    endings = {f".{ending}": form for form, ending in marks_desk.ENDINGS.items()}
    suffix = arguments.output.suffix.lower() if arguments.output else ""
    form = arguments.format or endings.get(suffix) or ("json" if arguments.json else "markdown")
    if form == "epub" and not arguments.output:
        raise BadInput("an EPUB is no text to print: name its file with --output FILE")
    marks = library.shelf.marks.search("", book=book)
    content = marks_desk.exported(marks, form)
    if arguments.output is None:
        arguments.results.write(content.decode("utf-8"))
        return 0
    try:
        with arguments.output.expanduser().open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise BadInput(f"there is a file {arguments.output} already: name another, or move it away") from None
    except (FileNotFoundError, NotADirectoryError):
        raise BadInput(f"there is no folder {arguments.output.parent}: make it first") from None
    except OSError as error:
        raise Failure(f"{arguments.output} cannot be written: {error.strerror or error}") from error
    said = {"file": str(arguments.output), "format": form, "notes": len(marks)}
    if arguments.json:
        printing.print_json(said, arguments.results)
    else:
        print(f"{arguments.output}: {len(marks)} {'note' if len(marks) == 1 else 'notes'}")
    return 0


def _content(path: Path) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from error
