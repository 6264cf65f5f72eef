"""What went wrong on the machine's side; what the user got wrong is `ingest.errors.BadInput`."""


class Failure(RuntimeError):
    """The work could not be done although the input was fine; the message says what to do (exit code 1)."""
