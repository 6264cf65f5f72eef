"""Gathering: which files a person means who names files, folders, a Calibre library or a feed.

A folder is looked through with all below it, except what a system hides. Calibre's folder tells titles and
authors in `metadata.db`; of a book that it has in several formats one is taken. A feed is an Atom file
(OPDS) whose entries link to files beside it. Nothing is fetched from another machine.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ingest.cleaning import one_line
from ingest.errors import BadInput
from ingest.formats import ARCHIVES, SUFFIXES
from ingest.limits import Limits
from ingest.xmlparts import read_xml

CALIBRE = "metadata.db"
FEEDS = (".opds", ".atom", ".xml")
FEED_BYTES = 64_000_000
ATOM = "{http://www.w3.org/2005/Atom}"
ACQUISITION = "http://opds-spec.org/acquisition"
# of one book the first of these that is there
PREFERRED = ("epub", "azw3", "mobi", "docx", "odt", "fb2", "html", "htmlz", "rtf", "md", "txt", "pdf")


@dataclass(frozen=True)
class Gathered:
    """One file, and the title and author that its collection tells ('' where it tells none).

    refusal: why it cannot be taken, where that is known already.
    """

    path: Path
    title: str = ""
    author: str = ""
    refusal: str = ""


def gather(names: list[str]) -> Iterator[Gathered]:
    """Yield the files that names mean, in order, each once. Raises BadInput for an unreadable collection."""
    seen: set[str] = set()
    for name in names:
        path = Path(os.path.expanduser(name))
        for found in _gathered(path):
            place = os.path.realpath(found.path)
            if place not in seen:
                seen.add(place)
                yield found


def _gathered(path: Path) -> Iterator[Gathered]:
    if path.name == CALIBRE and os.path.isfile(path):
        path = path.parent
    if os.path.isdir(path):
        yield from calibre(path) if (path / CALIBRE).is_file() else in_folder(path)
    elif path.suffix.lower() in FEEDS and (root := _feed_root(path)) is not None:
        yield from _linked(path, root)
    else:
        yield Gathered(path)


def in_folder(folder: Path) -> Iterator[Gathered]:
    """Yield the files below a folder that look like documents by their names, in the order of names.

    Raises BadInput where the folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise BadInput(f"{folder}: this folder cannot be read ({error.strerror}): see to its rights")

    for base, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in (*SUFFIXES, *ARCHIVES):
                yield Gathered(Path(base, name))


def calibre(folder: Path) -> Iterator[Gathered]:
    """Yield the books of a Calibre library with their titles and authors. Raises BadInput."""
    sql = (
        "SELECT books.id, books.title, books.path,"
        " (SELECT group_concat(name, ' & ') FROM (SELECT authors.name FROM books_authors_link AS link"
        " JOIN authors ON authors.id = link.author WHERE link.book = books.id ORDER BY link.id))"
        " FROM books ORDER BY books.id"
    )
    address = f"{(folder / CALIBRE).resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as db:
            books = db.execute(sql).fetchall()
            files: dict[int, list[tuple[str, str]]] = {}
            for book, form, name in db.execute("SELECT book, lower(format), name FROM data ORDER BY id"):
                files.setdefault(book, []).append((str(form), str(name)))
    except sqlite3.Error as error:
        raise BadInput(
            f"{folder / CALIBRE}: this is no Calibre library that can be read ({error}): close Calibre and"
            " try again, or name the files themselves"
        ) from error
    for book, title, place, author in books:
        path = _best(folder / str(place), files.get(book, []))
        told = one_line(str(title)), one_line(str(author or "").replace("|", ","))
        refusal = "" if _is_inside(path, folder) else "its entry leads out of the Calibre library: mend that"
        yield Gathered(path, *told, refusal)


def _best(place: Path, files: list[tuple[str, str]]) -> Path:
    """Return the file of a book that is read best; its folder where it has none, which is then refused."""
    known = [one for one in files if f".{one[0]}" in SUFFIXES] or files
    if not known:
        return place
    form, name = min(known, key=lambda one: _preference(one[0]))
    return place / f"{name}.{form}"


def _feed_root(path: Path):
    """Return the root of an Atom feed; None where the file is another one."""
    try:
        if path.stat().st_size > FEED_BYTES:
            return None
        data = path.read_bytes()
    except OSError:
        return None
    if ATOM[1:-1].encode() not in data[:4096]:
        return None
    root, _ = read_xml(data, Limits())
    return root if root is not None and root.tag == f"{ATOM}feed" else None


def _linked(feed: Path, root) -> Iterator[Gathered]:
    """Yield the files that the entries of a feed link to; of several formats one."""
    for entry in root.iter(f"{ATOM}entry"):
        title = one_line(entry.findtext(f"{ATOM}title") or "")
        names = (one.findtext(f"{ATOM}name") or "" for one in entry.iter(f"{ATOM}author"))
        author = " & ".join(filter(None, map(one_line, names)))
        links = [
            link.get("href")
            for link in entry.iter(f"{ATOM}link")
            if (link.get("rel") or "").startswith((ACQUISITION, "enclosure")) and link.get("href")
        ]
        if links:
            best = min(links, key=lambda link: _preference(Path(urlsplit(link).path).suffix[1:].lower()))
            yield _file_of(feed, best, title, author)


def _file_of(feed: Path, link: str, title: str, author: str) -> Gathered:
    address = urlsplit(link)
    if address.scheme not in ("", "file") or address.netloc not in ("", "localhost"):
        why = "it lies on another machine, and nothing is fetched from there: download it, then add the file"
        return Gathered(Path(one_line(link)), title, author, why)
    path = feed.parent / unquote(address.path)
    why = "" if _is_inside(path, feed.parent) else "its link leads out of the feed's folder: mend that"
    return Gathered(path, title, author, why)


def _preference(form: str) -> int:
    return PREFERRED.index(form) if form in PREFERRED else len(PREFERRED)


def _is_inside(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
