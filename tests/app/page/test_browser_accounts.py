"""Accounts, a page for reading only, and what is served to whom: files, interface, foreign names."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tests.app.browser import (
    FACTS,
    PATIENCE,
    PROJECT,
    QUESTIONS,
    Program,
    answers,
    ask,
    becomes,
    call,
    copied,
    get,
    missing,
    open_book,
    running,
    visiting,
)

ANN, BEN = ("ann", "correct-horse"), ("ben", "battery-staple")


@pytest.fixture(scope="module")
def guarded(furnished, tmp_path_factory) -> Iterator[Program]:
    """The program with two accounts, for reading only."""
    if reason := missing():
        pytest.skip(reason)
    home = copied(furnished, tmp_path_factory.mktemp("guarded") / "home")
    accounts = [word for pair in (ANN, BEN) for word in ("--auth", ":".join(pair))]
    with running(home, *accounts, "--read-only") as program:
        yield program


def sign_in(page, user: str, password: str) -> None:
    page.get_by_label("username").fill(user)
    page.get_by_label("password").fill(password)
    page.get_by_role("button", name="Login").click()


def test_two_accounts_share_the_shelf_and_no_talk(chromium, guarded):
    with visiting(chromium, guarded.url) as page:
        sign_in(page, "ann", "wrong-password")
        page.wait_for_selector("text=Incorrect")
        assert page.locator(".lm-card").count() == 0
        sign_in(page, *ANN)
        page.wait_for_selector(".lm-card")
        open_book(page)
        ask(page, QUESTIONS[1])
        page.get_by_role("button", name="I have read to here").click()
        read = "() => !document.querySelector('#lm-place').innerText.includes('read 0 %')"
        page.wait_for_function(read)
        kept = page.evaluate("JSON.stringify(localStorage)")

    with visiting(chromium, guarded.url) as page:
        sign_in(page, *BEN)
        page.wait_for_selector(".lm-card")
        # even with what the other browser remembered
        page.evaluate("kept => Object.assign(localStorage, JSON.parse(kept))", kept)
        page.reload()
        page.wait_for_selector(".lm-card, .lm-leaf", state="attached")
        open_book(page)
        page.wait_for_selector("#lm-place >> text=read 0 %")
        page.wait_for_selector("#lm-talk >> text=Ask this book anything.")
        becomes(answers(page).count, 0)
        assert QUESTIONS[1] not in page.inner_text("body")

    with visiting(chromium, guarded.url) as page:
        sign_in(page, *ANN)
        page.wait_for_selector(".lm-card")
        open_book(page)
        page.locator("#lm-talk .lm-user", has_text=QUESTIONS[1]).wait_for()


def test_a_page_for_reading_only_offers_no_change_and_refuses_one(chromium, guarded):
    with visiting(chromium, guarded.url) as page:
        sign_in(page, *BEN)
        page.wait_for_selector(".lm-card")
        assert page.locator("#lm-upload input[type=file]").count() == 0
        for action in ("remove", "rename", "pause", "resume", "renew"):
            assert page.locator(f"[data-action={action}]").count() == 0, action
    origin = {"Origin": guarded.url.rstrip("/")}
    with httpx.Client(base_url=guarded.url, timeout=PATIENCE, headers=origin) as client:
        assert client.post("login", data={"username": BEN[0], "password": BEN[1]}).status_code == 200
        for name, data in {"remove": ["Saltmarsh"], "rename": ["The Keeper of Saltmarsh", "x"],
                           "control_job": [1, "resume"]}.items():  # fmt: skip
            begun = client.post(f"gradio_api/call/{name}", json={"data": data}).json()
            told = client.get(f"gradio_api/call/{name}/{begun['event_id']}").text
            assert "event: error" in told, (name, told)
        uploaded = client.post("gradio_api/upload", files={"files": ("new.txt", b"A new book. " * 20)})
        assert uploaded.status_code == 403 and "read-only" in uploaded.text
        begun = client.post("gradio_api/call/shelf", json={"data": []}).json()
        assert client.get(f"gradio_api/call/shelf/{begun['event_id']}").text.count('"id"') == 1


def test_who_has_not_signed_in_gets_nothing(guarded):
    # asked to sign in, and told nothing else
    assert "Saltmarsh" not in get(f"{guarded.url}config").text
    for path in ("gradio_api/info", "gradio_api/call/shelf", "gradio_api/queue/join", "gradio_api/upload",
                 "gradio_api/run/shelf", f"gradio_api/file={guarded.home / 'shelf.db'}"):  # fmt: skip
        for method in ("GET", "POST"):
            data = {"data": []} if method == "POST" else None
            answer = httpx.request(method, guarded.url + path, json=data)
            assert answer.status_code in (401, 403, 404, 405, 422), (method, path, answer.status_code)
    wrong = httpx.post(f"{guarded.url}login", data={"username": "ann", "password": "correct-hors"})
    assert wrong.status_code == 400


# words of the files below
GIVEN_AWAY = ("SQLite format", '"paragraphs"', "[project]", "import gradio", "root:")


def refused_files(program: Program) -> list[str]:
    """Addresses that would give away a file of this machine."""
    secrets = [program.home / "shelf.db", *program.home.glob("documents/*/document.json"),
               PROJECT / "pyproject.toml", PROJECT / "app" / "page" / "page.py", "/etc/passwd"]  # fmt: skip
    paths = []
    for secret in map(str, secrets):
        dots = "../" * 12 + secret.lstrip("/")
        coded = dots.replace("../", "%2e%2e%2f")
        paths += [f"gradio_api/file={secret}", f"gradio_api/file/{secret}", f"file={secret}",
                  f"file/{secret}", f"gradio_api/file=/{secret}",
                  f"gradio_api/file={dots}", f"gradio_api/file={coded}",
                  f"gradio_api/file={program.uploads}/{dots}", f"gradio_api/file=file://{secret}",
                  f"static/{coded}", f"assets/{coded}", f"svelte/{coded}", f"gradio_api/static/{coded}",
                  f"gradio_api/stream/x/x/0/{coded}", f"custom_component/x/client/component/{coded}",
                  f"gradio_api/proxy=http://127.0.0.1:{program.port}/gradio_api/file={secret}"]  # fmt: skip
    return paths


def test_no_file_of_this_machine_is_served(program):
    with httpx.Client(timeout=PATIENCE) as client:
        for path in refused_files(program):
            answer = client.get(program.url + path, follow_redirects=False)
            text = answer.text
            assert not any(one in text for one in GIVEN_AWAY), path
            assert answer.status_code >= 300 or "text/html" in answer.headers["content-type"], path


def test_no_file_of_this_machine_can_be_named_in_place_of_a_document(program, tmp_path):
    """The command line adds a file that is named instead of a document; the interface must not."""
    secret = tmp_path / "secret.txt"
    secret.write_text("The treasure lies under the third oak of the park. " * 5, encoding="utf-8")
    before = call(program, "shelf")
    for name, data in {"ask": [str(secret), "Where does the treasure lie?", "", ""],
                       "continue": [str(secret), "", "", 8, True], "search": [str(secret), "oak", 5],
                       "read": [str(secret), 0, 100], "job": [str(secret)]}.items():  # fmt: skip
        told = call(program, name, *data)
        assert "event: error" in told and "oak" not in told, (name, told)
    assert call(program, "shelf") == before


def test_a_site_whose_name_was_pointed_at_this_machine_gets_nothing(program):
    """DNS rebinding: another site's script would ask as if this were its own server."""
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example"):
        answer = get(f"{program.url}config", headers={"Host": host, "Origin": f"http://{host}"})
        assert answer.status_code == 403 and "Saltmarsh" not in answer.text, host
    for host in (f"127.0.0.1:{program.port}", "localhost:9", "[::1]:9", "localhost"):
        assert get(f"{program.url}config", headers={"Host": host}).status_code == 200, host


def test_another_site_may_not_read_what_the_page_says(program):
    answer = get(f"{program.url}config", headers={"Origin": "http://evil.example"})
    assert answer.headers.get("access-control-allow-origin") is None


class Elsewhere(BaseHTTPRequestHandler):
    """A site of another origin on this very machine."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>Elsewhere</title>")

    def log_message(self, *_) -> None:
        pass


# what a script of another site can send without asking, and what it would have to ask for
ATTACK = """async ([url, title]) => {
    const form = new FormData();
    form.append('files', new File(['A book of somebody else. '.repeat(20)], 'theirs.txt'));
    const rename = JSON.stringify({data: [title, 'Theirs now']});
    const tries = {
        upload: ['gradio_api/upload', {method: 'POST', body: form, mode: 'no-cors'}],
        rename: ['gradio_api/call/rename', {method: 'POST', body: rename, mode: 'no-cors'}],
        asked: ['gradio_api/call/rename',
                {method: 'POST', body: rename, headers: {'Content-Type': 'application/json'}}],
        read: ['config', {}],
    };
    const said = {};
    for (const [name, [path, options]] of Object.entries(tries)) {
        try { said[name] = (await fetch(url + path, {credentials: 'include', ...options})).type; }
        catch (error) { said[name] = 'refused'; }
    }
    said.framed = await new Promise(done => {
        const frame = document.createElement('iframe');
        frame.onload = () => done(frame.contentDocument === null ? 'closed' : 'open');
        frame.src = url;
        document.body.append(frame);
    });
    return said;
}"""


def test_a_site_of_another_origin_can_neither_call_nor_upload(chromium, program):
    def held() -> list[str]:
        return sorted(str(path) for path in program.uploads.glob("longmem-uploads-*/*/*"))

    before = call(program, "shelf"), held()
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        context = chromium.new_context()
        page = context.new_page()
        answered: dict[str, int] = {}
        page.on("response", lambda one: answered.update({one.url.removeprefix(program.url): one.status}))
        page.goto(f"http://127.0.0.1:{site.server_port}/")
        said = page.evaluate(ATTACK, [program.url, "Saltmarsh"])
        context.close()
        site.shutdown()
    assert (said["asked"], said["read"]) == ("refused", "refused")
    assert answered["gradio_api/upload"] == answered["gradio_api/call/rename"] == 403
    # a frame asks as a link does; the browser shows none of it
    assert said["framed"] == "closed"
    assert (call(program, "shelf"), held()) == before


def test_the_log_of_the_program_tells_nothing_of_the_books(guarded, program):
    for one in (guarded, program):
        said = one.said()
        assert "Traceback" not in said
        assert not any(fact in said or question in said for fact, question in zip(
            FACTS.values(), QUESTIONS.values(), strict=True))  # fmt: skip
        assert all(password not in said for _, password in (ANN, BEN))
