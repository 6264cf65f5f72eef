"""Reports: the Markdown tables, JSON and picture that an evaluation prints and keeps in its folder."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

Row = TypeVar("Row")


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a Markdown table; a column whose head ends in ":" holds numbers and stands to the right."""
    lines = [_line([head.removesuffix(":") for head in heads])]
    lines.append("|" + "".join("---:|" if head.endswith(":") else "---|" for head in heads))
    return "\n".join([*lines, *map(_line, rows)])


def _line(cells: Sequence[object]) -> str:
    return "|" + "|".join(" " if cell == "" else f" {cell} " for cell in cells) + "|"


def keep(folder: Path, name: str, text: str, values: object) -> str:
    """Write `name`.md and `name`.json to a folder, made where it is not there; returns the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text)
    (folder / f"{name}.json").write_text(json.dumps(_plain(values), indent=2) + "\n")
    return text


def tell(folder: Path | None, name: str, text: str, values: object) -> None:
    """Print the Markdown of a result, and keep it in a folder where one is named."""
    print(text)
    if folder is not None:
        keep(folder, name, text, values)


def parts(rows: Iterable[Row], head: Callable[[Row], str], made: Callable[[list[Row]], str]) -> str:
    """Write rows as one table after another, those of one heading together."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(head(row), []).append(row)
    return "\n\n".join(f"{words}\n\n{made(part)}" for words, part in groups.items()) + "\n"


def _plain(value: object) -> object:
    """Replace NaN, which has no place in JSON, by None."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value


@contextmanager
def drawing(picture: Path, size: tuple[float, float], **grid: Any) -> Iterator[Any]:
    """Give axes to draw on, as `pyplot.subplots` makes them of `grid`, and write the picture as PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=size, **grid)
    yield axes
    figure.tight_layout()
    figure.savefig(picture, dpi=110)
    pyplot.close(figure)
