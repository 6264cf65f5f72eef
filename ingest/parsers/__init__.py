"""Every format one file with `NAME`, `accepts(source) -> bool` and `parse(source) -> Document`.

A new format is such a file, its line in `PARSERS` (`ingest/parse.py`) and its rows in `tests/ingest/rows.py`.
"""
