"""How many threads take a product: chosen by measurement, for few tokens, and now and then anew."""

from types import SimpleNamespace

import pytest
import torch

from engine import threads
from engine.model import Model
from engine.paths import Paths
from engine.threads import EVERY, FEW, Crew, halves, pace


@pytest.fixture
def crew(monkeypatch):
    """A crew of four on a machine whose clock and pace the test sets; it begins with two quickest."""
    machine = SimpleNamespace(now=1.0, paces={4: 1.0, 2: 3.0, 1: 2.0}, asked=0, crew=Crew(4))

    def measured(count: int) -> float:
        machine.asked += 1
        torch.set_num_threads(count)
        return machine.paces[count]

    before = torch.get_num_threads()
    monkeypatch.setattr(threads, "pace", measured)
    monkeypatch.setattr(threads.time, "monotonic", lambda: machine.now)
    yield machine
    torch.set_num_threads(before)


def test_few_tokens_are_read_by_the_quickest_and_many_by_all(crew):
    crew.crew.gather(1)
    assert torch.get_num_threads() == 2
    crew.crew.gather(FEW + 1)
    assert torch.get_num_threads() == 4
    crew.crew.gather(FEW)
    assert torch.get_num_threads() == 2


def test_a_choice_holds_for_a_while_and_is_made_anew_then(crew):
    crew.crew.gather(1)
    crew.paces[1] = 9.0
    crew.crew.gather(1)
    assert (torch.get_num_threads(), crew.asked) == (2, 3)
    crew.now += EVERY + 0.1
    crew.crew.gather(1)
    assert (torch.get_num_threads(), crew.asked) == (1, 6)


def test_a_single_thread_measures_nothing(crew):
    Crew(1).gather(1)
    assert crew.asked == 0


@pytest.mark.parametrize(("most", "tried"), [(1, [1]), (2, [2, 1]), (6, [6, 3, 1]), (16, [16, 8, 4, 2, 1])])
def test_all_threads_are_tried_and_half_of_them_and_so_on(most, tried):
    assert halves(most) == tried


def test_a_pace_is_measured():
    assert pace(torch.get_num_threads()) > 0


def test_the_program_chooses_anew_where_its_model_is_on_the_processor(tmp_path, tiny_folder):
    backbone = Model(Paths(tmp_path), str(tiny_folder)).backbone
    assert backbone.crew is not None and backbone.crew.most == torch.get_num_threads()
