"""Trouble: what a damaged or odd file makes pymupdf raise, depending on how deep the fault lies."""

import pymupdf

# a letter beyond Unicode becomes a SystemError where letters are asked for one by one
TROUBLE = (RuntimeError, ValueError, IndexError, SystemError, pymupdf.mupdf.FzErrorBase)
