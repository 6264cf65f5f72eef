"""Folders of the engine, and modules beside them, that import each other in a circle: the ones known."""

from tests.test_house import MODULES, named_modules

# each a folder, or a module beside them, from which a way of imports leads back to it
KNOTS = [
    {"aside", "cast"},
    {"evaluation", "training"},
    {"marks", "shelf"},
]


def knots(arrows: dict[str, set[str]]) -> list[set[str]]:
    """Sets of names that reach each other along the arrows."""

    def reached(name: str) -> set[str]:
        found, left = set(), [name]
        while left:
            new = arrows.get(left.pop(), set()) - found
            found |= new
            left.extend(new)
        return found

    ways = {name: reached(name) for name in arrows}
    tied = {frozenset(other for other in ways[name] if name in ways[other]) for name in arrows}
    return sorted((set(one) for one in tied if one), key=sorted)


def test_the_knots_of_the_engine_are_those_that_are_known():
    arrows: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        if module.startswith("engine."):
            names = named_modules(path.read_text(encoding="utf-8"), module.rpartition(".")[0])
            others = {name.split(".")[1] for name in names if name.startswith("engine.")}
            arrows.setdefault(module.split(".")[1], set()).update(others - {module.split(".")[1]})
    assert knots(arrows) == sorted(KNOTS, key=sorted)


def test_a_knot_would_be_seen():
    assert knots({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": {"f"}, "f": {"e"}}) == [
        {"a", "b", "c"},
        {"e", "f"},
    ]
    assert knots({"a": {"b"}, "b": {"c"}, "c": set()}) == []
