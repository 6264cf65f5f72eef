"""XML parts of office files: decoded as they say, counted before a tree is built, mended where damaged.

A tree takes many times the memory of its text, so its nodes are counted in the text. No entity is ever
resolved.
"""

import re

from lxml import etree

from ingest.charset import decode_markup
from ingest.limits import Limits
from ingest.tree import parse_markup

_BARE = re.compile(r"&(?!#?\w{1,40};)")


def read_xml(data: bytes, limits: Limits) -> tuple[etree._Element | None, bool]:
    """Return (root, whether all of it was sound). Raises BadInput beyond `limits.nodes` nodes.

    Of a malformed part the root holds what stands before the damage, and what of the rest can be made out.
    """
    text = xml_text(data)
    root = parse_markup(text, strict=True, limits=limits)
    if root is not None:
        return root, True
    # without huge_tree the library's own guards against entities and depth hold
    parser = etree.XMLParser(recover=True, resolve_entities=False, load_dtd=False, no_network=True)
    try:
        # an ampersand that stands for itself is the commonest damage, and recovering would leave it out
        return etree.fromstring(_BARE.sub("&amp;", text).encode("utf-8", "replace"), parser), False
    except (etree.XMLSyntaxError, ValueError):
        return None, False


def xml_text(data: bytes) -> str:
    """Decode the characters of an XML file, by its byte order mark or its declaration, which is left out."""
    text = decode_markup(data)[0]
    return re.sub(r"\A\s*<\?xml[^>]{0,200}\?>", "", text.lstrip("\ufeff"))


def value(element, name: str = "val") -> str:
    """Return an attribute by its name without a namespace; "" where it is missing."""
    if element is None:
        return ""
    return next((words for key, words in element.attrib.items() if key.rpartition("}")[2] == name), "")
