"""MCP: one clear line without the extra; with it, the public events are tools that a client can call."""

import asyncio
import base64
import importlib.util

import pytest

from app.command_line import commands
from tests.app.browser import FACTS, PROJECT, QUESTIONS, copied, running

HAS_EXTRA = importlib.util.find_spec("mcp") is not None
TOOLS = {"add_document", "list_shelf", "job", "control_job", "ask", "continue_text", "search", "read",
         "who_is_who", "story_so_far", "list_terms", "list_dates", "remove_document", "rename_document",
         "notes", "add_note", "delete_note", "list_libraries", "classify"}  # fmt: skip


@pytest.mark.skipif(HAS_EXTRA, reason="the extra is installed here")
def test_without_the_extra_it_is_one_line_that_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LONGMEM_HOME", str(tmp_path))
    assert commands.main(["--mcp"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1
    assert 'pip install "gradio[mcp]==' in said.err


@pytest.mark.skipif(not HAS_EXTRA, reason="gradio's extra for MCP is not installed")
def test_a_client_adds_searches_and_asks(furnished, tmp_path):
    with running(copied(furnished, tmp_path / "home"), "--mcp") as program:
        names, told = asyncio.run(called(program.url))
    assert names == TOOLS
    assert FACTS[2] in told["search"]
    assert "compass" in told["ask"] and "citations" in told["ask"]
    assert "'state': 'waiting'" in told["add_document"]
    assert "fetches nothing from the network" in told["add_document elsewhere"]
    assert "Invalid file data" in told["add_document here"]
    assert "no document" in told["job"]


async def called(url: str) -> tuple[set[str], dict[str, str]]:
    """The names of all tools, and what some of them say."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    words = base64.b64encode(b"The heron of the fen stood still. " * 20).decode()
    told = {}
    async with (
        streamablehttp_client(f"{url}gradio_api/mcp/") as (incoming, outgoing, _),
        ClientSession(incoming, outgoing) as session,
    ):
        await session.initialize()
        names = {tool.name for tool in (await session.list_tools()).tools}
        for name, given in [
            ("search", {"document": "", "query": "compass", "limit": 5}),
            ("ask", {"document": "saltmarsh", "question": QUESTIONS[2]}),
            ("add_document", {"file": f"data:text/plain;base64,{words}"}),
            ("job", {"document": "nothing like it"}),
            ("add_document elsewhere", {"file": "http://192.0.2.7/book.txt"}),
            ("add_document here", {"file": str(PROJECT / "README.md")}),
        ]:
            result = await session.call_tool(name.split()[0], given)
            told[name] = "".join(getattr(block, "text", "") for block in result.content)
        return names, told
