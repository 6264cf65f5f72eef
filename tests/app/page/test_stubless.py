"""The page's start: Gradio writes no stubs for editors, which would take longer than all of our own."""

import inspect
from pathlib import Path

import gradio as gr
import pytest
from gradio import component_meta

from app.page.stubless import without_stubs


def test_gradio_writes_no_stubs_while_it_is_imported(monkeypatch):
    written = []
    monkeypatch.setattr(component_meta, "create_pyi", lambda code, events: written.append(code) or code)
    with without_stubs():
        component_meta.create_or_modify_pyi(gr.Textbox, "Textbox", [])
        assert inspect.getfile(Path).endswith("pathlib.py")
        with pytest.raises(OSError, match="Textbox"):
            inspect.getfile(gr.Textbox)
    assert written == []
    assert inspect.getfile(gr.Textbox).endswith("textbox.py")
