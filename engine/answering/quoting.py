"""Short answers in the book's own words: which stretch of a re-read passage answers a question of fact.

A small model phrases badly what lies before its eyes. For who, what, where, when, why and how, the words of
the answer nearly always stand in the passage, next to the words of the question: so every stretch between two
natural cuts of a sentence is scored by a linear formula over what can be seen of it, and the model may only
say one of the best (`Choice`). `WEIGHTS` is the whole of what was learned, from questions of FairytaleQA's
training part, by raising the expected F1 of a softmax over the stretches.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine.answering.evidence import LEAST_SURE, stems_of
from engine.answering.reread import Chosen
from engine.shelf.fulltext import Hit
from engine.shelf.terms import stems
from engine.shelf.words import STOP_WORDS, Word, words
from ingest.passages import sentences
from ingest.segments import plain_ids

LONGEST = 14  # words
NUMBER = "how many: number"
KINDS = re.compile(
    r"\b(how (?:many|much|long|old|far|often|big|tall|high)|who|whom|whose|where|when|why|how|what|which)\b",
    re.I,
)
NAMED = {"whom": "who", "whose": "who", "which": "what"}
FEELING = re.compile(r"\bfe(?:el|els|eling|lt)\b", re.I)
SUMMARY = re.compile(
    r"\b(?:summar|overview|theme|moral|character of|about (?:the|this) (?:book|story|novel|document|text))",
    re.I,
)


def _set(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


CUT = _set(
    "and but so because for that when which who until to by in on at with of from into was were is had if as "
    "while after before then"
)
ARTICLES = _set("the a an his her their my its")
PLACES = _set("in at on to into under near by from behind over upon through inside outside beside")
TIMES = _set(
    "when day days night morning evening year years week weeks month hour hours time midnight noon next "
    "after before until till while then"
)
CAUSES = _set("because for since to that as so")
NUMBERS = _set(
    "one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred "
    "thousand million dozen both no half"
)
# fitted by an experiment's loop; all quantities below are shares, flags or logarithms
WEIGHTS: dict[str, float] = {
    "article": 1.5,
    "crosses": -2.1,
    "ends clean": 1.8,
    "follows": 1.2,
    "inside": -3.0,
    "length": 0.3,
    "log length": 0.8,
    "near": 3.5,
    "new words": 1.1,
    "outside": 4.2,
    "sentence": 3.7,
    "starts clean": 0.3,
    "starts on a cut word": -0.5,
    "how: article": -0.5,
    "how: by": 0.4,
    "how: follows": 0.2,
    "what: article": -1.0,
    "what: follows": 2.1,
    "what: length": 1.4,
    "where: article": 1.6,
    "where: length": -1.4,
    "where: place": 1.8,
    "who: article": 2.0,
    "who: capital": 1.1,
    "who: follows": -1.8,
    "who: length": -1.2,
    "why: article": -0.7,
    "why: cause": 1.7,
    "why: follows": 0.9,
    "why: length": 1.2,
}


@dataclass(frozen=True)
class Quote:
    """The characters [start, end) of a document, and how well they answer (higher is better)."""

    document: str
    start: int
    end: int
    text: str
    score: float


def kind_of(question: str) -> str | None:
    """who, where, when, why, how many, how or what; None for a question that no few words answer."""
    found = KINDS.search(question)
    if found is None or SUMMARY.search(question):
        return None
    word = found[1].lower()
    if word == "how" and FEELING.search(question):  # seldom said, mostly to be inferred
        return None
    return "how many" if word.startswith("how ") else NAMED.get(word, word)


def quotes(question: str, chosen: Chosen, count: int) -> list[Quote]:
    """The `count` best stretches of the best passage, best first; none for a question of another kind.

    Nothing is quoted where the evidence is too weak to be cited: a fragment must be open to checking, and the
    best passage is the one that is cited. A question of how many wants a number: nothing else is quoted.
    """
    kind = kind_of(question)
    if kind is None or not chosen.question or not chosen.passages or chosen.sure < LEAST_SURE:
        return []
    found, hit = [], chosen.passages[0]
    for (start, end), seen in stretches(question, kind, hit, chosen):
        if seen.get(NUMBER, 1.0):
            place = hit.start + start, hit.start + end
            found.append(Quote(hit.document, *place, hit.text[start:end], weighed(seen)))
    return sorted(found, key=lambda one: -one.score)[:count]


def weighed(seen: dict[str, float]) -> float:
    """The linear formula."""
    return sum(WEIGHTS.get(name, 0.0) * value for name, value in seen.items())


def stretches(
    question: str, kind: str, hit: Hit, chosen: Chosen
) -> list[tuple[tuple[int, int], dict[str, float]]]:
    """Every stretch (start, end) of one passage that could be an answer, with what is seen of it."""
    asked = Asked(question, kind, chosen)
    found, before = [], 0.0
    for start, end in sentences(hit.text):
        sentence = Sentence.of(hit.text, start, end)
        found += asked.seen(sentence, before)
        before = asked.held(sentence.stems)
    return found


@dataclass(frozen=True)
class Sentence:
    """Words and stems; by word number: where a stretch may start and end, and the borders of its clauses."""

    words: list[Word]
    stems: tuple[str, ...]
    capitals: list[bool]
    starts: list[int]
    ends: list[int]
    hard: frozenset[int]

    @classmethod
    def of(cls, text: str, start: int, end: int) -> "Sentence":
        """The characters [start, end) of a text."""
        found = [Word(word.word, word.start + start, word.end + start) for word in words(text[start:end])]
        gaps = [text[a.end : b.start] for a, b in zip(found, found[1:], strict=False)]
        hard = {number for number, gap in enumerate(gaps, 1) if (" " in gap and gap.strip()) or "—" in gap}
        soft = {number for number, gap in enumerate(gaps, 1) if gap.isspace() and found[number].word in CUT}
        late = {
            number
            for number, gap in enumerate(gaps, 1)
            if gap.isspace() and (found[number - 1].word in CUT or found[number - 1].word in ARTICLES)
        }
        return cls(
            found,
            stems(tuple(word.word for word in found)) if found else (),
            [text[word.start].isupper() for word in found],
            sorted({0} | hard | soft | late),
            sorted(hard | soft | {len(found)}),
            frozenset({0, len(found)} | hard),
        )


class Asked:
    """What a question asks for: its kind, and the weight of each stem of its content."""

    def __init__(self, question: str, kind: str, chosen: Chosen) -> None:
        self.kind = kind
        self.every = chosen.question | stems_of(question)
        total = sum(chosen.weights.of(stem) for stem in chosen.question)
        self.shares = {stem: chosen.weights.of(stem) / total for stem in chosen.question}
        self.sequel = bool(re.search(r"\b(?:after|happened)\b", question, re.I))

    def held(self, some: Iterable[str]) -> float:
        """Share of the question's weight that these stems hold, 0 to 1."""
        return sum(self.shares.get(stem, 0.0) for stem in set(some))

    def seen(self, sentence: Sentence, before: float) -> Iterator[tuple[tuple[int, int], dict[str, float]]]:
        """Stretches (characters) of one sentence; before: share of the question in the sentence before."""
        matches = [number for number, stem in enumerate(sentence.stems) if stem in self.shares]
        shared = {
            "sentence": self.held(sentence.stems),
            "sentence before": before,
            "sequel": before * self.sequel,
        }
        new = [
            word.word not in STOP_WORDS and stem not in self.every
            for word, stem in zip(sentence.words, sentence.stems, strict=True)
        ]
        for first in sentence.starts:
            for last in sentence.ends:
                if not first < last <= first + LONGEST:
                    continue
                news = sum(new[first:last])
                if news or any(word.word in NUMBERS for word in sentence.words[first:last]):
                    span = sentence.words[first].start, sentence.words[last - 1].end
                    yield span, shared | self._of(sentence, first, last, max(news, 1), matches, before)

    def _of(
        self, sentence: Sentence, first: int, last: int, new: int, matches: Sequence[int], before: float
    ) -> dict[str, float]:
        """What is seen of the words [first, last) of a sentence."""
        said = [word.word for word in sentence.words[first:last]]
        lead = sentence.words[first - 1].word if first else ""
        outer = [n for n in matches if not first <= n < last]
        away = [first - n if n < first else n - last + 1 for n in outer]
        length, follows = (last - first) / 10, float(any(n < first for n in outer))
        capital = float(any(sentence.capitals[max(first, 1) : last]))
        article = float(said[0] in ARTICLES)
        seen = {
            "outside": self.held(sentence.stems[n] for n in outer),
            "inside": self.held(sentence.stems[first:last]),
            "new words": math.log(new),
            "log length": math.log(last - first),
            "length": length,
            "near": 1 / (1 + min(away, default=30)),
            "follows": follows,
            "starts clean": float(first in sentence.hard),
            "ends clean": float(last in sentence.hard),
            "crosses": float(any(first < n < last for n in sentence.hard)),
            "starts on a cut word": float(said[0] in CUT),
            "ends on a stop word": float(said[-1] in STOP_WORDS),
            "article": article,
            "capital": capital,
            f"{self.kind}: length": length,
            f"{self.kind}: follows": follows,
            f"{self.kind}: article": article,
        }
        match self.kind:
            case "who":
                seen["who: capital"] = capital
            case "where":
                seen["where: place"] = float(said[0] in PLACES or lead in PLACES)
            case "when":
                seen["when: time"] = float(lead in TIMES or not TIMES.isdisjoint(said))
            case "why":
                seen["why: cause"] = float(said[0] in CAUSES or lead in CAUSES)
                seen["why: sentence before"] = before
            case "how":
                seen["how: by"] = float("by" in (said[0], lead))
            case "how many":
                seen[NUMBER] = float(any(word in NUMBERS or word.isdigit() for word in said))
        return seen


class Choice:
    """What may be said next: one of some texts, token by token, then the end token."""

    def __init__(self, texts: Sequence[str], tokenizer: object) -> None:
        end = tokenizer.eos_token_id
        self._ways = [(*plain_ids(tokenizer, text), end) for text in texts]

    def __call__(self, said: Sequence[int]) -> list[int]:
        """Token ids that may follow what was said."""
        said = tuple(said)
        following = [
            way[len(said)] for way in self._ways if len(way) > len(said) and way[: len(said)] == said
        ]
        return list(dict.fromkeys(following))
