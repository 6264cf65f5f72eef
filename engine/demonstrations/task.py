"""Task: how an example of a demonstration library is written for the model.

    prompt(text)            "Review: a fine film Sentiment:"
    answer(label)           " positive"
    demonstration           prompt + answer + "\n"

Prompt, answer and line end are tokenised apart, so that a label's tokens are the same wherever it stands.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ingest.errors import BadInput

SLOT = "{}"
MOST_LABELS = 100
LONGEST_TEMPLATE = 2_000
LONGEST_WORD = 200


@dataclass(frozen=True)
class Task:
    """What a library is about. template: text and label slots in this order; words: label -> its word."""

    template: str
    words: Mapping[str, str]
    description: str = ""

    def __post_init__(self) -> None:
        """Raise BadInput for a template without two slots, or labels that cannot be told apart."""
        object.__setattr__(self, "words", dict(self.words))
        if self.template.count(SLOT) != 2:
            raise BadInput('a template needs two places, as in "Review: {} Sentiment: {}": text, then label')
        if len(self.template) > LONGEST_TEMPLATE:
            raise BadInput(f"the template is longer than {LONGEST_TEMPLATE:,} characters: shorten it")
        if not self.template.split(SLOT)[1].strip():
            raise BadInput('a template needs words between text and label, as in "Review: {} Sentiment: {}"')
        if not 2 <= len(self.words) <= MOST_LABELS:
            raise BadInput(f"a task needs 2 to {MOST_LABELS} labels, this one has {len(self.words)}")
        for label, word in self.words.items():
            if not word.strip() or len(word) > LONGEST_WORD:
                raise BadInput(f'the label "{label[:60]}" needs a word of 1 to {LONGEST_WORD} characters')
        written = [word.strip() for word in self.words.values()]
        if twice := next((word for word in written if written.count(word) > 1), None):
            raise BadInput(f'two labels share the word "{twice}": give each its own')

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.words)

    def prompt(self, text: str) -> str:
        """Write all that stands before the label, without the space before it."""
        before, between, _ = self.template.split(SLOT)
        return f"{before}{text}{between}".rstrip()

    def answer(self, label: str) -> str:
        """Return the label's word with the space before it."""
        between = self.template.split(SLOT)[1]
        return between[len(between.rstrip()) :] + self.words[label].strip()

    @property
    def tail(self) -> str:
        """Return what ends a demonstration."""
        return self.template.split(SLOT)[2].rstrip() + "\n"

    @property
    def fingerprint(self) -> str:
        """Hash all that an encoded demonstration depends on besides its text and label."""
        content = json.dumps([self.template, sorted(self.words.items())])
        return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def require(self, label: str) -> str:
        """Return the label itself. Raises BadInput for one that the task does not know."""
        if label not in self.words:
            known = ", ".join(list(self.words)[:8]) + (" …" if len(self.words) > 8 else "")
            raise BadInput(f'unknown label "{label[:60]}": this task has {known}')
        return label


def guessed_words(labels: Iterable[str]) -> dict[str, str]:
    """Guess a word for each label: `not_spam` becomes "not spam"; what cannot be improved stays."""
    words = {label: " ".join(re.split(r"[\s_]+", label.strip())) or label for label in labels}
    return words if len(set(words.values())) == len(words) else {label: label for label in words}


def guessed_template(text_column: str, label_column: str) -> str:
    """Make a template of the names of two columns: "Review: {} Sentiment: {}"."""
    names = [re.sub(r"[{}\s_]+", " ", name).strip()[:40] for name in (text_column, label_column)]
    text, label = (name[:1].upper() + name[1:] for name in names)
    return f"{text or 'Text'}: {{}} {label or 'Label'}: {{}}"
