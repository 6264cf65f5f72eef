"""Contents as HTML: a drawer of buttons, each of which leads to a chapter."""

from app.html import markup
from app.html.leaves import contents
from app.html.markup import Html
from ingest.document import Document


def drawer(document: Document) -> Html:
    """Write the drawer; nothing where a document has no chapters."""
    rows = [
        markup.tag("li", markup.button(title, "jump", start=start, class_="lm-chapter"))
        for title, start in contents(document)
    ]
    if not rows:
        return markup.NOTHING
    return markup.tag(
        "details", markup.tag("summary", "Contents"), markup.tag("ol", *rows), class_="lm-drawer",
        data_name=f"contents {document.title}",
    )  # fmt: skip
