"""sqlite-utils without pandas, which it would import for column types that nobody here uses.

Gradio brings pandas along, and importing it would double what a command needs before it can look at the
shelf (sqlite-utils 4.2.1: 0.75 s of processor time instead of 0.38 s). A name that is None in `sys.modules`
counts as not installed.
"""

import sys

_hidden = "pandas" not in sys.modules
if _hidden:
    sys.modules["pandas"] = None  # type: ignore[assignment]
try:
    import sqlite_utils
finally:
    if _hidden:
        del sys.modules["pandas"]

__all__ = ["sqlite_utils"]
