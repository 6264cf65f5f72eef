"""The one error that tells a person what to do: its message is a single clear line."""


class BadInput(ValueError):
    """Something the user gave cannot be used; the message says what to do instead (exit code 2)."""
