"""Wording: messages of the command line in the words of the page, which has fields instead of options."""

# where the fields of the shelf are, seen from a card
SHELF = {
    " (--password)": " above, and press “Try again”",
    " (--encoding)": " above when you add the file again, after deleting it here",
}
# a table is read again as soon as its encoding is named
TABLE = {" (--encoding)": " in the field for it"}


def here(words: str, fields: dict[str, str]) -> str:
    """A message with its options replaced by what the page offers."""
    for option, field in fields.items():
        words = words.replace(option, field)
    return words
