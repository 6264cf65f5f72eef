"""OpenDocument texts: headings by outline level, numbered lists, notes and boxes behind their paragraph."""

from collections.abc import Callable

from lxml import etree

from ingest.archive import Archive
from ingest.document import Document
from ingest.errors import BadInput
from ingest.formulas import formula
from ingest.manuscript import Manuscript
from ingest.odf import Text, read_lists, read_raised, read_titles
from ingest.parsers.html import write_blocks
from ingest.source import Source
from ingest.tree import every_word, local_name
from ingest.xmlparts import read_xml, value

NAME = "odt"

_MIME = b"mimetypeapplication/vnd.oasis.opendocument.text"
_FLAT = b"office:mimetype"
_WHAT = "OpenDocument text"
_SUFFIXES = (".odt", ".ott")
# what is in the text part and never on a page
_NO_WORDS = (
    *("{*}binary-data", "{*}change-info", "{*}index-title-template", "{*}event-listeners", "{*}script"),
    *("{*}table-of-content-source", "{*}alphabetical-index-source", "{*}bibliography-source"),
    *("{*}illustration-index-source", "{*}table-index-source", "{*}object-index-source"),
    "{*}user-index-source",
)


def accepts(source: Source) -> bool:
    if source.data.startswith(b"PK"):
        others = b"mimetypeapplication/vnd.oasis.opendocument." in source.head
        named = source.suffix in _SUFFIXES and "styles.xml" in source.entries
        return _MIME in source.head or named or ("content.xml" in source.entries and not others)
    return b"<office:document" in source.head and _FLAT in source.head


def parse(source: Source) -> Document:
    """Parse an OpenDocument text. Raises BadInput for what is damaged, protected or without text."""
    manuscript = Manuscript(source.limits)
    content, styles, meta = _parts(source, manuscript)
    body = content.find("{*}body/{*}text")
    if body is None:
        raise BadInput("this OpenDocument file is no text but a table or a drawing: save it as PDF")
    roots = [root for root in (styles, content) if root is not None]
    text = Text(read_titles(roots), read_raised(roots), read_lists(roots), source.limits, _formulas(source))
    found = text.blocks(body)
    if not found:
        raise BadInput("there is no text in this OpenDocument file (pictures only?): choose another copy")
    etree.strip_elements(body, *_NO_WORDS, with_tail=False)
    manuscript.expect(every_word(body), "comments, deleted text and the fields of forms")
    title = write_blocks(found, manuscript)
    return manuscript.document(
        title=_about(meta, "title") or title or source.stem,
        author=_about(meta, "initial-creator") or _about(meta, "creator"),
        language=_about(meta, "language"),
        format=NAME,
    )


def _formulas(source: Source) -> Callable[[etree._Element], str]:
    """Return what reads the formula that an object is; others, such as charts, say nothing."""
    archive = Archive(source.data, source.limits, _WHAT) if source.data.startswith(b"PK") else None

    def written(item: etree._Element) -> str:
        root = next(iter(item), None)
        if archive and root is None:
            data = archive.read(f"{value(item, 'href').removeprefix('./')}/content.xml")
            root = None if data is None else read_xml(data, source.limits)[0]
        return formula(root) if root is not None and local_name(root) == "math" else ""

    return written


def _parts(source: Source, manuscript: Manuscript) -> tuple:
    """Read the trees of content, styles and metadata; a flat file is one tree, which holds them all."""
    if not source.data.startswith(b"PK"):
        root = _tree(source.data, "the file", source, manuscript)
        if root is None:
            raise BadInput("this OpenDocument text is damaged (it is no XML): get another copy")
        return root, None, root
    archive = Archive(source.data, source.limits, _WHAT)
    if b"encryption-data" in (archive.read("META-INF/manifest.xml") or b""):
        raise BadInput("this OpenDocument text is locked: save it without a password")
    roots = []
    for name in ("content.xml", "styles.xml", "meta.xml"):
        data = archive.read(name)
        roots.append(None if data is None else _tree(data, name, source, manuscript))
    if "content.xml" not in archive and roots[1] is not None:
        raise BadInput(
            "there are only styles in this OpenDocument file, no text (a template): choose another file"
        )
    if roots[0] is None:
        raise BadInput("this OpenDocument text is damaged (content.xml cannot be read): save it again as ODT")
    return tuple(roots)


def _tree(data: bytes, name: str, source: Source, manuscript: Manuscript):
    root, sound = read_xml(data, source.limits)
    if not sound:
        manuscript.warn(f"{name} is damaged; text behind the damage may be missing: save it anew")
    return root


def _about(root, name: str) -> str:
    element = None if root is None else root.find(f".//{{*}}meta/{{*}}{name}")
    return "" if element is None else (element.text or "")
