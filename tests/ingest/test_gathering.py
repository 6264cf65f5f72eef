"""Gathering: folders, Calibre libraries and feeds, made here, and what of them is taken."""

import sqlite3
from pathlib import Path

import pytest

from ingest.errors import BadInput
from ingest.gathering import gather

FEED = """<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom">
 <entry><title>Emma</title><author><name>Jane Austen</name></author><author><name>An Editor</name></author>
  <link rel="http://opds-spec.org/acquisition/open-access" href="books/emma%201.pdf"/>
  <link rel="http://opds-spec.org/acquisition" href="books/emma.epub"/>
  <link rel="http://opds-spec.org/image" href="cover.jpg"/></entry>
 <entry><title>Elsewhere</title><link rel="enclosure" href="https://example.org/far.epub"/></entry>
 <entry><title>Outside</title><link rel="enclosure" href="../../secret.txt"/></entry>
 <entry><title>A section</title><link rel="subsection" href="more.xml"/></entry>
</feed>"""


@pytest.fixture
def folder(tmp_path) -> Path:
    """Books two levels deep, beside what is none."""
    for name in ("b.txt", "a/c.EPUB", "a/.hidden.txt", ".git/d.txt", "a/cover.jpg", "a/deep/e.md"):
        (tmp_path / "books" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "books" / name).write_text("words")
    return tmp_path / "books"


def calibre(folder: Path) -> Path:
    """Make the parts of Calibre's database that are read."""
    folder.mkdir()
    with sqlite3.connect(folder / "metadata.db") as db:
        db.executescript(
            "CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT, path TEXT);"
            "CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT);"
            "CREATE TABLE books_authors_link (id INTEGER PRIMARY KEY, book INTEGER, author INTEGER);"
            "CREATE TABLE data (id INTEGER PRIMARY KEY, book INTEGER, format TEXT, name TEXT);"
            "INSERT INTO books VALUES (1, 'Good Omens', 'Pratchett/Good Omens (1)'), (2, 'Bad', '../../etc'),"
            " (3, 'Paper only', 'Nobody/Paper (3)');"
            "INSERT INTO authors VALUES (5, 'Pratchett, Terry'), (6, 'Neil Gaiman');"
            "INSERT INTO books_authors_link VALUES (1, 1, 6), (2, 1, 5);"
            "INSERT INTO data VALUES (1, 1, 'PDF', 'omens'), (2, 1, 'EPUB', 'omens'), (3, 2, 'TXT', 'b');"
        )
    db.close()
    return folder


def test_a_folder_is_looked_through_and_each_file_taken_once(folder):
    found = [one.path.relative_to(folder).as_posix() for one in gather([str(folder), str(folder / "b.txt")])]
    assert found == ["b.txt", "a/c.EPUB", "a/deep/e.md"]


def test_a_file_is_taken_whatever_it_is_called(folder):
    named = [folder / "a" / "cover.jpg", folder / "nowhere.txt"]
    assert [one.path for one in gather([str(path) for path in named])] == named


@pytest.mark.parametrize("by_name", ["", "metadata.db"])
def test_calibre_tells_titles_and_authors(tmp_path, by_name):
    library = calibre(tmp_path / "calibre")
    good, bad, paper = gather([str(library / by_name)])
    assert good.path == library / "Pratchett/Good Omens (1)/omens.epub"
    assert (good.title, good.author, good.refusal) == ("Good Omens", "Neil Gaiman & Pratchett, Terry", "")
    assert "out of the Calibre library" in bad.refusal
    assert paper.path.name == "Paper (3)"  # no file, and so refused when it is added


def test_a_damaged_calibre_library_is_refused_in_one_line(tmp_path):
    (tmp_path / "metadata.db").write_bytes(b"no database" * 100)
    with pytest.raises(BadInput, match="no Calibre library that can be read"):
        list(gather([str(tmp_path)]))


def test_a_feed_names_files_beside_it(tmp_path):
    feed = tmp_path / "shelf" / "feed.xml"
    feed.parent.mkdir()
    feed.write_text(FEED)
    emma, far, outside = gather([str(feed)])
    assert emma.path == feed.parent / "books" / "emma.epub"
    assert (emma.title, emma.author, emma.refusal) == ("Emma", "Jane Austen & An Editor", "")
    assert "another machine" in far.refusal and "out of the feed's folder" in outside.refusal


def test_another_xml_file_is_a_document_itself(tmp_path):
    book = tmp_path / "book.xml"
    book.write_text("<FictionBook><body/></FictionBook>")
    assert [one.path for one in gather([str(book)])] == [book]
