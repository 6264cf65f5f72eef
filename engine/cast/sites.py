"""Sites: the words that make a name a place's. Small letters."""

# nobody is called so: Baker Street is not Mr. Baker
STREETS = frozenset(
    [
        "street",
        "square",
        "avenue",
        "road",
        "lodge",
        "farm",
        "inn",
        "valley",
        "parsonage",
        "terrace",
        "gardens",
    ]
    + ["island", "islands", "ocean", "sea", "bay", "harbour", "harbor", "river", "yard"]
)
# that are surnames, too, or stand before
SITES = STREETS | frozenset(
    ["lane", "hill", "park", "house", "hall", "court", "castle", "abbey", "bridge", "lake", "town", "city"]
    + ["village", "church", "cross", "green", "market", "place", "row", "wood", "forest", "port", "station"]
    + ["pool", "mount", "mont", "cape", "san", "santa", "new"]
)


def is_street(form: tuple[str, ...]) -> bool:
    """Tell whether a name ends as only places do."""
    return len(form) > 1 and form[-1] in STREETS


def is_site(form: tuple[str, ...]) -> bool:
    """Tell whether a name begins or ends as places do."""
    return form[-1] in SITES or len(form) > 1 and form[0] in SITES
