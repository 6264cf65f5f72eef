"""The page's plain functions: escaping, leaves, cards, talk, access, the queue of answers. No browser."""

import html
import re
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from app import access, commands, found, jobview, leaves, markup, memorymap, shelfview, talkview
from app.scope import scope
from app.speaking import Speaker, waiting_words
from app.view import View
from engine.answering.answer import Answer, AnswerEvent, Read
from engine.answering.trace import LayerShare, TokenReads
from engine.shelf.fulltext import Hit
from engine.shelf.jobs import Job
from engine.shelf.shelf import Entry
from engine.shelf.talks import Message
from ingest.document import Chapter, Document, Page
from ingest.encoding import decode
from ingest.errors import BadInput
from tests.app.conftest import book

HOSTILE = "</p><script>window.bad=1</script><img src=x onerror=bad()>${bad()}{{bad}}`\"'&amp;\x07\u202e"
TAG = re.compile(r"</?([a-z0-9]+)")


def document(text: str, **more) -> Document:
    return Document("T", "A", "en", "text", text, **more)


def tags(markup_text: str) -> set[str]:
    return set(TAG.findall(markup_text))


def test_escaped_text_holds_no_sign_that_means_something_and_shows_the_same_characters():
    escaped = markup.text(HOSTILE)
    assert not set("<>\"'`{}$") & set(escaped)
    assert html.unescape(escaped) == HOSTILE.replace("\x07", "").replace("\u202e", "")
    assert markup.text("half \ud800 pair").encode("utf-8")


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


def novel_document() -> Document:
    text = book()
    starts = [match.start() for match in re.finditer(r"^## ", text, re.M)]
    chapters = [Chapter(f"Chapter {n + 1}", at, end) for n, (at, end) in
                enumerate(zip(starts, [*starts[1:], len(text)], strict=True))]  # fmt: skip
    return document(text, chapters=chapters)


def test_a_card_tells_what_the_parser_was_not_sure_of():
    said = shelfview.cards(
        [(entry(state="ready", settings={"warnings": ["1 of 3 pages have <text>"]}), None)]
    )
    assert "Note: 1 of 3 pages have &#60;text&#62;" in said
    guessed = decode("The boy’s café cost £3.".encode("cp1252"))[1]
    noted = shelfview.cards([(entry(state="ready", settings={"warnings": [guessed]}), None)])
    assert "--" not in html.unescape(noted) and "after deleting it here" in noted
    assert "Note:" not in shelfview.cards([(entry(state="ready"), None)])


def test_a_book_that_was_removed_while_it_was_open_is_said_to_be_gone():
    desk = SimpleNamespace(entry=lambda view, owner: None)
    for view, says in ((View("n"), "not on the shelf any more"), (View(), "open a book first")):
        with pytest.raises(BadInput, match=says):
            scope(desk, view, "")


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


def test_this_chapter_is_the_one_read_or_the_first_that_begins_on_the_leaf():
    novel = novel_document()
    front = novel.chapters[0].start
    starts = leaves.leaf_starts(novel)

    def within(at: int, cursor: int | None = None, chapters: int = 9) -> str:
        shown = document(novel.text, chapters=novel.chapters[:chapters])
        desk = SimpleNamespace(
            entry=lambda view, owner: entry(state="ready"), document=lambda _: shown,
            leaf=lambda view: leaves.leaf_of(starts, len(novel.text), view.at),
        )  # fmt: skip
        return scope(desk, View("n", at, cursor=cursor, bound="chapter"), "")[1]["within"]

    assert front > 0
    assert within(0) == within(0, cursor=front - 1) == "Chapter 1"
    assert within(novel.chapters[2].start) == "Chapter 3"
    with pytest.raises(BadInput, match="no chapter begins on this leaf or before it"):
        within(0, chapters=0)


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


def test_a_citation_is_marked_to_the_character_over_paragraphs():
    text = "First one. Second <b>one</b>.\n\nThird one here."
    cited = (11, text.index(" one here"))
    shown = leaves.leaf_html(document(text), leaves.Leaf(0, 0, len(text)), leaves.Shown(cited=cited))
    marks = [html.unescape(one) for one in re.findall(r"<mark[^>]*>(.*?)</mark>", shown)]
    assert marks == ["Second <b>one</b>.", "Third"]
    assert tags(shown) == {"article", "p", "mark"}


def test_hostile_text_adds_no_tag_anywhere():
    text = f"{HOSTILE}\n\n{HOSTILE} more"
    chapters, pages = [Chapter(HOSTILE, 0, len(text))], [Page(HOSTILE, 0, len(text))]
    hostile = Document(HOSTILE, HOSTILE, '" onload="bad()', "text", text, chapters, pages)
    whole = leaves.Leaf(0, 0, len(text))
    shown = leaves.leaf_html(hostile, whole, leaves.Shown(found=((3, 9),), read_to=20))
    assert tags(shown) == {"article", "p", "h2", "div", "mark"}
    assert 'onload="bad' not in shown
    hit = Hit("d", 0, 0, len(HOSTILE), 1.0, HOSTILE, ((4, 10),))
    hits = found.hits_html(HOSTILE, [hit], 1, lambda _: HOSTILE)
    assert tags(hits) == {"div", "p", "ol", "li", "button", "span", "mark"}
    assert "script" not in tags(found.hits_html(HOSTILE, [], 0, str))
    cards = shelfview.cards([(entry(title=HOSTILE, author=HOSTILE), job(state="failed", message=HOSTILE))])
    assert tags(cards) == {"ul", "li", "h3", "p", "div", "button"}
    citation = {"document": HOSTILE, "text": HOSTILE, "start": 1, "end": 2, "place": HOSTILE, "score": 1.0}
    talk = talkview.conversation([message("user", HOSTILE), message("assistant", HOSTILE, [citation])], {})
    assert tags(talk) == {"section", "h4", "div", "button"}
    unsure = replace(message("assistant", HOSTILE), settings={"looked": [citation]})
    talk = talkview.conversation([message("user", HOSTILE), unsure], {})
    assert tags(talk) == {"section", "h4", "div", "button", "p"} and "Not sure enough to cite" in talk
    assert "script" not in tags(talkview.live(HOSTILE, HOSTILE, HOSTILE, HOSTILE))
    assert tags(talkview.live(HOSTILE, HOSTILE, HOSTILE)) == {"section", "h4", "div", "span", "p"}


@pytest.mark.parametrize(("text", "shown"), [
    ("the miller waited " * 20 + "heron " + "by the sluice " * 20, r"^(\w+ )+heron( \w+)+$"),
    ("鷺" * 200 + "heron" + "鷺" * 200, "^鷺{90}heron鷺{90}$"),
    ("a heron stood", "^a heron stood$"),
])  # fmt: skip
def test_a_hit_shows_whole_words_around_the_match(text, shown):
    first = text.index("heron")
    hit = Hit("book", 0, 7, 7 + len(text), 1.0, text, ((7 + first, 7 + first + 5),))
    begin, end = found.around(hit, *hit.spans[0])
    words = text[begin - 7 : end - 7]
    assert re.match(shown, words) and first - 90 <= begin - 7 and end - 7 <= first + 95
    assert f" {words} " in f" {text} " or " " not in text


def entry(**more) -> Entry:
    values = {
        "id": "ab12cd34", "content_hash": "x", "title": "Emma", "author": "Jane Austen", "language": "en",
        "format": "epub", "source_name": "emma.epub", "source_file": "source.epub", "source_bytes": 10,
        "characters": 1000, "tokens": 250, "bank_bytes": 2_000_000, "state": "encoding", "created": 0.0,
        "settings": {}, "position": 120, "opened": None,
    }  # fmt: skip
    return Entry(**values | more)


def job(**more) -> Job:
    values = {
        "id": 7, "document": "ab12cd34", "kind": "add", "options": {}, "state": "running", "wish": "",
        "stage": "encode", "done": 500, "total": 1000, "rate": 100.0, "message": "", "created": 0.0,
        "started": 0.0, "finished": None, "heartbeat": time.time(), "attempts": 1, "worker": "w", "pid": 1,
        "host": "h",
    }  # fmt: skip
    return Job(**values | more)


def message(role: str, text: str, citations=(), position: int = 0, **statistics) -> Message:
    return Message(1, "t", position, role, text, list(citations), statistics, {}, 0.0)


JOBS = [
    (job(), "filling the memory · 51 % · 100 tokens a second · about 5 s left"),
    (job(state="paused"), "paused at 51 %"),
    (job(state="queued", stage="", done=0), "waiting for its turn, 0 % done"),
    (job(state="failed", message="no text in it"), "It failed: no text in it"),
    (
        job(state="failed", message="this PDF is encrypted: give its password (--password)"),
        "It failed: this PDF is encrypted: give its password above, and press “Try again”",
    ),
    (job(stage="parse", done=0, rate=None), "reading the file · 0 %"),
    (job(wish="pause", rate=None), "filling the memory · 51 % · stopping after the piece in hand"),
]


@pytest.mark.parametrize(("one", "words"), JOBS)
def test_a_job_in_words(one, words):
    assert jobview.words(one) == words


def test_a_card_offers_what_its_state_allows():
    def actions(*, read_only=False, state="encoding", **more):
        one = shelfview.card(entry(state=state), job(**more), False, read_only)
        return re.findall(r'data-action="(\w+)"', one)

    assert actions() == ["open", "pause", "cancel", "rename", "remove"]
    assert actions(state="paused") == ["open", "pause", "cancel", "rename", "remove"]
    assert actions(state="failed") == ["open", "pause", "cancel", "rename", "remove"]
    paused = shelfview.card(entry(state="paused"), job(state="paused"), False, False)
    assert 'data-action="resume"' in paused and 'data-action="pause"' not in paused
    assert actions(read_only=True) == ["open"]
    assert "2.0 MB of memory on disk" in shelfview.card(entry(), None, False, False)


def test_an_empty_shelf_says_what_to_do():
    assert 'data-action="sample"' in shelfview.cards([])
    assert "button" not in tags(shelfview.cards([], read_only=True))


@pytest.mark.parametrize(
    ("seconds", "words"), [(3, "just now"), (600, "10 minutes ago"), (7200, "2 hours ago"), (10**6, "1970")]
)
def test_times_in_words(seconds, words):
    assert words in shelfview.ago(0, seconds) or shelfview.ago(0, seconds).endswith(words)


def test_a_footnote_tells_tokens_seconds_and_memory():
    answer = Answer(
        "x", tokens=41, seconds_to_first_token=0.521, tokens_per_second=20.13, memory_tokens=61204
    )
    words = talkview.footnote_words(answer.statistics)
    assert words == "41 tokens · first after 0.52 s · 20.1 a second · 61,204 tokens of memory"
    assert talkview.footnote_words({"tokens": 0, "memory_tokens": 0}) == "read off the table of contents"
    assert talkview.footnote_words({"tokens": 2, "stopped": True}).endswith("stopped")


def test_the_last_question_alone_can_be_asked_again():
    messages = [message("user", "a", position=0), message("assistant", "b", position=1),
                message("user", "c", position=2)]  # fmt: skip
    shown = talkview.conversation(messages, {})
    assert shown.count('data-action="retry"') == 1
    assert re.findall(r'data-action="edit" data-position="(\d)"', shown) == ["0", "2"]
    assert shown.index('data-action="retry"') > shown.index(">c<")


def test_bins_of_a_memory_map():
    reads = [Read("d", 0, 10, 1.0), Read("d", 10, 20, 3.0), Read("d", 90, 100, 6.0)]
    assert memorymap.bins_of(reads, 100, 5) == [4 / 6, 0, 0, 0, 1.0]
    assert memorymap.bins_of([], 100, 3) == [0, 0, 0]
    assert memorymap.bins_of([Read("d", 500, 600, 1.0)], 100, 2) == [0, 0]


def test_the_strip_is_of_the_open_book_if_that_was_read_else_of_the_one_read_most():
    reads = [Read("a", 0, 1, 0.2), Read("b", 0, 1, 0.5), Read("c", 0, 1, 0.1)]
    assert memorymap.book_of(reads, "c") == "c" and memorymap.book_of(reads, "z") == "b"
    assert memorymap.book_of([], "z") == "z"


def test_a_strip_leads_to_every_stretch_and_marks_chapters_passages_and_the_view():
    novel = novel_document()
    size = len(novel.text)
    reads, passages = [Read("d", size - 9, size - 1, 0.5)], [Read("d", 100, 300, 1.0)]
    shown = memorymap.strip_html(novel, "d", reads, passages, HOSTILE, size // 2)
    bars = re.findall(r'data-action="jump"[^>]*data-start="(\d+)" data-end="(\d+)"', shown)
    assert len(bars) == memorymap.BINS and bars[0][0] == "0" and bars[-1][1] == str(size)
    assert all(before[1] == after[0] for before, after in zip(bars, bars[1:], strict=False))
    assert re.findall(r"--h:([\d.]+)", shown)[-1] == "1.00"
    assert shown.count("lm-tick") == 4 and shown.count("lm-again") == 1
    assert 'class="lm-here" style="left:50' in shown
    assert tags(shown) == {"div", "button", "span", "p"}


def test_each_token_of_an_answer_knows_where_it_was_read():
    tokens = [TokenReads("The ", ()), TokenReads("<b>", (Read("d", 90, 94, 0.3), Read("d", 10, 14, 0.1),
                                                         Read("e", 0, 4, 0.1)))]  # fmt: skip
    shown = memorymap.tokens_html(tokens, "d", 100, lambda read: f"page {read.start}")
    assert tags(shown) == {"span"} and shown.count("<span") == 1
    assert html.unescape(re.sub("<[^>]+>", "", shown)) == "The <b>"
    assert 'data-bins="110:1.00 14:0.33"' in shown
    assert 'data-where="page 90 (60 % of what it read)"' in shown
    assert 'data-document="d" data-start="90" data-end="94"' in shown


def test_gate_and_null_mass_in_words():
    assert talkview.gate_words(LayerShare(3, (0.1, 0.5), (0.0, 1.0), True)) == "30 % (10 to 50) memory"
    assert talkview.gate_words(LayerShare(3, (0.5, -0.25), (0.0, 1.0), False)) == "× 0.12 (-0.25 to 0.50)"
    assert talkview.spread_words((0.25, 0.25), percent=True) == "25 %"


def test_the_chosen_answer_shows_its_tokens_and_how_it_was_read():
    answers = [message("assistant", "One.", position=1), message("assistant", "Two.", position=3)]
    layers = (LayerShare(3, (1.0,), (0.5,), True),)
    read = memorymap.AnswerRead(3, '<span class="lm-token">Two.</span>', layers)
    shown = talkview.conversation(answers, {}, "", [1, 3], read)
    assert re.findall(r'data-action="choose" data-position="(\d)" aria-pressed="(\w+)"', shown) == [
        ("1", "false"), ("3", "true"),
    ]  # fmt: skip
    assert shown.count("<details") == shown.count("lm-tokens") == 1
    assert shown.count('data-action="without"') == 2
    kept = replace(answers[1], settings={"without": {"nothing": HOSTILE}})
    beside = talkview.answer(kept, {}, True, read)
    assert beside.count("<h5") == 2 and beside.count('data-action="without"') == 1
    assert "script" not in tags(beside)


def test_a_memory_that_cannot_be_used_is_said_with_what_to_do():
    fault = {"ab12cd34": "it was made with another model"}
    ready = [(entry(state="ready"), job(state="done"))]
    shown = shelfview.cards(ready, faults=fault)
    assert "It was" not in shown and "it was made with another model" in shown
    assert 'data-action="renew"' in shown and 'data-action="open"' in shown
    assert 'data-action="renew"' not in shelfview.cards(ready, read_only=True, faults=fault)
    assert 'data-action="renew"' not in shelfview.cards(ready)
    assert "frees about 2.0 MB" in shelfview.cards(ready)


HOSTS = [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),
         ("192.168.1.5", False), ("reader.example", False), ("", False)]  # fmt: skip


@pytest.mark.parametrize(("host", "loopback"), HOSTS)
def test_only_loopback_goes_without_a_password(host, loopback):
    assert access.is_loopback(host) == loopback
    if loopback:
        access.check(host, [])
        return
    with pytest.raises(BadInput, match="--auth"):
        access.check(host, [])
    with pytest.raises(BadInput, match="8 characters"):
        access.check(host, [("ann", "short")])
    access.check(host, [("ann", "long enough")])


def test_accounts_from_words_and_files(tmp_path):
    listing = tmp_path / "accounts"
    listing.write_text("# readers\nbob:a:b\n\neve:pass word\n")
    assert access.accounts(["ann:x", f"@{listing}"]) == [("ann", "x"), ("bob", "a:b"), ("eve", "pass word")]
    for wrong in ("ann", ":x", "ann:", "@/nowhere"):
        with pytest.raises(BadInput):
            access.accounts([wrong])


def test_a_port_in_use_is_refused_and_another_found():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match="--port"):
            access.free_port("127.0.0.1", port)
    assert access.free_port("127.0.0.1", None) >= access.FIRST_PORT


def events(*words, gate: threading.Event | None = None):
    def start(stop):
        for word in words:
            if gate is not None:
                assert gate.wait(10)
            if stop.is_set():
                break
            yield AnswerEvent(word)
        yield AnswerEvent(answer=Answer("".join(words), stopped=stop.is_set()))

    return start


def test_answers_are_spoken_one_at_a_time_in_order():
    speaker, gate = Speaker(), threading.Event()
    first = speaker.say("one", "q", events("a", "b", gate=gate))
    second = speaker.say("two", "q", events("c"))
    third = speaker.say("three", "q", events("d"))
    assert [speaker.before(one) for one in (second, third)] == [1, 2]
    assert waiting_words(third, 2) == "waiting: 2 answers before this one"
    with pytest.raises(BadInput, match="already"):
        speaker.say("one", "q", events("x"))
    gate.set()
    assert [one.text for one in speaker.follow(third)][-1] == "d"
    assert first.ended and second.ended and first.answer.text == "ab"


def test_stopping_reaches_the_engine_and_one_that_waits_never_begins():
    speaker, gate = Speaker(), threading.Event()
    first = speaker.say("one", "q", events("a", "b", "c", gate=gate))
    second = speaker.say("two", "q", events("d"))
    while not first.began:
        time.sleep(0.01)
    assert speaker.stop("one") and speaker.stop("two") and not speaker.stop("nobody")
    gate.set()
    list(speaker.follow(first))
    assert first.answer.stopped and first.pieces == [""] and second.answer is None and second.error


def test_an_error_of_the_engine_is_kept_and_the_next_gets_its_turn():
    def broken(stop):
        raise BadInput("no such chapter; name another")
        yield

    speaker = Speaker()
    speech = speaker.say("one", "q", broken)
    list(speaker.follow(speech))
    assert speech.error == "no such chapter; name another"
    again = speaker.say("one", "q", events("fine"))
    assert [one.text for one in speaker.follow(again)][-1] == "fine"


def test_options_of_the_page():
    parsed = commands.parse(["--host", "0.0.0.0", "--port", "8000", "--auth", "a:b", "--read-only"])
    assert parsed.function is commands.open_page
    assert (parsed.host, parsed.port, parsed.auth, parsed.read_only) == ("0.0.0.0", 8000, ["a:b"], True)
    assert commands.parse(["--model", "m.gguf"]).page_model == "m.gguf"
    assert commands.parse(["ask", "d", "q", "--model", "m"]).model == "m"


@pytest.mark.parametrize("argv", [["--port", "8000", "shelf"], ["--model", "m", "ask", "d", "q"]])
def test_options_of_the_page_before_a_command_are_refused(argv, capsys):
    with pytest.raises(SystemExit) as end:
        commands.parse(argv)
    assert end.value.code == 2
    assert "belongs to the page" in capsys.readouterr().err


def test_a_page_for_others_without_a_password_does_not_start(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("LONGMEM_HOME", str(tmp_path))
    assert commands.main(["--host", "0.0.0.0"]) == 2
    said = capsys.readouterr()
    line = "0.0.0.0 can be reached from other machines: give --auth user:password as well"
    assert (said.out, said.err.splitlines()) == ("", [line])


def test_an_answer_to_nobody_says_who_waits():
    assert waiting_words(SimpleNamespace(began=True, pieces=[]), 0) == "reading the memory …"
