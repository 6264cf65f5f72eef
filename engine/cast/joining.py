"""Joining: which names are of one figure: "Mr. Darcy" and "Fitzwilliam Darcy" are, "Miss Darcy" is not.

A name is joined to a fuller one that holds its words, where there is one such figure only: a surname that a
family shares stays with the one who bears it with a title, and joins nobody where several do.
"""

import re
from collections import Counter, defaultdict

from engine.cast.sites import is_street
from engine.cast.titles import FEMALE, MALE, RANKS, TITLES

Form = tuple[str, ...]
# whole name: how it is shortened
_SHORTENED = """
    elizabeth: lizzy eliza lizzie betsy beth bessy; catherine: kitty kate cathy; thomas: tom tommy;
    william: bill billy will willie; john: jack johnny; james: jim jimmy jem; richard: dick; edward:
    ned ted; robert: bob bobby; henry: harry hal; joseph: joe; samuel: sam; benjamin: ben;
    frederick: fred; charles: charley charlie; michael: mike; ellen: nell nellie; mary: molly polly;
    margaret: peggy maggie meg; frances: fanny; henrietta: harriet; anne: annie nan; jane: jenny;
    susan: susy sue; timothy: tim; philip: pip phil; stanley: stan; patrick: pat; daniel: dan;
    andrew: andy
"""
SHORT = {
    short: line.partition(":")[0].strip()
    for line in _SHORTENED.split(";")
    for short in line.partition(":")[2].split()
}
_OFTEN = 2
WOMEN = frozenset(
    re.findall(
        r"\S+",
        """
    elizabeth jane mary anne ann anna catherine katherine caroline charlotte lydia georgiana maria
    louisa emma harriet henrietta fanny frances margaret martha sarah susan ellen helen alice agnes
    justine safie phyllis amelia rebecca isabella julia sophia laura lucy rose dorothy edith ethel
    violet irene mabel ada ruth rachel eleanor marianne elinor philippa belle dora estella flora
    grace hannah hester ida kate molly nora penelope
    """,
    )
)
MEN = frozenset(
    re.findall(
        r"\S+",
        """
    john william thomas charles george henry edward james robert richard joseph samuel david daniel
    arthur frederick francis victor ernest alphonse felix walter philip peter paul stephen benjamin
    edmund alfred albert jeremy jeremiah stanley bob hosmer sherlock jabez neville percy hugh ralph
    roger martin luke mark matthew michael oliver oscar patrick reginald timothy vincent ebenezer
    jacob adam isaac abraham moses elijah fitzwilliam
    """,
    )
)


class Joined:
    """Forms in groups; `counts` is how often each stands in the text, `gender` what pronouns say of it.

    Every step takes time in step with the number of forms: what may be joined is looked up by its words.
    """

    def __init__(self, counts: Counter[Form], gender: dict[Form, float]) -> None:
        self.counts, self.gender = counts, gender
        self._head: dict[Form, Form] = {form: form for form in counts}
        # of each group, by its head: what first names and titles say of its bearers
        self._told = {form: {titled(form) or gender_of(form)} - {0} for form in counts}
        # a street is nobody's other name
        self._ranks = {form: {"street"} if is_street(form) else {rank(form)} - {""} for form in counts}
        self._by_plain: dict[Form, list[Form]] = defaultdict(list)
        for form in counts:
            self._by_plain[without_titles(form)].append(form)
        self._join_titles()
        self._join_fuller()
        self._join_parts()
        self._join_short()

    def groups(self) -> list[list[Form]]:
        """List the forms of each figure, the most frequent figure first."""
        found: dict[Form, list[Form]] = defaultdict(list)
        for form in self.counts:
            found[self._root(form)].append(form)
        return sorted(found.values(), key=lambda forms: -sum(self.counts[form] for form in forms))

    def _join_titles(self) -> None:
        """Join a name with the title that it mostly bears: "Darcy" is "Mr. Darcy", and not his sister."""
        for plain, forms in self._by_plain.items():
            ordered = sorted(forms, key=lambda form: -self.counts[form])
            for form in ordered:
                if form != plain and plain in self.counts and self._agree(form, plain):
                    self._join(form, plain)
                    if len(plain) == 1:
                        break

    def _join_fuller(self) -> None:
        """Join "Mr. Holmes" with "Sherlock Holmes", where one person alone is so called."""
        fuller: dict[Form, list[Form]] = defaultdict(list)
        for other in self._by_plain:
            if len(other[0]) > 1:
                for at in range(1, len(other)):
                    fuller[other[at:]].append(other)
        for plain, forms in self._by_plain.items():
            heads = {
                sign: {self._root(self._by_plain[other][0]) for other in fuller[plain]
                       if gender_of(other) * sign >= 0}
                for sign in ((-1, 0, 1) if plain in fuller else ())
            }  # fmt: skip
            for form in forms if heads else ():
                if form == plain or rank(form) == "mrs" or len(heads[titled(form)]) != 1:
                    continue
                (head,) = heads[titled(form)]
                if self._agree(form, head):
                    self._join(form, head)

    def _join_parts(self) -> None:
        """Join "Sherlock" and "Holmes" with "Sherlock Holmes", where nobody else is so called."""
        ending: dict[str, list[Form]] = defaultdict(list)  # what begins or ends with a word
        for form in self.counts:
            for word in {without_titles(form)[0], form[-1]}:
                ending[word].append(form)
        for form in self.counts:
            if len(form) != 1 or form[0] in TITLES:
                continue
            ranked = bool(self._ranks[self._root(form)])
            heads: Counter[Form] = Counter()
            for other in ending[form[0]]:
                if self._holds(other, form[0], not ranked):
                    heads[self._root(other)] += self.counts[other]
            heads.pop(self._root(form), None)
            if not heads:
                continue
            (best, most), *others = heads.most_common()
            # a surname of several people is nobody's, unless one bears it far more often
            if most > 3 * sum(count for _, count in others) and self._agree(form, best):
                self._join(form, best)

    def _holds(self, other: Form, word: str, last: bool) -> bool:
        """Tell whether a fuller name begins, or (where `last`) ends with a word."""
        if len(other) < 2 or "of" in other or self.counts[other] < _OFTEN and not gender_of(other):
            return False
        return without_titles(other)[0] == word or last and other[-1] == word

    def _join_short(self) -> None:
        """Join "Lizzy" with "Elizabeth"."""
        beginning: dict[Form, list[Form]] = defaultdict(list)
        for other in self._by_plain:
            if other in self.counts:
                for end in {1, min(2, len(other))}:
                    beginning[other[:end]].append(other)
        for form in self.counts:
            whole = SHORT.get(form[0])
            if whole is None or len(form) > 2:
                continue
            options = {self._root(other) for other in beginning[(whole, *form[1:])]} - {self._root(form)}
            if len(options) == 1:
                (head,) = options
                if self._agree(form, head) and not self._ranks[head] & {"lady", "sir"}:
                    self._join(form, head)

    def _agree(self, one: Form, other: Form) -> bool:
        """Tell whether two forms may be of one person: no title, first name or pronoun speaks against it."""
        first, second = self._root(one), self._root(other)
        told = self._told[first] | self._told[second]
        ranks = self._ranks[first] | self._ranks[second]
        if len(told) > 1 or len(ranks) > 1 or told and "street" in ranks:
            return False
        if told:
            said = [self.gender.get(form, 0.0) for form in (one, other) if not titled(form)]
            return all(next(iter(told)) * value > -0.6 for value in said)
        return self.gender.get(one, 0.0) * self.gender.get(other, 0.0) > -0.25

    def _join(self, form: Form, other: Form) -> None:
        first, second = self._root(form), self._root(other)
        if first != second:
            self._head[first] = second
            self._told[second] |= self._told[first]
            self._ranks[second] |= self._ranks[first]

    def _root(self, form: Form) -> Form:
        while self._head[form] != form:
            # the next look is half as far
            self._head[form] = form = self._head[self._head[form]]
        return form


def without_titles(form: Form) -> Form:
    """Return a name without the titles that stand before it."""
    at = 0
    while at < len(form) - 1 and form[at] in TITLES:
        at += 1
    return form[at:]


def titled(form: Form) -> int:
    """Return 1 for a man's title, -1 for a woman's, 0 for none."""
    words = set(form[: len(form) - len(without_titles(form))])
    return bool(words & MALE) - bool(words & FEMALE)


def gender_of(form: Form) -> int:
    """Return 1 for a man's first name, -1 for a woman's, 0 for one that does not tell."""
    first = without_titles(form)[0]
    first = SHORT.get(first, first)
    return (first in MEN) - (first in WOMEN)


def rank(form: Form) -> str:
    """Return the title that tells people of one surname apart ("mrs", "miss", "lady"); "" for none."""
    before = form[: len(form) - len(without_titles(form))]
    return next((word for word in before if word in RANKS), "")
