"""Which demonstrations stand in the local window."""

import random
from collections.abc import Sequence

import numpy as np


def random_rows(
    rows: np.ndarray, labels: np.ndarray, count: int, seed: int, evenly: bool = True
) -> np.ndarray:
    """Draw `count` of `rows` at random; evenly: each label in turn, so that none is missing without need.

    labels: of every row of the memory. The order is random as well.
    """
    pick = random.Random(seed)
    shuffled = pick.sample(rows.tolist(), len(rows))
    if not evenly:
        return np.array(shuffled[:count], dtype=np.int64)
    turns: dict[int, int] = {}
    order = []
    for place, row in enumerate(shuffled):
        turn = turns[labels[row]] = turns.get(labels[row], -1) + 1
        order.append((turn, place, row))
    chosen = [row for _, _, row in sorted(order)[:count]]
    pick.shuffle(chosen)
    return np.array(chosen, dtype=np.int64)


def fitting(shots: Sequence[Sequence[int]], room: int) -> list[int]:
    """List the places of the last demonstrations that `room` tokens hold, each whole or not at all."""
    kept: list[int] = []
    for place in reversed(range(len(shots))):
        if len(shots[place]) <= room:
            kept.append(place)
            room -= len(shots[place])
    return kept[::-1]
