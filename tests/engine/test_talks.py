"""Talks: messages in order, cut and continued, kept apart by reader, and exported without becoming markup."""

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from engine.answering.answer import Answer
from engine.paths import Paths
from engine.shelf.shelf import Shelf
from engine.shelf.talks import Message, Talk
from engine.shelf.transcript import literal, quote, transcript
from ingest.errors import BadInput

CITATION = {
    "text": "Call me Ishmael.",
    "start": 10,
    "end": 26,
    "place": "Chapter 1, paragraph 1",
    "score": 0.9,
}


@pytest.fixture
def document(shelf, tmp_path) -> str:
    (tmp_path / "book.txt").write_text("content")
    return shelf.add(tmp_path / "book.txt")[0].id


@pytest.fixture
def talk(shelf, document) -> str:
    """A talk of two questions with answers."""
    talk = shelf.talks.create(document).id
    for number in (1, 2):
        shelf.talks.append(talk, "user", f"question {number}")
        shelf.talks.append(
            talk, "assistant", f"answer {number}", citations=[CITATION], statistics={"tokens": number}
        )
    return talk


def texts(shelf, talk) -> list[str]:
    return [message.text for message in shelf.talks.messages(talk)]


def test_messages_come_back_as_they_were(shelf, talk):
    shelf.close()
    messages = shelf.talks.messages(talk)
    assert [(message.position, message.role) for message in messages] == [
        (0, "user"),
        (1, "assistant"),
        (2, "user"),
        (3, "assistant"),
    ]
    assert messages[1].citations == [CITATION] and messages[1].statistics == {"tokens": 1}
    assert messages[0].citations == [] and messages[0].settings == {}
    added = shelf.talks.append(talk, "user", "third", settings={"until": 120})
    assert added.position == 4 and shelf.talks.messages(talk)[4] == added
    with pytest.raises(ValueError, match="role"):
        shelf.talks.append(talk, "narrator", "once")


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(codec=None), max_size=50))
def test_any_text_can_be_said(tmp_path_factory, text):
    shelf = Shelf(Paths(tmp_path_factory.getbasetemp() / "any-text"))
    talk = shelf.talks.create().id
    citation = {"text": text}
    said = shelf.talks.append(talk, "assistant", text, citations=[citation])
    assert said.text == text.encode("utf-8", "replace").decode("utf-8")
    assert said.citations == [citation]
    shelf.close()


def test_the_settings_of_a_message_can_be_revised(shelf, talk):
    shelf.talks.revise(talk, 1, {"without": {"nothing": "No."}})
    revised = shelf.talks.messages(talk)[1]
    assert revised.settings == {"without": {"nothing": "No."}}
    assert (revised.text, revised.citations) == ("answer 1", [CITATION])
    with pytest.raises(BadInput, match="no such message"):
        shelf.talks.revise(talk, 99, {})


def test_undo_and_truncate(shelf, talk):
    assert shelf.talks.undo(talk) == "question 2"
    assert texts(shelf, talk) == ["question 1", "answer 1"]
    shelf.talks.append(talk, "user", "question 3")
    assert shelf.talks.truncate(talk, 0) == 3 and texts(shelf, talk) == []
    assert shelf.talks.undo(talk) == ""
    assert shelf.talks.append(talk, "user", "better question 1").position == 0
    assert shelf.talks.get(talk).title == "better question 1", "not what stands there no more"


def test_several_talks_per_document_and_about_the_whole_shelf(shelf, document, talk):
    second = shelf.talks.create(document, title="Whales").id
    whole = shelf.talks.create(title="All books").id
    assert [entry.id for entry in shelf.talks.about(document)] == [second, talk]
    shelf.talks.append(talk, "user", "again")
    assert [entry.id for entry in shelf.talks.about(document)] == [talk, second], "last changed first"
    assert [entry.id for entry in shelf.talks.about(None)] == [whole]
    assert shelf.talks.get(talk).title == "question 1", "the first question is the title"
    assert shelf.talks.get(second).title == "Whales"
    with pytest.raises(BadInput, match="no document"):
        shelf.talks.create("f" * 12)


def test_readers_see_their_own_talks_only(shelf, document):
    hers = shelf.of("ann")
    talk = hers.talks.create(document).id
    hers.talks.append(talk, "user", "secret")
    assert shelf.of("bob").talks.about(document) == [] and shelf.talks.about(document) == []
    for other in (shelf.of(owner).talks for owner in ("bob", "", "ANN")):
        for call in (
            partial(other.get, talk),
            partial(other.messages, talk),
            partial(other.append, talk, "user", "x"),
            partial(other.revise, talk, 0, {}),
            partial(other.truncate, talk, 0),
            partial(other.undo, talk),
            partial(other.delete, talk),
        ):
            with pytest.raises(BadInput, match="no such talk"):
                call()
    assert texts(hers, talk) == ["secret"]


def test_deleting_a_talk_deletes_its_words_and_its_memory(shelf, talk):
    shelf.talks.append(talk, "user", "sesquipedalian" * 100)
    (shelf.paths.talks / talk).mkdir(parents=True)
    (shelf.paths.talks / talk / "bank.bin").write_bytes(b"sesquipedalian")
    shelf.talks.delete(talk)
    with pytest.raises(BadInput):
        shelf.talks.get(talk)
    for path in shelf.paths.home.rglob("*"):
        assert talk not in path.name
        assert not path.is_file() or b"sesquipedalian" not in path.read_bytes(), path


# export


def message(role: str, text: str, **parts) -> Message:
    values = {
        "id": 1,
        "talk": "t",
        "position": 0,
        "citations": [],
        "statistics": {},
        "settings": {},
        "created": 0.0,
    }
    return Message(**values | {"role": role, "text": text} | parts)


def test_a_talk_as_markdown():
    talk = Talk("t", "d", "", "Who is he?", {}, 86400.0 * 365, 0.0)
    messages = [
        message("user", "Who tells\nthe story?"),
        message(
            "assistant",
            "Ishmael does.",
            citations=[CITATION, CITATION | {"title": "Moby Dick", "text": "Two\nlines."}],
            statistics=Answer("", tokens=12, seconds_to_first_token=1.24, memory_tokens=300000).statistics,
        ),
    ]
    assert transcript(talk, messages, "Moby Dick", "Herman Melville") == (
        "# Who is he?\n\n"
        "A talk about *Moby Dick* by Herman Melville, 1971-01-01.\n\n"
        "## Question\n\n"
        "Who tells\nthe story?\n\n"
        "## Answer\n\n"
        "Ishmael does.\n\n"
        "> Call me Ishmael.\n>\n> — Chapter 1, paragraph 1\n\n"
        "> Two\n> lines.\n>\n> — Moby Dick, Chapter 1, paragraph 1\n\n"
        "(12 tokens, the first after 1.2 s, 300000 tokens of memory)\n"
    )
    assert transcript(talk, []) == "# Who is he?\n\nA talk about all books, 1971-01-01.\n"


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![picture](http://evil.example/track.png)",
    "[click](javascript:alert(1))",
    "[a]: http://evil.example\n[a]",
    "<http://evil.example>",
    "http://evil.example and www.evil.example",
    "mail me@evil.example or mailto:me@evil.example",
    "# heading\n\nunderlined\n=====\n---",
    "* list\n- list\n+ list\n1. list\n1) list",
    "    code block\n\tcode",
    "```\nfence\n```\n~~~\nfence\n~~~",
    "a | b\n--|--\n1 | 2",
    "&lt;script&gt; &#60;b&#62;",
    "`code` **bold** _emphasis_ ~~gone~~ $x$",
    "line  \nbreak\\\nbreak",
    "> quote\n>> quote",
    "***\n___\n- - -",
    "back\\slash \\< \\\\<b>",
    "\r\n<b>\r</b>",
]
PLAIN = {"paragraph_open", "paragraph_close", "inline", "blockquote_open", "blockquote_close"}
PLAIN_INLINE = {"text", "softbreak", "hardbreak", "text_special"}


def shown(markdown: str) -> str:
    """What a viewer shows of Markdown, after checking that nothing in it became more than text."""
    viewer = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    said = []
    for token in viewer.parse(markdown):
        assert token.type in PLAIN, (token.type, token.content)
        for child in token.children or []:
            assert child.type in PLAIN_INLINE, (child.type, child.content)
            said.append("\n" if "break" in child.type else child.content)
        if token.type == "inline":
            said.append("\n")
    return "".join(said)


def squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_words_stay_words(text):
    assert squeezed(shown(literal(text))) == squeezed(text)
    assert squeezed(shown(quote({"text": text, "place": ""}))) == squeezed(text)
    talk = Talk("t", None, "", "", {}, 0.0, 0.0)
    for line in transcript(
        talk, [message("user", text), message("assistant", text)], text, text
    ).splitlines():
        assert not line.startswith(("<", "!", "[", "```", "~~~", "    ")), line


def test_bare_addresses_do_not_become_links():
    # viewers link these without any marks: see that the sequences they look for are gone
    for address in (
        "http://a.example",
        "HTTPS://a.example",
        "ftp://a.example",
        "www.a.example",
        "me@a.example",
    ):
        escaped = literal(f"go to {address} now")
        assert (
            "p://" not in escaped
            and "S://" not in escaped
            and "www." not in escaped.lower()
            and "e@a" not in escaped
        )
        assert squeezed(shown(escaped)) == f"go to {address} now"


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("<>[]()!*_`~#-+=|&;:/.@\\ \n\tab1wh"), max_size=30))
def test_no_text_becomes_markup(text):
    assert squeezed(shown(literal(text))) == squeezed(text)
    assert squeezed(shown(quote({"text": text}))) == squeezed(text)
