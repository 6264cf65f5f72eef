"""A computation that nobody waits for any more ends between two modules."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import pytest
import torch
from torch import Tensor, nn

from engine.answering.answer import Answer
from engine.answering.utterance import Utterance
from engine.sampling import Sampling
from engine.stopping import GivenUp, stopped_by


class Setting(nn.Module):
    """Sets an event as it runs, as somebody does who presses Stop meanwhile."""

    def __init__(self, stop: Event) -> None:
        super().__init__()
        self.stop = stop

    def forward(self, x: Tensor) -> Tensor:
        self.stop.set()
        return x


class Counting(nn.Module):
    """Counts how often it runs."""

    runs = 0

    def forward(self, x: Tensor) -> Tensor:
        self.runs += 1
        return x


def test_what_comes_after_stop_is_not_computed():
    stop, after = Event(), Counting()
    network = nn.Sequential(after, Setting(stop), after)
    with pytest.raises(GivenUp), stopped_by(stop):
        network(torch.ones(1))
    assert after.runs == 1
    network(torch.ones(1))  # afterwards nothing asks any more
    assert after.runs == 3


def test_what_is_stopped_already_does_not_begin():
    stop = Event()
    stop.set()
    with pytest.raises(GivenUp), stopped_by(stop):
        pytest.fail("it began")


def test_other_threads_compute_on():
    stop, other = Event(), Counting()
    with ThreadPoolExecutor(1) as threads, stopped_by(stop):
        stop.set()
        threads.submit(other, torch.ones(1)).result()
    assert other.runs == 1


def test_an_answer_that_is_stopped_while_it_is_read_says_so_and_lets_the_next_one_speak():
    stop, speaking, network = Event(), Lock(), nn.Sequential(Counting(), Counting())

    def make() -> Answer:
        stop.set()
        network(torch.ones(1))
        return Answer("read to the end")

    *_, last = Utterance(None, Sampling(), stop, speaking).read(make)
    assert last.answer.stopped
    assert last.answer.text == ""
    assert network[0].runs == 0
    assert not speaking.locked()
