"""Arguments: the numbers that a command line takes, as argparse types. Standard library only."""

import argparse
from collections.abc import Callable

MOST = 10**9


def whole(least: int, most: int = MOST) -> Callable[[str], int]:
    """An argparse type: a whole number from `least` to `most`."""

    def read(words: str) -> int:
        try:
            number = int(words)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"'{words[:40]}' is not a whole number from {least} to {most:,}")
        return number

    return read


natural = whole(0)
positive = whole(1)
thread_count = whole(1, 1024)
port_number = whole(1, 65535)
# what a random generator of PyTorch takes
seed = whole(0, 2**63 - 1)


def numbers(words: str) -> tuple[int, ...]:
    """An argparse type: numbers("4,20") = (4, 20), numbers("") = ()."""
    try:
        return tuple(int(word) for word in words.split(",") if word)
    except ValueError:
        said = f"'{words[:40]}' is no list of numbers; write it like 4,20"
        raise argparse.ArgumentTypeError(said) from None
