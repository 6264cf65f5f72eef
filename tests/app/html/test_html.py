"""The page's plain functions: escaping, leaves, cards, talk, the memory map. No browser."""

import html
import re
from dataclasses import replace

import pytest

from app.html import (
    contents_html,
    job_html,
    leaves,
    marks_html,
    markup,
    memory_map,
    search_hits,
    shelf_html,
    talk_html,
)
from app.html.spans import flat
from engine.answering.answer import Answer
from engine.answering.trace import LayerShare, Read, TokenReads
from engine.marks.mark import Mark
from engine.shelf.fulltext import Found, Hit
from ingest.charset import decode
from ingest.document import Chapter, Document, Page
from tests.app.made import document, entry, job, message, novel_document

HOSTILE = "</p><script>window.bad=1</script><img src=x onerror=bad()>${bad()}{{bad}}`\"'&amp;\x07\u202e"
TAG = re.compile(r"</?([a-z0-9]+)")


def tags(markup_text: str) -> set[str]:
    return set(TAG.findall(markup_text))


def test_escaped_text_holds_no_sign_that_means_something_and_shows_the_same_characters():
    escaped = markup.text(HOSTILE)
    assert not set("<>\"'`{}$") & set(escaped)
    assert html.unescape(escaped) == HOSTILE.replace("\x07", "").replace("\u202e", "")
    assert markup.text("half \ud800 pair").encode("utf-8")


def test_html_of_ours_is_not_escaped_again_and_whatever_else_is():
    assert markup.tag("p", HOSTILE) == markup.tag("p", markup.text(HOSTILE))
    bold = markup.tag("b", "x")
    assert "<y>" + markup.joined([bold, "<y>"]) + "<y>" == "&#60;y&#62;<b>x</b>&#60;y&#62;&#60;y&#62;"
    assert markup.attributes(title=bold) == ' title="&#60;b&#62;x&#60;/b&#62;"'


def test_attributes_cannot_be_left():
    made = markup.tag("b", "x", title='" onclick="bad()', hidden=True, lang=None)
    assert made == '<b title="&#34; onclick=&#34;bad()" hidden>x</b>'


def test_marks_lie_exactly_on_their_characters():
    assert markup.marked("a<b> cd", [(12, 14), (15, 17)], 10) == (
        'a&#60;<mark class="cited">b&#62;</mark> <mark class="cited">cd</mark>'
    )
    assert (
        markup.marked("abc", [(0, 5), (2, 99)], 3)
        == '<mark class="cited">ab</mark><mark class="cited">c</mark>'
    )


def test_a_card_tells_what_the_parser_was_not_sure_of():
    said = shelf_html.cards(
        [(entry(state="ready", settings={"warnings": ["1 of 3 pages have <text>"]}), None)]
    )
    assert "Note: 1 of 3 pages have &#60;text&#62;" in said
    guessed = decode("The boy’s café cost £3.".encode("cp1252"))[1]
    noted = shelf_html.cards([(entry(state="ready", settings={"warnings": [guessed]}), None)])
    assert "--" not in html.unescape(noted) and "after deleting it here" in noted
    assert "Note:" not in shelf_html.cards([(entry(state="ready"), None)])


def test_leaves_cover_the_whole_text_without_gaps_and_begin_where_chapters_do():
    novel = novel_document()
    starts = leaves.leaf_starts(novel)
    pieces = [leaves.leaf_at(starts, len(novel.text), index) for index in range(len(starts))]
    assert "".join(novel.text[leaf.start : leaf.end] for leaf in pieces) == novel.text
    assert max(leaf.end - leaf.start for leaf in pieces) <= leaves.LONGEST + leaves.LEAF
    assert {chapter.start for chapter in novel.chapters[1:]} <= set(starts)
    for offset in (0, 5, 9_000, len(novel.text) - 1, len(novel.text) + 50):
        leaf = leaves.leaf_of(starts, len(novel.text), offset)
        assert leaf.start <= min(offset, len(novel.text) - 1) < leaf.end


@pytest.mark.parametrize("text", ["", "x", "word " * 20_000, "x" * 50_000, "\n\n".join(["a b"] * 9_000)])
def test_leaves_of_odd_texts_stay_small(text):
    odd = document(text)
    starts = leaves.leaf_starts(odd)
    ends = [*starts[1:], len(text)]
    assert starts[0] == 0 and all(a < b for a, b in zip(starts, ends, strict=True) if text)
    assert all(end - start <= leaves.LONGEST + 1 for start, end in zip(starts, ends, strict=True))


def test_a_leaf_shows_every_paragraph_once_and_no_other():
    novel = novel_document()
    starts = leaves.leaf_starts(novel)
    leaf = leaves.leaf_at(starts, len(novel.text), 2)
    shown = leaves.leaf_html(novel, leaf)
    for start, end in novel.paragraphs:
        inside = leaf.start <= start < leaf.end
        assert (f'data-start="{start}"' in shown) == inside
        if inside:
            assert html.unescape(re.sub(r"<[^>]+>", "", shown)).count(novel.text[start:end]) == 1


@pytest.mark.parametrize("read_to", [1, 6, 8, 10, 13, 15])
def test_how_far_one_has_read_is_shown_once_wherever_that_is(read_to):
    """Within a paragraph, at its end, between two, and where the leaf ends."""
    whole = document("First.\n\nNext.\n\nAnother one.")
    pieces = [leaves.Leaf(0, 0, 15), leaves.Leaf(1, 15, len(whole.text))]
    shown = [leaves.leaf_html(whole, one, leaves.Shown(read_to=read_to)) for one in pieces]
    assert [one.count("lm-readto") for one in shown] == [1, 0]


def test_a_citation_is_marked_to_the_character_over_paragraphs():
    text = "First one. Second <b>one</b>.\n\nThird one here."
    cited = (11, text.index(" one here"))
    shown = leaves.leaf_html(document(text), leaves.Leaf(0, 0, len(text)), leaves.Shown(cited=cited))
    marks = [html.unescape(one) for one in re.findall(r"<mark[^>]*>(.*?)</mark>", shown)]
    assert marks == ["Second <b>one</b>.", "Third"]
    assert tags(shown) == {"article", "section", "p", "mark"}


def test_hostile_text_adds_no_tag_anywhere():
    text = f"{HOSTILE}\n\n{HOSTILE} more"
    chapters, pages = [Chapter(HOSTILE, 0, len(text))], [Page(HOSTILE, 0, len(text))]
    hostile = Document(HOSTILE, HOSTILE, '" onload="bad()', "text", text, chapters, pages)
    whole = leaves.Leaf(0, 0, len(text))
    shown = leaves.leaf_html(hostile, whole, leaves.Shown(found=((3, 9),), read_to=20))
    assert tags(shown) == {"article", "section", "p", "h2", "div", "mark"}
    assert 'onload="bad' not in shown
    hit = Hit("d", 0, 0, len(HOSTILE), 1.0, HOSTILE, ((4, 10),))
    hits = search_hits.hits_html(HOSTILE, Found(HOSTILE, [hit], 1), lambda _: HOSTILE)
    assert tags(hits) == {"div", "p", "ol", "li", "button", "span", "mark"}
    noted = Mark(
        "ab12cd34ef56", "note", 3, 9, HOSTILE, place=HOSTILE, title=HOSTILE, author=HOSTILE, note=HOSTILE
    )
    listed = marks_html.listed([noted], "", False) + marks_html.on_leaf([noted])
    assert tags(listed) == {"p", "h3", "h4", "span", "ul", "li", "div", "button", "aside"}
    assert tags(contents_html.drawer(hostile)) == {"details", "summary", "ol", "li", "button"}
    assert "script" not in tags(search_hits.hits_html(HOSTILE, Found(HOSTILE, [], 0), str))


@pytest.mark.parametrize(
    ("query", "total", "said"),
    [
        ("goose", 1, "1 place"),
        ("goose", 161, "161 places, the first 1 of them here"),
        ("gose", 161, "Nothing has “gose”; “goose” stands in 161 places, the first 1 of them here"),
    ],
)
def test_a_search_says_how_much_it_found(query, total, said):
    hit = Hit("b", 0, 0, 5, 0.0, "goose", ((0, 5),))
    shown = search_hits.hits_html(query, Found("goose", [hit], total), lambda _: "Chapter I")
    assert f">{said}</p>" in shown
    cards = shelf_html.cards([(entry(title=HOSTILE, author=HOSTILE), job(state="failed", message=HOSTILE))])
    assert tags(cards) == {"ul", "li", "h3", "p", "div", "span", "button"}
    citation = {"document": HOSTILE, "text": HOSTILE, "start": 1, "end": 2, "place": HOSTILE, "score": 1.0}
    talk = talk_html.conversation([message("user", HOSTILE), message("assistant", HOSTILE, [citation])], {})
    assert tags(talk) == {"section", "h4", "div", "button", "p", "mark"}
    unsure = replace(message("assistant", HOSTILE), settings={"looked": [citation]})
    talk = talk_html.conversation([message("user", HOSTILE), unsure], {})
    assert tags(talk) == {"section", "h4", "div", "button", "p"} and "Closest places" in talk
    unsure = replace(unsure, settings={"looked": [citation | {"words": [0, len(HOSTILE)]}]})
    talk = talk_html.conversation([message("user", HOSTILE), unsure], {})
    assert tags(talk) == {"section", "h4", "div", "button", "p", "mark"} and "perhaps" in talk
    assert "script" not in tags(talk_html.live(HOSTILE, HOSTILE, HOSTILE, HOSTILE))
    assert tags(talk_html.live(HOSTILE, HOSTILE, HOSTILE)) == {"section", "h4", "div", "span", "p"}


@pytest.mark.parametrize(("text", "shown"), [
    ("the miller waited " * 20 + "heron " + "by the sluice " * 20, r"^(\w+ )+heron( \w+)+$"),
    ("鷺" * 200 + "heron" + "鷺" * 200, "^鷺{90}heron鷺{90}$"),
    ("a heron stood", "^a heron stood$"),
])  # fmt: skip
def test_a_hit_shows_whole_words_around_the_match(text, shown):
    first = text.index("heron")
    hit = Hit("book", 0, 7, 7 + len(text), 1.0, text, ((7 + first, 7 + first + 5),))
    begin, end = search_hits.around(hit, *hit.spans[0])
    words = text[begin - 7 : end - 7]
    assert re.match(shown, words) and first - 90 <= begin - 7 and end - 7 <= first + 95
    assert f" {words} " in f" {text} " or " " not in text


JOBS = [
    (job(), "filling the memory · 51 % · about 5 s left"),
    (job(state="paused"), "paused at 51 %"),
    (job(state="queued", stage="", done=0), "waiting for its turn, 0 % done"),
    (job(state="failed", message="no text in it"), "It failed: no text in it"),
    (
        job(state="failed", message="the PDF looks scanned; let text recognition (OCR) read it (--ocr)"),
        "It failed: the PDF looks scanned; let text recognition (OCR) read it: press “Recognise text”",
    ),
    (
        job(stage="recognise", options={"ocr": "eng"}, done=3, total=12, rate=None),
        "recognising text · 3 of 12 pages · 10 %",
    ),
    (
        job(state="failed", message="this PDF is encrypted: give its password (--password)"),
        "It failed: this PDF is encrypted: give its password above, and press “Try again”",
    ),
    (job(stage="parse", done=0, rate=None), "reading the file · 0 %"),
    (job(wish="pause", rate=None), "filling the memory · 51 % · stopping after the piece in hand"),
]


@pytest.mark.parametrize(("one", "words"), JOBS)
def test_a_job_in_words(one, words):
    assert job_html.words(one) == words


def test_a_card_offers_what_its_state_allows():
    def actions(*, read_only=False, state="encoding", **more):
        one = shelf_html.card(entry(state=state), job(**more), False, read_only)
        return re.findall(r'data-action="(\w+)"', one)

    assert actions() == ["open", "pause", "cancel", "rename", "remove"]
    assert actions(state="paused") == ["open", "pause", "cancel", "rename", "remove"]
    assert actions(state="failed") == ["open", "pause", "cancel", "rename", "remove"]
    scan = shelf_html.card(entry(), job(state="failed", message="it looks scanned (--ocr)"), False, False)
    assert 'data-action="recognise"' in scan
    paused = shelf_html.card(entry(state="paused"), job(state="paused"), False, False)
    assert 'data-action="resume"' in paused and 'data-action="pause"' not in paused
    assert actions(read_only=True) == ["open"]
    assert "2.0 MB of memory on disk" in shelf_html.card(entry(), None, False, False)


def test_an_empty_shelf_says_what_to_do():
    assert 'data-action="sample"' in shelf_html.cards([])
    assert "button" not in tags(shelf_html.cards([], read_only=True))


@pytest.mark.parametrize(("fresh", "known", "words"), [
    (["A"], [], "“A” was added: its card tells how far it is."),
    (["A", "B"], ["C"], "2 books were added: the cards tell how far they are. “C” is on the shelf already."),
    ([], ["C", "D"], "2 books are on the shelf already."),
])  # fmt: skip
def test_what_was_added_is_said_in_one_line(fresh, known, words):
    assert shelf_html.added(fresh, known).count("<p") == 1
    assert f">{words}<" in shelf_html.added(fresh, known)
    assert shelf_html.added([], []) == ""


@pytest.mark.parametrize(
    ("seconds", "words"), [(3, "just now"), (600, "10 minutes ago"), (7200, "2 hours ago"), (10**6, "1970")]
)
def test_times_in_words(seconds, words):
    assert words in shelf_html.ago(0, seconds) or shelf_html.ago(0, seconds).endswith(words)


def test_a_footnote_tells_tokens_seconds_and_memory():
    answer = Answer(
        "x", tokens=41, seconds_to_first_token=0.521, tokens_per_second=20.13, memory_tokens=61204
    )
    words = talk_html.footnote_words(answer.statistics)
    assert words == "41 tokens · first after 0.52 s · 20.1 a second · 61,204 tokens of memory"
    assert talk_html.footnote_words({"tokens": 0, "memory_tokens": 0}) == "read off the table of contents"
    assert talk_html.footnote_words({"tokens": 0}, is_quoted=True) == "in the book's own sentences"
    assert talk_html.footnote_words({"tokens": 2, "stopped": True}).endswith("stopped")


def test_the_last_question_alone_can_be_asked_again():
    messages = [message("user", "a", position=0), message("assistant", "b", position=1),
                message("user", "c", position=2)]  # fmt: skip
    shown = talk_html.conversation(messages, {})
    assert shown.count('data-action="retry"') == 1
    assert re.findall(r'data-action="edit" data-position="(\d)"', shown) == ["0", "2"]
    assert shown.index('data-action="retry"') > shown.index(">c<")


def test_bins_of_a_memory_map():
    reads = [Read("d", 0, 10, 1.0), Read("d", 10, 20, 3.0), Read("d", 90, 100, 6.0)]
    assert memory_map.bins_of(reads, 100, 5) == [4 / 6, 0, 0, 0, 1.0]
    assert memory_map.bins_of([], 100, 3) == [0, 0, 0]
    assert memory_map.bins_of([Read("d", 500, 600, 1.0)], 100, 2) == [0, 0]


def test_the_strip_is_of_the_open_book_if_that_was_read_else_of_the_one_read_most():
    reads = [Read("a", 0, 1, 0.2), Read("b", 0, 1, 0.5), Read("c", 0, 1, 0.1)]
    assert memory_map.book_of(reads, "c") == "c" and memory_map.book_of(reads, "z") == "b"
    assert memory_map.book_of([], "z") == "z"


def test_a_strip_leads_to_every_stretch_and_marks_chapters_passages_and_the_view():
    novel = novel_document()
    size = len(novel.text)
    reads, passages = [Read("d", size - 9, size - 1, 0.5)], [Read("d", 100, 300, 1.0)]
    shown = memory_map.strip_html(novel, "d", reads, passages, HOSTILE, size // 2)
    bars = re.findall(r'data-action="jump"[^>]*data-start="(\d+)" data-end="(\d+)"', shown)
    assert len(bars) == memory_map.BINS and bars[0][0] == "0" and bars[-1][1] == str(size)
    assert all(before[1] == after[0] for before, after in zip(bars, bars[1:], strict=False))
    assert re.findall(r"--h:([\d.]+)", shown)[-1] == "1.00"
    assert shown.count("lm-tick") == 4 and shown.count("lm-again") == 1
    assert 'class="lm-here" style="left:50' in shown
    assert tags(shown) == {"div", "button", "span", "p"}


def test_each_token_of_an_answer_knows_where_it_was_read():
    tokens = [TokenReads("The ", ()), TokenReads("<b>", (Read("d", 90, 94, 0.3), Read("d", 10, 14, 0.1),
                                                         Read("e", 0, 4, 0.1)))]  # fmt: skip
    shown = memory_map.tokens_html(tokens, "d", 100, lambda read: f"page {read.start}")
    assert tags(shown) == {"span"} and shown.count("<span") == 1
    assert html.unescape(re.sub("<[^>]+>", "", shown)) == "The <b>"
    assert 'data-bins="110:1.00 14:0.33"' in shown
    assert 'data-where="page 90 (60 % of what it read)"' in shown
    assert 'data-document="d" data-start="90" data-end="94"' in shown


def test_gate_and_null_mass_in_words():
    assert talk_html.gate_words(LayerShare(3, (0.1, 0.5), (0.0, 1.0), True)) == "30 % (10 to 50) memory"
    assert talk_html.gate_words(LayerShare(3, (0.5, -0.25), (0.0, 1.0), False)) == "× 0.12 (-0.25 to 0.50)"
    assert talk_html.spread_words((0.25, 0.25), percent=True) == "25 %"


def test_the_chosen_answer_shows_its_tokens_and_how_it_was_read():
    answers = [message("assistant", "One.", position=1), message("assistant", "Two.", position=3)]
    layers = (LayerShare(3, (1.0,), (0.5,), True),)
    read = memory_map.AnswerRead(3, '<span class="lm-token">Two.</span>', layers)
    shown = talk_html.conversation(answers, {}, "", [1, 3], read)
    assert re.findall(r'data-action="choose" data-position="(\d)" aria-pressed="(\w+)"', shown) == [
        ("1", "false"), ("3", "true"),
    ]  # fmt: skip
    assert shown.count("<details") == shown.count("lm-tokens") == 1
    assert shown.count('data-action="without"') == 2
    kept = replace(answers[1], settings={"without": {"nothing": HOSTILE}})
    beside = talk_html.answer(kept, {}, True, read)
    assert beside.count("<h5") == 2 and beside.count('data-action="without"') == 1
    assert "script" not in tags(beside)


def test_a_memory_that_cannot_be_used_is_said_with_what_to_do():
    fault = {"ab12cd34": "it was made with another model"}
    ready = [(entry(state="ready"), job(state="done"))]
    shown = shelf_html.cards(ready, faults=fault)
    assert "It was" not in shown and "it was made with another model" in shown
    assert 'data-action="renew"' in shown and 'data-action="open"' in shown
    assert 'data-action="renew"' not in shelf_html.cards(ready, read_only=True, faults=fault)
    assert 'data-action="renew"' not in shelf_html.cards(ready)
    assert "frees about 2.0 MB" in shelf_html.cards(ready)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0, 9, "a"), (2, 4, "b")], [(0, 2, "a"), (2, 4, "b"), (4, 6, "a")]),
        ([(2, 4, "b"), (0, 9, "a")], [(0, 6, "a")]),
        ([(1, 3, "a"), (3, 5, "a")], [(1, 5, "a")]),
        ([(1, 1, "a"), (7, 9, "a")], []),
    ],
)
def test_spans_that_overlap_become_spans_that_do_not(spans, expected):
    assert flat(spans, 0, 6) == expected


def test_the_shelf_offers_what_a_reader_can_do_with_a_book():
    one = entry(state="ready", opened=5.0, tags=("sea", "<b>"), position=400)
    more = [shelf_html.tagging(one), shelf_html.replacing(one, "cd34ef56ab12"), shelf_html.keeping(one)]
    cards = shelf_html.cards([(one, None)], more={one.id: more})
    assert "Continue “Emma” · 40 %" in html.unescape(cards)
    for words in ("Delete, keep notes", "Replace the older edition", "Tags"):
        assert words in cards
    assert 'data-preset="sea, &#60;b&#62;"' in cards and "<b>" not in cards
    assert "Continue" not in shelf_html.cards([(entry(opened=5.0, position=0), None)])


@pytest.mark.parametrize(
    ("waiting", "said"),
    [
        (job_html.Waiting(1), "next in line"),
        (job_html.Waiting(2, 170.0), "second in line, about 3 min"),
        (job_html.Waiting(7, None), "7th in line"),
    ],
)
def test_a_job_that_waits_says_when_its_turn_is(waiting, said):
    assert job_html.words(job(state="queued", stage="", done=0), waiting=waiting).startswith(said)


def test_words_that_may_answer_are_shown_with_what_stands_around_them():
    text = "The hens sat. " * 40 + "Tansy kept the goose. " + "The hens sat. " * 40
    first = text.index("Tansy")
    looked = {"document": "a", "text": text, "start": 900, "end": 900 + len(text), "place": "page 3"}
    shown = talk_html.looked_at([looked | {"words": [first, first + 5]}], {})
    assert '<mark class="perhaps">Tansy</mark> kept the goose.' in shown and len(shown) < len(text) * 2
    assert "Tansy" not in talk_html.looked_at([looked], {})
