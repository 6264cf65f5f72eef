"""Every token of every segment maps to the very characters it came from."""

import html

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.parse import parse
from ingest.segments import PIECE, pieces, segments
from tests.ingest.build import docx, epub, page, printed
from tests.ingest.invariants import check_document

SAMPLES = [
    "Call me Ishmael.",
    "السلام عليكم ورحمة الله، كيف حالك؟",
    "他说：“你好。”然后走了！",
    "e\u0301gale\u0301 na\u0303o n\u0303",  # combining marks
    "👨‍👩‍👧‍👦 🇧🇷 👍🏽 🤷🏻‍♀️",
    "नमस्ते दुनिया। สวัสดีชาวโลก",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𓀀 \u200c\u200d ﷺ",
    "שלום עולם",
]
# byte-level vocabularies write printable bytes as themselves and the others as letters from U+0100 on
PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
BYTES = {chr(byte): byte for byte in PRINTABLE}
BYTES |= {chr(256 + n): byte for n, byte in enumerate(byte for byte in range(256) if byte not in PRINTABLE)}
WORD = st.sampled_from([word for sample in SAMPLES for word in sample.split()]) | st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=8
)
PARAGRAPH = st.lists(WORD, min_size=1, max_size=12).map(" ".join)
TEXT = st.lists(PARAGRAPH, min_size=1, max_size=6).map("\n\n".join)


def bytes_of(tokenizer, token_ids: list[int]) -> list[bytes]:
    """The bytes each token of a byte-level vocabulary stands for."""
    return [bytes(BYTES[letter] for letter in token) for token in tokenizer.convert_ids_to_tokens(token_ids)]


def check_segments(text: str, tokenizer, size: int) -> None:
    found = list(segments(text, tokenizer, size))
    assert [segment.index for segment in found] == list(range(len(found)))
    assert all(len(segment) == size for segment in found[:-1])
    assert not found or 0 < len(found[-1]) <= size
    spans = [span for segment in found for span in segment.spans]
    made = [part for segment in found for part in bytes_of(tokenizer, segment.token_ids)]
    assert b"".join(made) == text.encode()  # nothing lost, nothing added
    covered, position = 0, 0
    widths = [len(character.encode()) for character in text]
    starts = [0]
    for width in widths:
        starts.append(starts[-1] + width)
    for (start, end), part in zip(spans, made, strict=True):
        assert start <= covered <= end or start == covered  # no gap
        # the bytes of the token stand within the characters of its span, and in no other
        assert starts[start] <= position and position + len(part) <= starts[end]
        assert end - start == 1 or text[start:end].encode() == part
        covered, position = max(covered, end), position + len(part)
    assert covered == len(text)


@settings(max_examples=150, deadline=None)
@given(text=TEXT | st.text(st.characters(exclude_categories=("Cs",)), max_size=80), size=st.integers(1, 40))
def test_tokens_map_to_their_characters(tiny_tokenizer, text, size):
    check_segments(text, tiny_tokenizer, size)


def as_epub(text: str) -> tuple[str, bytes]:
    paragraphs = "".join(f"<p>{html.escape(part)}</p>" for part in text.split("\n\n"))
    return "t.epub", epub({"one.xhtml": page(f"<body><h1>One</h1>{paragraphs}</body>")})


def as_html(text: str) -> tuple[str, bytes]:
    paragraphs = "".join(f"<p>{html.escape(part)}</p>" for part in text.split("\n\n"))
    return "t.html", f"<!DOCTYPE html><html><meta charset=utf-8><body>{paragraphs}</body></html>".encode()


def as_docx(text: str) -> tuple[str, bytes]:
    runs = (
        f"<w:p><w:r><w:t xml:space='preserve'>{html.escape(part)}</w:t></w:r></w:p>"
        for part in text.split("\n\n")
    )
    return "t.docx", docx("".join(runs))


def as_markdown(text: str) -> tuple[str, bytes]:
    return "t.md", f"# One\n\n{text}".encode()


def as_text(text: str) -> tuple[str, bytes]:
    return "t.txt", text.encode()


def as_pdf(text: str) -> tuple[str, bytes]:
    # the built-in fonts know Latin letters only; other scripts come by way of the sample rows
    lines = [part.encode("latin-1", "replace").decode("latin-1")[:60] for part in text.split("\n\n")]
    return "t.pdf", printed([[(40, 80 + 30 * number, f"Said: {line}") for number, line in enumerate(lines)]])


@pytest.mark.parametrize("form", [as_epub, as_html, as_docx, as_markdown, as_text, as_pdf])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXT)
def test_round_trip_over_all_formats_and_scripts(tiny_tokenizer, tmp_path, form, text):
    name, data = form("A line that opens it.\n\n" + text)
    path = tmp_path / name
    path.write_bytes(data)
    document = parse(path)
    check_document(document)
    check_segments(document.text, tiny_tokenizer, 32)


@pytest.mark.parametrize("form", [as_epub, as_html, as_docx, as_markdown, as_text])
@pytest.mark.parametrize("sample", SAMPLES)
def test_every_script_arrives_whole(tmp_path, form, sample):
    name, data = form("A line that opens it.\n\n" + sample)
    path = tmp_path / name
    path.write_bytes(data)
    assert parse(path).text.endswith(sample)


def test_segments_go_on_over_the_cuts_of_pieces(tiny_tokenizer):
    text = "\n\n".join(f"Paragraph {number} — “héllo” 你好 👍🏽." for number in range(4000))
    assert len(list(pieces(text))) > 2
    check_segments(text, tiny_tokenizer, 1024)
    everything = list(segments(text, tiny_tokenizer, 1024))
    assert list(segments(text, tiny_tokenizer, 1024, start=7)) == everything[7:]
    assert list(segments(text, tiny_tokenizer, 1024, start=len(everything))) == []


@pytest.mark.parametrize(
    "text", ["x" * 3 * PIECE, "e\u0301" * PIECE, "字" * 2 * PIECE, "a b " * PIECE, "👨‍👩‍👧" * PIECE]
)
def test_pieces_cover_any_text_and_cut_no_letter_from_its_mark(text):
    cuts = list(pieces(text))
    assert cuts[0][0] == 0 and cuts[-1][1] == len(text)
    assert all(before[1] == after[0] for before, after in zip(cuts, cuts[1:], strict=False))
    assert all(0 < end - start <= PIECE for start, end in cuts)
    assert not any(text[start] in "\u0301\u200d" for start, _ in cuts)


def test_a_tokenizer_that_drops_spaces_leaves_no_gap():
    def words(text, **options):
        spans, at = [(0, 0)], 0
        for word in text.split():
            at = text.index(word, at)
            spans.append((at, at + len(word)))
            at += len(word)
        return {"input_ids": list(range(len(spans))), "offset_mapping": spans}

    found = [span for segment in segments("  two  words \n", words) for span in segment.spans]
    assert found == [(0, 0), (0, 5), (5, 14)]


def test_an_empty_text_has_no_segments(tiny_tokenizer):
    assert list(segments("", tiny_tokenizer)) == []
    with pytest.raises(ValueError, match="at least one token"):
        list(segments("a", tiny_tokenizer, size=0))


def test_marks_of_a_chat_format_are_characters(tiny_tokenizer):
    text = "He wrote <|im_end|> on the wall."
    (segment,) = segments(text, tiny_tokenizer)
    assert tiny_tokenizer.eos_token_id in tiny_tokenizer(text)["input_ids"]
    assert tiny_tokenizer.eos_token_id not in segment.token_ids
    assert tiny_tokenizer.decode(segment.token_ids) == text
    assert segment.spans == [(at, at + 1) for at in range(len(text))]
