"""EPUB 2 and 3: the spine gives the order, the table of contents gives the titles.

Titles come from the navigation document, else the NCX, else the headings. Documents of the spine that no
table of contents names are kept. A missing file costs a warning, not the book. Footnotes follow the paragraph
that refers to them; endnotes stay where the book has them.
"""

import posixpath
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from ingest.archive import Archive
from ingest.cleaning import one_line
from ingest.document import Document
from ingest.encoding import decode_markup
from ingest.errors import BadInput
from ingest.manuscript import Manuscript
from ingest.markup import Block, blocks, merge_headings
from ingest.source import Source
from ingest.tree import local_name, parse_markup, plain_text, semantic_types

NAME = "epub"

_DOCUMENT_TYPES = frozenset(
    ["application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document"]
)
_FONT_SCRAMBLING = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_FRONT = frozenset(
    ["frontmatter", "cover", "titlepage", "title-page", "halftitlepage", "imprint", "copyright-page", "toc"]
    + ["dedication", "epigraph", "loi", "lot", "seriespage", "other-credits"]
)
_BACK = frozenset(
    ["backmatter", "colophon", "index", "endnotes", "rearnotes", "notes", "bibliography", "glossary"]
)
_FRONT_TITLES = frozenset(
    ["cover", "title page", "titlepage", "copyright", "imprint", "contents", "table of contents"]
)
_BACK_TITLES = frozenset(["colophon", "uncopyright", "endnotes", "notes", "index", "footnotes"])


@dataclass(frozen=True)
class _Entry:
    """One line of a table of contents: where it points to and how deep it stands."""

    title: str
    path: str
    fragment: str
    level: int


@dataclass
class _Package:
    """What the package file says; paths are names in the archive."""

    title: str = ""
    author: str = ""
    language: str = ""
    spine: list[str] = field(default_factory=list)
    navigation: str = ""
    ncx: str = ""
    kinds: dict[str, str] = field(default_factory=dict)  # path -> front/back, from guide and landmarks


def accepts(source: Source) -> bool:
    if not source.data.startswith(b"PK"):
        return False
    if b"application/epub+zip" in source.head[:200] or b"META-INF/container.xml" in source.data:
        return True
    return source.suffix == ".epub" and b"word/document.xml" not in source.data


def parse(source: Source) -> Document:
    """Raises BadInput for what is damaged, protected or without text."""
    archive = Archive(source.data, source.limits, "EPUB")
    _refuse_protection(archive)
    package = _read_package(archive)
    entries = _read_navigation(archive, package) or _read_ncx(archive, package)
    entries = [
        entry for entry in entries if entry.title and not entry.title.lower().endswith((".html", ".xhtml"))
    ]
    manuscript = Manuscript(source.limits)
    _write_spine(archive, package, entries, manuscript)
    if not manuscript.letters:
        raise BadInput(_why_empty(manuscript))
    return manuscript.document(
        title=package.title or source.stem, author=package.author, language=package.language, format=NAME
    )


def _why_empty(manuscript: Manuscript) -> str:
    if manuscript.warnings:
        return f"there is no text in this EPUB: {manuscript.warnings[0]}"
    return "there is no text in this EPUB (pictures only?): choose another edition"


def _refuse_protection(archive: Archive) -> None:
    data = archive.read("META-INF/encryption.xml")
    root = None if data is None else _tree(data, strict=True)
    if root is None:
        return
    for item in root.iter("{*}EncryptedData"):
        method = item.find("{*}EncryptionMethod")
        algorithm = "" if method is None else method.get("Algorithm", "")
        if not algorithm.startswith(_FONT_SCRAMBLING):
            raise BadInput(
                "this EPUB is protected (DRM), its text cannot be read: get a copy without protection"
            )


def _tree(data: bytes, strict: bool = False):
    text, _ = decode_markup(data)
    return parse_markup(text, strict)


def _read_package(archive: Archive) -> _Package:
    path = _package_path(archive)
    data = archive.read(path)
    root = None if data is None else _tree(data)
    if root is None:
        raise BadInput("this EPUB is damaged (its package file cannot be read): get another copy")
    package = _Package()
    _read_metadata(root, package)
    base = posixpath.dirname(path)
    manifest = {}
    for item in root.iter("{*}item"):
        href, identity = item.get("href"), item.get("id")
        if href and identity:
            manifest[identity] = (
                _resolve(base, href)[0],
                item.get("media-type", ""),
                item.get("properties", ""),
            )
    for name, media_type, properties in manifest.values():
        if "nav" in properties.split():
            package.navigation = name
        elif media_type == "application/x-dtbncx+xml":
            package.ncx = name
    for reference in root.iter("{*}itemref"):
        name, media_type, _ = manifest.get(reference.get("idref"), ("", "", ""))
        if name and (
            media_type in _DOCUMENT_TYPES or name.lower().endswith((".xhtml", ".html", ".htm", ".xml"))
        ):
            package.spine.append(name)
    for reference in root.iter("{*}reference"):
        _note_kind(package, _resolve(base, reference.get("href", ""))[0], {reference.get("type", "")})
    if not package.spine:
        # no usable spine: read what there is in the order of the manifest
        package.spine = [name for name, media_type, _ in manifest.values() if media_type in _DOCUMENT_TYPES]
    return package


def _package_path(archive: Archive) -> str:
    data = archive.read("META-INF/container.xml")
    root = None if data is None else _tree(data)
    if root is not None:
        for item in root.iter("{*}rootfile"):
            path = item.get("full-path")
            if path and path in archive:
                return path
    for name in archive.names():
        if name.lower().endswith(".opf"):
            return name
    raise BadInput("this is not a complete EPUB (no package file inside): get another copy")


def _read_metadata(root, package: _Package) -> None:
    roles = {
        (item.get("refines", "").lstrip("#"), item.get("property")): (item.text or "").strip()
        for item in root.iter("{*}meta")
    }
    titles = [item for item in root.iter("{*}title") if one_line(item.text or "")]
    main = [item for item in titles if roles.get((item.get("id", ""), "title-type")) == "main"]
    if titles:
        package.title = one_line((main or titles)[0].text)
    creators = []
    for item in root.iter("{*}creator"):
        role = roles.get((item.get("id", ""), "role")) or next(
            (item.get(k) for k in item.attrib if k.endswith("}role")), "aut"
        )
        if one_line(item.text or "") and role in ("aut", "author", ""):
            creators.append(one_line(item.text))
    if not creators:
        creators = [one_line(item.text) for item in root.iter("{*}creator") if one_line(item.text or "")]
    package.author = ", ".join(dict.fromkeys(creators))
    package.language = next((one_line(item.text) for item in root.iter("{*}language") if item.text), "")


def _resolve(base: str, href: str) -> tuple[str, str]:
    path, _, fragment = href.partition("#")
    path = posixpath.normpath(posixpath.join(base, unquote(path))) if path else ""
    return path, unquote(fragment)


def _note_kind(package: _Package, path: str, types: AbstractSet[str]) -> None:
    if types & _FRONT:
        package.kinds.setdefault(path, "front")
    elif types & _BACK:
        package.kinds.setdefault(path, "back")


def _read_navigation(archive: Archive, package: _Package) -> list[_Entry]:
    data = package.navigation and archive.read(package.navigation)
    root = _tree(data) if data else None
    if root is None:
        return []
    base = posixpath.dirname(package.navigation)
    entries: list[_Entry] = []
    for nav in root.iter("{*}nav"):
        types = semantic_types(nav)
        if "landmarks" in types:
            for link in nav.iter("{*}a"):
                _note_kind(package, _resolve(base, link.get("href", ""))[0], semantic_types(link))
        elif types & {"toc", "doc-toc"} and not entries:
            entries = _list_entries(nav, base, package.navigation)
    return entries


def _list_entries(nav, base: str, itself: str) -> list[_Entry]:
    entries = []
    for item in nav.iter("{*}li"):
        level = sum(1 for parent in item.iterancestors("{*}ol", "{*}ul"))
        for child in item:
            name = local_name(child)
            if name in ("ol", "ul"):
                break
            link = child if name == "a" else next(child.iter("{*}a"), None) if name == "span" else None
            if link is not None and link.get("href"):
                path, fragment = _resolve(base, link.get("href"))
                entries.append(_Entry(plain_text(link), path or itself, fragment, level))
                break
            if name == "span":
                # a heading without a link stands where its first entry stands
                first = next((a for a in item.iter("{*}a") if a.get("href")), None)
                if first is not None:
                    entries.append(_Entry(plain_text(child), *_resolve(base, first.get("href")), level))
                break
    return entries


def _read_ncx(archive: Archive, package: _Package) -> list[_Entry]:
    data = package.ncx and archive.read(package.ncx)
    root = _tree(data) if data else None
    if root is None:
        return []
    base = posixpath.dirname(package.ncx)
    entries = []
    for point in root.iter("{*}navPoint", "{*}navpoint"):
        label = point.find("{*}navLabel/{*}text")
        content = point.find("{*}content")
        if label is not None and content is not None:
            level = 1 + sum(1 for _ in point.iterancestors("{*}navPoint"))
            entries.append(_Entry(plain_text(label), *_resolve(base, content.get("src", "")), level))
    return entries


def _write_spine(archive: Archive, package: _Package, entries: list[_Entry], manuscript: Manuscript) -> None:
    # references may differ from the spine's spelling of a name: compare the entries they find
    pointed: dict[str, list[_Entry]] = {}
    for entry in entries:
        pointed.setdefault(archive.find(entry.path) or entry.path, []).append(entry)
    kinds = {archive.find(path) or path: kind for path, kind in package.kinds.items()}
    depth = 1
    for name in dict.fromkeys(package.spine):
        if name == package.navigation:
            continue
        data = archive.read(name)
        if data is None:
            manuscript.warn(
                f"{posixpath.basename(name)} is missing from the EPUB or damaged; the rest was read"
            )
            continue
        root = _tree(data)
        found = [] if root is None else merge_headings(_attach_footnotes(blocks(root)))
        if not found:
            continue
        path = archive.find(name) or name
        named = pointed.get(path, [])
        # the guide speaks of a place in the file: where a file holds several chapters it says nothing of them
        kind = (kinds.get(path) or _body_kind(root)) if len(named) < 3 else "body"
        if not named:
            named = _own_headings(found, path, depth, whole=not entries, title=package.title)
        else:
            depth = named[0].level
        _write_document(found, named, kind, manuscript)


def _body_kind(root) -> str:
    package = _Package()
    for element in root.iter("{*}body", "{*}section"):
        _note_kind(package, "", semantic_types(element))
        break
    return package.kinds.get("", "body")


def _own_headings(found: list[Block], path: str, depth: int, whole: bool, title: str) -> list[_Entry]:
    """Chapters of a document that no table of contents names: its first heading, or all without any table."""
    headings = [(index, block) for index, block in enumerate(found) if block.level]
    if not whole:
        headings = [(index, block) for index, block in headings[:1] if index < 3 and block.text != title]
    entries = []
    for index, block in headings:
        anchor = f"\0{index}"  # no id of a document can be this
        block.anchors.append(anchor)
        entries.append(_Entry(block.text, path, anchor, block.level if whole else depth))
    return entries


def _attach_footnotes(found: list[Block]) -> list[Block]:
    """Move each footnote behind the paragraph that refers to it, marked "[1]" as it is there."""
    notes: dict[str, list[Block]] = {}
    for block in found:
        if block.note:
            notes.setdefault(block.note, []).append(block)
    referred = {target for block in found for target, _ in block.refs if block.note is None}
    placed: list[Block] = []
    for block in found:
        if block.note in referred:
            continue
        placed.append(block)
        for target, mark in block.refs:
            note = notes.pop(target, [])
            if note and not note[0].text.startswith((mark, f"[{mark}")):
                note[0] = replace(note[0], text=f"[{mark}] {note[0].text}")
            placed += note
    return placed


def _write_document(found: list[Block], named: list[_Entry], kind: str, manuscript: Manuscript) -> None:
    places = _settle(found, named)
    for index, block in enumerate(found):
        here = places.get(index, [])
        for number, entry in enumerate(here):
            manuscript.chapter(entry.title, entry.level, _entry_kind(entry, kind))
            if not _is_heading_of(block, entry) or number < len(here) - 1:
                manuscript.paragraph(entry.title)
        manuscript.paragraph(block.text, block.keep_layout)


def _settle(found: list[Block], named: list[_Entry]) -> dict[int, list[_Entry]]:
    """Block index -> entries that begin there, in the order of the table of contents."""
    anchors: dict[str, int] = {}
    for index, block in enumerate(found):
        for anchor in block.anchors:
            anchors.setdefault(anchor, index)
    places: dict[int, list[_Entry]] = {}
    for entry in named:
        index = anchors.get(entry.fragment, 0) if entry.fragment else 0
        if places.get(index):
            # two entries for one spot (a part and its first chapter): the later one may have its own heading
            if places[index][-1].title == entry.title:
                continue
            ahead = range(index + 1, min(index + 4, len(found)))
            index = next((i for i in ahead if found[i].level and _alike(found[i].text, entry.title)), index)
        places.setdefault(index, []).append(entry)
    return places


def _is_heading_of(block: Block, entry: _Entry) -> bool:
    return block.level > 0 or (len(block.text) < 200 and _alike(block.text, entry.title))


def _alike(text: str, title: str) -> bool:
    text, title = ("".join(filter(str.isalnum, words.casefold())) for words in (text, title))
    return bool(text and title) and (text in title or title in text)


def _entry_kind(entry: _Entry, kind: str) -> str:
    title = " ".join(entry.title.casefold().split())
    if title in _FRONT_TITLES:
        return "front"
    return "back" if title in _BACK_TITLES else kind
