"""Tree: a page of HTML or XML as lxml reads it, and what its elements say of themselves.

Nothing is fetched and nothing is run: the DOCTYPE is cut off before parsing, so no document can define an
entity. What would take too much memory or time as a tree is counted in the text and refused before it is one;
what nests deeper than the library goes is read without the tags that nest.
"""

import html.entities
import re
from collections.abc import Collection
from functools import lru_cache
from itertools import islice

from lxml import etree

from ingest.cleaning import clean
from ingest.errors import BadInput
from ingest.limits import Limits
from ingest.raised import raised

_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_SUBSET_END = re.compile(r"\]\s*>")
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_XML_ENTITIES = frozenset(["amp", "lt", "gt", "quot", "apos"])
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_TEXT = re.compile(r"\S")
_TAG = re.compile(r"<([a-zA-Z][^\s/>]*)")
_ATTRIBUTE = re.compile(r"""[\s/]*+([^\s/>=][^\s/>=]*+|=[^\s/>=]*+)(?:\s*+=\s*+("[^"]*"|'[^']*'|[^\s>]*))?""")
_NESTING_TAG = re.compile(
    r"</?(?!(?:p|h[1-6]|br|hr|html|head|body|title|meta|script|style)[\s/>])[a-z][^<>]*>", re.IGNORECASE
)
_RAW = frozenset(["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"])
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_NEEDS = "required-namespace"  # of a case of `epub:switch`
_KNOWN = frozenset(f"http://www.w3.org/{name}" for name in ("1998/Math/MathML", "2000/svg", "1999/xhtml"))
_OPTIONS = {"no_network": True, "huge_tree": True, "remove_blank_text": False}
_MOST_ATTRIBUTES = 1_000  # of one element: the HTML parser compares each with all others

_WORDLESS = frozenset(["script", "style", "title", "template", "noscript"])  # of no use to any reader
SKIP = frozenset(
    [
        "script",
        "style",
        "head",
        "template",
        "noscript",
        "iframe",
        "object",
        "embed",
        "applet",
        "svg",
        "canvas",
    ]
    + ["audio", "video", "map", "rt", "rp", "button", "select", "textarea", "input", "datalist", "dialog"]
)
BLOCKS = frozenset(
    ["address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dir", "div"]
    + ["dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6"]
    + ["header", "hgroup", "hr", "html", "legend", "li", "main", "menu", "nav", "ol", "p", "pre", "section"]
    + ["summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul", "title"]
    + ["mbp:pagebreak"]  # of Kindle books
)
PAGE_BREAKS = frozenset(["pagebreak", "doc-pagebreak"])
_CONTROLS = frozenset(["button", "input", "select", "textarea"])
_FORM_LETTERS = 200  # more of them are not labels
_FORMS_AROUND = 2  # which no browser allows; for each one, all that it holds is looked at
_SIGN_PARTS = 4  # elements in a raised sign; pieces of text before it that are looked at
# what makers of manuals set behind a heading, for its address to be copied; Font Awesome has a chain at F0C1
_PERMALINK_SIGNS = frozenset(["¶", "#", "§", "🔗", "⚓", "∞", "\uf0c1", "\uf0c6"])
_PERMALINK = re.compile(
    r"(?:^|\s)(?:(?:header|heading|hash|anchorjs|perma|self|direct|anchor|copiable)-?link|"
    r"(?:header-|doc-|copiable-)?anchor)(?=\s|$)",
    re.IGNORECASE,
)
_HEADING_NAMES = frozenset(f"h{level}" for level in range(1, 7))
_MARKED = SKIP | {"sup", ""}  # whose words are not theirs as they stand
_NO_TYPES: frozenset[str] = frozenset()


def parse_markup(text: str, strict: bool = False, limits: Limits | None = None) -> etree._Element | None:
    """Parse an HTML or XHTML document into a tree; None when there is no element in it.

    With `strict`, None also when it is not well-formed XML (used for package files, where guessing is worse).
    Raises BadInput for more elements than `limits.nodes`, and for an element with hundreds of attributes.
    """
    limits = limits or Limits()
    _check_size(text, limits)
    text = without_doctype(_FORBIDDEN.sub("", text).lstrip("\ufeff"))
    text = _DECLARATION.sub("", text, count=1)
    xml = etree.XMLParser(resolve_entities=False, load_dtd=False, encoding="utf-8", **_OPTIONS)
    try:
        return etree.fromstring(_ENTITY.sub(_named_entity, text).encode(), xml)
    except etree.XMLSyntaxError:
        if strict:
            return None
    _check_attributes(text, limits)
    root, whole = _html_tree(text)
    if not whole:
        # behind the depth that the parser allows all would be lost: paragraphs and headings do not nest
        root, whole = _html_tree(_NESTING_TAG.sub(" ", text))
    if not whole:
        raise BadInput("this page nests its parts too deeply: save it as text or PDF")
    return root


def _html_tree(text: str) -> tuple[etree._Element | None, bool]:
    """Return (root, whether the parser read to the end)."""
    parser = etree.HTMLParser(encoding="utf-8", **_OPTIONS)
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    return root, all(entry.type_name != "ERR_RESOURCE_LIMIT" for entry in parser.error_log)


def _check_size(text: str, limits: Limits) -> None:
    if len(text) > 3 * limits.entry_bytes:
        raise BadInput(f"this page is too long ({len(text):,} characters with its tags): split the file")
    if text.count("<") - text.count("</") + text.count("=") > limits.nodes:
        raise _too_many_marks(limits)


def _too_many_marks(limits: Limits) -> BadInput:
    return BadInput(
        f"a part of this file has more than {limits.nodes:,} marks: split the file, or save it as PDF"
    )


def _check_attributes(text: str, limits: Limits) -> None:
    """Raise BadInput for what takes the HTML parser long; attributes need no quotes there and no values."""
    at, total = 0, 0
    folded = text.lower()
    folded = folded if len(folded) == len(text) else text  # a few letters become two
    while tag := _TAG.search(text, at):
        at = tag.end()
        count = 0
        while attribute := _ATTRIBUTE.match(text, at):
            at = attribute.end()
            count += 1
            if count > _MOST_ATTRIBUTES:
                raise BadInput(
                    f"a tag of this page has more than {_MOST_ATTRIBUTES} attributes: save it as text or PDF"
                )
        total += count
        if total > limits.nodes:
            raise _too_many_marks(limits)
        if tag[1].lower() in _RAW:
            end = folded.find(f"</{tag[1].lower()}", at)
            at = len(text) if end < 0 else end


def prolog_end(text: str) -> int:
    """Return where white space, comments and instructions at the beginning of a page end."""
    at = _text_from(text, 1 if text.startswith("\ufeff") else 0)
    while text.startswith(("<!--", "<?"), at):
        mark = "-->" if text[at + 1] == "!" else ">"
        end = text.find(mark, at)
        if end < 0:
            return at
        at = _text_from(text, end + len(mark))
    return at


def _text_from(text: str, at: int) -> int:
    found = _TEXT.search(text, at)
    return found.start() if found else len(text)


def without_doctype(text: str) -> str:
    """Cut the DOCTYPE in front of a page off, whatever that defines."""
    start = prolog_end(text)
    if text[start : start + 9].lower() != "<!doctype":
        return text
    end, subset = text.find(">", start), text.find("[", start)
    if 0 <= subset < end:
        closing = _SUBSET_END.search(text, subset)
        end = closing.end() - 1 if closing else end
    return text[:start] + text[end + 1 :] if end >= 0 else text


def _named_entity(match: re.Match) -> str:
    if match[1] in _XML_ENTITIES:
        return match[0]
    return html.entities.html5.get(match[1] + ";", "")


def local_name(element) -> str:
    """Return the tag without its namespace, in lower case; "" for comments and instructions."""
    tag = element.tag
    return _name_of(tag) if isinstance(tag, str) else ""


def choose_cases(root) -> None:
    """Empty the cases of every `epub:switch` that are not read.

    Read is the first of a kind that is known here, or else the default.
    """
    for switch in root.iter("{*}switch", "epub:switch"):
        offered = {case: local_name(case).rpartition(":")[2] for case in switch}
        known = (case for case, name in offered.items() if name == "case" and case.get(_NEEDS) in _KNOWN)
        read = next(known, None)
        for case, name in offered.items():
            if name == "case" and case is not read or name == "default" and read is not None:
                case.clear(keep_tail=True)


@lru_cache(1024)
def _name_of(tag: str) -> str:
    return tag.rpartition("}")[2].lower()


def semantic_types(element) -> set[str] | frozenset[str]:
    """Return the words of `epub:type` and `role`."""
    if not element.attrib:
        return _NO_TYPES
    found = element.get("role", "").split()
    for name, value in element.attrib.items():
        if name == "epub:type" or name.endswith("}type") and "ops" in name:
            found += value.split()
    return set(found)


def is_hidden(element) -> bool:
    """Tell whether an element says that nobody sees it."""
    if not element.attrib:
        return False
    return element.get("hidden") is not None or _HIDDEN.search(element.get("style", "")) is not None


def is_permalink(element) -> bool:
    """Tell a link that is only a sign, for the address of the heading or the paragraph that it stands in."""
    if local_name(element) != "a" or "#" not in element.get("href", ""):
        return False
    parts = list(islice(element.iter(), _SIGN_PARTS))
    if len(parts) == _SIGN_PARTS or "".join(element.itertext()).strip() not in _PERMALINK_SIGNS:
        return False
    around = islice(element.iterancestors(), _SIGN_PARTS)
    return _PERMALINK.search(element.get("class", "")) is not None or (
        element.get("href", "").startswith("#") and any(local_name(item) in _HEADING_NAMES for item in around)
    )


def raised_sign(element, before: list[str]) -> str | None:
    """Return what a <sup> adds to the text before it; None for other elements, or one that holds more."""
    if local_name(element) != "sup" or len(element) > _SIGN_PARTS or element.find(".//{*}sup") is not None:
        return None
    return raised(
        clean("".join(before[-_SIGN_PARTS:])), clean("".join(element.itertext())), element.tail or ""
    )


def every_word(root) -> str:
    """Gather all text of a tree, with what is hidden or of no use: a measure of what a reader gets of it."""
    parts = []
    for element in root.iter():
        if isinstance(element.tag, str) and local_name(element) not in _WORDLESS:
            parts.append(element.text or "")
        if element is not root:
            parts.append(element.tail or "")
    return "".join(parts)


def plain_text(element, without: Collection[str] = ()) -> str:
    """Gather all text below an element on one line, without what is never shown and elements named so."""
    if not len(element) and not element.attrib and local_name(element) not in _MARKED:  # such as most cells
        return " ".join(clean(element.text or "").split())
    parts = []
    walk = etree.iterwalk(element, events=("start", "end", "comment", "pi"))
    for event, item in walk:
        if event == "start":
            name = local_name(item)
            is_left_out = name in without and item is not element
            is_mark = is_permalink(item) or semantic_types(item) & PAGE_BREAKS
            if is_left_out or name in SKIP or is_hidden(item) or is_mark:
                walk.skip_subtree()
                continue
            if name in BLOCKS or name == "br":
                parts.append(" ")
            sign = raised_sign(item, parts)
            if sign is not None:
                parts.append(sign)
                walk.skip_subtree()
                continue
            parts.append(item.text or "")
        elif item is not element:
            parts.append(item.tail or "")
    return " ".join(clean("".join(parts)).split())


def is_controls(form) -> bool:
    """Tell whether a form is made of its controls and their labels; one around a whole page is not."""
    if next(islice(form.iterancestors("{*}form"), _FORMS_AROUND, None), None) is not None:
        return False
    text = plain_text(form)
    return (
        len(text) <= _FORM_LETTERS
        and form.find(".//{*}p") is None
        and any(
            local_name(item) in _CONTROLS and item.get("type") != "hidden" for item in form.iterdescendants()
        )
    )
