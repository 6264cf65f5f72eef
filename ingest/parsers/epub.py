"""EPUB 2 and 3: the spine gives the order, the table of contents gives the titles.

Titles come from the navigation document, else the NCX, else the headings. Documents of the spine that no
table of contents names are kept: one that begins below the headings of chapters goes on with the last.
A missing file costs a warning, not the book. Footnotes follow the paragraph that refers to them; endnotes
stay where the book has them.
"""

import posixpath
from dataclasses import replace

from ingest.archive import Archive
from ingest.charset import decode_markup
from ingest.document import Document
from ingest.errors import BadInput
from ingest.form import Block, attach_footnotes
from ingest.headings import merge_headings
from ingest.manuscript import Manuscript
from ingest.markup import Book, blocks
from ingest.pictures import LARGEST, Gallery
from ingest.publication import (
    Entry,
    Publication,
    locked_parts,
    note_kind,
    protected,
    read_publication,
    resolve,
)
from ingest.source import Source
from ingest.stylesheet import Classes, read_classes
from ingest.tree import every_word, local_name, parse_markup, semantic_types

NAME = "epub"

_LEFT_OUT = "the licence of its publisher, lists of pages, controls and what the book hides"

_FRONT_TITLES = frozenset(
    ["cover", "title page", "titlepage", "copyright", "imprint", "contents", "table of contents"]
)
_BACK_TITLES = frozenset(["colophon", "uncopyright", "endnotes", "notes", "index", "footnotes"])
_LONGEST_TITLE = 500  # letters; nothing longer is compared with a title


def accepts(source: Source) -> bool:
    if not source.data.startswith(b"PK"):
        return False
    if b"application/epub+zip" in source.head[:200] or b"META-INF/container.xml" in source.data:
        return True
    return source.suffix == ".epub" and b"word/document.xml" not in source.data


def parse(source: Source) -> Document:
    """Parse an EPUB. Raises BadInput for what is damaged, protected or without text."""
    archive = Archive(source.data, source.limits, "EPUB")
    publication = read_publication(archive)
    manuscript = _manuscript(archive, source)
    manuscript.cover = manuscript.gallery.keep("", publication.cover)
    for words in publication.warnings:
        manuscript.warn(words)
    for name in archive.doubled:
        manuscript.warn(
            f"the EPUB holds several files named {posixpath.basename(name)}; the last was read: "
            "get another copy if words are missing"
        )
    missing = _write_spine(archive, publication, manuscript)
    if not manuscript.letters:
        raise BadInput(_why_empty(missing))
    for name in missing:
        manuscript.warn(f"{name} is missing from the EPUB or damaged; the rest was read: get another copy")
    return manuscript.document(
        title=publication.title or source.stem,
        author=publication.author,
        language=publication.language,
        format=NAME,
    )


def _manuscript(archive: Archive, source: Source) -> Manuscript:
    """Begin a manuscript that finds pictures and places by the addresses inside the EPUB."""
    # what pictures take is not taken from what the text may
    pictures = Archive(source.data, replace(source.limits, entry_bytes=LARGEST), "EPUB")

    def picture(part: str, address: str) -> bytes | None:
        return pictures.read(resolve(posixpath.dirname(part), address)[0])

    def place(part: str, address: str) -> tuple[str, str]:
        if ":" in address.partition("#")[0]:  # outside of the book
            return "", ""
        path, identity = resolve(posixpath.dirname(part), address)
        return archive.find(path) or part if path else part, identity

    manuscript = Manuscript(source.limits, Gallery(source.pictures, picture))
    manuscript.binding.resolve = place
    return manuscript


def _why_empty(missing: list[str]) -> str:
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return f"there is no text in this EPUB: {missing[0]} is missing or damaged{others}: get another copy"
    return "there is no text in this EPUB, neither written nor drawn (pictures only?): choose another edition"


def _write_spine(archive: Archive, publication: Publication, manuscript: Manuscript) -> list[str]:
    """Write all parts in order; returns the names of those that could not be read."""
    locked = locked_parts(archive)
    # references may differ from the spine's spelling of a name: compare the entries they find
    pointed: dict[str, list[Entry]] = {}
    for entry in publication.entries:
        pointed.setdefault(archive.find(entry.path) or entry.path, []).append(entry)
    kinds = {archive.find(path) or path: kind for path, kind in publication.kinds.items()}
    book = Book(archive.limits)
    missing = []
    sheets: dict[str, Classes] = {}
    depth, deepest = 1, 0  # of the last chapter in the contents; of the headings that they name
    for name in dict.fromkeys(publication.spine):
        path = archive.find(name) or name
        if name == publication.navigation:
            continue
        if path in locked:
            raise protected(archive)
        data = archive.read(name)
        if data is None:
            missing.append(posixpath.basename(name))
            continue
        text, warning = decode_markup(data)
        root = parse_markup(text, limits=archive.limits)
        book.labels = publication.labels.get(path, {})
        if "" in book.labels:
            book.waiting.append(book.labels[""])  # a page that begins with the file
        if root is not None:
            manuscript.expect(every_word(root), _LEFT_OUT)
            book.classes = _styled_by(root, name, archive, sheets)
        found = [] if root is None else merge_headings(attach_footnotes(blocks(root, book=book)))
        if warning:
            manuscript.warn(warning)
        if not found:
            if root is not None and local_name(root) == "svg":
                manuscript.warn(
                    f"{posixpath.basename(name)} is a drawing without words that can be read: "
                    "what it shows is not in the text"
                )
            continue
        named = pointed.get(path, [])
        # the guide speaks of a place in the file: where a file holds several chapters it says nothing of them
        kind = (kinds.get(path) or _body_kind(root)) if len(named) < 3 else "body"
        if named:
            depth = named[0].level
            deepest = max([deepest, *_heading_levels(found, named)])
        elif not _goes_on(found, deepest):
            named = _own_headings(found, path, depth, whole=not publication.entries, title=publication.title)
        _write_document(found, named, kind, path, manuscript)
    manuscript.picture(book.pictures, manuscript.letters)
    return missing


def _styled_by(root, name: str, archive: Archive, known: dict[str, Classes]) -> Classes:
    """Return the classes that the style sheets of a page set apart; `known`: those read before."""
    found = Classes()
    for link in root.iter("{*}link"):
        if "stylesheet" in (link.get("rel") or "").lower() and link.get("href"):
            path = resolve(posixpath.dirname(name), link.get("href"))[0]
            if path not in known:
                known[path] = read_classes((archive.read(path) or b"").decode("utf-8", "replace"))
            found = found.union(known[path])
    return found


def _heading_levels(found: list[Block], named: list[Entry]) -> list[int]:
    return [found[index].level for index in _settle(found, named)]


def _goes_on(found: list[Block], deepest: int) -> bool:
    """Tell whether a file is more of the chapter before: it begins below the headings contents name."""
    first = next((block.level for block in found if block.level), 0)
    return 0 < deepest < first


def _body_kind(root) -> str:
    publication = Publication()
    for element in root.iter("{*}body", "{*}section"):
        note_kind(publication, "", semantic_types(element))
        break
    return publication.kinds.get("", "body")


def _own_headings(found: list[Block], path: str, depth: int, whole: bool, title: str) -> list[Entry]:
    """Find chapters that no table of contents names: a document's first heading, or, `whole`, all of them."""
    headings = [(index, block) for index, block in enumerate(found) if block.level]
    if not whole:
        headings = [(index, block) for index, block in headings[:1] if index < 3 and block.text != title]
    entries = []
    for index, block in headings:
        anchor = f"\0{index}"  # no id of a document can be this
        block.anchors.append(anchor)
        entries.append(Entry(block.text, path, anchor, block.level if whole else depth))
    return entries


def _write_document(
    found: list[Block], named: list[Entry], kind: str, path: str, manuscript: Manuscript
) -> None:
    places = _settle(found, named)
    for index, block in enumerate(found):
        here = places.get(index, [])
        for number, entry in enumerate(here):
            manuscript.chapter(entry.title, entry.level, _entry_kind(entry, kind))
            if not _is_heading_of(block, entry) or number < len(here) - 1:
                manuscript.paragraph(entry.title)
        manuscript.block(block, path)


def _settle(found: list[Block], named: list[Entry]) -> dict[int, list[Entry]]:
    """Return block index -> entries that begin there, in the order of the table of contents."""
    anchors: dict[str, int] = {}
    headings: dict[str, int] = {}
    for index, block in enumerate(found):
        if block.level:
            headings.setdefault(_folded(block.text), index)
        for anchor in block.anchors:
            anchors.setdefault(anchor, index)
    places: dict[int, list[Entry]] = {}
    for entry in named:
        index = anchors.get(entry.fragment, -1) if entry.fragment else 0
        if index < 0:  # its anchor is lost: its heading tells, else it may be any chapter's but the first
            index = headings.get(_folded(entry.title), -1 if places else 0)
        if index < 0:
            continue
        if places.get(index):
            # two entries for one spot (a part and its first chapter): the later one may have its own heading
            if places[index][-1].title == entry.title:
                continue
            ahead = range(index + 1, min(index + 4, len(found)))
            index = next((i for i in ahead if found[i].level and _alike(found[i].text, entry.title)), index)
        places.setdefault(index, []).append(entry)
    return places


def _is_heading_of(block: Block, entry: Entry) -> bool:
    return block.level > 0 or (len(block.text) < 200 and _alike(block.text, entry.title))


def _alike(text: str, title: str) -> bool:
    if max(len(text), len(title)) > _LONGEST_TITLE:
        return False
    text, title = _folded(text), _folded(title)
    return bool(text and title) and (text in title or title in text)


def _folded(words: str) -> str:
    return "".join(filter(str.isalnum, words.casefold()))


def _entry_kind(entry: Entry, kind: str) -> str:
    title = " ".join(entry.title.casefold().split())
    if title in _FRONT_TITLES:
        return "front"
    return "back" if title in _BACK_TITLES else kind
