"""Traces of answers: packed and unpacked, fitted to the text, kept with the talk, gone with the answer."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.answering.trace import LayerShare, Read, Recorder, TokenReads, Trace

GATES = {2: ((0.25, 0.5), True), 5: ((1.5, -0.5), False)}


def layer(number: int, *null: float) -> SimpleNamespace:
    return SimpleNamespace(layer=number, null=np.array(null))


def recorded(*pieces: tuple[str, list[Read]]) -> Recorder:
    recorder = Recorder()
    for text, reads in pieces:
        recorder.take(text, reads, [layer(2, 0.2, 0.4), layer(5, 1.0, 0.0)])
    return recorder


reads = st.builds(
    Read,
    st.sampled_from(["a", "b"]),
    st.integers(0, 10**7),
    st.just(10**7 + 9),
    st.integers(1, 10_000).map(lambda parts: parts / 10_000),
)


@given(
    st.lists(st.builds(TokenReads, st.text(max_size=5), st.lists(reads, max_size=8).map(tuple)), max_size=9),
    st.lists(reads, max_size=3).map(tuple),
)
def test_a_trace_comes_back_as_it_was(tokens, passages):
    layers = (LayerShare(3, (0.5, 1.0), (0.25, 0.125), True), LayerShare(7, (-1.5,), (0.0,), False))
    trace = Trace(tuple(tokens), layers, passages)
    assert Trace.unpacked(trace.packed()) == trace


def test_a_trace_of_a_long_answer_is_small():
    def spread(n: int) -> tuple[Read, ...]:
        starts = [(n * 9_777_777 + k * 3_111_111) % 4_000_000 for k in range(8)]
        return tuple(Read("d", start, start + 17, 0.1 / (k + 1)) for k, start in enumerate(starts))

    tokens = tuple(TokenReads(f" word{n}", spread(n)) for n in range(160))
    assert len(Trace(tokens, ()).packed()) < 12_000


def test_tokens_of_a_trace_are_the_text_of_the_answer():
    read = Read("d", 4, 8, 1.0)
    recorder = recorded(
        ("\n", []), (" Ten", [read]), ("", [Read("d", 40, 44, 0.5)]), ("é", [read]), (" \n", [])
    )
    trace = recorder.finished("Tené", GATES)
    assert [token.text for token in trace.tokens] == ["Ten", "é"]
    # half a character has no text: what it read belongs to the whole one
    assert {one.start for one in trace.tokens[1].reads} == {4, 40}


def test_masses_are_shares_and_gates_are_the_layers_own():
    trace = recorded(("x", [Read("d", 0, 4, 1.0), Read("d", 4, 8, 3.0)])).finished("x", GATES)
    assert [read.mass for read in trace.tokens[0].reads] == [0.75, 0.25]  # of four heads
    assert trace.layers == (
        LayerShare(2, (0.25, 0.5), (0.2, 0.4), True), LayerShare(5, (1.5, -0.5), (1.0, 0.0), False)
    )  # fmt: skip


def test_an_answer_that_read_nothing_has_no_trace_unless_passages_were_read_again():
    assert recorded(("x", [])).finished("x", GATES) is None
    again = (Read("d", 0, 100, 0.5),)
    assert recorded(("x", [])).finished("x", GATES, again).passages == again


def test_a_trace_lives_and_dies_with_its_message(shelf):
    talks, others = shelf.of("ann").talks, shelf.of("bob").talks
    talk = talks.create().id
    talks.append(talk, "user", "Who?")
    talks.append(talk, "assistant", "She.", trace=b"packed")
    talks.append(talk, "assistant", "No trace.")
    assert talks.trace(talk, 1) == b"packed" and talks.trace(talk, 2) is None
    assert talks.traced(talk) == [1]
    for call in (others.traced, lambda talk: others.trace(talk, 1)):
        with pytest.raises(Exception, match="no such talk"):
            call(talk)
    talks.truncate(talk, 1)
    assert talks.traced(talk) == []
    assert shelf.connections.db.execute("SELECT count(*) FROM traces").fetchone() == (0,)
