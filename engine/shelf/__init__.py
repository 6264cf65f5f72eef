"""The shelf: the documents of one data folder with their jobs, talks and full text.

shelf.py        Shelf, Entry: add, find, rename, remove; document.json and the copy of the source file
jobs.py         Job, Jobs: work that other processes can watch, pause and cancel; runner.py takes it in turn
talks.py        Talk, Message, Talks; transcript.py exports one as Markdown
fulltext.py     FullText: one FTS5 file per document; words.py cuts text and queries into words
connections.py  SQLite connections (one per thread), migrations.py the schema, sqlite.py the library
leftovers.py    what a killed program left, swept at the next start
identifiers.py, titles.py, report.py, terms.py: ids, names, a job's progress, words of a query
"""
