"""Plain text: encodings, Gutenberg, wrapped lines, headings without mark-up."""

import base64
import binascii
import quopri
from collections.abc import Iterator

import pytest

from ingest.charset import decode
from ingest.cyrillic import misread
from ingest.errors import BadInput
from ingest.gutenberg import strip_gutenberg
from ingest.limits import Limits
from ingest.numerals import numeral
from ingest.parse import parse
from ingest.position import find_chapter
from ingest.reflow import reflow

FRENCH = "L’été était très chaud cette année — “voilà”, dit-elle, “ça suffit”. Un café coûte 3 €.\n" * 4
PLAIN = str.maketrans("’—“”€", '\'-""$')
CZECH = "Byl jednou jeden král a ten měl tři dcery. Nejmladší z nich byla nejkrásnější. Kvetly růže a šťáva. "
POLISH = (
    "Był sobie raz król, który miał trzy córki. Najmłodsza była najpiękniejsza. Żyli szczęśliwie, gdzieś. "
)
HUNGARIAN = (
    "Volt egyszer egy öreg király, akinek három lánya volt. Az apja őt szerette, a fű nőtt, égett a tűz. "
)
GERMAN = "Es war einmal ein König, der hatte drei Töchter. Sie lebten in einem großen Schloß über dem Fluß. "
ARABIC = "كان يا ما كان في قديم الزمان، رجل فقير يعيش في قرية صغيرة على ضفاف النهر. وكان له ثلاثة أبناء. "
JAPANESE = "昔々、ある所におじいさんとおばあさんが住んでいました。おじいさんは山へ柴刈りに行きました。"
KOREAN = "옛날 옛적에 어느 마을에 가난한 나무꾼이 살았습니다. 그는 날마다 산에서 나무를 했습니다. "
RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему. " * 6
UKRAINIAN = "Усі люди народжуються вільними і рівними у своїй гідності та правах, без різниці. " * 6
CHINESE = "汉语是世界上使用人数最多的语言之一，也是联合国的工作语言。" * 6


NAME = "book.txt"
PLAIN_TALE = "It was a long line of plain text and there was nothing in it that one could not see.\n" * 9


@pytest.mark.parametrize(
    ("text", "encoding", "guessed"),
    [
        (FRENCH, "utf-8", ""),
        (FRENCH, "utf-8-sig", ""),
        (FRENCH, "utf-16", ""),
        (FRENCH, "utf-32", ""),
        (FRENCH, "utf-16-le", "utf-16-le"),
        (FRENCH, "utf-16-be", "utf-16-be"),
        (RUSSIAN, "utf-16-le", "utf-16-le"),
        (RUSSIAN, "utf-16-be", "utf-16-be"),
        (CHINESE, "utf-16-le", "utf-16-le"),
        (JAPANESE, "utf-16-be", "utf-16-be"),
        (KOREAN, "utf-16-be", "utf-16-be"),
        (ARABIC, "utf-16-le", "utf-16-le"),
        (FRENCH, "utf-32-be", "utf-32-be"),
        (CHINESE, "utf-32-le", "utf-32-le"),
        (JAPANESE, "iso2022_jp", "iso2022_jp_2"),
        (KOREAN, "iso2022_kr", "iso2022_kr"),
        (CHINESE, "hz", "hz"),
        ("Was ~{hz} a ~{} in a ~{pattern~} of ~{} signs?", "ascii", ""),
        ("A bell \a rings, an escape \x1b[31m is red.\n" * 9, "ascii", ""),
        (FRENCH, "cp1252", "cp1252"),
        ("The boy’s café cost £3.", "cp1252", "cp1252"),
        (CZECH, "cp1250", "cp1250"),
        (CZECH, "iso8859_2", "iso8859_2"),
        (POLISH, "cp1250", "cp1250"),
        (POLISH, "iso8859_2", "iso8859_2"),
        (HUNGARIAN, "cp1250", "cp1250"),
        (GERMAN, "cp1252", "cp1252"),
        (GERMAN, "cp850", "cp850"),
        (GERMAN, "mac_roman", "mac_roman"),
        (FRENCH.translate(PLAIN), "cp850", "cp850"),
        (ARABIC, "cp1256", "cp1256"),
        (JAPANESE, "cp932", "cp932"),
        (JAPANESE, "euc_jp", "euc_jp"),
        (RUSSIAN, "cp1251", "cp1251"),
        (RUSSIAN, "koi8_r", "koi8_r"),
        (UKRAINIAN, "koi8_u", "koi8_u"),
        (UKRAINIAN, "cp1251", "cp1251"),
        (PLAIN_TALE * 3 + RUSSIAN[:90], "cp1251", "cp1251"),
        (PLAIN_TALE * 3 + RUSSIAN[:90], "mac_cyrillic", "mac_cyrillic"),
        (PLAIN_TALE * 3 + RUSSIAN[:90], "cp866", "cp866"),
        (FRENCH, "utf-7", "utf-7"),
        (RUSSIAN, "utf-7", "utf-7"),
        ("Le déjeuner du port.", "utf-7", "utf-7"),
        ("Add x+foo-bar to Ben+AMY.", "ascii", ""),
        ("Call +4917 or +4918: a+bc, +foo, +bar, c+de, f+gh and i+jk; c++.", "ascii", ""),
        (CHINESE, "gb18030", "gb18030"),
        (CHINESE.translate(str.maketrans("汉语联国", "漢語聯國")), "utf-8", ""),
    ],
)
def test_encodings_are_found_and_guesses_are_told(text, encoding, guessed):
    decoded, warning = decode(text.encode(encoding, "replace"))
    assert decoded == text.encode(encoding, "replace").decode(encoding)
    assert (guessed in warning and "--encoding" in warning) if guessed else warning is None


def test_encoding_can_be_overridden(read):
    data = "Łódź i źdźbło, zażółć gęślą jaźń".encode("iso8859_2")
    assert "zażółć gęślą jaźń" in read(data, encoding="iso8859-2").text
    with pytest.raises(BadInput, match="not valid utf-8"):
        read(data, encoding="utf-8")
    with pytest.raises(BadInput, match="no encoding called 'klingon'"):
        read(data, encoding="klingon")


def test_one_scratch_does_not_turn_utf8_into_something_else():
    decoded, warning = decode(FRENCH.encode() * 5 + b"\xff" + FRENCH.encode())
    assert "très chaud" in decoded and "replaced" in warning


def test_nul_and_controls_are_stripped(read):
    plain = "It was a long line of plain text and there was nothing in it that one could not see. " * 3
    assert read(plain.encode() + b"One\0 line.\x07 And\x1b[31m more\x7f.").text.endswith(
        "One line. And[31m more."
    )


GUTENBERG = """The Project Gutenberg eBook of A Tale

Title: A Tale of
      Two Lines
Author: Ann Author
Language: French

*** START OF THE PROJECT GUTENBERG EBOOK A TALE ***

Produced by Many Hands and the team at
https://www.pgdp.net

A TALE

by Ann Author

CONTENTS

CHAPTER I. The Start

CHAPTER II. The End


CHAPTER I. The Start

It was a _very_ dark night and the wind blew from the sea over the low
hills and into the little town, where nobody was awake to hear it or to
see the boat that came in without a light to be gone again before to-
morrow, as quietly as it had come.

    The sea is deep,
    The night is long,

and nothing more was seen.

[Illustration]


CHAPTER II. The End

Morning came at last.

*** END OF THE PROJECT GUTENBERG EBOOK A TALE ***

Updated editions will replace the previous one.
"""


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_gutenberg_text(read, ends):
    document = read(GUTENBERG.replace("\n", ends))
    assert (document.title, document.author, document.language) == ("A Tale of Two Lines", "Ann Author", "fr")
    assert [chapter.title for chapter in document.chapters] == ["CHAPTER I. The Start", "CHAPTER II. The End"]
    for words in ("Gutenberg", "Many Hands", "Updated editions", "[Illustration]", "_very_"):
        assert words not in document.text
    assert "a very dark night and the wind blew from the sea over the low hills and into" in document.text
    assert "to be gone again before to-morrow, as quietly" in document.text
    assert "\n\nThe sea is deep,\nThe night is long,\n\n" in document.text
    assert document.text.endswith("Morning came at last.")


def test_text_without_boilerplate_is_left_alone():
    assert strip_gutenberg("He had read of the Project Gutenberg in his youth.\n" * 50) is None


WRAPPED = """The old man had a boat and every morning he went out to the
bay to see whether the fish had come, and every evening he came
home again without a single one.
    "It will be better in the spring," he said to the boy, who
was waiting on the beach with the nets.
    "It will," said the boy."""


def test_a_chapter_heading_is_no_title(read):
    story = "".join(f"It was a long day number {n}, and nobody came to the lighthouse.\n\n" for n in range(9))
    assert read(f"Chapter I\n\n{story}", "my novel.txt").title == "my novel"
    assert read(f"The Lighthouse\n\n{story}", "my novel.txt").title == "The Lighthouse"


@pytest.mark.parametrize(("size", "says"), [(0, "is empty"), (200, "is too large")])
def test_a_file_of_a_wrong_size_is_named(tmp_path, size, says):
    path = tmp_path / "novel.txt"
    path.write_text("x" * size)
    with pytest.raises(BadInput, match=f"novel.txt: the file {says}"):
        parse(path, limits=Limits(file_bytes=100))


def test_indented_paragraphs_without_blank_lines_are_told_apart():
    assert [paragraph.text[:12] for paragraph in reflow(WRAPPED)] == [
        "The old man ",
        '"It will be ',
        '"It will," s',
    ]


def test_lines_that_are_paragraphs_stay_paragraphs():
    long = (
        "Nobody has wrapped this paragraph, because its writer sees it on a screen that does it for him. " * 2
    )
    found = reflow(f"{long}One.\n{long}Two.\nShort answer.\n{long}Three.")
    assert [paragraph.text.split()[-1] for paragraph in found] == ["One.", "Two.", "answer.", "Three."]


def test_tables_keep_their_lines(read):
    table = "name      city      age\nAnna      Rome      31\nBert      Oslo      54"
    text = read(f"{WRAPPED}\n\n{table}\n\nThe end of it.").text
    assert f"\n\n{table}\n\nThe end of it." in text


LISTED = "Chapter 1\n\nChapter 2\n\nChapter 3\n\n\nChapter 1\n\n{}\n\nChapter 2\n\n{}\n\nChapter 3\n\n{}"


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("I\n\n{}\n\nII\n\n{}\n\nIII\n\n{}", ["I", "II", "III"]),
        ("CHAPTER I\n\nA Dark Night\n\n{}\n\nCHAPTER II\n\n{}", ["CHAPTER I: A Dark Night", "CHAPTER II"]),
        ("PART ONE\n\n\nChapter 1\n\n{}\n\nPART TWO\n\n{}", ["PART ONE", "Chapter 1", "PART TWO"]),
        (LISTED, ["Chapter 1", "Chapter 2", "Chapter 3"]),
        ("PREFACE\n\n{}\n\nCHAPTER I\n\n{}", ["PREFACE", "CHAPTER I"]),
        ("Part of this is true.\n\n{}\n\n“I am,” he said.\n\n{}", []),
    ],
    ids=["numerals", "titles below", "parts", "contents", "preface", "none"],
)  # fmt: skip
def test_chapters_by_heading(read, text, titles):
    body = "It went on like this for a long time, until nobody could say any more how it had begun. " * 5
    document = read(text.format(*[body.strip()] * 3))
    assert [chapter.title for chapter in document.chapters] == titles


@pytest.mark.parametrize(
    "data", [bytes(range(256)) * 40, b"\0" * 500, b"   \n\n \t "], ids=["bytes", "nul", "space"]
)
def test_what_is_no_text_says_so(read, data):
    with pytest.raises(BadInput, match="not a text file|no text in this file"):
        read(data)


STORY = "他走到渡口，看见一只小船停在岸边，船上没有人。到第六回合时，雨停了，他又等了很久。"
CHAPTERS = ("第一章 渡口", "第二章 归来", "第一百零三章 雪夜", "番外 第一章 信")
LAYOUTS = {
    "blank lines": "{0}\n\n{1}\n\n{1}\n\n",
    "no blank lines": "{0}\n　　{1}\n　　“走吧。”\n　　{1}{1}\n",
    "title below": "{0}\n\n{1}\n\n第六回合开始了，大家都不说话。\n\n",
    "wrapped": "{0}\n\n" + "\n".join([STORY[:30]] * 8) + "\n\n{1}\n\n",
}


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_chinese_chapters(read, layout, encoding):
    text = "".join(layout.format(title, STORY) for title in CHAPTERS)
    document = read(text.encode(encoding))
    assert tuple(chapter.title for chapter in document.chapters) == CHAPTERS
    assert find_chapter(document, "chapter 103").title == "第一百零三章 雪夜"
    assert document.chapter_names[0] == "第一章"
    assert text.count(STORY) == document.text.count(STORY)


@pytest.mark.parametrize(
    "titles",
    [
        ("序章", "楔子 雨", "第1章", "尾声", "后记"),
        ("プロローグ", "第一巻　船", "エピローグ", "あとがき"),
        ("프롤로그", "제1장", "에필로그"),
        ("Prologue", "Chapitre 1", "Épilogue"),
        ("Пролог", "Глава 1", "Эпилог"),
    ],
)
def test_parts_before_and_behind_the_numbered_ones_are_chapters(read, titles):
    document = read("\n\n".join(f"{title}\n\n{STORY}{STORY}{STORY}" for title in titles))
    assert [chapter.title for chapter in document.chapters] == [
        title.replace("\u3000", " ") for title in titles
    ]


@pytest.mark.parametrize(
    ("titles", "seen"),
    [
        (("卷一 风", "卷二 雨", "卷三 雪"), 3), (("卷一", "卷二"), 2), (("卷之一　風", "卷之二　雨"), 2),
        (("序章", "卷十 风", "卷十一 雨"), 3), (("巻1：船", "巻2：海"), 2),
        (("卷一 风",), 0), (("卷一 风", "卷九 雨"), 0), (("卷一起来", "卷二话不说"), 0),
        (("卷一 风来了。", "卷二 雨来了。"), 0), (("卷一 风", "卷九 雨", "第一章 雪"), 1),
    ],
)  # fmt: skip
def test_volumes_without_the_sign_of_a_number_are_chapters_where_they_count_on(read, titles, seen):
    document = read("\n\n".join(f"{title}\n\n{STORY}{STORY}{STORY}" for title in titles))
    assert len(document.chapters) == seen
    if titles[0].startswith("卷一") and seen > 1:
        assert document.chapter_names[0] == "卷一"
        assert find_chapter(document, "volume 2") == document.chapters[1]


@pytest.mark.parametrize("line", ["前言不搭后语，他说。", "序章里写的事", "尾声渐渐远去"])
def test_a_sentence_that_begins_like_such_a_part_is_none(read, line):
    assert not read(f"{STORY}\n\n{line}\n\n{STORY}\n").chapters


@pytest.mark.parametrize(("margin", "count"), [("　　", 5), ("", 1), ("    ", 1)])
def test_lines_of_one_length_are_paragraphs_where_they_are_set_in(read, margin, count):
    document = read(f"{margin}{STORY[:36]}\n" * 5)
    assert document.text.count("\n\n") == count - 1


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("第十二回　贾宝玉神游太虚境", True), ("第12章渡口", True), ("第１２章：渡口", True),
        ("【第三章】", True), ("第二卷 风雪", True), ("第一部分", True), ("제3장 나루터", True),
        ("第三章里写的就是这件事。", False), ("第六回合开始", False), ("第一集团军到了", False),
        ("第三章，他想，是写得最好的", False), ("第十天", False),
        ("פרק ב׳: הים", True), ("פרק י״ב", True), ("פרק שלישי", True), ("חלק 2", True),
        ("פרק זה עוסק בים", False), ("פרק אחר", False), ("Глава 3", True), ("Глава семьи пришёл.", False),
    ],
)  # fmt: skip
def test_what_is_a_heading_in_other_letters(read, line, seen):
    document = read(f"{STORY}\n\n{line}\n\n{STORY}\n")
    assert bool(document.chapters) == seen


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("一百零三", 103),
        ("十二", 12),
        ("二十", 20),
        ("一〇三", 103),
        ("两千零五", 2005),
        ("１２", 12),
        ("百姓", None),
        ("י״ב", 12),
        ("טו", 15),
        ("תרי״ג", 613),
        ("שלישי", 3),
        ("זה", None),
    ],
)
def test_numerals_of_other_letters(words, value):
    assert numeral(words) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"name": "A", "text": ["It began.", "It ended."]}', "JSON data"),
        ('{"text": "It began."}\n{"text": "It ended."}\n', "JSON data"),
        ("% a comment\n\\documentclass{book}\n\\begin{document}\nIt began.\n", "TeX source"),
        ("<?xml version='1.0'?><TEI><text>It began.</text></TEI>", "XML of a kind"),
        ("<fulfillmentToken xmlns='http://ns.adobe.com/adept'>\n</fulfillmentToken>\n", "protected book"),
        ("<TEI n='1'><text>It began.</text></TEI>\n", "XML of a kind"),
        ("<p>It began.</p>\n<p>It went on.</p>\n", "a piece of HTML"),
        ('{"a": 1', "JSON data"),
        ('[{ "text": "It began.", oops', "JSON data"),
        ("\\section*{One}\nIt began.\n", "TeX source"),
    ],
)
def test_what_is_full_of_marks_is_no_text(read, text, words):
    with pytest.raises(BadInput, match=words):
        read(text, "book.json")
    assert words in read(text, "book.txt").warnings[0]


@pytest.mark.parametrize(
    "coding", [base64.encodebytes, quopri.encodestring, lambda data: b"".join(uuencoded(data))]
)
def test_a_part_that_is_coded_is_told_of(read, coding):
    data = b"So it was written:\n\n" + coding((FRENCH * 3).encode()) + b"\nAnd so on.\n"
    assert "a part of it is coded" in read(data).warnings[0]


def uuencoded(data: bytes) -> Iterator[bytes]:
    yield b"begin 644 a.txt\n"
    yield from (binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45))
    yield b"`\nend\n"


@pytest.mark.parametrize(
    "text",
    [
        ("ACGT" * 15 + "\n") * 9,
        ("a1=3D+2" * 3 + "\n" + PLAIN_TALE) * 3,
        "[Illustration]\n\nIt began.",
        "He wrote \\documentclass at the top.",
        "{}[] It is",
        '["Stay," he said: "the mill is old."]',
        "<TEI> is how such a file begins.",
        "\\o/ he waved.",
        "Notes.\n\nMIME-Version: 1.0\nContent-Type: text/html\n\nSo it began.",
    ],
)
def test_what_only_begins_like_it_is(read, text):
    assert not read(text, "book.dat").warnings


def test_rows_of_a_table_stay_rows(read):
    assert read("name,keeps\nTobias,a lamp\n\nPepper,still\n", "cats.csv").text.split("\n\n") == [
        "name,keeps", "Tobias,a lamp", "Pepper,still",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["cp1251", "koi8_r"])
def test_cyrillic_that_was_read_as_western_letters_is_set_right(tmp_path, name):
    text = f"{RUSSIAN.strip()} Jürgen Müller, 19 ¹ 3."
    wrong = RUSSIAN.strip().encode(name).decode("latin-1") + " Jürgen Müller, 19 ¹ 3."
    (tmp_path / NAME).write_text(wrong, encoding="utf-8")
    document = parse(tmp_path / NAME)
    assert document.text == text and f"stand for Cyrillic ({name})" in document.warnings[0]


@pytest.mark.parametrize(
    "text", [FRENCH, CZECH, HUNGARIAN, GERMAN, "Ååå! Ööö! Ààà! Éé, îîî, ôôô, ûûû, ééé. " * 9]
)
def test_western_letters_are_not_cyrillic(text):
    assert misread(text * 9) is None
