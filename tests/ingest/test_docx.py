"""Word documents as rows: what stands in their parts, and the text and chapters that come of it."""

from dataclasses import dataclass, field

import pytest

from ingest.counting import chinese_numeral, letter_numeral, ordinal_numeral, roman_numeral
from ingest.errors import BadInput
from ingest.limits import Limits
from ingest.parse import parse
from tests.ingest.build import archive, docx
from tests.ingest.invariants import check_document

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
MC = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def p(text: str, properties: str = "") -> str:
    """A paragraph of one run, or of the runs given."""
    runs = text if text.startswith("<") else f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'
    return f"<w:p><w:pPr>{properties}</w:pPr>{runs}</w:p>"


def listed(text: str, depth: int, number: int = 1) -> str:
    return p(text, f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{number}"/></w:numPr>')


def lifted(up: str) -> str:
    """A paragraph of which every other run has the property `up`."""
    words = ("10", "5", " grains, physics", "1,2", " of the 19", "th", ".")
    runs = zip(words, ["", up] * 4, strict=False)
    return p("".join(
        f'<w:r><w:rPr>{high}</w:rPr><w:t xml:space="preserve">{said}</w:t></w:r>' for said, high in runs
    ))  # fmt: skip


def styled(text: str, style: str, more: str = "") -> str:
    return p(text, f'<w:pStyle w:val="{style}"/>{more}')


def level(depth: int, pattern: str, form: str = "decimal", more: str = "") -> str:
    return (
        f'<w:lvl w:ilvl="{depth}"><w:start w:val="1"/><w:numFmt w:val="{form}"/>{more}'
        f'<w:lvlText w:val="{pattern}"/></w:lvl>'
    )


def numbering(*levels: str, lists: str = '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>') -> dict:
    abstract = f'<w:abstractNum w:abstractNumId="0">{"".join(levels)}</w:abstractNum>'
    return {"word/numbering.xml": f"<w:numbering {W}>{abstract}{lists}</w:numbering>"}


def styles(*made: str) -> dict:
    return {"word/styles.xml": f"<w:styles {W}>{''.join(made)}</w:styles>"}


def style(identity: str, name: str, inside: str = "", based: str = "") -> str:
    below = f'<w:basedOn w:val="{based}"/>' if based else ""
    inside = f'<w:name w:val="{name}"/>{below}{inside}'
    return f'<w:style w:type="paragraph" w:styleId="{identity}">{inside}</w:style>'


def relations(part: str, *rows: tuple[str, str, str]) -> dict:
    """The relationships of a part: (id, kind, target)."""
    inside = "".join(f'<Relationship Id="{i}" Type="{TYPES}/{k}" Target="{t}"/>' for i, k, t in rows)
    folder, _, name = part.rpartition("/")
    space = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
    return {f"{folder}/_rels/{name}.rels".lstrip("/"): f"<Relationships {space}>{inside}</Relationships>"}


def notes(*made: tuple[str, str]) -> dict:
    inside = "".join(f'<w:footnote w:id="{identity}">{body}</w:footnote>' for identity, body in made)
    return {"word/footnotes.xml": f"<w:footnotes {W}>{inside}</w:footnotes>"}


WORD_ART = "<w:pict><v:textpath xmlns:v='urn:v' string='The Mill'/></w:pict>"


def boxed(*paragraphs: str) -> str:
    return f"<w:txbxContent>{''.join(map(p, paragraphs))}</w:txbxContent>"


def both(choice: str, fallback: str) -> str:
    return (
        f'<w:r><mc:AlternateContent {MC}><mc:Choice Requires="wps">{choice}</mc:Choice>'
        f"<mc:Fallback>{fallback}</mc:Fallback></mc:AlternateContent></w:r>"
    )


UP = '<w:vertAlign w:val="superscript"/>'
REFERENCE = '<w:r><w:footnoteReference w:id="2"/></w:r>'
CLAUSES = numbering(level(0, "%1."), level(1, "%1.%2"), level(2, "(%3)", "lowerRoman"))
ARTICLES = numbering(
    level(0, "Article %1", "upperRoman", '<w:pStyle w:val="Heading1"/>'),
    level(1, "%1.%2", more='<w:pStyle w:val="Heading2"/><w:isLgl/>'),
)
HEADED = styles(
    style("Heading1", "heading 1", '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr>'),
    style(
        "Heading2", "heading 2", '<w:pPr><w:numPr><w:ilvl w:val="1"/><w:numId w:val="1"/></w:numPr></w:pPr>'
    ),
    style("Mine", "Mine", based="Heading1"),
)
RESTARTED = numbering(
    level(0, "%1)"),
    lists='<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    '<w:num w:numId="2"><w:abstractNumId w:val="0"/></w:num>'
    '<w:num w:numId="3"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/>'
    "</w:lvlOverride></w:num>",
)


def math(inner: str) -> str:
    """A paragraph "So … ." around a formula whose elements are named without their prefix."""
    space = 'xmlns="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    formula = f"<oMathPara {space}><oMath>{inner}</oMath></oMathPara>"
    return p(f"<w:r><w:t>So </w:t></w:r>{formula}<w:r><w:t>.</w:t></w:r>")


def signs(words: str) -> str:
    return f"<r><rPr><sty val='i'/></rPr><w:rPr/><t>{words}</t></r>"


X, N = f"<e>{signs('x')}</e>", f"<sub>{signs('n+1')}</sub>"
FORMULAS = (
    (f"<sSup><sSupPr/>{X}<sup>{signs('2')}</sup></sSup>{signs('=4')}", "x^2=4"),
    (f"<sSub>{X}{N}</sSub>", "x_(n+1)"),
    (f"<sSubSup>{X}<sub>{signs('1')}</sub><sup>{signs('2')}</sup></sSubSup>", "x_1^2"),
    (f"<f><num>{signs('a+b')}</num><den>{signs('2')}</den></f>", "(a+b)/2"),
    (f"<rad><deg/>{X}</rad><rad><deg>{signs('3')}</deg>{X}</rad>", "√xx^(1/3)"),
    (
        f"<nary><naryPr><chr val='∑'/></naryPr><sub>{signs('k')}</sub><sup>{signs('n')}</sup>{X}</nary>",
        "∑_k^n x",
    ),
    (f"<nary><sub/><sup/>{X}</nary>", "∫ x"),
    (f"<d>{X}{X}</d><d><dPr><begChr val='['/><endChr val=''/></dPr>{X}</d>", "(x, x)[x"),
    (f"<m><mr>{X}{X}</mr><mr>{X}{X}</mr></m>", "x, x; x, x"),
    (f"<func><fName>{signs('sin')}</fName>{X}</func>", "sin x"),
    (f"<limLow><e>{signs('lim')}</e><lim>{signs('n→∞')}</lim></limLow>", "lim_(n→∞)"),
    (f"<w:del>{signs('y')}</w:del><acc><accPr><chr val='^'/></accPr>{X}</acc>", "x"),
)


@dataclass(frozen=True)
class Case:
    """`text` is the whole text; `chapters` are (title, level)."""

    name: str
    body: str
    text: str
    chapters: tuple[tuple[str, int], ...] = ()
    extra: dict = field(default_factory=dict)
    warning: str = ""


CASES = (
    Case(
        "numbers of two levels",
        listed("Parties", 0) + listed("Payment", 0) + listed("Terms", 1) + listed("Late payment", 1)
        + listed("Interest", 2) + p("Between.") + listed("End", 0) + listed("Notice", 1),
        "1. Parties\n\n2. Payment\n\n2.1 Terms\n\n2.2 Late payment\n\n(i) Interest\n\n"
        "Between.\n\n3. End\n\n3.1 Notice",
        extra=CLAUSES,
    ),
    Case(
        "numbers on heading styles, one of them based on another",
        styled("Scope", "Heading1") + styled("Aim", "Heading2") + p("Words.") + styled("Law", "Mine")
        + styled("Place", "Heading2")
        + styled("Apart", "Heading1", '<w:numPr><w:numId w:val="0"/></w:numPr>'),
        "Article I Scope\n\n1.1 Aim\n\nWords.\n\nArticle II Law\n\n2.1 Place\n\nApart",
        (("Article I Scope", 1), ("1.1 Aim", 2), ("Article II Law", 1), ("2.1 Place", 2), ("Apart", 1)),
        ARTICLES | HEADED,
    ),
    Case(
        "lists of one definition go on, a start of its own begins anew",
        listed("a", 0, 1) + listed("b", 0, 2) + listed("c", 0, 3) + listed("d", 0, 3) + listed("e", 0, 9),
        "1) a\n\n2) b\n\n7) c\n\n8) d\n\n• e",
        extra=RESTARTED,
    ),
    Case(
        "the list of a style, which stands behind a list that uses it",
        listed("a", 0) + listed("b", 0),
        "§ 1 a\n\n§ 2 b",
        extra=styles(
            '<w:style w:type="numbering" w:styleId="Ours"><w:pPr><w:numPr><w:numId w:val="2"/></w:numPr>'
            "</w:pPr></w:style>"
        )
        | {"word/numbering.xml": f'<w:numbering {W}><w:abstractNum w:abstractNumId="0">'
           '<w:numStyleLink w:val="Ours"/></w:abstractNum>'
           f'<w:abstractNum w:abstractNumId="1">{level(0, "§ %1")}</w:abstractNum>'
           '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
           '<w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num></w:numbering>'},
    ),
    Case(
        "bullets, letters and Chinese numbers",
        listed("a", 0) + listed("b", 1) + listed("c", 2),
        "• a\n\n(A) b\n\n第一章c",
        chapters=(("第一章c", 1),),
        extra=numbering(
            level(0, "\uf0b7", "bullet"), level(1, "(%2)", "upperLetter"),
            level(2, "第%3章", "chineseCounting", '<w:suff w:val="nothing"/>'),
        ),
    ),
    Case(
        "numbers in the cells of a table",
        f"<w:tbl><w:tr><w:tc>{listed('Rent', 0)}</w:tc><w:tc>{p('400')}</w:tc></w:tr>"
        f"<w:tr><w:tc>{listed('Heat', 0)}</w:tc><w:tc>{p('90')}</w:tc></w:tr></w:tbl>",
        "1. Rent | 400\n2. Heat | 90",
        extra=CLAUSES,
    ),
    Case(
        "chapters by a style based on a heading, an outline level, a translated name",
        styled("One", "Mine") + p("Words.") + styled("Two", "Outlined") + p("Words.") + styled("Three", "T")
        + p("Four", '<w:outlineLvl w:val="1"/>') + styled("No chapter", "Mine", '<w:outlineLvl w:val="9"/>')
        + styled("Five", "Lower"),
        "One\n\nWords.\n\nTwo\n\nWords.\n\nThree\n\nFour\n\nNo chapter\n\nFive",
        (("One", 1), ("Two", 1), ("Three", 1), ("Four", 2), ("Five", 2)),
        styles(
            style("H", "heading 1"), style("Mine", "My Chapter", based="Middle"),
            style("Middle", "Mid", based="H"),
            style("Outlined", "Outlined", '<w:pPr><w:outlineLvl w:val="0"/></w:pPr>'),
            style("T", "Überschrift 1"), style("Lower", "Titre 2"),
        ),
    ),
    *(
        Case(
            f"a heading by the name {name}",
            styled("One", "T") + p("Words.") + styled("Two", "T") + p("More."),
            "One\n\nWords.\n\nTwo\n\nMore.", (("One", 1), ("Two", 1)), styles(style("T", name)),
        )
        for name in ("عنوان 1", "العنوان ١", "Fyrirsögn 1", "หัวเรื่อง 1", "1. izenburua", "1-тақырып",
                     "Đầu đề 1", "見出し１", "U\u0308berschrift 1", "Τίτλος", "शीर्षक 1")
    ),
    *(
        Case(f"no heading by the name {name}", styled("One", "T"), "One", extra=styles(style("T", name)))
        for name in ("عنوان 0", "عنوان 1 فرعي", "Rubrik 12", "12 Kop", "Kopie 1", "List 1")
    ),
    Case(
        "styles based on each other in a ring",
        styled("One", "A"), "One", extra=styles(style("A", "a", based="B"), style("B", "b", based="A")),
    ),
    Case(
        "a text box in both forms of a drawing is read once, where it stands",
        p("<w:r><w:t>Anchor.</w:t></w:r>" + both(*[boxed("In the box.", "Twice.")] * 2))
        + p("After."),
        "Anchor.\n\nIn the box.\n\nTwice.\n\nAfter.",
    ),
    Case(
        "words along a line, in the old form of a drawing and beside a new one without words",
        p("<w:r><w:t>Before.</w:t></w:r>"
          + "".join(both(*forms) for forms in [("", WORD_ART), ("<w:drawing/>", WORD_ART)])),
        "Before.\nThe Mill\nThe Mill",
    ),
    Case(
        "a text box in the old form alone, in a cell, and words of a grouped drawing",
        p(both("", f"<w:pict><v:textbox xmlns:v='urn:v'>{boxed('Old box.')}</v:textbox></w:pict>"))
        + f"<w:tbl><w:tr><w:tc>{p('<w:r><w:t>a</w:t>' + boxed('In a cell.') + '</w:r>')}</w:tc>"
        f"<w:tc>{p('b')}</w:tc></w:tr></w:tbl>"
        + p(f"<w:r><w:drawing><a:grp {A}><a:sp><a:txBody><a:p><a:r><a:t>Drawn.</a:t></a:r></a:p></a:txBody>"
            "</a:sp></a:grp></w:drawing></w:r>"),
        "Old box.\n\na | b\n\nIn a cell.\n\nDrawn.",
    ),
    Case(
        "a text box that hangs at a line without words, whose blanks are bold",
        p("<w:r><w:rPr><w:b/></w:rPr><w:tab/></w:r>" * 3
          + f'<w:r><w:rPr><w:b/></w:rPr>{boxed("In the box.")}</w:r>') + p("After."),
        "In the box.\n\nAfter.",
    ),
    Case(
        "words of a diagram, in a part of its own",
        p(f'<w:r><w:drawing><d:relIds xmlns:d="urn:d" {R} r:dm="r9"/></w:drawing></w:r>') + p("After."),
        "Ask\n\nAnswer\n\nAfter.",
        extra=relations("word/document.xml", ("r9", "diagramData", "diagrams/data1.xml"))
        | {"word/diagrams/data1.xml": f'<d:dataModel xmlns:d="urn:d" {A}>' + "".join(
            f"<d:pt><d:t><a:p><a:r><a:t>{words}</a:t></a:r></a:p></d:t></d:pt>" for words in ("Ask", "Answer")
        ) + "</d:dataModel>"},
    ),
    Case(
        "a part in HTML",
        p("Cover.") + f'<w:altChunk {R} r:id="r5"/>' + p("End."),
        "Cover.\n\nOne\n\nIn the part.\n\nEnd.",
        extra=relations("word/document.xml", ("r5", "aFChunk", "/word/chunk.htm"))
        | {"word/chunk.htm": "<html><body><h1>One</h1><p>In the part.</p></body></html>"},
    ),
    Case(
        "a part that is a Word document",
        p("Cover.") + f'<w:altChunk {R} r:id="r5"/>',
        "Cover.\n\nWithin.",
        extra=relations("word/document.xml", ("r5", "aFChunk", "chunk.docx"))
        | {"word/chunk.docx": docx(p("Within."))},
    ),
    Case(
        "a part in HTML that comes again and again",
        f'<w:altChunk {R} r:id="r5"/>' * 2_000,
        "\n\n".join(["Again."] * 10),
        extra=relations("word/document.xml", ("r5", "aFChunk", "chunk.htm"))
        | {"word/chunk.htm": "<html><body><p>Again.</p></body></html>"},
        warning="comes again and again: 10 times it was read",
    ),
    Case(
        "a part that is not there",
        p("Cover.") + f'<w:altChunk {R} r:id="r6"/>', "Cover.", warning="could not be read",
    ),
    Case(
        "a note of two paragraphs with a tab; deleted out, inserted in",
        p(f"<w:r><w:t>Body</w:t></w:r>{REFERENCE}<w:r><w:t>.</w:t></w:r>") + p("End."),
        "Body[1].\n\n[1] First kept.\n\nSecond in.\n\nEnd.",
        extra=notes(("2", p("<w:r><w:t>First</w:t><w:tab/><w:t>kept.</w:t></w:r>")
                     + p("<w:r><w:t>Second</w:t></w:r><w:del><w:r><w:t> out</w:t></w:r></w:del>"
                         "<w:ins><w:r><w:t xml:space='preserve'> in.</w:t></w:r></w:ins>"))),
    ),
    Case(
        "a note that is referred to again is written once",
        p("<w:r><w:t>One</w:t></w:r>" + REFERENCE) + p("<w:r><w:t>Two</w:t></w:r>" + REFERENCE),
        "One[1]\n\n[1] The note.\n\nTwo[1]",
        extra=notes(("2", p("The note."))),
    ),
    Case(
        "a deleted row, a deleted end of a paragraph, moved text",
        f"<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc>{p('x')}</w:tc><w:tc>{p('y')}</w:tc></w:tr>"
        f"<w:tr><w:tc>{p('a')}</w:tc><w:tc>{p('b')}</w:tc></w:tr></w:tbl>"
        + p("One and", "<w:rPr><w:del/></w:rPr>") + p("the same.")
        + p("<w:moveFrom><w:r><w:t>Gone</w:t></w:r></w:moveFrom>"
            "<w:moveTo><w:r><w:t>Here</w:t></w:r></w:moveTo>"),
        "a | b\n\nOne and the same.\n\nHere",
    ),
    Case(
        "hidden words, and letters of the font Symbol by their places",
        p("<w:r><w:rPr><w:vanish/></w:rPr><w:t>Gone</w:t></w:r>"
          '<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t>Here </w:t></w:r>'
          '<w:r><w:sym w:font="Symbol" w:char="F061"/><w:sym w:font="Symbol" w:char="B3"/>'
          '<w:sym w:font="Symbol" w:char="F0FE"/><w:sym w:font="Wingdings" w:char="F0FE"/></w:r>'),
        "Here α≥⎭",
    ),
    *(Case(f"a formula: {text}", math(inner), f"So {text}.") for inner, text in FORMULAS),
    Case(
        "raised numbers, references and endings",
        lifted(UP),
        "10^5 grains, physics[1,2] of the 19th.",
    ),
    *(
        Case(
            f"letters raised by {up}",
            lifted(up),
            "10^5 grains, physics[1,2] of the 19th.",
            extra=styles(f'<w:style w:type="character" w:styleId="Up"><w:rPr>{UP}</w:rPr></w:style>'
                   '<w:style w:type="character" w:styleId="Higher"><w:basedOn w:val="Up"/></w:style>'),
        )
        for up in ('<w:position w:val="6"/>', '<w:rStyle w:val="Up"/>', '<w:rStyle w:val="Higher"/>')
    ),
    *(
        Case(f"letters not raised by {low}", lifted(low), "105 grains, physics1,2 of the 19th.")
        for low in ('<w:position w:val="-6"/>', '<w:position w:val="0"/>', '<w:vertAlign w:val="subscript"/>')
    ),
    Case(
        "reading aids over characters stay out",
        p("<w:r><w:ruby><w:rubyPr/><w:rt><w:r><w:t>みなと</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>港</w:t></w:r>"
          "</w:rubyBase></w:ruby></w:r><w:r><w:t>の町</w:t></w:r>"),
        "港の町",
    ),
    Case(
        "a malformed text part is read up to the damage",
        p("Before the damage.") + "<w:p><w:r><w:t>Half", "Before the damage.\n\nHalf", warning="is damaged",
    ),
)  # fmt: skip


def read(tmp_path, data: bytes, **options):
    path = tmp_path / "a.docx"
    path.write_bytes(data)
    document = parse(path, **options)
    check_document(document)
    return document


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_word_document(tmp_path, case):
    document = read(tmp_path, docx(case.body, case.extra))
    assert document.text == case.text
    assert tuple((chapter.title, chapter.level) for chapter in document.chapters) == case.chapters
    assert case.warning in " ".join(document.warnings) and bool(case.warning) == bool(document.warnings)


DOCUMENT = f'<?xml version="1.0" encoding="UTF-16"?><w:document {W}><w:body>%s</w:body></w:document>'


@pytest.mark.parametrize("main", ["word/document2.xml", "doc/text.xml"])
@pytest.mark.parametrize("coding", ["utf-16", "utf-8"])
def test_the_text_part_is_found_by_its_relationship_in_any_encoding(tmp_path, main, coding):
    text = (DOCUMENT % (p("One.") + "</w:body><w:body>" + p("Two."))).replace("UTF-16", coding)
    data = archive(relations("", ("r1", "officeDocument", main)) | {main: text.encode(coding)})
    assert read(tmp_path, data).text == "One.\n\nTwo."


DEEP = "<w:tbl><w:tr><w:tc>" * 60 + p("x") + "</w:tc></w:tr></w:tbl>" * 60
ALTERNATIVES = f"<w:r {MC}>{'<mc:AlternateContent><mc:Choice>' * 40}<w:t>x</w:t>"
ALTERNATIVES += "</mc:Choice></mc:AlternateContent>" * 40 + "</w:r>"
REFUSED = [
    (archive({"word/styles.xml": "<x/>"}), Limits(), "its text part, word/document.xml, is missing"),
    (archive(relations("", ("r1", "officeDocument", "doc/text.xml"))), Limits(), "doc/text.xml, is missing"),
    (archive({"word/document.xml": "no mark-up"}), Limits(), "its text part, word/document.xml, cannot"),
    (docx(f'<w:altChunk {R} r:id="r6"/>'), Limits(), "the parts that hold it cannot be read"),
    (docx(DEEP), Limits(), "more than 50 deep"),
    (docx(p(ALTERNATIVES)), Limits(), "more than 20 deep"),
    (docx(p("x") * 100), Limits(nodes=200), "more than 200 marks"),
    (docx(p("ten letter") * 100), Limits(characters=500), "more than 500 characters"),
    (docx(listed("", 0) + listed("x", 0) * 100, numbering(level(0, "Article %1 of this treaty, section"))),
     Limits(characters=2000), "more than 2,000 characters"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "limits", "words"), REFUSED, ids=[row[2] for row in REFUSED])
def test_what_is_refused_says_why(tmp_path, data, limits, words):
    with pytest.raises(BadInput, match=words):
        read(tmp_path, data, limits=limits)


def test_references_to_one_note_cost_a_mark_each(tmp_path):
    note = p("The only note. " * 2000)
    document = read(tmp_path, docx(p("<w:r><w:t>Body.</w:t></w:r>" + REFERENCE) * 3000, notes(("2", note))))
    assert document.text.count("[1] The only note.") == 1
    assert document.text.count("Body.[1]") == 3000
    assert len(document.text) < 100_000


@pytest.mark.parametrize(
    ("form", "value", "written"),
    [
        (roman_numeral, 4, "iv"), (roman_numeral, 1994, "mcmxciv"), (roman_numeral, 0, "0"),
        (roman_numeral, 10**6, "1000000"), (letter_numeral, 26, "z"), (letter_numeral, 28, "bb"),
        (letter_numeral, 10**6, "1000000"), (ordinal_numeral, 3, "3rd"), (ordinal_numeral, 112, "112th"),
        (chinese_numeral, 10, "十"), (chinese_numeral, 12, "十二"), (chinese_numeral, 20, "二十"),
        (chinese_numeral, 103, "一百零三"), (chinese_numeral, 1010, "一千零一十"),
        (chinese_numeral, 10**4, "10000"),
    ],
)  # fmt: skip
def test_numbers_are_written(form, value, written):
    assert form(value) == written


def test_embedded_files_are_named(tmp_path):
    rows = ("r7", "package", "embeddings/Sheet1.xlsx"), ("r8", "oleObject", "embeddings/oleObject1.bin")
    path = tmp_path / "report.docx"
    path.write_bytes(docx("<w:p><w:r><w:t>A ferry.</w:t></w:r></w:p>", relations("word/document.xml", *rows)))
    (warning,) = parse(path).warnings
    assert "(Sheet1.xlsx, oleObject1.bin)" in warning and "add it by itself" in warning
