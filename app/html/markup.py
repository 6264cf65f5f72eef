"""Markup: the only place where text becomes HTML. Everything that is not a tag of ours is escaped.

Books, file names, talks and answers are hostile. Beside the five characters of HTML, those that mean
something to the page's templates (braces, dollar, backtick) become references too, so that no later pass can
read them. What is HTML of ours already says so by its type, so that nothing is escaped twice, or not at all.
"""

from collections.abc import Iterable

from markupsafe import Markup

REFERENCES = {ord(sign): f"&#{ord(sign)};" for sign in "&<>\"'`{}$"}
# what would break the page's layout or steer the direction of the text around it
CONTROLS = dict.fromkeys([*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F, *range(0x202A, 0x202F),
                          *range(0x2066, 0x206A), 0xFFFE, 0xFFFF])  # fmt: skip
VOID = {"img", "input", "meta"}  # tags that nothing stands in


def legible(words: str) -> str:
    """Return words without what no page may hold: control characters and halves of letters."""
    return words.translate(CONTROLS).encode("utf-8", "replace").decode("utf-8")


class Html(Markup):
    """HTML of ours. Any other text that is put into it, beside it or between its parts is escaped."""

    __slots__ = ()

    @classmethod
    def escape(cls, words: object) -> "Html":
        """Write text as HTML that shows these very characters; HTML of ours stays as it is."""
        if isinstance(words, Html):
            return words
        return cls(legible(str(words)).translate(REFERENCES))


text = Html.escape
NOTHING = Html()


def joined(parts: Iterable[str]) -> Html:
    """Write parts one after the other."""
    return Html().join(parts)


def attributes(**values: object) -> Html:
    """Write attributes: data_place=3 is data-place="3"; True stands alone, None and False are left out."""
    parts = []
    for name, value in values.items():
        name = name.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(f" {name}")
        elif value is not None and value is not False:
            # a value is text, also where it is HTML of ours: it would end at the first quotation mark
            parts.append(f' {name}="{text(str(value))}"')
    return Html("".join(parts))


def tag(name: str, *inside: object, **values: object) -> Html:
    """Write <name …>inside</name>; what is inside and not HTML of ours is escaped."""
    opening = Html(f"<{name}{attributes(**values)}>")
    return opening if name in VOID else opening + joined(map(text, inside)) + Html(f"</{name}>")


def button(label: str, action: str, **values: object) -> Html:
    """Write a button of ours: the page's script sends `action` and the other data-… values to the server."""
    kind = values.pop("class_", "")
    data = {f"data_{key}": value for key, value in values.items() if not key.startswith(("aria_", "title"))}
    rest = {key: value for key, value in values.items() if key.startswith(("aria_", "title"))}
    return tag("button", label, type="button", class_=f"lm-button {kind}".strip(), data_action=action,
               **data, **rest)  # fmt: skip


def marked(words: str, spans: list[tuple[int, int]], start: int = 0, kind: str = "cited") -> Html:
    """Mark the spans (of the document) in `words`, which begin at character `start` of it."""
    parts: list[str] = []
    at = start
    end = start + len(words)
    for first, last in sorted(spans):
        first, last = max(first, at), min(last, end)
        if first >= last:
            continue
        parts += [
            words[at - start : first - start],
            tag("mark", words[first - start : last - start], class_=kind),
        ]
        at = last
    return joined([*parts, words[at - start :]])
