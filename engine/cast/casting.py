"""Casting: from a text to its cast, by the text alone: names, who bears them, and what tells who it is."""

import re
from bisect import bisect_right
from collections import Counter, defaultdict

from engine.cast.joining import Form, Joined, without_titles
from engine.cast.kinds import REACH, kind_of, surnames
from engine.cast.names import Mention, find_names
from engine.cast.person import Cast, Figure, Naming
from engine.cast.terms import LONGEST, find_terms
from engine.cast.timeline import find_dates
from ingest.document import Document
from ingest.passages import each_sentence

LEAST = 2  # mentions of a figure
MOST = 400  # figures of a text
_HE, _SHE = re.compile(r"\b(?:he|his|him|himself)\b"), re.compile(r"\b(?:she|her|hers|herself)\b")
_ONE = r"(?:an?|the|my|his|her)"
_IS = re.compile(
    rf"\b(?:was|is|were|had been|being) (?:{_ONE}|one|their|your|our)\b|^(?:, | \()(?:{_ONE}|who)\b"
)
_CALLED = re.compile(
    r"\b(?:named|called|name (?:is|was)|introduce[ds]?|known as|daughter|son|wife|husband|sister|brother) ?$"
)
_INTRODUCED = 12  # mentions among which the sentence is looked for
_CHOICES = 4


def make_cast(document: Document) -> Cast:
    """Find who is who in a document."""
    text = document.text
    headings = [(chapter.start, document.heading_end(chapter)) for chapter in document.chapters]
    starts = [*(chapter.start for chapter in document.chapters[1:]), len(text)]
    headings += [
        (chapter.start, stop)
        for chapter, stop in zip(document.chapters, starts, strict=False)
        if chapter.kind != "body"
    ]
    mentions = find_names(text, _disjoint(headings))
    counts = Counter(mention.form for mention in mentions)
    joined = Joined(counts, _genders(text, mentions))
    by_form: dict[Form, list[Mention]] = defaultdict(list)
    for mention in mentions:
        by_form[mention.form].append(mention)
    groups = [forms for forms in joined.groups() if sum(counts[form] for form in forms) >= LEAST]
    borne = surnames(counts)
    figures = tuple(_figure(document, forms, by_form, counts, borne) for forms in groups[:MOST])
    return Cast(
        figures, tuple(document.paragraph_starts), len(text), find_terms(document), find_dates(document)
    )


def _disjoint(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        if found and start < found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def _genders(text: str, mentions: list[Mention]) -> dict[Form, float]:
    """Say of each form how often he (1) or she (-1) follows it, between names."""
    he: Counter[Form] = Counter()
    she: Counter[Form] = Counter()
    for number, mention in enumerate(mentions):
        end = min(
            mention.end + REACH, mentions[number + 1].start if number + 1 < len(mentions) else len(text)
        )
        behind = text[mention.end : end]
        he[mention.form] += len(_HE.findall(behind))
        she[mention.form] += len(_SHE.findall(behind))
    found = {}
    for form in {*he, *she}:
        total = he[form] + she[form]
        found[form] = (he[form] - she[form]) / total if total > 3 else 0.0
    return found


def _figure(
    document: Document,
    forms: list[Form],
    by_form: dict[Form, list[Mention]],
    counts: Counter[Form],
    borne: set[str],
) -> Figure:
    text = document.text
    written = {form: Counter(_as_written(text[m.start : m.end]) for m in by_form[form]) for form in forms}
    total = sum(counts[form] for form in forms)
    ordered = sorted(forms, key=lambda form: (-_fullness(form, counts[form], total), -counts[form]))
    names = tuple(written[form].most_common(1)[0][0] for form in ordered)
    namings = sorted(
        (
            Naming(mention.start, mention.end, number)
            for number, form in enumerate(ordered)
            for mention in by_form[form]
        ),
        key=lambda one: one.start,
    )
    return Figure(
        kind_of(text, forms, namings, borne), names, tuple(namings), _introductions(document, namings)
    )


def _as_written(words: str) -> str:
    return " ".join(words.split()).strip("_")


def _fullness(form: Form, count: int, total: int) -> float:
    """Rate a name for the head of the list: the better the fuller it is, the worse where it is rare."""
    rare = count < 2 or count < total / 200
    plain = without_titles(form)
    if len(plain) > 1:
        return 2 - 0.5 * (plain != form) - 3 * rare
    return float(plain != form and count > total / 5) - 3 * rare


def says_who(text: str, naming: Naming, end: int) -> float:
    """Weigh how plainly a sentence that ends at `end` says who is named: "Anne was the youngest …"."""
    behind, before = (
        text[naming.end : min(naming.end + 60, end)],
        text[max(0, naming.start - 24) : naming.start],
    )
    return 2.0 * bool(_IS.search(behind)) + 1.5 * bool(_CALLED.search(before))


def _introductions(document: Document, namings: list[Naming]) -> tuple[tuple[int, int], ...]:
    """Rank the sentences of the first mentions by how much they tell who it is."""
    text, starts = document.text, document.paragraph_starts
    found: dict[tuple[int, int], float] = {}
    for number, one in enumerate(namings[:_INTRODUCED]):
        paragraph = document.paragraphs[max(0, bisect_right(starts, one.start) - 1)]
        sentence = _sentence_at(text, one.start, *paragraph)
        if sentence is None:
            continue
        score = says_who(text, one, sentence[1]) - 0.25 * number - 1.0 * (sentence[1] - sentence[0] < 30)
        found[sentence] = max(score, found.get(sentence, -9.0))
    ranked = sorted(found, key=lambda sentence: -found[sentence])[:_CHOICES]
    first = min(found, default=None)
    return tuple(dict.fromkeys([*ranked, first])) if first is not None else ()


def _sentence_at(text: str, offset: int, start: int, end: int) -> tuple[int, int] | None:
    """Return the sentence of a paragraph in which a character stands; None for one too long to tell."""
    first, last = max(start, offset - LONGEST), min(end, offset + LONGEST)
    begin, stop = next(one for one in [*each_sentence(text, first, last), (last, last)] if one[1] > offset)
    is_cut = begin == first > start or stop == last < end
    return (begin, stop) if begin <= offset and not is_cut and stop - begin <= LONGEST else None
