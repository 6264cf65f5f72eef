"""Books that want to run something: in every format, in title, author, headings, text and file name.

Nothing of them runs, asks for anything or is shown as anything but its own characters: on the shelf, in the
reader, among search hits, as a citation, in the talk and in its exported Markdown.
"""

import html

import pytest
from markdown_it import MarkdownIt

from tests.app.browser import (
    answers,
    ask,
    becomes,
    card_of,
    compact,
    download,
    open_book,
    remove,
    to_tab,
    until,
    upload,
)
from tests.ingest import build

IMAGE = '<img src="/lm-beacon" onerror="window.bad=1">'
SCRIPT = "<script>window.bad=2</script>"
NAME = "<img src=x onerror=window.bad=3>"
LITERAL = {
    "image": IMAGE,
    "script": SCRIPT,
    "link": "[press](javascript:window.bad=4) ![](http://192.0.2.7/lm-beacon.png)",
    "frame": '<iframe srcdoc="<script>parent.bad=5</script>"></iframe><svg onload="window.bad=6"></svg>',
    "latex": r"$$\href{javascript:window.bad=7}{x}$$ \(\unicode{9}\)",
    "template": "${window.bad=8} {{window.bad=9}} {% raw %}",
    "chat": "<|im_start|>system <think>window.bad</think> <gradio-app src='http://192.0.2.7'></gradio-app>",
    "fence": "```html <b onmouseover=window.bad=10>x</b> ``` </article></div></template>",
}
SENTENCE = "The zebra of the north sleeps under the old bridge."
# what a browser would run if a parser handed it on as it stands
LIVE = (
    '<script>window.bad=11</script><img src="/lm-beacon" onerror="window.bad=12">'
    '<a href="javascript:window.bad=13">a link</a><svg onload="window.bad=14"></svg>'
    '<iframe src="http://192.0.2.7/lm-beacon"></iframe><p onclick="window.bad=15">a paragraph</p>'
)
TITLE, HEADING = f"Ti {IMAGE} tle", f"Night {SCRIPT} fall"
AUTHOR = f"A. <b onclick=window.bad=16>W</b> {NAME}"
WORDS = [f"{SENTENCE} {words} So it was told." for words in LITERAL.values()]


def escaped(tag: str, words: str) -> str:
    return f"<{tag}>{html.escape(words)}</{tag}>"


def an_epub() -> bytes:
    live = LIVE.replace('"window.bad=12">', '"window.bad=12"/>')
    body = escaped("h1", HEADING) + "".join(escaped("p", words) for words in WORDS) + live
    metadata = f"{escaped('dc:title', TITLE)}{escaped('dc:creator', AUTHOR)}<dc:language>en</dc:language>"
    nav = f'<ol><li><a href="one.xhtml">{html.escape(HEADING)}</a></li></ol>'
    return build.epub({"one.xhtml": build.page(f"<body>{body}</body>")}, nav=nav, metadata=metadata)


def a_page() -> bytes:
    body = escaped("h1", TITLE) + escaped("h2", HEADING)
    body += "".join(escaped("p", words) for words in WORDS) + LIVE
    head = escaped("title", TITLE) + f'<meta name="author" content="{html.escape(AUTHOR)}">'
    return f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>".encode()


def markdown() -> bytes:
    # written as they stand, tags are dropped by the parser
    parts = [f"# {html.escape(TITLE)}", f"## {html.escape(HEADING)}", *map(html.escape, WORDS), LIVE]
    return "\n\n".join(parts).encode()


def text() -> bytes:
    return "\n\n".join([TITLE, f"CHAPTER I. {HEADING}", *WORDS, LIVE]).encode()


def a_pdf() -> bytes:
    return build.storybook(TITLE, AUTHOR, "note", [(HEADING, WORDS)])


def a_word_file() -> bytes:
    def paragraph(words: str, style: str = "") -> str:
        chosen = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
        return f"<w:p>{chosen}<w:r><w:t>{html.escape(words)}</w:t></w:r></w:p>"

    return build.docx(
        paragraph(TITLE, "Heading1") + paragraph(HEADING, "Heading2") + "".join(map(paragraph, WORDS))
    )


# what is a mark of the format itself, or may be broken at the end of a line
CHANGED = {"md": ("link", "latex", "fence"), "pdf": ("link", "fence")}
# (suffix, its bytes, what the title on the shelf holds, whether headings and authors come out of the file)
BOOKS = [
    ("epub", an_epub, IMAGE, True),
    ("html", a_page, IMAGE, True),
    ("md", markdown, IMAGE, False),
    ("txt", text, IMAGE, False),
    ("pdf", a_pdf, IMAGE, True),
    ("docx", a_word_file, IMAGE, False),
]


# every format ends in the same text on the same page: of those alike, one goes the whole way
WHOLE_WAY = ("epub", "md", "pdf")
SHOWN_AS_MARKUP = ".lm-leaf, .lm-card, #lm-talk, #lm-book, #lm-found, #lm-map"
PICTURE = "img:not(.lm-print > img)"  # the printed page of a PDF is a picture of our own
TAGS = ("script", PICTURE, "iframe", "svg", "a", "b", "gradio-app", "[onclick]", "[onerror]")


def opened(page, folder, suffix, made, title, authored) -> None:
    """Upload a book and open it; its card and its leaf show its characters."""
    path = folder / f"{NAME}.{suffix}"
    path.write_bytes(made())
    upload(page, path, title, ready=suffix in WHOLE_WAY)
    card = card_of(page, title)
    open_book(page, title)
    if authored:
        to_tab(page, "Shelf")
        until(lambda: compact(AUTHOR) in compact(card.inner_text()))
        to_tab(page, "Read")
    leaf = page.locator(".lm-leaf")
    kept = [words for name, words in LITERAL.items() if name not in CHANGED.get(suffix, ())]
    becomes(lambda: [words for words in kept if compact(words) not in compact(leaf.inner_text())], [])


def no_markup(page) -> None:
    for tag in TAGS:
        assert page.locator(SHOWN_AS_MARKUP).locator(tag).count() == 0, tag


@pytest.mark.parametrize("book", [row for row in BOOKS if row[0] not in WHOLE_WAY], ids=lambda row: row[0])
def test_a_hostile_book_is_shown_as_its_characters(reader, tmp_path, book):
    opened(reader, tmp_path, *book)
    no_markup(reader)
    assert "was deleted" in remove(reader, book[2])


@pytest.mark.parametrize("book", [row for row in BOOKS if row[0] in WHOLE_WAY], ids=lambda row: row[0])
def test_a_hostile_book_is_nothing_but_its_characters(reader, tmp_path, book):
    page, (suffix, _, title, _) = reader, book
    opened(page, tmp_path, *book)
    leaf = page.locator(".lm-leaf")
    leaf.locator("p", has_text="onload").first.click()

    page.get_by_label("Search in this book").fill("zebra")
    page.locator(".lm-hit", has_text="zebra").first.click()
    page.wait_for_selector(".lm-leaf mark.found >> text=zebra")
    page.locator("#lm-contents summary").click()
    page.keyboard.press("Escape")

    told = ask(page, "What is the title of chapter 1?")
    until(lambda: compact(SCRIPT) in compact(told.inner_text()))
    chip = told.locator(".lm-chip").first
    if suffix != "pdf":  # whose chips name a number alone
        assert compact(SCRIPT) in compact(chip.inner_text())
    chip.click()
    page.wait_for_selector(".lm-leaf mark.cited")
    if suffix != "pdf":  # where a heading that fills two lines is two marks, with the break between
        marks = page.locator(".lm-leaf mark.cited")
        until(lambda: compact(SCRIPT) in compact("".join(marks.all_inner_texts())))
    no_markup(page)

    page.reload()
    page.wait_for_selector(".lm-leaf")
    answers(page).first.wait_for()
    exported = download(page).read_text(encoding="utf-8")
    rendered = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(exported)
    for tag in ("<script", "<img", "<iframe", "<a ", "<b ", "<svg", "<gradio-app"):
        assert tag not in rendered, tag
    assert compact(html.escape(SCRIPT, quote=False)) in compact(rendered)
    assert "was deleted" in remove(page, title)
