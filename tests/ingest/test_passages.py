"""Sentences and passages in many scripts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import passages as cutting
from ingest.document import Chapter, Document
from ingest.passages import passages, sentences, word_count


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


def document(text: str, *starts: int) -> Document:
    ends = [*starts[1:], len(text)][: len(starts)]
    chapters = [Chapter(f"C{n}", start, end) for n, (start, end) in enumerate(zip(starts, ends, strict=True))]
    return Document("T", "", "", "text", text, chapters)


@pytest.mark.parametrize(
    "parts",
    [
        ["Mr. Smith met Dr. Jones at St. Ives.", "They talked, e.g. about No. 5 and 3.14."],
        ["“What is it?” she asked.", "“Nothing!” said Tom, and left.", "“Go on.”", "He went."],
        ["J. R. R. Tolkien wrote it.", "It was I.", "Then came night."],
        ["She waited…", "Nobody came.", "“Well … perhaps,” he said."],
        ["1. The first item.", "2. The second one."],
        ["He left at 5 p.m. and slept.", "Morning came!"],
    ],
)
def test_english_sentences(parts):
    assert cut(" ".join(parts)) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("他说：“你好。”然后走了！真的吗？", ["他说：“你好。”", "然后走了！", "真的吗？"]),
        ("مرحبا. كيف حالك؟ أنا بخير.", ["مرحبا.", "كيف حالك؟", "أنا بخير."]),
        ("यह एक है। वह दो है।", ["यह एक है।", "वह दो है।"]),
        ("No stop\n\nNext block", ["No stop", "Next block"]),
        ("", []),
    ],
)
def test_sentences_of_other_scripts(text, parts):
    assert cut(text) == parts


def test_sentences_of_a_part_keep_their_offsets():
    text = "One. Two. Three."
    assert [text[a:b] for a, b in sentences(text, 5, 9)] == ["Two."]


def test_passages_have_forty_to_a_hundred_and_twenty_words():
    prose = "\n\n".join(
        " ".join(["The river ran on below the bridge all night long."] * 7) for _ in range(30)
    )
    found = passages(document(prose))
    counts = [word_count(prose, passage.start, passage.end) for passage in found]
    assert all(40 <= count <= 120 for count in counts)
    assert all(prose[passage.end - 1] == "." for passage in found)
    assert [passage.index for passage in found] == list(range(len(found)))


def test_passages_never_cross_a_chapter():
    text = "One short line.\n\nTwo begins here.\n\nThree."
    starts = (0, text.index("Two"), text.index("Three"))
    assert [text[p.start : p.end] for p in passages(document(text, *starts))] == [
        "One short line.", "Two begins here.", "Three.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["word " * 5000, "x" * 30_000, "汉字" * 5000, "สวัสดี" * 3000, "a, b; " * 2000, "line of verse\n" * 900],
)
def test_runs_without_full_stops_are_cut_all_the_same(text):
    text = text.strip()
    found = passages(document(text))
    assert all(0 < word_count(text, passage.start, passage.end) <= 120 for passage in found)
    assert all(word_count(text, passage.start, passage.end) > 30 for passage in found[:-1])


PIECES = st.sampled_from(
    ["Mr. ", "a ", "你好。", "? ", "\n\n", "\n", "“Oh!” ", "é", "مرحبا ", "1. ", "—", "Word ", ". "]
)


@settings(max_examples=200, deadline=None)
@given(text=st.lists(PIECES, max_size=400).map("".join), lo=st.integers(1, 40), more=st.integers(0, 80))
def test_passages_leave_out_nothing_but_white_space(text, lo, more):
    found = passages(document(text), lo, lo + more)
    assert "".join("".join(text[p.start : p.end].split()) for p in found) == "".join(text.split())
    assert all(before.end <= after.start for before, after in zip(found, found[1:], strict=False))
    assert all(word_count(text, p.start, p.end) <= max(lo + more, 1) for p in found)


WITHOUT_ENDS = ["a" * 300_000, "-" * 300_000, "a-" * 150_000, "a " * 150_000, ". " * 3 + "中" * 300_000]


@pytest.mark.parametrize("text", WITHOUT_ENDS, ids=range(5))
def test_what_ends_nowhere_is_looked_through_piece_by_piece(text):
    """A pattern at work lets no other thread run: what it is given at once is bounded, for whoever cuts."""
    found = sentences(text)
    assert max(end - start for start, end in found) <= 120_000 and len(found) > 2
    assert "".join(text[start:end] for start, end in found).replace(" ", "") == text.replace(" ", "")


def test_windows_cut_no_sentence(monkeypatch):
    said = "“What … is it, Mr. A?!” — “No. 3, e.g. at 5.30!” said I.[12] “Oh,” he said …\n\nAnd so (i.e. 7)!"
    text = " ".join([said] * 100)
    whole = sentences(text)
    for window in range(200, 240):
        monkeypatch.setattr(cutting, "_WINDOW", window)
        assert sentences(text) == whole
