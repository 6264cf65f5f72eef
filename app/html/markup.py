"""Markup: the only place where text becomes HTML. Everything that is not a tag of ours is escaped.

Books, file names, talks and answers are hostile. Beside the five characters of HTML, those that mean
something to the page's templates (braces, dollar, backtick) become references too, so that no later pass can
read them.
"""

REFERENCES = {ord(sign): f"&#{ord(sign)};" for sign in "&<>\"'`{}$"}
# what would break the page's layout or steer the direction of the text around it
CONTROLS = dict.fromkeys([*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F, *range(0x202A, 0x202F),
                          *range(0x2066, 0x206A)])  # fmt: skip


def text(words: object) -> str:
    """Any text as HTML that shows these very characters."""
    plain = str(words).translate(CONTROLS).encode("utf-8", "replace").decode("utf-8")
    return plain.translate(REFERENCES)


def attributes(**values: object) -> str:
    """Attributes of a tag: data_place=3 is data-place="3"; True stands alone, None and False are left out."""
    parts = []
    for name, value in values.items():
        name = name.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(f" {name}")
        elif value is not None and value is not False:
            parts.append(f' {name}="{text(value)}"')
    return "".join(parts)


def tag(name: str, *inside: str, **values: object) -> str:
    """<name …>inside</name>; what is inside is markup already."""
    return f"<{name}{attributes(**values)}>{''.join(inside)}</{name}>"


def button(label: str, action: str, **values: object) -> str:
    """Write a button of ours: the page's script sends `action` and the other data-… values to the server."""
    kind = values.pop("class_", "")
    data = {f"data_{key}": value for key, value in values.items() if not key.startswith(("aria_", "title"))}
    rest = {key: value for key, value in values.items() if key.startswith(("aria_", "title"))}
    return tag("button", text(label), type="button", class_=f"lm-button {kind}".strip(), data_action=action,
               **data, **rest)  # fmt: skip


def marked(words: str, spans: list[tuple[int, int]], start: int = 0, kind: str = "cited") -> str:
    """Mark the spans (of the document) in `words`, which begin at character `start` of it."""
    parts, at = [], start
    end = start + len(words)
    for first, last in sorted(spans):
        first, last = max(first, at), min(last, end)
        if first >= last:
            continue
        parts.append(text(words[at - start : first - start]))
        parts.append(tag("mark", text(words[first - start : last - start]), class_=kind))
        at = last
    return "".join([*parts, text(words[at - start :])])
