"""Texts in passages, with questions whose passages are known: what the search map learns from.

From the question-answering sets: one JSON object a line, either documents with `sections` beside a file of
questions that name them, or rows of `passage` and `question`. `made_questions` turns sentences of any book
into questions by rule, without a model: they are crude, but of the book's own words.
"""

import json
import lzma
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.cast.titles import PATTERN
from ingest.document import Document
from ingest.errors import BadInput
from ingest.passages import passages, sentences

TOGETHER = 40  # passages of pairs that make one document
RUN = 13  # words; two texts that share so many in a row share a source


@dataclass(frozen=True)
class Question:
    """A question and the passages (indices) that answer it, any of them alone or together."""

    text: str
    gold: tuple[int, ...]
    answers: tuple[str, ...] = ()
    kind: str = ""


@dataclass(frozen=True)
class Reading:
    """A text cut into passages, (start, end) characters in order, and questions about it."""

    name: str
    text: str = field(repr=False)
    spans: tuple[tuple[int, int], ...] = field(repr=False)
    questions: tuple[Question, ...] = field(repr=False)


def flowing(text: str) -> str:
    """Put each paragraph on one line, a blank line between them."""
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip())


def laid_out(parts: Iterable[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Put texts one after the other, and return the whole with the span of each."""
    text, spans = "", []
    for part in map(flowing, parts):
        text += "\n\n" if text else ""
        spans.append((len(text), len(text) + len(part)))
        text += part
    return text, tuple(spans)


def joined(readings: Sequence[Reading], name: str = "joined") -> Reading:
    """Join readings to one long document with the questions of all."""
    text = ""
    spans: list[tuple[int, int]] = []
    questions: list[Question] = []
    for reading in readings:
        text += "\n\n" if text else ""
        first, shift = len(spans), len(text)
        spans += [(start + shift, end + shift) for start, end in reading.spans]
        questions += [
            Question(one.text, tuple(index + first for index in one.gold), one.answers, one.kind)
            for one in reading.questions
        ]
        text += reading.text
    return Reading(name, text, tuple(spans), tuple(questions))


def sectioned(documents: Path, questions: Path) -> list[Reading]:
    """Read documents with sections, and questions that name document and sections.

    Questions marked as of summary scope are left out: no passage answers them.
    """
    asked: dict[str, list[dict]] = {}
    for row in read_rows(questions):
        if row.get("scope", "local") == "local":
            asked.setdefault(row["document"], []).append(row)
    readings = []
    for row in read_rows(documents):
        text, spans = laid_out(section["text"] for section in row["sections"])
        number = {section["id"]: index for index, section in enumerate(row["sections"])}
        made = tuple(
            Question(
                one["question"],
                tuple(number[name] for name in one["sections"]),
                tuple(one["answers"]),
                one.get("kind", ""),
            )
            for one in asked.get(row["document"], ())
        )
        readings.append(Reading(row["document"], text, spans, made))
    return readings


def paired(file: Path) -> list[Reading]:
    """Read rows of a passage and a question, shuffled and laid out as documents of `TOGETHER` passages."""
    asked: dict[str, list[dict]] = {}
    for row in read_rows(file):
        asked.setdefault(row["passage"], []).append(row)
    order = list(asked)
    random.Random(0).shuffle(order)
    readings = []
    for first in range(0, len(order), TOGETHER):
        group = order[first : first + TOGETHER]
        # "Title -- text": a book does not announce what each of its passages is about
        text, spans = laid_out(passage.split(" -- ", 1)[-1] for passage in group)
        questions = tuple(
            Question(_as_question(row["question"]), (index,))
            for index, passage in enumerate(group)
            for row in asked[passage]
        )
        readings.append(Reading(f"{file.stem}-{first}", text, spans, questions))
    return readings


def _as_question(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith("?") else "?")


def read_rows(file: Path) -> list[dict]:
    """Read the objects of a file of JSON lines, packed with xz or not.

    Raises
    ------
    BadInput
        The file cannot be read, or holds something else.
    """
    try:
        with (lzma.open if file.suffix == ".xz" else open)(file, "rt", encoding="utf8") as lines:
            return [json.loads(line) for line in lines if line.strip()]
    except OSError as error:
        raise BadInput(f"cannot read {file}: {error.strerror}; give a file of JSON lines") from error
    except (ValueError, lzma.LZMAError, EOFError) as error:
        raise BadInput(f"{file} is not a file of JSON lines: {error}") from error


def runs(text: str, length: int = RUN) -> set[tuple[str, ...]]:
    """Return every run of `length` words of a text."""
    words = re.findall(r"\w+", text.casefold())
    return {tuple(words[first : first + length]) for first in range(len(words) - length + 1)}


def apart(readings: Iterable[Reading], held_out: Iterable[Reading]) -> list[Reading]:
    """Keep the readings that share no run of 13 words with any text held out."""
    held: set[tuple[str, ...]] = set()
    for reading in held_out:
        held |= runs(reading.text)
    return [reading for reading in readings if not runs(reading.text) & held]


# questions made by rule

IRREGULAR = dict(
    re.findall(
        r"(\w+):(\w+)",
        "went:go came:come took:take gave:give made:make saw:see found:find left:leave told:tell knew:know "
        "got:get brought:bring thought:think felt:feel heard:hear kept:keep held:hold stood:stand sat:sit "
        "ran:run fell:fall lost:lose sent:send met:meet led:lead wrote:write spoke:speak rose:rise "
        "drew:draw threw:throw grew:grow broke:break bought:buy sold:sell caught:catch wore:wear bore:bear "
        "began:begin won:win struck:strike flew:fly drove:drive rode:ride chose:choose ate:eat drank:drink "
        "slept:sleep spent:spend built:build hid:hide shook:shake paid:pay laid:lay said:say fought:fight "
        "sought:seek taught:teach became:become",
    )
)
SUBJECT = (
    rf"((?:{PATTERN})\.? "
    r"(?:[A-Z][\w'’-]+ ){1,2}|(?:[A-Z][\w’'-]+ ){1,3}|(?:The|His|Her|My|Their|An?|This) (?:[a-z]+ ){1,3}"
    r"|He |She |They |I |It |We )"
)
STATEMENT = re.compile(rf"^[“\"'‘]?{SUBJECT}([a-z]+ed|{'|'.join(IRREGULAR)})( [^;:“”\"!?]+)")
LOWERED = re.compile(r"(?:The|His|Her|My|Their|An?|This|He|She|They|It|We)\b")
CLAUSE_END = re.compile(r", | and | but | when | while | that ")
NEEDS_E = re.compile(r"([^aeiou][aeiou][cgsvzk]|[aeiou]r|[^aeiou]l|[cgsvz]|[aeiou]t|u|[^aeiou][aeiou]m)$")
ABOUT = (
    "What does the book tell about {}?",
    "What happens with {}?",
    "Who has to do with {}?",
    "How are {} connected?",
)
RARE = 4  # sentences of its text that a telling word may stand in


def base_form(verb: str) -> str:
    """Guess a verb's base form, right more often than not: "walked" -> "walk", "went" -> "go"."""
    if verb in IRREGULAR:
        return IRREGULAR[verb]
    stem = verb[:-2]
    if stem.endswith("i"):
        return stem[:-1] + "y"
    if len(stem) > 2 and stem[-1] == stem[-2] and stem[-1] in "bdgmnprt":
        return stem[:-1]
    return stem + "e" if NEEDS_E.search(stem) and not stem.endswith(("ss", "er", "en")) else stem


def question_from(sentence: str, frequency: Counter, rng: random.Random) -> str | None:
    """Make one question that the sentence answers, None where it tells too little.

    frequency: in how many sentences of the text each word (lower case) stands.
    """
    sentence = " ".join(sentence.split())
    words = re.findall(r"[^\W\d_][\w'’-]+", sentence)
    telling = [word for word in dict.fromkeys(words) if len(word) > 3 and frequency[word.lower()] <= RARE]
    if not 7 <= len(words) <= 60 or len(telling) < 2:
        return None
    found = STATEMENT.match(sentence)
    if found and rng.random() < 0.9:
        rest = CLAUSE_END.split(found[3].strip(" .,"))[0].split()[: rng.randint(6, 14)]
        if len(rest) >= 3:
            return _turned(found[1].strip(), found[2], " ".join(rest).strip(" ,"), rng)
    some = sorted(rng.sample(telling, min(len(telling), rng.randint(2, 4))), key=words.index)
    return rng.choice(ABOUT).format(", ".join(some[:-1]) + " and " + some[-1])


def _turned(subject: str, verb: str, rest: str, rng: random.Random) -> str:
    thing = re.match(r"(?:It|The|An?|This)\b", subject)
    subject = subject[0].lower() + subject[1:] if LOWERED.match(subject) else subject
    verb_base = base_form(verb)
    forms = [
        f"{'What' if thing else 'Who'} {verb} {rest}?",
        f"Why did {subject} {verb_base} {rest}?",
        f"When did {subject} {verb_base} {rest}?",
        f"Where did {subject} {verb_base} {rest}?",
        f"How did {subject} {verb_base} {rest}?",
        f"What happened after {subject} {verb} {rest}?",
    ]
    return rng.choices(forms, weights=(7, 5, 2, 2, 2, 2))[0]


def made_questions(document: Document, name: str, count: int) -> Reading:
    """Cut a book into passages, with up to `count` questions made from its sentences."""
    rng = random.Random(f"{name}:0")
    text, found = document.text, passages(document)
    pairs = sentences(text)
    held = [set(re.findall(r"[^\W\d_][\w'’-]+", text[start:end].lower())) for start, end in pairs]
    frequency = Counter(word for words in held for word in words)
    questions, at = [], 0
    for start, end in pairs:
        while at < len(found) and found[at].end < end:
            at += 1
        if at < len(found) and found[at].start <= start:
            made = question_from(text[start:end], frequency, rng)
            if made is not None:
                questions.append(Question(made, (at,), kind="made"))
    rng.shuffle(questions)
    spans = tuple((passage.start, passage.end) for passage in found)
    return Reading(name, text, spans, tuple(questions[:count]))
