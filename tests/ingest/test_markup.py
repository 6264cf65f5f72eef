"""What becomes of one element and its neighbours: rows of mark-up and the text that is right."""

import pytest

from ingest.errors import BadInput
from ingest.limits import Limits
from ingest.parse import parse
from tests.ingest.build import epub, page
from tests.ingest.invariants import check_document

HIGH = (
    "vertical-align:super; font-size: 70%",
    "VERTICAL-ALIGN : 0.4em",
    "vertical-align: 30%",
    "position: relative; top: -.4em",
)
LOW = ("vertical-align: sub", "vertical-align:-0.3em", "vertical-align: 0.0em", "vertical-align:baseline")
RULES = (
    ".up{vertical-align:super}", "p > i.up, .x { /* } */ font-size: 8pt; vertical-align: super }",
    ".x{top:0}\n.y .up {vertical-align: text-top}",
)  # fmt: skip


def math(inner: str, words: str = "") -> str:
    told = f" alttext='{words}'" if words else ""
    return f"<math xmlns='http://www.w3.org/1998/Math/MathML'{told}>{inner}</math>"


X, Y = (
    "<msup><mi>x</mi><mn>2</mn></msup>",
    "<mfrac><mi>a</mi><mrow><mi>b</mi><mo>+</mo><mn>1</mn></mrow></mfrac>",
)
SVG = "<svg xmlns='http://www.w3.org/2000/svg'><title>no</title>{}</svg>"
W = "<span style='float:left'>W</span>"

MATH = "http://www.w3.org/1998/Math/MathML"


def switch(space: str, inside: str) -> str:
    """What stands in a page in one form for who knows it, and as "plain" for all others."""
    case = f"<epub:case required-namespace='{space}'>{inside}</epub:case>"
    other = "<epub:case required-namespace='urn:none'>none</epub:case>"
    return f"<epub:switch>{other}{case}<epub:default>plain</epub:default></epub:switch>"


FLOATS, LARGE = "<style>.q {{float: left}}</style>", "<style>p.q {{float: left; font-size: 3em}}</style>"
SHEETED = (  # what a style sheet floats
    (LARGE, "<p class='q'>S</p>\n<p>ummer came.</p>", "Summer came."),
    (FLOATS, "<div class='q'><b>S</b></div><p>ummer came.</p>", "Summer came."),
    (FLOATS, "<p><span class='q'>S</span></p><p>ummer came.</p>", "Summer came."),
    ("<style>.q{{font-size:250%;margin:0;float:left}}</style>", "<p class='q'>S</p><p>ummer</p>", "Summer"),
    (LARGE, "<p class='q'>S</p><!-- no word --><p>Ummer came.</p>", "S\n\nUmmer came."),
    (LARGE, "<p class='q'>S</p><p>some words in S</p>", "S\n\nsome words in S"),
    (LARGE, "<p class='r'>S</p><p>ummer came.</p>", "S\n\nummer came."),
    (LARGE, "<p class='q'>A</p><p>fter that, after all.</p>", "After that, after all."),
    (LARGE, "<p class='q'>A</p><p>boat was there.</p>", "A\n\nboat was there."),
    (LARGE, "<p class='q'>S</p><p>ummer.</p><p class='q'>W</p><p>inter.</p>", "Summer.\n\nWinter."),
    (FLOATS, "<p class='q'>B</p><p>none.</p><p class='q'>C</p><p>all.</p>", "B\n\nnone.\n\nC\n\nall."),
    (FLOATS, "<p class='q'>B</p><h2>none</h2>", "B\n\nnone"),
    ("<style>.q{{font-size:3em}}</style>", "<p class='q'>S</p><p>ummer came.</p>", "S\n\nummer came."),
)
PICTURED = (
    ("<img alt='$x^2$' src='a.gif'/>", "$x^2$"), ("<img alt='{\\displaystyle x}'/>", "{\\displaystyle x}"),
    ("<img class='a tex' alt='x+1'/>", "x+1"), ("<img role='math' alt='x squared'/>", "x squared"),
    ("<img class='mwe-math-fallback-image-inline' aria-hidden='true' alt='x'/>", "x"),
    ("<span class='inlineequation'><span><img alt='a/b'/></span></span>", "a/b"),
    ("<img src='https://latex.codecogs.com/png.latex?x' alt='y'/>", "y"),
)  # fmt: skip
NO_FORMULA = (
    "alt='A ship'", "class='tex' alt='formula'", "class='math' alt='Equation (12)'", "alt='$5'",
    "class='tex' alt='eq1.gif'", "class='mathematician' alt='Gauss'", "class='tex'",
)  # fmt: skip
ROWS = (
    # first letters
    ("<p><img alt='O'/>nce upon a time</p>", "Once upon a time"),
    ("<div><img alt='O'/></div><p>nce upon a time</p>", "Once upon a time"),
    ("<p><img alt='Illuminated letter O'/>NCE upon a time</p>", "ONCE upon a time"),
    ("<p><img alt='“I'/>t was late</p>", "“It was late"),
    ("<p><img alt='A'/> long time ago</p>", "A long time ago"),
    (f"{W}<p>inter came</p>", "Winter came"),
    (f"<p>{W}inter came</p>", "Winter came"),
    (f"<p>{W} inter came</p>", "Winter came"),
    ("<div class='dropcap'>W</div><p>inter came</p>", "Winter came"),
    (f"<p>Before.</p>{W}<p>Next one.</p>", "Before.\n\nW Next one."),
    (f"<p>Before.</p>{W}", "Before.\n\nW"),
    ("<p><img alt='A ship at sea'/>nce upon a time</p>", "nce upon a time"),
    ("<p><img alt='A'/>The picture</p>", "The picture"),
    ("<p><img alt='T'/></p><h2>INTRODUCTION</h2><p>Text.</p>", "INTRODUCTION\n\nText."),
    ("<p>A star <img alt='X'/>marks it</p>", "A star marks it"),
    ("<h2>A</h2><p>aardvark</p>", "A\n\naardvark"),
    (f"<p>{SVG.format('<text>T</text>')}he mill</p>", "The mill"),
    *((sheet.format() + body, read) for sheet, body, read in SHEETED),
    # drawn words
    (SVG.format("<text>The fox<tspan x='0'>ran</tspan></text><text>home.</text>"), "The fox ran\nhome."),
    (f"<p>Key <b>{SVG.format('<text>F1</text>')}</b> helps</p>", "Key F1 helps"),
    (SVG.format("<desc>no</desc><style>no</style><path/>") + "<p>Text.</p>", "Text."),
    # formulas
    (f"<p>{math(X)} is {math(Y)}</p>", "x^2 is a/(b+1)"),
    (f"<p>{math(X, 'formula')} is {math(Y, 'formula')}</p>", "x^2 is a/(b+1)"),
    (f"<p>{math(X, 'x^{2}')}</p>", "x^{2}"),
    (f"<p>{math('', 'A square')}</p>", "A square"),
    (f"<p>{math(f'<semantics>{X}<annotation>x^2 no</annotation></semantics>')}</p>", "x^2"),
    # pictures of formulas
    *((f"<p>Here {picture} is.</p>", f"Here {words} is.") for picture, words in PICTURED),
    ("<p><img class='math' alt='X'/> is one.</p>", "X is one."),
    (f"<p>So <span>{math(X)}</span><img class='tex' alt='x^2'/> is.</p>", "So x^2 is."),
    (f"<p>So <b style='display:none'>{math(X)}</b><img class='tex' alt='x^2'/> is.</p>", "So x^2 is."),
    ("<div class='equation'><img alt='E = mc^2'/></div><p>So.</p>", "E = mc^2\n\nSo."),
    *(
        (f"<p>a <img class='tex' alt='{one}' src='1'/> b <img class='tex' alt='{one}' src='2'/></p>", read)
        for one, read in (("an eq", "a b"), ("x", "a x b x"), ("x + 1", "a x + 1 b x + 1"))
    ),
    *((f"<p>Here <img {said}/> is.</p>", "Here is.") for said in NO_FORMULA),
    # raised signs
    ("<p>10<sup>5</sup> of them</p>", "10^5 of them"),
    (
        "<p>10<sup>−19</sup> C, 5 km<sup>2</sup>, s<sup>-1</sup>, x<sup>n</sup></p>",
        "10^−19 C, 5 km^2, s^-1, x^n",
    ),
    ("<p>physics<sup>1,2</sup> and law.<sup>3</sup></p>", "physics[1,2] and law.[3]"),
    ("<p>the 19<sup>th</sup>, M<sup>me</sup> B, word<sup>*</sup></p>", "the 19th, Mme B, word*"),
    ("<p><sup>3</sup>And God said <sup>4</sup>that</p>", "3 And God said 4 that"),
    ("<p>3<sup>1</sup>/<sub>2</sub> and <sup>1</sup>⁄<sub>4</sub></p>", "3 1/2 and 1⁄4"),
    ("<p>(a+b)<sup>2</sup>, in 1984<sup>7</sup></p>", "(a+b)^2, in 1984[7]"),
    ("<table><tr><td>10<sup>5</sup></td><td>a</td></tr></table>", "10^5 | a"),
    ("<p>W<sup>m</sup> B., in 165<sup>0</sup>/1</p>", "Wm B., in 1650/1"),
    ("<p>3<sup>1</sup>/2 or 3<sup>11</sup>/16, of <sup>1</sup>/2</p>", "3 1/2 or 3 11/16, of 1/2"),
    ("<p>H<sub>2</sub>O</p>", "H2O"),
    ("<p>20<sup>o</sup>C, N<sup>o</sup> 4</p>", "20°C, No 4"),
    *((f"<p>10<span style='{high}'>5</span> of them</p>", "10^5 of them") for high in HIGH),
    *((f"<p>10<span style='{low}'>5</span> of them</p>", "105 of them") for low in LOW),
    *((f"<style>{rule}</style><p>10<i class='b up'>5</i> of them</p>", "10^5 of them") for rule in RULES),
    ("<style>.up{vertical-align: super}</style><p>Word<a class=up href='#n1'>1</a>.</p>", "Word[1]."),
    (f"<p>1<span style='{HIGH[0]}'>2 and all that is raised</span></p>", "12 and all that is raised"),
    # references to notes
    ("<p>Word<a href='#n1'><sup>1</sup></a> and<sup><a href='#n2'>2</a></sup>.</p>", "Word[1] and[2]."),
    ("<p>Word<a epub:type='noteref' href='#n1'><img alt='note icon' src='n.png'/></a>.</p>", "Word[note]."),
    ("<p>Word<sup><a href='#n1'><img alt='1'/></a></sup>.</p>", "Word[1]."),
    ("<p>Word<a href='#n1'><img alt='1'/></a> or <a href='#m'><img alt='mill'/></a>.</p>", "Word[1] or ."),
    ("<p>Page <a href='#p2'><img alt='page'/>2</a> of it.</p>", "Page 2 of it."),
    # what stands in for something else
    ("<object data='a.svg'><p>Instead of a drawing.</p></object>", "Instead of a drawing."),
    ("<noscript><p>Without scripts.</p></noscript>", "Without scripts."),
    ("<p>Text.</p><object data='a.svg'><p>Instead.</p></object>", "Text."),
    ("<iframe srcdoc='&lt;p>Framed.&lt;/p>Bare.'>no frames</iframe>", "Framed.\n\nBare."),
    (
        "<p>Text <iframe src='x' srcdoc='&lt;b>in&lt;/b> a frame'></iframe> goes on.</p>",
        "Text\n\nin a frame\n\ngoes on.",
    ),
    ("<p>So " + switch(MATH, "<math><mi>x</mi><mo>=</mo><mn>2</mn></math>") + ".</p>", "So x=2."),
    ("<p>So " + switch("http://www.xml-cml.org/schema", "<cml>Na</cml>") + ".</p>", "So plain."),
    # tables that are none
    ("<table><tr><td>a<tr><td>b</td><td>c</td></tr></td><td>d</td></tr></table>", "a b c | d"),
)


@pytest.mark.parametrize(("markup", "text"), ROWS, ids=[row[0][:60] for row in ROWS])
def test_markup(tmp_path, markup, text):
    path = tmp_path / "book.epub"
    path.write_bytes(epub({"one.xhtml": page(f"<body>{markup}</body>")}))
    document = parse(path)
    check_document(document)
    assert document.text == text


HOSTILE = {
    "comments": "<!---->", "doctypes": "<!DOCTYPE [", "tags": "<b>", "links": "<a href='#x'>",
    "cells": "<tr><td>", "formulas": "<math>", "signs": "<sup>", "lists": "<ol><li>", "bare": "<",
    "raised": "x<sup>2</sup>",
    "frames": "<iframe srcdoc='<iframe srcdoc=\"", "switches": "<switch><case>",
    "forms": "<form><input>", "rest": "<object><svg>", "quotes": "<a b=\"c='", "entities": "&lt;&x;",
}  # fmt: skip


@pytest.mark.parametrize("name", ["page.html", "page.txt", "page.md", "page.xhtml"])
@pytest.mark.parametrize("part", HOSTILE.values(), ids=HOSTILE)
def test_a_page_of_one_thing_repeated_is_read_or_refused(tmp_path, part, name):
    """Quickly so: what is exponential or grows with the square does not end within the time of a test."""
    path = tmp_path / name
    path.write_text("<html><body><table>" * ("html" in name) + part * (60_000 // len(part)), "utf-8")
    try:
        check_document(parse(path))
    except BadInput as refusal:
        assert "\n" not in str(refusal)


@pytest.mark.parametrize(
    ("markup", "limits", "words"),
    [
        ("<p>x</p>" * 600, Limits(nodes=500), "more than 500 marks"),
        ("<p " + " ".join(f"a{n}" for n in range(1_100)) + ">x", Limits(), "attributes"),
        ("<p a b c d>x" * 200, Limits(nodes=500), "more than 500 marks"),
        ("<p>Twenty letters here.</p>" * 60, Limits(characters=1_000), "more than 1,000 characters"),
        ("x" * 4_000, Limits(entry_bytes=1_000), "too long"),
    ],
    ids=["elements", "attributes", "bare attributes", "letters", "size"],
)
def test_limits_hold_while_a_page_is_built(tmp_path, markup, limits, words):
    path = tmp_path / "page.html"
    path.write_text(f"<html><body>{markup}", "utf-8")
    with pytest.raises(BadInput, match=words):
        parse(path, limits=limits)


def test_what_lies_deeper_than_a_tree_may_go_is_kept(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("<html><body>" + "<div>" * 5_000 + "deep" + "</div>" * 5_000 + "<p>after</p>", "utf-8")
    assert parse(path).text.split() == ["deep", "after"]


NOTED = (
    ("Fox[^1] ran[^b].\n\nNext.\n\n[^1]: *Red* one.\n[^b]: Fast,\nvery.\n\n    And more.\n\nLast.",
     "Fox[1] ran[b].\n\n[1] Red one.\n\n[b] Fast, very.\n\nAnd more.\n\nNext.\n\nLast."),
    ("Not[^9] there, nor `[^1]` here.\n\n[^1]: Unasked.\n", "Not[^9] there, nor [^1] here.\n\nUnasked."),
    ("````\n```\n[^1]: code\n````\n\nA[^1].\n\n[^1]: One.", "```\n[^1]: code\n\nA[1].\n\n[1] One."),
    ("A[^<b>].\n\n[^<b>]: Odd.", "A[<b>].\n\n[<b>] Odd."),
)  # fmt: skip


@pytest.mark.parametrize(("markdown", "text"), NOTED)
def test_notes_of_markdown_follow_their_paragraph(tmp_path, markdown, text):
    path = tmp_path / "noted.md"
    path.write_text(markdown)
    document = parse(path)
    check_document(document)
    assert document.text == text


def test_markdown_keeps_deep_lists_and_brackets(tmp_path):
    path = tmp_path / "deep.md"
    brackets = f"{'[' * 40}deep{']' * 40}"
    path.write_text("".join(f"{'  ' * level}- level {level}\n" for level in range(25)) + f"\n\n{brackets}\n")
    text = parse(path).text
    assert "level 24" in text and brackets in text
