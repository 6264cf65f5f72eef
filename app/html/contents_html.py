"""Contents as HTML: a drawer of buttons, each of which leads to a chapter."""

from app.html import markup
from app.html.leaves import contents
from app.html.markup import Html
from ingest.document import Document

MOST = 2_000  # chapters on one list


def drawer(document: Document) -> Html:
    """Write the drawer; nothing where a document has no chapters."""
    every = contents(document)
    rows = [
        markup.tag("li", markup.button(title, "jump", start=start, class_="lm-chapter"))
        for title, start in every[:MOST]
    ]
    if not rows:
        return markup.NOTHING
    if len(every) > MOST:
        rows.append(markup.tag("li", f"… and {len(every) - MOST:,} more: search for one, or type its name"))
    return markup.tag(
        "details", markup.tag("summary", "Contents"), markup.tag("ol", *rows), class_="lm-drawer",
        data_name=f"contents {document.title}",
    )  # fmt: skip
