"""Presentations: a page and a chapter for each slide, its title first, the speaker's notes behind it."""

import re

from ingest.document import Document
from ingest.errors import BadInput
from ingest.form import Block
from ingest.manuscript import Manuscript
from ingest.opc import Package
from ingest.source import Source
from ingest.tree import local_name
from ingest.word.body import Body
from ingest.word.numbering import Numbering
from ingest.word.styles import Styles
from ingest.xmlparts import value

NAME = "pptx"

_MAIN = "ppt/presentation.xml"
_TITLES = frozenset(["title", "ctrTitle"])
_FURNITURE = frozenset(["ftr", "hdr", "dt", "sldNum", "sldImg"])
_SLIDE = re.compile(r"ppt/slides/slide(\d{1,6})\.xml")


def accepts(source: Source) -> bool:
    return (
        any(name.startswith("ppt/") for name in source.entries) and "word/document.xml" not in source.entries
    )


def parse(source: Source) -> Document:
    """Parse a presentation. Raises BadInput for a damaged file and for slides without text."""
    package = Package(source, "presentation")
    manuscript = Manuscript(source.limits)
    main = package.main(_MAIN)
    slides = _slides(package, main)
    if not slides and _is_empty(package, main):
        raise BadInput("there are no slides in this presentation (a template?): choose another file")
    if not slides:
        raise BadInput("this presentation is damaged (no slide can be found): save it again as PPTX or PDF")
    for number, name in enumerate(slides, 1):
        manuscript.page(str(number))
        _write_slide(package, name, number, manuscript)
    for name in dict.fromkeys(package.damaged):
        manuscript.warn(
            f"a part of the presentation ({name}) is damaged; some of its text may be missing: save it anew"
        )
    if not manuscript.letters:
        raise BadInput("there is no text in this presentation (pictures only?): choose another copy")
    properties = package.xml(package.related("", "core-properties") or "docProps/core.xml")
    return manuscript.document(
        title=_property(properties, "title") or source.stem,
        author=_property(properties, "creator"),
        language=_property(properties, "language"),
        format=NAME,
    )


def _slides(package: Package, main: str) -> list[str]:
    """List the parts of the slides in the order of the show; by their numbers where nothing tells it."""
    root = package.xml(main)
    identities = [] if root is None else [_relation(item) for item in root.iterfind("{*}sldIdLst/{*}sldId")]
    named = [name for name in (package.target(main, identity) for identity in identities) if name]
    if named:
        return list(dict.fromkeys(named))  # a list of thousands of the same slide is no show
    numbered = [
        (int(match[1]), name) for name in package.archive.names() if (match := _SLIDE.fullmatch(name))
    ]
    return [name for _, name in sorted(numbered)]


def _is_empty(package: Package, main: str) -> bool:
    """Tell a sound presentation that names no slide."""
    root = package.xml(main)
    return (
        root is not None
        and not package.damaged
        and local_name(root) == "presentation"
        and root.find("{*}sldIdLst/{*}sldId") is None
    )


def _relation(item) -> str:
    """Return the relationship of a slide; its plain `id` is another one."""
    return next(
        (words for key, words in item.attrib.items() if key.startswith("{") and key.endswith("}id")), ""
    )


def _write_slide(package: Package, name: str, number: int, manuscript: Manuscript) -> None:
    root = package.xml(name)
    if root is None:
        manuscript.warn(
            f"slide {number} is missing from the presentation or damaged; the rest was read: save it anew"
        )
        return
    titles = _take_out(root, _TITLES)
    _take_out(root, _FURNITURE)
    manuscript.expect(_plain(root) + "".join(map(_plain, titles)), "words in parts that are not known")
    title = " ".join(" ".join(block.text for block in _blocks(package, name, item)) for item in titles)
    if title:
        manuscript.chapter(title)
        manuscript.paragraph(" ".join(title.split()))
    for block in _blocks(package, name, root):
        manuscript.paragraph(block.text)
    notes = package.related(name, "notesSlide")
    spoken = package.xml(notes) if notes else None
    if spoken is not None:
        _take_out(spoken, _FURNITURE)
        manuscript.expect(_plain(spoken), "words in parts that are not known")
        for at, block in enumerate(_blocks(package, notes, spoken)):
            manuscript.paragraph(block.text if at else f"Notes: {block.text}")


def _take_out(root, kinds: frozenset[str]) -> list:
    """Remove the shapes of these kinds from a slide; returns them."""
    found = []
    for place in list(root.iter("{*}ph")):
        shape = next(place.iterancestors("{*}sp"), None)
        if value(place, "type") in kinds and shape is not None and shape.getparent() is not None:
            shape.getparent().remove(shape)
            found.append(shape)
    return found


def _blocks(package: Package, name: str, root) -> list[Block]:
    styles = Styles(None)
    body = Body(
        styles,
        Numbering(None, styles),
        {},
        package.limits,
        part=lambda relation: package.xml(package.target(name, relation)),
        chunk=lambda relation: [],
    )
    return body.blocks([root])


def _plain(root) -> str:
    """Gather all letters of a slide; what stands there twice, for old programs, once."""
    return "".join(
        item.text or "" for item in root.iter("{*}t") if not any(item.iterancestors("{*}Fallback"))
    )


def _property(root, name: str) -> str:
    element = None if root is None else root.find(f"{{*}}{name}")
    return "" if element is None else (element.text or "")
