"""What an EPUB says of itself: its package file, its table of contents, its printed pages, what is locked.

A package file that is damaged costs the book nothing: what can be made out of it is taken, and what it does
not name is read in the order of the contents.
"""

import posixpath
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from urllib.parse import unquote

from lxml import etree

from ingest.archive import Archive
from ingest.charset import decode_markup
from ingest.cleaning import one_line
from ingest.errors import BadInput
from ingest.printed import plain_label
from ingest.tree import local_name, parse_markup, plain_text, semantic_types
from ingest.xmlparts import read_xml

SVG = "image/svg+xml"
_DOCUMENT_TYPES = frozenset(
    ["application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document", SVG]
)
_DOCUMENT_NAMES = (".xhtml", ".html", ".htm", ".svg")
_FONT_SCRAMBLING = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_MOST_FALLBACKS = 10  # one behind another
_FRONT = frozenset(
    ["frontmatter", "cover", "titlepage", "title-page", "halftitlepage", "imprint", "copyright-page", "toc"]
    + ["dedication", "epigraph", "loi", "lot", "seriespage", "other-credits"]
)
_BACK = frozenset(
    ["backmatter", "colophon", "index", "endnotes", "rearnotes", "notes", "bibliography", "glossary"]
)
_DAMAGED = (
    "the package file of this EPUB is damaged: its parts were read in the order of its contents; "
    "get another copy if it reads wrong"
)
# lists of a navigation document -> the types that name them
_LISTS = {
    "landmarks": {"landmarks"},
    "pages": {"page-list", "doc-pagelist"},
    "contents": {"toc", "doc-toc"},
}
# what begins a further entry of the contents, and is no word of the entry that it stands in
_LISTED, _POINTS = ("ol", "ul", "li"), ("navpoint", "pagetarget")
# file that a protection leaves in a book -> what stands in it, in small letters, and the name of the scheme
_SCHEMES = (
    ("META-INF/license.lcpl", b"{", "Readium LCP"),
    ("META-INF/sinf.xml", b"<", "Apple FairPlay"),
    ("META-INF/rights.xml", b"barnesandnoble", "Barnes & Noble"),
    ("META-INF/rights.xml", b"adobe.com/adept", "Adobe ADEPT"),
    ("META-INF/rights.xml", b"kdrm", "Kobo"),
)


@dataclass(frozen=True)
class Entry:
    """One line of a table of contents: where it points to and how deep it stands."""

    title: str
    path: str
    fragment: str
    level: int


@dataclass
class Publication:
    """Paths are names in the archive; `labels` are printed pages by path and id."""

    title: str = ""
    author: str = ""
    language: str = ""
    spine: list[str] = field(default_factory=list)
    navigation: str | None = None
    ncx: str | None = None
    kinds: dict[str, str] = field(default_factory=dict)  # path -> front/back, from guide and landmarks
    entries: list[Entry] = field(default_factory=list)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    cover: str = ""
    broken: bool = False  # whether the spine names what the manifest does not have
    warnings: list[str] = field(default_factory=list)


def read_publication(archive: Archive) -> Publication:
    """Read all that an EPUB says of itself. Raises BadInput where it holds no page at all."""
    book = Publication()
    sound = _read_package(archive, book)
    if not sound:
        _look_for_contents(archive, book)
    _read_navigation(archive, book)
    _read_ncx(archive, book)
    _complete_spine(archive, book, sound)
    if not book.spine:
        raise BadInput("this is not a complete EPUB (no package file and no pages inside): get another copy")
    return book


def _complete_spine(archive: Archive, book: Publication, sound: bool) -> None:
    """Put the parts that the contents name, or that a damaged package file lost, where they belong."""
    contents = list(dict.fromkeys(filter(None, (archive.find(entry.path) for entry in book.entries))))
    spine = [archive.find(name) or name for name in book.spine]
    known = {*spine, archive.find(book.navigation or "")}
    spare = [name for name in contents if name not in known]
    if not sound or book.broken or any(name not in archive for name in spine):
        others = (name for name in archive.names() if name.lower().endswith(_DOCUMENT_NAMES))
        spare = list(dict.fromkeys([*spare, *(name for name in others if name not in known)]))
    if not spare:
        return
    book.warnings.append(_DAMAGED)
    for index, name in enumerate(spine):
        if name not in archive and spare:
            spine[index] = spare.pop(0)
    first = {name: index for index, name in reversed(list(enumerate(spine)))}
    left = dict.fromkeys(spare)
    behind: dict[int, list[str]] = {}  # place in the spine, -1 before its first -> what belongs behind it
    at = -1
    for name in contents:
        at = max(at, first.get(name, -1))
        if name in left:
            behind.setdefault(at, []).append(name)
            del left[name]
    behind.setdefault(len(spine) - 1, []).extend(left)
    placed = behind.get(-1, [])
    for index, name in enumerate(spine):
        placed += [name, *behind.get(index, [])]
    book.spine = placed


def locked_parts(archive: Archive) -> frozenset[str]:
    """Return the names of parts that are encrypted, fonts apart. Raises BadInput where all may be."""
    data = archive.read("META-INF/encryption.xml")
    root = None if data is None else read_xml(data, archive.limits)[0]
    locked = set()
    for item in () if root is None else root.iter("{*}EncryptedData"):
        method = item.find("{*}EncryptionMethod")
        if method is not None and method.get("Algorithm", "").startswith(_FONT_SCRAMBLING):
            continue
        reference = item.find("{*}CipherData/{*}CipherReference")
        if reference is None:
            raise protected(archive)
        locked.add(archive.find(reference.get("URI", "")) or "")
    return frozenset(locked)


def protected(archive: Archive) -> BadInput:
    """Make the refusal of a book whose text is locked; it names the scheme where its files tell that."""
    schemes = (name for part, mark, name in _SCHEMES if mark in (archive.read(part) or b"").lower())
    scheme = next(schemes, "")
    how = f"DRM: {scheme}" if scheme else "DRM"
    return BadInput(f"this EPUB is protected ({how}), its text cannot be read: get a copy without protection")


def note_kind(book: Publication, path: str, types: AbstractSet[str]) -> None:
    """Remember that a part stands before or behind the text itself, where its types say so."""
    if types & _FRONT:
        book.kinds.setdefault(path, "front")
    elif types & _BACK:
        book.kinds.setdefault(path, "back")


def _read_package(archive: Archive, book: Publication) -> bool:
    """Read the package file; tell whether there is one that is sound."""
    path = _package_path(archive)
    data = archive.read(path) if path else None
    if data is None:
        return False
    root, sound = read_xml(data, archive.limits)
    base = posixpath.dirname(path or "")
    if root is not None:
        _read_metadata(root, book)
        _read_spine(root, base, book)
    if not sound:
        # the parser of web pages goes on where that of XML cannot
        other = Publication(spine=[])
        loose = parse_markup(decode_markup(data)[0], limits=archive.limits)
        if loose is not None:
            _read_spine(loose, base, other)
        if len(other.spine) > len(book.spine):
            book.spine, book.navigation, book.ncx = other.spine, other.navigation, other.ncx
            book.broken = other.broken
    return sound


def _package_path(archive: Archive) -> str | None:
    data = archive.read("META-INF/container.xml")
    root = None if data is None else read_xml(data, archive.limits)[0]
    for item in () if root is None else root.iter("{*}rootfile"):
        path = item.get("full-path")
        if path and path in archive:
            return path
    return next((name for name in archive.names() if name.lower().endswith(".opf")), None)


def _read_spine(root, base: str, book: Publication) -> None:
    manifest: dict[str | None, tuple[str, str, str]] = {}
    instead: dict[str | None, str | None] = {}  # what is read where a reader does not know a kind
    for item in root.iter("{*}item"):
        href, identity = item.get("href"), item.get("id")
        if href and identity:
            kinds = item.get("media-type", ""), item.get("properties", "")
            manifest[identity] = (resolve(base, href)[0], *kinds)
            instead[identity] = item.get("fallback")
    for name, media_type, properties in manifest.values():
        if "nav" in properties.split():
            book.navigation = name
        elif media_type == "application/x-dtbncx+xml":
            book.ncx = name
    covers = {item.get("content") for item in root.iter("{*}meta") if item.get("name") == "cover"}
    for identity, (name, _, properties) in manifest.items():
        if "cover-image" in properties.split() or identity in covers and not book.cover:
            book.cover = name
    for reference in root.iter("{*}itemref"):
        identity = reference.get("idref")
        first = manifest.get(identity, ("", "", ""))
        book.broken |= not first[0]
        for _ in range(_MOST_FALLBACKS):
            if identity not in manifest or _is_document(manifest[identity]):
                break
            identity = instead[identity]
        if identity in manifest and _is_document(manifest[identity]):
            book.spine.append(manifest[identity][0])
        elif first[0] and not first[1].startswith("image/"):
            book.warnings.append(
                f"{posixpath.basename(first[0])} in the EPUB is no page and was left out: open it by itself"
            )
    for reference in root.iter("{*}reference"):
        note_kind(book, resolve(base, reference.get("href", ""))[0], {reference.get("type", "")})
    if not book.spine:
        # no usable spine: read what there is in the order of the manifest
        book.spine = [
            name for name, media_type, _ in manifest.values() if media_type in _DOCUMENT_TYPES - {SVG}
        ]


def _is_document(item: tuple[str, str, str]) -> bool:
    name, media_type, _ = item
    return media_type in _DOCUMENT_TYPES or name.lower().endswith((*_DOCUMENT_NAMES, ".xml"))


def _look_for_contents(archive: Archive, book: Publication) -> None:
    names = [(name, posixpath.basename(name).lower()) for name in archive.names()]
    if book.ncx is None:
        book.ncx = next((name for name, short in names if short.endswith(".ncx")), None)
    if book.navigation is None:
        pages = ("nav.xhtml", "toc.xhtml", "nav.html", "toc.html")
        book.navigation = next((name for name, short in names if short in pages), None)


def _read_metadata(root, book: Publication) -> None:
    roles = {
        (item.get("refines", "").lstrip("#"), item.get("property")): (item.text or "").strip()
        for item in root.iter("{*}meta")
    }
    titles = [item for item in root.iter("{*}title") if one_line(item.text or "")]
    main = [item for item in titles if roles.get((item.get("id", ""), "title-type")) == "main"]
    if titles:
        book.title = one_line((main or titles)[0].text)
    creators = []
    for item in root.iter("{*}creator"):
        role = roles.get((item.get("id", ""), "role")) or next(
            (item.get(k) for k in item.attrib if k.endswith("}role")), "aut"
        )
        if one_line(item.text or "") and role in ("aut", "author", ""):
            creators.append(one_line(item.text))
    if not creators:
        creators = [one_line(item.text) for item in root.iter("{*}creator") if one_line(item.text or "")]
    book.author = ", ".join(dict.fromkeys(creators))
    book.language = next((one_line(item.text) for item in root.iter("{*}language") if item.text), "")


def resolve(base: str, href: str) -> tuple[str, str]:
    """Return (path, id) in the archive that an address means for a file of the folder `base`."""
    path, _, fragment = href.partition("#")
    path = posixpath.normpath(posixpath.join(base, unquote(path))) if path else ""
    return path, unquote(fragment)


def _page_of(archive: Archive, name: str | None):
    data = archive.read(name) if name else None
    return None if data is None else parse_markup(decode_markup(data)[0], limits=archive.limits)


def _read_navigation(archive: Archive, book: Publication) -> None:
    root = _page_of(archive, book.navigation)
    if root is None:
        return
    itself = book.navigation or ""
    base = posixpath.dirname(itself)
    read: dict[str, set] = {kind: set() for kind in _LISTS}
    for nav in root.iter("{*}nav"):
        types = semantic_types(nav)
        kind = next((kind for kind, names in _LISTS.items() if types & names), None)
        if kind is None or not read[kind].isdisjoint(nav.iterancestors("{*}nav")):
            continue  # what stands in another of its kind was read with that
        read[kind].add(nav)
        if kind == "landmarks":
            for link in nav.iter("{*}a"):
                note_kind(book, resolve(base, link.get("href", ""))[0], semantic_types(link))
        elif kind == "pages":
            for link in nav.iter("{*}a"):
                _note_page(archive, book, base, link.get("href", ""), plain_text(link, ("a",)))
        elif not book.entries:
            book.entries = _titled(_list_entries(nav, base, itself))


def _titled(entries: list[Entry]) -> list[Entry]:
    return [
        entry for entry in entries if entry.title and not entry.title.lower().endswith((".html", ".xhtml"))
    ]


def _note_page(archive: Archive, book: Publication, base: str, href: str, label: str) -> None:
    path, fragment = resolve(base, href)
    label = plain_label(label)
    if label and path:
        book.labels.setdefault(archive.find(path) or path, {})[fragment] = label


def _list_entries(nav, base: str, itself: str) -> list[Entry]:
    """Read the lines of a list of lists; a heading without a link stands where the next link points to."""
    entries: list[Entry] = []
    waiting = 0
    for level, item in _levels(nav, ("ol", "ul"), "li"):
        label = next((child for child in item if local_name(child) in ("a", "span", "ol", "ul")), None)
        if label is None or local_name(label) in ("ol", "ul"):
            continue
        link = label if local_name(label) == "a" else next(label.iter("{*}a"), None)
        if link is None or not link.get("href"):
            entries.append(Entry(plain_text(label, _LISTED), "", "", level))
            waiting += 1
            continue
        path, fragment = resolve(base, link.get("href"))
        for index in range(len(entries) - waiting, len(entries)):
            entries[index] = Entry(entries[index].title, path or itself, fragment, entries[index].level)
        waiting = 0
        entries.append(Entry(plain_text(link, _LISTED), path or itself, fragment, level))
    return entries[: len(entries) - waiting]


def _levels(root, holders: tuple[str, ...], wanted: str) -> Iterator[tuple[int, etree._Element]]:
    """Yield each wanted element with the number of holders around it."""
    depth = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        name = local_name(element)
        if name in holders:
            depth += 1 if event == "start" else -1
        if event == "start" and name == wanted:
            yield depth, element


def _read_ncx(archive: Archive, book: Publication) -> None:
    root = _page_of(archive, book.ncx)
    if root is None:
        return
    base = posixpath.dirname(book.ncx or "")
    entries = []
    for level, point in _levels(root, ("navpoint",), "navpoint"):
        label, content = point.find("{*}navLabel/{*}text"), point.find("{*}content")
        if label is not None and content is not None:
            entries.append(Entry(plain_text(label, _POINTS), *resolve(base, content.get("src", "")), level))
    book.entries = book.entries or _titled(entries)
    for target in () if book.labels else root.iter("{*}pageTarget"):
        label, content = target.find("{*}navLabel/{*}text"), target.find("{*}content")
        words = target.get("value") or ("" if label is None else plain_text(label, _POINTS))
        if content is not None:
            _note_page(archive, book, base, content.get("src", ""), words)
