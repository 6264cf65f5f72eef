"""How the file of a document is read: a scan is refused, and its text recognised when that is asked for."""

import pytest

from engine.library import Library
from engine.paths import Paths
from ingest.errors import BadInput
from ingest.parse import parse
from ingest.recognition.sheet import keep_sheet, read_sheets
from tests.ingest.test_recognition import scan, sheet


@pytest.fixture
def scanned(tmp_path):
    path = tmp_path / "scan.pdf"
    path.write_bytes(scan(3))
    return path


@pytest.fixture
def library(tmp_path, tiny_folder):
    def recognise(path, *, sheets, language, password, name, report):
        asked.append((language, password, name))
        for number in range(len(read_sheets(sheets)), 3):
            report(number, 3)
            keep_sheet(sheets, number, sheet(number))
            if len(asked) == 1:
                made.shelf.jobs.pause(made.shelf.jobs.all()[-1].id)

    asked: list = []
    made = Library(Paths(tmp_path / "home"), parse, model=str(tiny_folder), recognise=recognise)
    made.asked = asked
    return made


def test_a_refused_scan_is_recognised_and_goes_on_where_it_was_paused(library, scanned):
    jobs = library.shelf.jobs
    entry, _ = library.shelf.add(scanned)
    job = library.enqueue(entry.id, password="sesame")
    with pytest.raises(BadInput, match=r"looks scanned.*\(--ocr\)"):
        jobs.run(job.id, library.work)
    library.resume(job.id, password="sesame", ocr="deu")
    paused = jobs.run(job.id, library.work)
    assert paused.state == "paused"
    library.resume(job.id)
    assert jobs.run(job.id, library.work).state == "done"
    assert library.asked == [("deu", "sesame", "scan.pdf")] * 2
    assert "recognised in pictures" in library.shelf.get(entry.id).warnings[0]
    assert library.document(entry.id).pages[2].sure == 90
    # what was recognised is read again without an engine
    assert library.intake.read(entry.id).text == library.document(entry.id).text


def test_a_text_that_is_there_is_not_read_otherwise(library, scanned):
    library.asked.append("no pause")
    entry = library.add(scanned, ocr="deu")
    assert library.add(scanned).id == library.add(scanned, ocr="deu").id == entry.id
    with pytest.raises(BadInput, match="without this text recognition.*remove it there first"):
        library.add(scanned, ocr="eng")


def test_where_nothing_recognises_that_is_said(scanned, tmp_path, tiny_folder):
    library = Library(Paths(tmp_path / "home"), parse, model=str(tiny_folder))
    with pytest.raises(BadInput, match="not offered here"):
        library.add(scanned, ocr="auto")
    assert library.shelf.entries() == []
