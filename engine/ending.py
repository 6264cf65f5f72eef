"""Ending: how a program that works for long is told to stop, and stops in order."""

import signal


def end_like_ctrl_c() -> None:
    """Let a service manager's stop and a closed terminal end the program as Ctrl-C does: with order.

    What the caller chose to ignore (nohup) stays ignored.
    """
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
