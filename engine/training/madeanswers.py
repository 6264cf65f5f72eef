"""`make-questions`: questions whose answers stand in a book, made by rule.

A rule is a pattern over one sentence and the questions that it asks: who is called what, whose kin, who did
it, where, how many. Only words that the book itself writes with a capital in mid-sentence count as names, so
that "But" is none. The questions are crude, yet of the kind that readers ask, beside passages of the kind
that they read.
"""

import argparse
import json
import random
import re
from dataclasses import dataclass
from pathlib import Path

from engine.arguments import natural, positive
from engine.cast.names import bare, name_words
from engine.cast.titles import PATTERN
from engine.training.answers import exercise_of
from engine.training.books import book_files
from engine.training.neighbours import Neighbours
from engine.training.questions import IRREGULAR, base_form
from ingest.document import Document
from ingest.passages import passages, sentences

NAME = rf"(?:(?:{PATTERN})\.? )?[A-Z][a-z]+(?:(?: (?:de|von|van|of))? [A-Z][a-z]+){{0,2}}"
KIN = (
    "wife|husband|daughter|son|sister|brother|mother|father|uncle|aunt|nephew|niece|cousin|friend|"
    "grandmother|grandfather|servant|maid|clerk|partner|master|mistress|companion|stepmother|stepfather|"
    "lover|sweetheart|housekeeper|secretary|valet|butler|nurse|governess|tutor|guardian|widow|lawyer|doctor|"
    "dog|cat|horse|pony|parrot"
)
BEFORE_KIN = "eldest|elder|younger|youngest|only|little|old|young|dear|best|oldest|late|second|first|faithful"
OBJECT = (
    "dog|cat|horse|pony|mule|parrot|bird|ship|boat|schooner|brig|yacht|steamer|village|town|city|inn|tavern|"
    "house|farm|estate|castle|island|river|lake|mountain|hill|valley|street|book|song|paper|newspaper|man|"
    "woman|boy|girl|child|lady|gentleman|stranger|servant|sailor|soldier|priest|lawyer|doctor|captain|chief"
)
ROLE = (
    r"the (?:[a-z-]+ ){0,2}(?:captain|master|mate|doctor|lawyer|king|queen|prince|princess|chief|steward|"
    r"butler|cook|gardener|keeper|landlord|owner|leader|governor|judge|priest|vicar|curate|"
    r"schoolmaster|teacher|author|hero|heroine|murderer|thief|banker|merchant|squire|head|editor|housekeeper|"
    r"daughter|son|wife|widow|brother|sister|mother|father)(?: of (?:the |his |her )?[A-Za-z]+){0,1}"
)
COUNT = (
    r"(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|"
    r"seventy|eighty|ninety|a hundred|(?:[a-z]+ )?thousand|[0-9]{1,3}(?:,[0-9]{3})*)(?:-[a-z]+)?"
)
VERB = rf"(?:[a-z]{{2,}}ed|{'|'.join(IRREGULAR)})"
MONEY = "(?:pounds|dollars|francs|guineas|shillings|crowns)"
DONE_TO = (
    "married|killed|murdered|loved|met|visited|betrayed|rescued|saved|struck|shot|wounded|followed|kissed|hated|"
    "feared|trusted|accompanied|invited"
)
MADE = "stole|inherited|bought|discovered|invented|wrote|painted"
STAY = "lived|stayed|landed|settled|arrived|remained"
GO = "went|came|returned|sailed|moved|rode|walked|drove|hurried"
BESIDE = 2
LONGEST = 12  # words of a question's clause
LOOSE = frozenset(
    re.findall(
        r"\w+",
        "a an the this that such his her their its my our and or but of in on at to for from by with as if "
        "when while who which he she they it we i you was were is had up out into upon about very so than",
    )
)
SPEAKS = r"(?:said|cried|asked|replied|answered|exclaimed|thought|looked|smiled|laughed|nodded|whispered)"


@dataclass(frozen=True)
class Rule:
    """A pattern whose group `answer` is asked for, with questions made of its other groups.

    Groups `who` and `owner` are persons; so is the answer a name, unless it is `told` in other words.
    """

    pattern: re.Pattern[str]
    questions: tuple[str, ...]
    told: bool = False


def _rule(pattern: str, *questions: str, told: bool = False) -> Rule:
    return Rule(re.compile(pattern), questions, told)


_A_KIN = rf"(?:(?:{BEFORE_KIN}) )?(?:{KIN})"
_OF_KIN = rf"(?P<kin>{_A_KIN})"
_OWNER = rf"(?P<owner>{NAME})[’']s {_OF_KIN}"
_PLACE = rf"(?P<answer>(?:the )?{NAME})\b"
_KIN = ("What is the name of {owner}’s {kin}?", "What is {owner}’s {kin} called?", "Who is {owner}’s {kin}?")
_NARRATOR = ("What is the narrator’s {kin} called?", "What is the name of the narrator’s {kin}?")

RULES = (
    _rule(rf"{_OWNER},? (?P<answer>{NAME})\b", *_KIN),
    _rule(rf"(?P<answer>{NAME}), {_OWNER}\b", *_KIN),
    _rule(rf"(?P<answer>{NAME}) (?:is|was) {_OWNER}\b", *_KIN),
    _rule(rf"\b(?:[Hh]is|[Hh]er) {_OF_KIN},? (?P<answer>{NAME})\b", *_KIN),
    _rule(rf"\b[Mm]y {_OF_KIN},? (?P<answer>{NAME})\b", *_NARRATOR),
    _rule(rf"(?P<answer>{NAME}), my {_OF_KIN}\b", *_NARRATOR),
    _rule(
        rf"\b(?:[Aa]n?|[Tt]he|[Hh]is|[Hh]er|[Tt]heir|[Mm]y|[Oo]ur) (?P<kin>(?:[a-z-]+ )?(?:{OBJECT}|{KIN})),?"
        r"(?: who was| which was| was)? (?:called|named|by name|of the name of|whose name was) "
        rf"(?P<answer>{NAME})\b",
        "What is the {kin} called?", "What is the name of the {kin}?", "What was the {kin}’s name?",
    ),
    _rule(
        rf"(?P<answer>{NAME}), (?P<role>{ROLE})[,.;]",
        "Who is {role}?", "Who was {role}?", "What is the name of {role}?", "What is {role} called?",
    ),
    _rule(rf"(?P<who>{NAME}), (?P<answer>{ROLE})[,.;]", "Who is {who}?", "Who was {who}?", told=True),
    _rule(rf"(?P<answer>{NAME}[’']s {_A_KIN}), (?P<who>{NAME})\b", "Who is {who}?", told=True),
    _rule(
        rf"^[“‘]?(?P<answer>{NAME}) (?P<verb>{VERB}) (?P<rest>[^,;:.“”?!—]+)",
        "Who {verb} {rest}?", "Who was it that {verb} {rest}?",
    ),
    _rule(
        rf"\b(?P<who>{NAME}) (?:had )?(?P<verb>{DONE_TO}) (?P<answer>{NAME})\b",
        "Whom did {who} {base}?", "Who did {who} {base}?",
    ),
    _rule(
        rf"\b(?P<answer>{NAME}) (?:had )?(?P<verb>{DONE_TO}|{MADE}) "
        r"(?P<rest>(?:the |a |his |her )?[A-Z]?[a-z]+(?: [a-z]+){0,2})",
        "Who {verb} {rest}?",
    ),
    _rule(
        rf"\b(?P<who>{NAME}) (?:had )?(?P<verb>{STAY}) (?:[a-z]+ )?(?:in|at|on|near) {_PLACE}",
        "Where did {who} {base}?", "In which place did {who} {base}?",
    ),
    _rule(
        rf"\b(?P<who>{NAME}) (?:had )?(?P<verb>{GO}) (?:[a-z]+ )?(?:to|towards?|into) {_PLACE}",
        "Where did {who} {base}?", "Where did {who} {base} to?",
    ),
    _rule(rf"\b(?P<who>{NAME}) was born (?:in|at|near) (?P<answer>{NAME})\b", "Where was {who} born?"),
    _rule(
        rf"\b(?P<who>{NAME}) (?:had|has|bought|saw|found|kept) (?P<answer>{COUNT}) (?P<rest>[a-z]+s)\b",
        "How many {rest} did {who} have?", "How many {rest} are there?", told=True,
    ),
    _rule(
        rf"\b(?P<who>{NAME})(?: was|, who was|, a (?:man|woman|boy|girl|child|lad) of|,) "
        rf"(?P<answer>(?:[a-z]+ )?{COUNT})(?: years (?:of age|old)|(?=[,.;]))",
        "How old is {who}?", "How old was {who}?", told=True,
    ),
    _rule(
        rf"(?P<answer>(?:{COUNT} ){{1,2}}{MONEY}) (?P<rest>a (?:year|week|month|day))",
        "How much is paid {rest}?", "How much money is it {rest}?", told=True,
    ),
    _rule(
        rf"[“‘](?P<rest>[^“”‘]{{15,90}}?)[,.!?][”’] {SPEAKS} (?P<answer>{NAME})\b",
        "Who says “{rest}”?", "Who said “{rest}”?",
    ),
)  # fmt: skip


class Names:
    """What a book writes as names, and which of them are persons'."""

    def __init__(self, text: str) -> None:
        self._words = name_words(text)
        self._persons = {
            word
            for pair in re.findall(
                rf"([A-Z][a-z]+) {SPEAKS}\b|\b{SPEAKS} (?:(?:{PATTERN})\.? )?([A-Z][a-z]+)", text
            )
            for word in pair
        }

    def holds(self, name: str) -> bool:
        """Tell whether every capital word of a name, its title aside, is one."""
        found = [word for word in re.findall(r"[A-Z][a-z]+", name) if not re.fullmatch(PATTERN, word)]
        return bool(found) and all(bare(word) in self._words for word in found)

    def holds_person(self, name: str) -> bool:
        """Tell whether somebody of that name speaks, thinks or looks somewhere in the book."""
        return self.holds(name) and any(word in self._persons for word in re.findall(r"[A-Z][a-z]+", name))


def made_rows(document: Document, name: str, count: int) -> list[dict]:
    """Make up to `count` rows of passage, question, answer and its places, of every rule about as many.

    beside: passages of the same book that are like the question and do not hold the answer.
    """
    rng = random.Random(name)
    names, text = Names(document.text), document.text
    pieces = [" ".join(text[one.start : one.end].split()) for one in passages(document)]
    by_rule: list[list[dict]] = [[] for _ in RULES]
    for passage in pieces:
        stretches = sentences(passage)
        for rule, made in zip(RULES, by_rule, strict=True):
            for start, end in stretches:
                every = rule.pattern.finditer(passage, start, end)
                made += [row for row in (_row(rule, one, passage, names, rng) for one in every) if row]
    for made in by_rule:
        rng.shuffle(made)
    rows: list[dict] = []
    while len(rows) < count and any(by_rule):
        rows += [made.pop() for made in by_rule if made]
    near = Neighbours(pieces)
    asked = [(row, exercise_of(row)) for row in rows[:count]]
    return [row | {"source": name, "beside": near.of(one, BESIDE)} for row, one in asked if one is not None]


def _row(rule: Rule, found: re.Match[str], passage: str, names: Names, rng: random.Random) -> dict | None:
    """Return the row of one match, None where something in it is no name or tells too little."""
    parts, question = found.groupdict(), rng.choice(rule.questions)
    answer = parts["answer"]
    if "{owner}" in question and "owner" not in parts:  # "his wife": of whom the book spoke last
        before = [one for one in re.findall(NAME, passage[: found.start()]) if names.holds_person(one)]
        parts["owner"] = before[-1] if before else ""
    persons = [parts[group] for group in ("who", "owner") if group in parts]
    if not all(map(names.holds_person, persons)) or not (rule.told or names.holds(answer)):
        return None
    if "rest" in parts and "verb" in parts:
        words = parts["rest"].split()[:LONGEST]
        while words and words[-1].lower() in LOOSE:
            words.pop()
        if len(words) < 2:
            return None
        parts["rest"] = " ".join(words)
    asked = question.format(**parts, base=base_form(parts.get("verb", "")))
    if answer.casefold() in asked.casefold() or parts.get("owner", "-") in answer and not rule.told:
        return None
    places = [list(one.span()) for one in re.finditer(rf"(?<!\w){re.escape(answer)}(?!\w)", passage)]
    return {"passage": passage, "question": asked, "answers": [answer], "spans": places}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--books", type=Path, required=True, metavar="DIR", help="books to ask about")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="write JSON lines here")
    parser.add_argument("--of-each", type=positive, default=40, metavar="N", help="questions about a book")
    parser.add_argument("--limit", type=natural, default=0, metavar="N", help="only the first N books")


def run(arguments: argparse.Namespace) -> int:
    """Write the questions of one book after another; return the exit code 0."""
    files = book_files(arguments.books)[: arguments.limit or None]
    total = 0
    with arguments.out.open("w", encoding="utf8") as out:
        for number, file in enumerate(files, 1):
            rows = made_rows(arguments.parse_file(file), file.stem, arguments.of_each)
            out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            total += len(rows)
            print(f"{number} of {len(files)} books, {total} questions", flush=True)
    return 0
