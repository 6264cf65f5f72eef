"""Kinds: whether a name is a person's, a place's or something else's, as the words beside it tell.

Every mention gives signs: "said Anne", "at Norton", "the Pequod". The share of mentions with each sign is
weighed; the weights were fitted to the names of eight novels, judged by hand.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable

from engine.cast.joining import MEN, SHORT, WOMEN, Form, titled
from engine.cast.person import KINDS, Naming
from engine.cast.sites import is_site, is_street
from engine.cast.titles import FIRM

FEW = 8  # mentions that make a person only where a person's sign is among them: Latitude is, Alice says
REACH = 90  # letters behind a name in which its pronoun stands
_NEAR = 30  # letters before it
_SAYS = (  # that stand before who speaks, too
    "said|cried|replied|asked|answered|returned|exclaimed|thought|continued|added|observed|remarked|began"
    "|whispered|shouted|murmured|repeated|inquired|resumed"
)
_DOES = (
    f"{_SAYS}|smiled|laughed|looked|nodded|went|came|stood|sat|walked|turned|felt|knew|took|gave|made|saw|ran"
    "|told|called|spoke|heard|seemed"
)
_IN = "in|at|into|near|through|towards?|across|throughout|via|reach(?:ed)?|leave|left|quitted|visit(?:ed)?"
_SMALL = "of|in|to|at|for|with|by|on|from|as|that|the|a|but|or|when|were|are|and"
_BEFORE = {
    "does": re.compile(rf"\b(?:{_SAYS}) (?:the )?$"),
    "in": re.compile(rf"\b(?:{_IN}) $"),
    "in the": re.compile(rf"\b(?:{_IN}) the $"),
    "from": re.compile(r"\b(?:from|to) $"),
    "of": re.compile(r"\bof $"),
    "the": re.compile(r"\b(?:[Tt]he|[Tt]his|[Tt]hat|[Tt]hese|[Tt]hose) $"),
    "a": re.compile(r"\b(?:[Aa]n?|any|every|no) $"),
    "alone": re.compile(
        r"(?:^|[.!?”;,\n]\s{0,3}|\b(?:and|or|when|as|if|but|while|before|after|because|than) )$"
    ),
}
_BEHIND = {
    "does": re.compile(rf",? ?(?:who|whose|whom)\b| (?:{_DOES})\b"),
    "had": re.compile(r" (?:had|was|would|could|has|is|did|will|should|might|[a-z]+ed)\b"),
    "’s": re.compile(r"[’']s\b"),
    "noun": re.compile(rf" (?!(?:{_SMALL}|{_DOES}|had|was|would|could|has|is|did|will|should|might)\b)[a-z]"),
}
_COUNTED = (*_BEFORE, *_BEHIND, "he")
_UNLIKE_A_THING = ("had", "’s")  # signs of a person, unless an article stands before: the Pequod had
_HE = re.compile(r"\b(?:he|his|him|himself|she|her|hers|herself)\b")
_PEOPLE = re.compile(r"(?:ese|ians?|ish|ic|ans|m[ae]n)$")  # a word for people, or of a country
_GIVEN = MEN | WOMEN | set(SHORT)
# sign: what it says for a person, a place, something else
_WEIGHTS = {
    "does": (4, -2, -2.5),
    "acts": (1, -0.5, -0.5),
    "’s": (4, -2, -2),
    "had": (1.5, -1, -0.5),
    "he": (3, -2, -1),
    "alone": (2.5, -1, -1.5),
    "given": (2.5, -1, -1.5),
    "in": (-3, 4.5, -1.5),
    "in the": (-2.5, 3.5, -1),
    "from": (-1, 4, -3),
    "of": (-0.5, 2.5, -2),
    "site": (-1, 2.5, -1),
    "the": (-0.5, -0.5, 1),
    "a": (-0.5, -1.5, 2),
    "noun": (-0.5, 0, 0),
    "people": (-1, 0, 1),
    "any": (-1, 0.5, 0.5),
}


def surnames(forms: Iterable[Form]) -> set[str]:
    """Find the words that stand behind a title: Mr. Bingley makes the Bingleys persons."""
    return {form[-1] for form in forms if len(form) > 1 and form[0] in FIRM and len(form[-1]) > 3}


def kind_of(text: str, forms: list[Form], namings: list[Naming], borne: Collection[str]) -> str:
    """Tell of which kind a figure is. borne: surnames of the text."""
    if any(is_street(form) for form in forms):
        return "place"
    if any(titled(form) or form[0] in FIRM for form in forms):
        return "person"
    found = signs(text, forms, namings, borne)
    totals = [sum(share * _WEIGHTS[sign][at] for sign, share in found.items()) for at in range(len(KINDS))]
    kind = KINDS[totals.index(max(totals))]
    is_sure = any(found[sign] for sign in ("does", "given", "’s", "he")) or len(namings) > FEW
    return kind if kind != "person" or is_sure else "other"


def signs(text: str, forms: list[Form], namings: list[Naming], borne: Collection[str]) -> dict[str, float]:
    """Return the share of mentions that bear each sign, and (0 or 1) what the names themselves tell."""
    shares: Counter[str] = Counter()
    for one in namings:
        before = text[max(0, one.start - _NEAR) : one.start]
        behind = text[one.end : one.end + REACH]
        here = {sign for sign, pattern in _BEFORE.items() if pattern.search(before)}
        told = {sign for sign, pattern in _BEHIND.items() if pattern.match(behind)}
        if here & {"the", "a"}:
            told -= {*_UNLIKE_A_THING}
        if _HE.search(re.split(r"[A-Z]", behind, maxsplit=1)[0]):
            told.add("he")
        shares.update(here | told)
    acts = shares["does"]
    found = {sign: shares[sign] / (len(namings) + 1) for sign in _COUNTED}
    found["acts"] = min(acts, 2) / 2
    found["given"] = any(form[0] in _GIVEN or _family(form[-1], borne) for form in forms)
    found["site"] = any(is_site(form) for form in forms)
    found["people"] = any(_PEOPLE.search(form[-1]) for form in forms)
    found["any"] = 1
    return found


def _family(word: str, borne: Collection[str]) -> bool:
    return word.endswith("s") and (word[:-1] in borne or word[:-2] in borne)
