"""Labels as HTML: what classification gives: bars, demonstrations that were read, and how good it is."""

from collections.abc import Sequence

from app.html import markup
from app.html.demonstrations_html import clipped, label_tag, percent
from app.html.markup import Html
from engine.demonstrations.classifier import Classification, ReadDemonstration
from engine.demonstrations.heldout import HeldOut

MOST_BARS = 10
# what "where" of a demonstration means, and how its weight is read
WHERE = {
    "vote": ("Nearest in memory", "likeness"),
    "memory": ("Read in memory", "of what was read"),
    "window": ("Shown to the model before the text", ""),
}


def bars(probabilities: dict[str, float]) -> Html:
    """Write the labels, likeliest first; more than ten are folded away."""
    ranked = sorted(probabilities.items(), key=lambda one: -one[1])
    shown = markup.tag("ol", *(_bar(*one) for one in ranked[:MOST_BARS]), class_="lm-labels")
    if len(ranked) > MOST_BARS:
        summary = markup.tag("summary", f"{len(ranked) - MOST_BARS} more labels")
        rest = markup.tag("ol", *(_bar(*one) for one in ranked[MOST_BARS:]), class_="lm-labels")
        shown += markup.tag("details", summary, rest, class_="lm-more", data_name="labels")
    return shown


def _bar(label: str, share: float) -> Html:
    fill = markup.tag("span", style=f"--p:{share:.4f}")
    return markup.tag(
        "li", markup.tag("span", clipped(label, 60), class_="lm-name"),
        markup.tag("span", fill, class_="lm-track", aria_hidden="true"),
        markup.tag("span", percent(share), class_="lm-share"),
    )  # fmt: skip


def classification(text: str, found: Classification) -> Html:
    """Write a text's labels with the demonstrations behind them."""
    parts = [
        markup.tag("p", "“", clipped(text, 400), "”", class_="lm-said"),
        bars(found.probabilities),
        markup.tag(
            "p",
            f"{found.memory_examples:,} examples in memory · {found.seconds:.2f} s",
            class_="lm-footnote",
        ),
    ]
    for where, (words, measure) in WHERE.items():
        read = [one for one in found.read if one.where == where]
        if read:
            # what is nearest is a reason; the rest tells how the model worked, for who asks
            parts.append(_read(words, measure, read, "" if where == "vote" else where))
    return markup.tag("section", *parts, aria_label="label", data_label=found.label)


def _read(words: str, measure: str, read: Sequence[ReadDemonstration], folded: str) -> Html:
    rows = []
    for one in read:
        weight = f"{percent(one.weight)} {measure}" if measure else ""
        said = label_tag(one.label) + clipped(one.text)
        rows.append(markup.tag("li", markup.tag("p", said), markup.tag("span", weight, class_="lm-facts")))
    listed = markup.tag("ul", *rows, class_="lm-examples")
    if folded:
        summary = markup.tag("summary", f"{words} ({len(read)})")
        return markup.tag("details", summary, listed, class_="lm-more", data_name=folded)
    return markup.tag("h4", words, class_="lm-head") + listed


def note(words: str, is_failure: bool = False) -> Html:
    """Write what is going on, or why it is not."""
    kind = "lm-failed" if is_failure else "lm-footnote"
    return markup.tag("p", words, class_=kind, role="alert" if is_failure else "status")


def measuring(done: int, total: int, words: str) -> Html:
    """Write how far a measurement is."""
    share = 100 * done / total if total else 0
    bar = markup.tag("progress", max="100", value=f"{share:.1f}", aria_label="progress")
    return markup.tag("div", bar, markup.tag("p", words), class_="lm-job")


def held_out(found: HeldOut) -> Html:
    """Show the accuracy with its interval, the confusion matrix, and the texts that went wrong."""
    low, high = found.interval
    scale = markup.tag(
        "div", markup.tag("span", class_="lm-range", style=f"--a:{low:.4f};--b:{high:.4f}"),
        markup.tag("span", class_="lm-point", style=f"--a:{found.accuracy:.4f}"),
        markup.tag("span", class_="lm-least", style=f"--a:{found.majority:.4f}"),
        class_="lm-scale", role="img", aria_label=accuracy_words(found),
    )  # fmt: skip
    parts = [
        markup.tag("p", markup.tag("strong", percent(found.accuracy)), " right", class_="lm-accuracy"),
        scale,
        markup.tag("p", accuracy_words(found), class_="lm-facts"),
        confusion(found),
    ]
    if found.wrong:
        rows = [
            markup.tag(
                "li",
                markup.tag("p", label_tag(true), "taken for ", label_tag(said), clipped(text)),
            )
            for text, true, said in found.wrong
        ]
        count = found.examples - found.right
        which = f"The first {len(rows)} of" if count > len(rows) else "All"
        summary = markup.tag("summary", f"{which} {count:,} that went wrong")
        listed = markup.tag("ul", *rows, class_="lm-examples")
        parts.append(markup.tag("details", summary, listed, class_="lm-more", data_name="wrong"))
    return markup.tag("section", *parts, aria_label="measurement")


def accuracy_words(found: HeldOut) -> str:
    """Write the numbers in a sentence."""
    low, high = found.interval
    return (
        f"{found.right:,} of {found.examples:,} held-out texts: {percent(found.accuracy)}, with 95 % "
        f"confidence between {percent(low)} and {percent(high)}. Always saying the commonest label would "
        f"give {percent(found.majority)}."
    )


def confusion(found: HeldOut) -> Html:
    """Write how often a text of each label (rows) was given each label (columns)."""
    most = max(max(row) for row in found.confusion) or 1
    names = [clipped(label, 24) for label in found.labels]
    head = [markup.tag("td", "is ↓ · said →"), *(markup.tag("th", name, scope="col") for name in names)]
    rows = [markup.tag("tr", *head)]
    for at, counts in enumerate(found.confusion):
        cells = [markup.tag("th", names[at], scope="row")]
        for to, count in enumerate(counts):
            kind = "lm-hold" if at == to else "lm-slip"
            cells.append(markup.tag("td", f"{count:,}", class_=kind, style=f"--h:{count / most:.3f}"))
        rows.append(markup.tag("tr", *cells))
    table = markup.tag("table", *rows, class_="lm-confusion")
    return markup.tag(
        "div", table, class_="lm-table", tabindex="0", role="region", aria_label="confusion matrix"
    )
