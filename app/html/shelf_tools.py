"""Shelf tools: the row above the books by which they are searched, sorted and narrowed down.

The page's script does it (assets/shelf.js), so that nothing is asked of the server.
"""

from app.html import markup
from app.html.markup import Html

ORDERS = {"recent": "Last opened", "added": "Last added", "title": "Title", "author": "Author",
          "length": "Longest"}  # fmt: skip
SHOWN = {"all": "All books", "reading": "Being read", "fresh": "Not begun", "read": "Read"}
FORMS = {"grid": "Grid", "list": "List"}


def row() -> Html:
    """Write the row."""
    search = markup.tag("input", type="search", name_="query", placeholder="Title, author, tag",
                        aria_label="Search the shelf", maxlength=200)  # fmt: skip
    return markup.tag(
        "div", search, _choice("order", "Sorted by", ORDERS), _choice("shown", "Which books", SHOWN),
        _choice("form", "Shown as", FORMS), markup.tag("span", class_="lm-facts", role="status"),
        class_="lm-shelf-tools lm-row", role="search", hidden=True,
    )  # fmt: skip


def _choice(name: str, label: str, choices: dict[str, str]) -> Html:
    options = [markup.tag("option", words, value=value) for value, words in choices.items()]
    return markup.tag("select", *options, name_=name, aria_label=label)
