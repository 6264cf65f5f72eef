"""EPUB files made on the spot: order, titles, notes, missing parts, hostile parts."""

import io
import unicodedata
import zipfile

import pytest

from ingest.errors import BadInput
from ingest.limits import Limits
from ingest.position import find_chapter, find_position
from tests.ingest.build import archive, epub, page
from tests.ingest.test_text import ARABIC, CZECH, POLISH

NAME = "book.epub"


ONE = page("<body><h2>The Start</h2><p>It began&nbsp;here.</p></body>")
TWO = page("<body><p id='a'>First part of two.</p><h3 id='b'>The Turn</h3><p>Second part of two.</p></body>")


def test_spine_order_not_manifest_order(read):
    document = read(epub({"two.xhtml": TWO, "one.xhtml": ONE}, spine=["one.xhtml", "two.xhtml"]))
    assert document.text.index("It began here.") < document.text.index("Second part")
    assert (document.title, document.author, document.language) == ("A Book", "A. Writer", "en")


def test_titles_come_from_nav_with_levels_and_fragments(read):
    nav = (
        "<ol><li><a href='one.xhtml'>Part One</a><ol><li><a href='two.xhtml'>A Chapter</a></li>"
        "<li><a href='two.xhtml#b'>The Turn</a></li></ol></li></ol>"
    )
    document = read(epub({"one.xhtml": ONE, "two.xhtml": TWO}, nav=nav))
    assert [(chapter.title, chapter.level) for chapter in document.chapters] == [
        ("Part One", 1), ("A Chapter", 2), ("The Turn", 2),
    ]  # fmt: skip
    # a title that stands in no heading is written where its chapter begins; one that does is not doubled
    assert "A Chapter\n\nFirst part of two." in document.text
    assert document.text.count("The Turn") == 1
    assert document.text[document.chapters[2].start :].startswith("The Turn")
    assert document.chapters[0].end == len(document.text)


def test_epub2_titles_come_from_ncx(read):
    point = "<navPoint><navLabel><text>{}</text></navLabel><content src='{}'/>{}</navPoint>"
    inner = point.format("Turn", "two.xhtml#b", "")
    ncx = point.format("Start", "one.xhtml", "") + point.format("Two", "two.xhtml", inner)
    document = read(epub({"one.xhtml": ONE, "two.xhtml": TWO}, ncx=ncx, version="2.0"))
    assert [(chapter.title, chapter.level) for chapter in document.chapters] == [
        ("Start", 1),
        ("Two", 1),
        ("Turn", 2),
    ]


def test_documents_without_an_entry_are_kept_and_named_by_their_heading(read):
    nav = "<ol><li><a href='two.xhtml'>Two</a></li></ol>"
    document = read(epub({"two.xhtml": TWO, "one.xhtml": ONE}, nav=nav))
    assert [chapter.title for chapter in document.chapters] == ["Two", "The Start"]
    assert "It began here." in document.text


def test_missing_file_is_a_warning_not_the_end(read):
    document = read(epub({"one.xhtml": ONE}, spine=["one.xhtml", "lost.xhtml"]))
    assert "It began here." in document.text
    assert any("lost.xhtml is missing" in words for words in document.warnings)


def test_names_with_spaces_and_percent_signs(read):
    document = read(
        epub(
            {"chapter one.xhtml": ONE, "two.xhtml": TWO},
            nav="<ol><li><a href='chapter%20one.xhtml'>Named</a></li></ol>",
        )
    )
    assert document.chapters[0].title == "Named"


def test_footnotes_follow_their_paragraph_and_endnotes_stay(read):
    notes = page(
        "<body epub:type='backmatter'><section epub:type='endnotes'><h2>Notes</h2><ol><li id='n1'>"
        "<p>An endnote. "
        "<a href='one.xhtml#r1' epub:type='backlink'>↩</a></p></li></ol></section></body>"
    )
    body = page(
        "<body><h2>One</h2><p>Word<a epub:type='noteref' href='#f1'>1</a> and more<a epub:type='noteref' "
        "href='notes.xhtml#n1'>2</a>.</p><p>Next.</p>"
        "<aside epub:type='footnote' id='f1'><p>A footnote.</p></aside></body>"
    )
    nav = "<ol><li><a href='one.xhtml'>One</a></li><li><a href='notes.xhtml'>Notes</a></li></ol>"
    document = read(epub({"one.xhtml": body, "notes.xhtml": notes}, nav=nav))
    assert "Word[1] and more[2].\n\n[1] A footnote.\n\nNext." in document.text
    assert document.text.endswith("Notes\n\n1. An endnote.")
    assert [chapter.kind for chapter in document.chapters] == ["body", "back"]


def test_landmarks_tell_front_matter(read):
    landmarks = (
        "</nav><nav epub:type='landmarks'><ol><li><a epub:type='dedication' href='one.xhtml'>D</a></li></ol>"
    )
    nav = "<ol><li><a href='one.xhtml'>For You</a></li><li><a href='two.xhtml'>Two</a></li></ol>" + landmarks
    document = read(epub({"one.xhtml": ONE, "two.xhtml": TWO}, nav=nav))
    assert [chapter.kind for chapter in document.chapters] == ["front", "body"]
    assert find_chapter(document, "chapter 1").title == "Two"


def test_scripts_styles_hidden_text_and_comments_are_no_text(read):
    body = page(
        "<body onload='x()'><script>alert(1)</script><style>p{}</style><!-- secret --><?php no ?>"
        "<p>Seen<script>evil()</script> text &lt;script&gt; &#x200b;.</p><p hidden=''>unseen</p>"
        "<p style='display: none'>unseen</p><iframe src='http://x'>unseen</iframe>"
        "<svg><title>unseen</title><desc>unseen</desc></svg></body>"
    )
    document = read(epub({"one.xhtml": body}))
    assert document.text == "Seen text <script> ."


def test_letters_are_raised_by_the_style_sheets_of_a_page(read):
    link = '<link rel="stylesheet" href="../a.css"/>'
    body = "<body><p>10<span class='up'>5</span> grains</p></body>"
    files = {"t/one.xhtml": page(body, link), "two.xhtml": page(body)}
    document = read(epub(files, extra={"OPS/a.css": b".up {vertical-align: super}"}))
    assert document.text == "10^5 grains\n\n105 grains"


def test_a_first_letter_that_a_style_sheet_floats_belongs_to_its_word(read):
    link = '<link rel="stylesheet" href="a.css"/>'
    body = "<body><h2>One</h2><div class='calibre7'>S</div><p>ummer came.</p></body>"
    files = {"one.xhtml": page(body, link), "two.xhtml": page(body)}
    document = read(epub(files, extra={"OPS/a.css": b".calibre7 {float: left; font-size: 3em}"}))
    assert document.text == "One\n\nSummer came.\n\nOne\n\nS\n\nummer came."


def test_no_entity_of_a_doctype_is_resolved(read, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret", "utf-8")
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
    body = (
        f'<?xml version="1.0"?><!DOCTYPE html [<!ENTITY x SYSTEM "{secret.as_uri()}">'
        f'<!ENTITY l0 "lol">{lol}]>'
        '<html xmlns="http://www.w3.org/1999/xhtml"><body><p>Before &x; &l8; after.</p></body></html>'
    )
    document = read(epub({"one.xhtml": body}))
    assert "the secret" not in document.text and "lollol" not in document.text
    assert document.text.startswith("Before") and document.text.endswith("after.")


def test_paths_that_climb_reach_nothing(read, tmp_path):
    (tmp_path / "outside.xhtml").write_text(ONE, "utf-8")
    document = read(epub({"one.xhtml": ONE}, spine=["../../outside.xhtml", "/etc/passwd", "one.xhtml"]))
    assert document.text == "The Start\n\nIt began here."
    assert len(document.warnings) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["book.epub", "outside.xhtml"]


def test_bombs_are_refused_while_reading(read):
    body = page("<body><p>" + "a" * 6_000_000 + "</p></body>")
    with pytest.raises(BadInput, match="ZIP bomb"):
        read(epub({"one.xhtml": body}))
    with pytest.raises(BadInput, match="a part of this EPUB unpacks to more than 0.1 MB"):
        read(
            epub({"one.xhtml": page("<body>" + "<p>x</p>" * 20_000 + "</body>")}),
            limits=Limits(entry_bytes=100_000),
        )
    many = {f"{number}.xhtml": ONE for number in range(30)}
    with pytest.raises(BadInput, match="too many files"):
        read(epub(many), limits=Limits(entries=20))
    with pytest.raises(BadInput, match="unpacks to more than"):
        read(epub(many), limits=Limits(unpacked_bytes=4_000))


def test_nesting_ten_thousand_deep_is_harmless(read):
    body = page("<body>" + "<div>" * 10_000 + "deep" + "</div>" * 10_000 + "<p>Shallow.</p></body>")
    try:
        document = read(epub({"one.xhtml": body, "two.xhtml": TWO}))
    except BadInput:
        pytest.fail("one deep document failed the book")
    assert "Second part of two." in document.text


def test_a_chapter_of_ten_megabytes_arrives_whole(read):
    words = " ".join(f"word{number}" for number in range(1_200_000))
    document = read(epub({"one.xhtml": page(f"<body><p>{words}</p></body>")}))
    assert document.text == words


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (archive({"mimetype": "application/epub+zip"}), "not a complete EPUB"),
        (epub({"one.xhtml": page("<body><img src='x.png'/></body>")}), "no text in this EPUB"),
        (epub({}, spine=["lost.xhtml"]), "lost.xhtml is missing"),
        (epub({"one.xhtml": ONE})[:-60], "damaged"),
        (
            epub(
                {"one.xhtml": ONE},
                extra={
                    "META-INF/encryption.xml": b"<encryption xmlns:enc='http://www.w3.org/2001/04/xmlenc#'>"
                    b"<enc:EncryptedData><enc:EncryptionMethod Algorithm='http://www.w3.org/2001/04/xmlenc#aes128-cbc'/>"
                    b"</enc:EncryptedData></encryption>"
                },
            ),
            "protected \\(DRM\\)",
        ),
    ],
    ids=["empty", "pictures", "nothing there", "cut off", "drm"],
)
def test_what_cannot_be_read_says_why(read, data, words):
    with pytest.raises(BadInput, match=words):
        read(data)


@pytest.mark.parametrize(
    ("kind", "instead", "text", "told"),
    [
        ("application/pdf", "d1", "First.\n\nLast.", ""),
        ("image/jpeg", "d1", "First.\n\nLast.", ""),
        ("image/jpeg", "x", "Last.", ""),
        ("application/pdf", "gone", "Last.", "plate.x in the EPUB is no page and was left out"),
    ],
)
def test_what_a_reader_does_not_know_is_read_as_what_stands_in_for_it(read, kind, instead, text, told):
    files = {"one.xhtml": page("<body><p>Last.</p></body>"), "two.xhtml": page("<body><p>First.</p></body>")}
    data = epub(files, spine=["one.xhtml"])
    item = f'<item id="x" href="plate.x" media-type="{kind}" fallback="{instead}"/></manifest>'
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        entries = {name: book.read(name).decode() for name in book.namelist()}
    package = entries["OPS/book.opf"].replace("</manifest>", item)
    package = package.replace('<itemref idref="d0"', '<itemref idref="x"/><itemref idref="d0"')
    document = read(archive(entries | {"OPS/book.opf": package}))
    assert document.text == text and told in " ".join(document.warnings)


def test_scrambled_fonts_are_not_drm(read):
    extra = {
        "META-INF/encryption.xml": b"<encryption xmlns:enc='http://www.w3.org/2001/04/xmlenc#'><enc:EncryptedData>"
        b"<enc:EncryptionMethod Algorithm='http://www.idpf.org/2008/embedding'/></enc:EncryptedData></encryption>"
    }
    assert read(epub({"one.xhtml": ONE}, extra=extra)).text.startswith("The Start")


def test_a_chapter_that_runs_over_two_files_is_one(read):
    files = {}
    for number in (1, 2):
        files[f"c{number}.xhtml"] = page(f"<body><h1>Chapter {number}</h1><p>It begins.</p></body>")
        files[f"c{number}b.xhtml"] = page(f"<body><h2>Later</h2><p>More of {number}.</p></body>")
    nav = "".join(f"<li><a href='c{number}.xhtml'>Chapter {number}</a></li>" for number in (1, 2))
    document = read(epub(files, nav=f"<ol>{nav}</ol>"))
    assert [chapter.title for chapter in document.chapters] == ["Chapter 1", "Chapter 2"]
    first = find_chapter(document, "chapter 1")
    assert document.text[first.start : first.end].strip().endswith("Later\n\nMore of 1.")


BREAKS = page(
    "<body><h2>One</h2><span epub:type='pagebreak' title='iii'/><p>Front.</p>"
    "<div role='doc-pagebreak' aria-label='Page 1'/><p>First page. A sentence that runs "
    "<span epub:type='pagebreak' id='p2'>2</span>over to the second.</p>"
    "<table><tr><td>a</td><td>b</td></tr><tr><td><span epub:type='pagebreak' title='3'/>c</td><td>d</td></tr>"
    "</table><p>The end.<span epub:type='pagebreak' title='4'/></p></body>"
)


def test_printed_pages_are_places(read):
    document = read(epub({"one.xhtml": BREAKS, "two.xhtml": page("<body><p>On the fourth.</p></body>")}))
    assert [page.label for page in document.pages] == ["iii", "1", "2", "3", "4"]
    assert "A sentence that runs over to the second.\n\na | b\nc | d\n\nThe end.\n\nOn the" in document.text
    start = document.text.index("A sentence")
    assert str(document.place(start, document.text.index("second."))) == "pages 1–2"
    assert document.text[: find_position(document, "page 1")].endswith("A sentence that runs ")
    assert document.text[: find_position(document, "page 2")].endswith("a | b\n")
    assert str(document.place(document.text.index("On the fourth"))) == "page 4"
    assert document.place(0).page is None  # before the first printed page


MARK = "<span epub:type='pagebreak' title='{}'/>"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (f"<h2>One</h2><p>Before it {MARK.format(2)}behind it.</p>", "One, paragraph 1"),
        (
            f"<h2>One</h2><p>More.</p><p>Before it {MARK.format(2)}behind it.</p><p>End.</p>",
            "One, paragraph 2",
        ),
        (f"<p>Before it {MARK.format('xi')}behind it.</p><p>Then.</p>", "paragraph 1"),
        (f"<h2>Before it {MARK.format(2)}behind it</h2><p>So.</p>", "Before it behind it, heading"),
    ],
)
def test_what_stands_before_the_first_printed_page_ends_where_that_begins(read, body, place):
    document = read(epub({"one.xhtml": page(f"<body>{body}</body>")}))
    start = document.text.index("Before it")
    assert str(document.place(start)) == place
    assert document.text[start : find_position(document, place)] == "Before it "
    first = document.pages[0].label
    assert str(document.place(start, document.text.index("behind"))) == place
    assert str(document.place(start, document.text.index("behind") + 3)) == f"{place} – page {first}"
    assert find_position(document, f"{place} – page {first}") == document.pages[0].end


def test_a_paragraph_before_the_first_printed_page_goes_before_a_chapter_of_its_name(read):
    body = f"<p>Before.</p>{MARK.format(2)}<h2>Paragraph 1</h2><p>On the second.</p>"
    document = read(epub({"one.xhtml": page(f"<body>{body}</body>")}))
    assert document.text[: find_position(document, str(document.place(0)))] == "Before."


def test_printed_pages_are_found_by_the_list_of_pages(read):
    body = page("<body><p id='a'>First.</p><p>Second <a id='b'/>goes on.</p></body>")
    nav = (
        "<ol><li><a href='one.xhtml'>One</a></li></ol></nav><nav epub:type='page-list'><ol>"
        "<li><a href='one.xhtml#a'>7</a></li><li><a href='one.xhtml#b'>8</a></li></ol>"
    )
    target = "<pageTarget value='{}'><content src='one.xhtml#{}'/></pageTarget>"
    ncx = "</navMap><pageList>" + target.format(7, "a") + target.format(8, "b") + "</pageList><navMap>"
    for data in (epub({"one.xhtml": body}, nav=nav), epub({"one.xhtml": body}, ncx=ncx)):
        document = read(data)
        assert [page.label for page in document.pages] == ["7", "8"]
        assert document.text[document.pages[1].start :] == "goes on."


@pytest.mark.parametrize(
    "mark",
    [
        "<span class='pagenum'>[Pg {}]</span>",
        "<span class='small page-number'><a id='Page_{0}'>{0}</a></span>",
        "<a class='newpage' id='page_{}'></a>",
        "<small class='pageno'>p. {}</small>",
    ],
)
def test_printed_pages_are_found_by_the_class_of_their_number(read, mark):
    body = f"<p>{mark.format('xii')}First.</p><p>Second {mark.format(13)}goes on.</p>"
    for name, data in (("a.epub", epub({"one.xhtml": page(f"<body>{body}</body>")})), ("a.html", page(body))):
        document = read(data, name)
        assert document.text == "First.\n\nSecond goes on."
        assert [(one.label, document.text[one.start :]) for one in document.pages][1:] == [("13", "goes on.")]


def test_what_is_no_number_of_a_page_stays(read):
    body = "<p class='page-number'>Chapter of the mill</p><p>A <span class='homepage'>7</span>.</p>"
    assert read(page(body), "a.html").text == "Chapter of the mill\n\nA 7."


def test_a_label_that_comes_again_is_told_apart(read):
    again = "".join(f"<p><span epub:type='pagebreak' title='{label}'/>On {label}.</p>" for label in "121")
    document = read(epub({"one.xhtml": page(f"<body>{again}</body>")}))
    assert [page.label for page in document.pages] == ["1", "2", "1 (2)"]
    assert find_position(document, "page 1 (2)") == len(document.text)


def test_an_entry_that_is_not_closed_does_not_hold_all_that_follow(read):
    nav = "<ol>" + '<li><span>Part</span></li><li><a href="one.xhtml">Two<ol>' * 60
    document = read(epub({"one.xhtml": ONE}, nav=nav))
    assert {chapter.title for chapter in document.chapters} == {"Part", "Two"}
    assert len(document.text) < 1_000


def encrypted(path: str, algorithm: str = "http://www.w3.org/2001/04/xmlenc#aes256-cbc") -> dict[str, bytes]:
    return {
        "META-INF/encryption.xml": (
            "<encryption xmlns:enc='http://www.w3.org/2001/04/xmlenc#'><enc:EncryptedData>"
            f"<enc:EncryptionMethod Algorithm='{algorithm}'/><enc:CipherData>"
            f"<enc:CipherReference URI='{path}'/></enc:CipherData></enc:EncryptedData></encryption>"
        ).encode()
    }


def test_only_a_locked_text_is_refused(read):
    for name in ("OPS/font.otf", "OPS/film.mp4"):
        extra = {name: b"locked"} | encrypted(name)
        assert read(epub({"one.xhtml": ONE}, extra=extra)).text.endswith("It began here.")
    with pytest.raises(BadInput, match="protected \\(DRM\\)"):
        read(epub({"one.xhtml": ONE}, extra=encrypted("OPS/one.xhtml")))
    adept = {"META-INF/rights.xml": b"<rights xmlns='http://ns.adobe.com/adept'/>"}
    with pytest.raises(BadInput, match="protected \\(DRM: Adobe ADEPT\\)"):
        read(epub({"one.xhtml": ONE}, extra=encrypted("OPS/one.xhtml") | adept))


def test_pictures_do_not_count_as_parts(read):
    pictures = {f"OPS/{number}.png": b"x" for number in range(60)}
    assert read(epub({"one.xhtml": ONE}, extra=pictures), limits=Limits(entries=20)).text


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_in_another_unicode_form_are_found(read, form):
    data = epub({"Überfahrt.xhtml": ONE}, nav="<ol><li><a href='Überfahrt.xhtml'>Named</a></li></ol>")
    entries = {unicodedata.normalize(form, name): data for name, data in unpacked(data).items()}
    assert read(archive(entries)).chapters[0].title == "Named"


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def test_a_damaged_package_file_costs_no_text(read):
    """Any byte of it turned into another: the text is read, in order."""
    nav = "<ol><li><a href='two.xhtml'>Two</a></li><li><a href='one.xhtml'>One</a></li></ol>"
    entries = unpacked(epub({"one.xhtml": ONE, "two.xhtml": TWO}, nav=nav, spine=["two.xhtml", "one.xhtml"]))
    package = entries["OPS/book.opf"]
    for position in range(0, len(package), 7):
        for byte in (b"\xff", b"<", b"\0"):
            damaged = package[:position] + byte + package[position + 1 :]
            document = read(archive(entries | {"OPS/book.opf": damaged}))
            assert "It began here." in document.text and "Second part of two." in document.text
    document = read(archive(entries | {"OPS/book.opf": package[: len(package) // 3]}))
    assert document.text.index("Second part") < document.text.index("It began here.")
    assert "read in the order of its contents" in document.warnings[0]


def test_a_bare_ampersand_keeps_title_author_and_language(read):
    metadata = "<dc:title>Salt & Sea</dc:title><dc:creator>A. & B.</dc:creator><dc:language>de</dc:language>"
    document = read(epub({"one.xhtml": ONE}, metadata=metadata))
    assert (document.title, document.author, document.language) == ("Salt & Sea", "A. & B.", "de")


def test_a_drawing_in_the_spine_is_read_or_told_of(read):
    drawing = "<svg xmlns='http://www.w3.org/2000/svg'>{}</svg>"
    files = {
        "one.svg": drawing.format("<text>The fox</text><text>ran.</text>"),
        "two.svg": drawing.format(""),
    }
    document = read(epub(files))
    assert document.text == "The fox\nran."
    assert len(document.warnings) == 1 and "two.svg is a drawing without words" in document.warnings[0]


@pytest.mark.parametrize(("text", "encoding"), [(ARABIC, "cp1256"), (CZECH, "iso8859_2"), (POLISH, "cp1250")])
def test_parts_in_an_old_encoding_are_guessed_and_told(read, text, encoding):
    body = f"<html><body><p class='one'>{text}</p></body></html>".encode(encoding)
    document = read(epub({"one.xhtml": body}))
    assert document.text == text.strip()
    assert encoding in document.warnings[0]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("again", "told"), [(b"<html><body><p>Other words.</p></body></html>", True), (None, False)]
)
def test_two_files_of_one_name_are_told_of_where_they_differ(read, again, told):
    data = io.BytesIO(epub({"one.xhtml": ONE}))
    with zipfile.ZipFile(data, "a") as made:
        made.writestr("OPS/one.xhtml", made.read("OPS/one.xhtml") if again is None else again)
    document = read(data.getvalue())
    assert any("several files named one.xhtml" in one for one in document.warnings) == told
    assert ("Other words." in document.text) == told


def test_contents_whose_anchors_are_lost_take_no_chapter_from_another(read):
    body = "<h1 id='i'>I</h1><p>Alpha.</p><h1>Of Mills</h1><p>Beta.</p><h1 id='k'>III</h1><p>Gamma.</p>"
    links = (("i", "I"), ("lost", "Of mills"), ("k", "III"), ("gone", "Nothing"))
    nav = "".join(f"<li><a href='a.xhtml#{anchor}'>{title}</a></li>" for anchor, title in links)
    document = read(epub({"a.xhtml": page(f"<body>{body}</body>")}, nav=f"<ol>{nav}</ol>"))
    found = {chapter.title: document.text[chapter.start : chapter.end] for chapter in document.chapters}
    assert list(found) == ["I", "Of mills", "III"]
    assert "Alpha." in found["I"] and "Beta." in found["Of mills"] and "Gamma." in found["III"]
