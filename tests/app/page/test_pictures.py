"""Pictures of a book over the page's own address: which are given, and to whom."""

import httpx
import pytest

from tests.app.browser import get
from tests.app.conftest import serving
from tests.ingest.build import epub, page
from tests.ingest.test_form import FILLER, picture, printed


@pytest.fixture(scope="module")
def illustrated(tmp_path_factory):
    path = tmp_path_factory.mktemp("books") / "cats.epub"
    body = page("<body><p>A <i>cat</i>.</p><img src='c.png' alt='Tom'/></body>")
    path.write_bytes(epub({"one.xhtml": body}, extra={"OPS/c.png": picture()}))
    return path


def added(served, path):
    """The entry of a book that was read there, and its one picture."""
    library = served.desk.assistant.library
    entry, _ = library.shelf.add(path)
    library.keep(entry.id, library.intake.read(entry.id))
    return entry, library.document(entry.id).pictures[0]


def library_cover(served, identifier: str) -> str:
    return served.desk.assistant.library.document(identifier).cover


def test_a_picture_is_given_from_its_document_and_cannot_run(
    tmp_path, tiny_folder, upload_folder, illustrated
):
    with serving(tmp_path, tiny_folder) as served:
        entry, shown = added(served, illustrated)
        address = f"{served.url}lm/pictures/{entry.id}/"
        whole = get(served.url)
        assert whole.headers["content-encoding"] == "gzip" and "lm-reader" in whole.text
        assert whole.num_bytes_downloaded < 120_000
        answer = get(address + shown.name)
        assert (answer.status_code, answer.content) == (200, picture())
        assert answer.headers["content-type"] == "image/png"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        view = served.visit.reading.open(entry.id)
        leaf = served.visit.reading.leaf_html(view)
        # leaves that are fetched as one scrolls are the same as the one that was opened, and nothing else is
        fetched = get(f"{served.url}lm/leaves/{entry.id}/0")
        assert fetched.text in leaf and "sandbox" in fetched.headers["Content-Security-Policy"]
        for other in (f"{entry.id}/99", "nothing/0", f"{entry.id}/-1"):
            assert get(f"{served.url}lm/leaves/{other}").status_code == 404
        assert f'src="lm/pictures/{entry.id}/{shown.name}" alt="Tom"' in leaf
        cover = get(f"{served.url}lm/covers/{entry.id}")
        named = library_cover(served, entry.id)
        assert (cover.status_code, named in ("", shown.name)) == (200 if named else 404, True)
        assert "sandbox" in cover.headers["content-security-policy"]
        assert f'src="lm/covers/{entry.id}"' in served.visit.cards()
        others = ["0" * 24 + ".png", "document.json", "../document.json", "..%2Fdocument.json", "source.epub"]
        for name in others:
            assert get(address + name).status_code == 404, name
        assert get(f"{served.url}lm/pictures/{'0' * 12}/{shown.name}").status_code == 404
        (served.home / "documents" / entry.id / "pictures" / shown.name).unlink()
        assert get(address + shown.name).status_code == 404


def test_a_printed_page_is_drawn_with_what_is_cited(tmp_path, tiny_folder, upload_folder):
    path = tmp_path / "heron.pdf"
    path.write_bytes(printed(f"<p>So very odd it was.</p>{FILLER}", FILLER))
    with serving(tmp_path / "home", tiny_folder) as served:
        library = served.desk.assistant.library
        entry, _ = library.shelf.add(path)
        library.keep(entry.id, library.intake.read(entry.id))
        address = f"{served.url}lm/pages/{entry.id}/"
        plain, marked = get(address + "0"), get(address + "0?marked=3-11")
        assert plain.headers["content-type"] == marked.headers["content-type"] == "image/png"
        assert plain.content[:4] == b"\x89PNG" and plain.content != marked.content
        for name in ("2", "-1", "x", "../document.json"):
            assert get(address + name).status_code == 404, name
        reading = served.visit.reading
        assert f'src="lm/pages/{entry.id}/0"' in reading.leaf_html(reading.open(entry.id))


def test_pictures_are_for_those_who_may_open_the_page(tmp_path, tiny_folder, upload_folder, illustrated):
    with serving(tmp_path, tiny_folder, [("ann", "correct-horse")]) as served:
        entry, shown = added(served, illustrated)
        address = f"{served.url}lm/pictures/{entry.id}/{shown.name}"
        assert get(address).status_code == 401
        with httpx.Client() as ann:
            ann.post(f"{served.url}login", data={"username": "ann", "password": "correct-horse"})
            assert ann.get(address).status_code == 200
