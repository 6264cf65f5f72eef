"""Spelled: the lines of MuPDF's dictionary of a page beside their letters, each with its own box."""

import pymupdf

from ingest.pdf.trouble import TROUBLE

Spelled = tuple[dict, list[dict]]  # a line, and its letters


def spell(page: pymupdf.Page, blocks: list[dict], flags: int) -> list[Spelled]:
    """Return each line with its letters; nothing where MuPDF cannot name them one by one."""
    try:
        same = page.get_text("rawdict", flags=flags)["blocks"]
    except TROUBLE:
        return []
    pairs = (
        (line, [char for span in letters["spans"] for char in span["chars"]])
        for block, spelled in zip(blocks, same, strict=False)
        for line, letters in zip(block.get("lines", ()), spelled.get("lines", ()), strict=False)
    )
    return [
        (line, letters)
        for line, letters in pairs
        if sum(len(span["text"]) for span in line["spans"]) == len(letters)
    ]


def respell(line: dict, changed: dict[int, str]) -> None:
    """Put other text in the places of letters of a line, counted from its beginning."""
    at = 0
    for span in line["spans"] if changed else ():
        size = len(span["text"])
        span["text"] = "".join(changed.get(at + index, letter) for index, letter in enumerate(span["text"]))
        at += size
