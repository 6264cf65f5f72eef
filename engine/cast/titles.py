"""Titles: the words that stand before a name, in one place for all that read them. Small letters, no dot."""

MALE = frozenset(
    ["mr", "sir", "lord", "king", "prince", "father", "brother", "uncle", "monsieur", "herr", "don"]
)
FEMALE = frozenset(
    ["mrs", "miss", "ms", "lady", "madame", "madam", "queen", "princess", "mother", "sister", "aunt",
     "mademoiselle", "frau", "dame"]
)  # fmt: skip
OTHER = frozenset(
    ["dr", "doctor", "professor", "prof", "captain", "capt", "colonel", "col", "major", "general"]
    + ["lieutenant", "lt", "sergeant", "inspector", "reverend", "rev", "judge", "saint", "st", "count"]
    + ["baron", "m", "mme", "cousin", "old", "young", "little"]
)
TITLES = MALE | FEMALE | OTHER
# that tell two bearers of one surname apart
RANKS = frozenset(["mr", "mrs", "miss", "lady", "sir", "colonel", "captain", "general", "king", "queen"])
# that are words of their own as often: no name need follow
LOOSE = frozenset(["old", "young", "little", "m", "st"])
FIRM = TITLES - LOOSE
# as a pattern of what stands before a name, with a capital; the longer ones first
PATTERN = "|".join(
    sorted((one.capitalize() for one in TITLES - {"m"} | {"master", "countess", "duke", "duchess"}),
           key=lambda one: (-len(one), one))
)  # fmt: skip
