"""From text to token segments, each token with the span of the characters it came from.

The text is tokenised piece by piece (some 50,000 characters, cut where a paragraph ends), so a book of ten
megabytes never needs one giant call; segments run on over the cuts. Together the spans cover the text without
a gap: characters that a tokenizer drops (stripped spaces) are given to the token after them. Several tokens
may share one span where a character takes several tokens.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

PIECE = 50_000  # characters; large enough that cuts are rare, small enough that a call takes milliseconds


@dataclass(frozen=True)
class Segment:
    """Up to `size` consecutive tokens: `text[spans[i][0]:spans[i][1]]` is what `token_ids[i]` came from."""

    index: int
    token_ids: list[int] = field(repr=False)
    spans: list[tuple[int, int]] = field(repr=False)

    def __len__(self) -> int:
        return len(self.token_ids)


def segments(text: str, tokenizer, size: int = 1024, start: int = 0) -> Iterator[Segment]:
    """Yield the segments of a text from number `start` on; all but the last hold exactly `size` tokens.

    `tokenizer` is a fast Hugging Face tokenizer (anything that gives `input_ids` and `offset_mapping`). The
    same text always gives the same segments, so an interrupted reader goes on with `start` = segments done.
    """
    if size < 1:
        raise ValueError("a segment holds at least one token")
    index = 0
    token_ids: list[int] = []
    spans: list[tuple[int, int]] = []
    for begin, end in pieces(text):
        more_ids, more_spans = _tokenise(text, begin, end, tokenizer)
        token_ids += more_ids
        spans += more_spans
        done = 0
        while len(token_ids) - done >= size:
            if index >= start:
                yield Segment(index, token_ids[done : done + size], spans[done : done + size])
            index += 1
            done += size
        token_ids, spans = token_ids[done:], spans[done:]
    if token_ids and index >= start:
        yield Segment(index, token_ids, spans)


def plain_ids(tokenizer, text: str) -> list[int]:
    """Return the token ids of a text as it stands; see `plain_tokens`."""
    return plain_tokens(tokenizer, text)[0]


def plain_tokens(tokenizer, text: str) -> tuple[list[int], list[tuple[int, int]]]:
    """Return the token ids of a text as it stands, and the characters that each came from.

    Marks of a chat format are characters like any others: a book that prints "<|im_end|>" ends no turn.
    """
    encoded = tokenizer(
        text, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=True
    )
    return list(encoded["input_ids"]), encoded["offset_mapping"]


def pieces(text: str, size: int = PIECE) -> Iterator[tuple[int, int]]:
    """Yield spans of up to `size` characters that cover a text; each ends at the best border of its last
    half.
    """
    begin = 0
    while begin < len(text):
        end = _cut(text, begin, begin + size) if len(text) - begin > size else len(text)
        yield begin, end
        begin = end


def _cut(text: str, begin: int, limit: int) -> int:
    half = begin + (limit - begin) // 2
    for mark in ("\n\n", "\n"):
        at = text.rfind(mark, half, limit)
        if at >= 0:
            return at + len(mark)
    at = text.rfind(" ", half, limit)
    if at >= 0:
        return at  # the space belongs to the word after it, as in byte-level vocabularies
    end = limit
    while end > half and _joined(text[end - 1], text[end]):
        end -= 1
    return end


def _joined(before: str, after: str) -> bool:
    """Tell whether two characters belong together: a letter and its mark, the parts of an emoji."""
    return bool(unicodedata.combining(after)) or after in "\u200d\ufe0f" or before == "\u200d"


def _tokenise(text: str, begin: int, end: int, tokenizer) -> tuple[list[int], list[tuple[int, int]]]:
    token_ids, offsets = plain_tokens(tokenizer, text[begin:end])
    spans: list[tuple[int, int]] = []
    covered = 0
    for first, last in offsets:
        if last <= first:  # a token of no character, such as a vocabulary's leading space
            first = last = covered
        spans.append((begin + min(first, covered), begin + last))
        covered = max(covered, last)
    if spans and covered < end - begin:
        spans[-1] = (spans[-1][0], end)
    return token_ids, spans
