"""Two accounts that call the interface by hand, over plain HTTP."""

import json

import httpx

from tests.app.browser import until

ANN, BEN = ("ann", "correct-horse"), ("ben", "battery-staple")
ROWS = "text,label\n" + "\n".join(f"a {word} film {n},{word}" for n in range(4) for word in ("good", "bad"))


def given(path: str) -> dict:
    """An uploaded file as an argument of the interface."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


class Caller:
    """One account that has signed in, calling the interface by hand."""

    def __init__(self, url: str, account: tuple[str, str]):
        self.http = httpx.Client(base_url=url, timeout=240, headers={"Origin": url.rstrip("/")})
        user, password = account
        assert self.http.post("login", data={"username": user, "password": password}).status_code == 200

    def __call__(self, name: str, *data: object) -> object:
        """The last value that an endpoint gives; `Refused` with its words where it gives an error."""
        begun = self.http.post(f"gradio_api/call/{name}", json={"data": list(data)})
        assert begun.status_code == 200, (name, begun.text)
        told = self.http.get(f"gradio_api/call/{name}/{begun.json()['event_id']}").text
        event, _, last = told.strip().rpartition("\ndata: ")
        if event.endswith("event: error"):
            raise Refused(last)
        return json.loads(last)[0]

    def add(self, name: str, content: str) -> str:
        """Upload a text and put it on the shelf; its id, once it is ready."""
        (path,) = self.http.post("gradio_api/upload", files={"files": (name, content.encode())}).json()
        made = self("add", given(path), "", "", "")["id"]
        until(lambda: self("job", made)["state"] == "done")
        return made


class Refused(Exception):
    """What an endpoint says instead of a value."""
