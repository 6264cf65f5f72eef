"""Every format one file with `NAME`, `accepts(source) -> bool` and `parse(source) -> Document`.

A new format is such a file, its row in `ingest/formats.py` and its rows in `tests/ingest/test_formats.py`.
"""
