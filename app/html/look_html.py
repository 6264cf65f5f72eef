"""Look as HTML: a small menu of how the text is set. The page's script does it, and the browser keeps it."""

from app.html import markup
from app.html.markup import Html

SERIF, SANS = 'Georgia, "Iowan Old Style", "Times New Roman", serif', "system-ui, sans-serif"
STEPS = [("Letters", "--lm-size", 0.08, "smaller", "larger"),
         ("Lines", "--lm-width", 4, "shorter", "longer"),
         ("Line height", "--lm-lead", 0.1, "closer", "wider")]  # fmt: skip


def panes() -> Html:
    """Write what a phone shows instead of both: the book or the talk."""
    made = [
        markup.button(label, "pane", pane=label.lower(), class_=f"lm-pane-{label.lower()}",
                      aria_pressed="true" if label == "Book" else "false")
        for label in ("Book", "Talk")
    ]  # fmt: skip
    return markup.tag("div", *made, class_="lm-panes", role="group", aria_label="What is shown")


def listen() -> Html:
    """Write the button for reading aloud, which assets/aloud.js does, and a phone's way to the talk."""
    title = "Read aloud by a voice of this machine, from the chosen paragraph or the top"
    # a phone shows the book or the talk, and what turns to it stands above the first line
    talk = markup.button("Talk", "pane", pane="talk", class_="lm-find-button")
    button = markup.tag("button", "Listen", type="button", class_="lm-button", data_aloud="1", title=title,
                        aria_pressed="false")  # fmt: skip
    return markup.joined([talk, markup.Html(" "), button])


def rows() -> Html:
    """Write how the text may look, a row for each thing."""
    rows = [
        _row("Font", _button("Serif", "--lm-font", value=SERIF), _button("Plain", "--lm-font", value=SANS))
    ]
    rows.append(_row("Page", _button("Light", "dark", value="0"), _button("Dark", "dark", value="1")))
    for name, look, step, less, more in STEPS:
        rows.append(_row(name, _button(less, look, by=-step), _button(more, look, by=step)))
    rows.append(_row("", _button("As at first", "reset")))
    return markup.tag("div", *rows, class_="lm-look")


def menu() -> Html:
    """Write the menu that opens beside the contents."""
    # a phone has no room for the fields by which one searches until they are asked for
    find = markup.button("Find", "pane", pane="find", class_="lm-find-button", aria_expanded="false")
    return find + markup.tag(
        "details", markup.tag("summary", "Aa", aria_label="How the text looks"),
        rows(), class_="lm-drawer", data_name="look",
    )  # fmt: skip


def _row(name: str, *buttons: str) -> Html:
    return markup.tag(
        "div", markup.tag("span", name), *buttons, class_="lm-row", role="group", aria_label=name or None
    )


def _button(label: str, look: str, **values: object) -> Html:
    return markup.button(label, "look", look=look, **values)
