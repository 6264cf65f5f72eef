"""What several evaluations read from their command lines."""

from ingest.errors import BadInput


def numbers(words: str) -> tuple[int, ...]:
    """numbers("4,20") = (4, 20), numbers("") = (). Raises BadInput for anything else."""
    try:
        return tuple(int(word) for word in words.split(",") if word)
    except ValueError:
        raise BadInput(f"'{words}' is no list of numbers; write it like 4,20") from None
