"""Full-text search: exact ranges, spans, scripts without blanks, hostile queries, and its file on disk."""

import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Failure
from engine.paths import Paths
from engine.shelf import fulltext as module
from engine.shelf.bm25 import bm25
from engine.shelf.fulltext import FullText
from engine.shelf.terms import box_terms, question_terms, stems
from engine.shelf.words import content_words, words
from ingest.errors import BadInput

BOOK = "a" * 12
OTHER = "b" * 12
SENTENCES = [
    "The white whale rose from the sea before the ship.",
    "Ahab hated the whale; he had hated it for years.",
    "Queequeg sharpened his harpoon and said nothing.",
    "The runners were running along the shore.",
    "Ukridge's chickens were not well-known, but naïve œuvres are.",
    "In the end the ship was lost, and the whale swam on.",
]


def lay_out(sentences: list[str]) -> list[tuple[int, int, int, str]]:
    """Rows of one sentence each, one character apart."""
    rows, start = [], 0
    for number, sentence in enumerate(sentences):
        rows.append((number, start, start + len(sentence), sentence))
        start += len(sentence) + 1
    return rows


@pytest.fixture
def fulltext(tmp_path) -> FullText:
    paths = Paths(tmp_path)
    for identifier in (BOOK, OTHER):
        paths.document(identifier).mkdir(parents=True)
    return FullText(paths)


@pytest.fixture
def book(fulltext) -> FullText:
    assert fulltext.index(BOOK, lay_out(SENTENCES)) == len(SENTENCES)
    return fulltext


def marked(hits, sentences=SENTENCES) -> list[list[str]]:
    """The matched words, cut out of the whole text by their spans."""
    text = "\n".join(sentences)
    return [[text[start:end] for start, end in hit.spans] for hit in hits]


# queries as rows of data: query, rows found in order, matched words of the first hit
SEARCHES = [
    ("whale", [0, 1, 5], ["whale"]),
    ("wha", [0, 1, 5], ["whale"]),
    ("WHALE ship", [0, 5], ["whale", "ship"]),
    ("ship wha", [0, 5], ["whale", "ship"]),
    ('"white whale"', [0], ["white whale"]),
    ('"whale white"', [], []),
    ('"the whale" hat', [1], ["hated", "the whale", "hated"]),
    ('"white wh', [0], ["white whale"]),
    ('"white wh"', [], []),
    ("run", [3], ["runners", "running"]),
    ("naive", [4], ["naïve"]),
    ("NAÏVE", [4], ["naïve"]),
    ("ukridge", [4], ["Ukridge"]),
    ("ukridge's", [4], ["Ukridge", "s"]),
    ("well-known", [4], ["well", "known"]),
    ("squid", [], []),
    ("", [], []),
    ("  ?!  ", [], []),
]


@pytest.mark.parametrize(("query", "rows", "first"), SEARCHES)
def test_search_box(book, query, rows, first):
    hits = book.search(query, BOOK)
    assert [hit.index for hit in hits] == rows
    assert book.count(query, BOOK) == len(rows)
    assert marked(hits)[:1] == ([first] if rows else [])
    for hit in hits:
        assert hit.text == SENTENCES[hit.index] and hit.score > 0


def test_search_reads_on_through_the_documents(book):
    book.index(OTHER, lay_out(["A whale here.", "No.", "A whale there."]))
    every = [(hit.document, hit.index) for hit in book.search("whale")]
    assert every == [(BOOK, 0), (BOOK, 1), (BOOK, 5), (OTHER, 0), (OTHER, 2)]
    for limit in range(6):
        assert [(hit.document, hit.index) for hit in book.search("whale", limit=limit)] == every[:limit]
    assert book.count("whale") == 5 and book.count("whale", [OTHER]) == 2


HOSTILE = [
    'whale" OR "ship',
    "whale AND NOT ship",
    "NEAR(whale ship, 5)",
    "words : whale",
    "{words}: whale*",
    "whale^ +ship -sea",
    "'; DROP TABLE passages; --",
    '"""',
    "whale\x00ship",
    "\ud800whale",
    "(((((whale",
    "* OR *",
    "%s %d {}",
    "-" * 10_000,
    "whale " * 5_000,
    "x" * 100_000,
    "ﷺ" * 50,
]


@pytest.mark.parametrize("query", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_queries_are_only_words(book, query):
    expected = {word.word for word in words(query)}
    for hit in book.search(query, BOOK):
        assert expected <= {word.word for word in words(hit.text)}
    book.rank(query, BOOK)
    assert book.count("whale", BOOK) == 3


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_any_query_is_answered(tmp_path_factory, query):
    paths = Paths(tmp_path_factory.getbasetemp() / "any-query")
    fulltext = FullText(paths)
    if not fulltext.has(BOOK):
        paths.document(BOOK).mkdir(parents=True)
        fulltext.index(BOOK, lay_out(SENTENCES))
    assert fulltext.count(query, BOOK) == len(fulltext.search(query, BOOK))
    fulltext.rank(query, BOOK)


# ranking


def test_a_question_finds_the_passage_that_answers(book):
    hits = book.rank("Who was running along the shore?", BOOK)
    assert hits[0].index == 3
    assert marked(hits)[0] == ["running", "along", "shore"]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert book.rank("Why did Ahab hate it?", BOOK)[0].index == 1, "hate and hated have one stem"


def test_stop_words_count_only_when_nothing_else_is_left(book):
    assert {hit.index for hit in book.rank("what is the whale?", BOOK)} == {0, 1, 5}
    assert content_words(["to", "be", "or", "not"]) == ["to", "be", "or", "not"]
    assert {hit.index for hit in book.rank("had he for it?", BOOK)} == {1}


def naive_ranking(rows, question):
    """BM25 written down once more, over plain lists and with a stem per word."""
    docs = [(number, list(stems(tuple(word.word for word in words(text))))) for number, _, _, text in rows]
    terms = [term.text for term in question_terms(question)]
    mean = sum(len(found) for _, found in docs) / len(docs)
    scores = {}
    for number, found in docs:
        counts, score = Counter(found), 0.0
        for term in terms:
            rows_with = sum(term in other for _, other in docs)
            if counts[term]:
                idf = math.log(1 + (len(docs) - rows_with + 0.5) / (rows_with + 0.5))
                tf = counts[term]
                score += idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * len(found) / mean))
        if score:
            scores[number] = score
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def random_rows(seed: int, count: int = 150):
    chance = random.Random(seed)
    vocabulary = [f"w{number}" for number in range(200)]
    weights = [1 / (number + 1) for number in range(200)]
    return lay_out(
        [" ".join(chance.choices(vocabulary, weights, k=chance.randint(5, 30))) for _ in range(count)]
    )


def test_scores_are_bm25(fulltext):
    rows = random_rows(1)
    fulltext.index(BOOK, rows)
    for question in ("w3 w50 w120", "w0", "w7 w7 w7 w8", "w199 w0"):
        hits = fulltext.rank(question, BOOK, limit=1000)
        expected = naive_ranking(rows, question)
        assert [hit.index for hit in hits] == [number for number, _ in expected]
        assert [hit.score for hit in hits] == pytest.approx([score for _, score in expected])


def test_bm25_worked_number():
    assert bm25(1, 10, 10.0, 100, 2) == pytest.approx(3.70, abs=0.005)
    assert bm25(1, 10, 10.0, 100, 100) > 0, "a word of every passage still counts for something"


@pytest.mark.parametrize("cut", [1, 40, 149])
def test_a_search_up_to_a_place_is_a_search_of_a_book_that_ends_there(fulltext, cut):
    rows = random_rows(2)
    fulltext.index(BOOK, rows)
    fulltext.index(OTHER, rows[:cut])
    # the place may stand inside a passage, which then is not read yet
    hi = rows[cut - 1][2] + 3
    known = {BOOK: (0, hi)}
    for query in ("w3 w50 w120", "w0 w1", "w9"):
        for bounded, short in (
            (fulltext.rank(query, known, limit=1000), fulltext.rank(query, OTHER, limit=1000)),
            (fulltext.search(query, known, limit=1000), fulltext.search(query, OTHER, limit=1000)),
        ):
            assert all(hit.end <= hi for hit in bounded)
            assert [(h.index, h.score, h.text, h.spans) for h in bounded] == [
                (h.index, h.score, h.text, h.spans) for h in short
            ]
        _, bounded_books = fulltext.rank_both(query, known)
        _, short_books = fulltext.rank_both(query, OTHER)
        assert bounded_books.get(BOOK) == short_books.get(OTHER)


GRACES = ["Grace said grace before she ate.", "The grace of his bow was seen by all.", "GRACE came home."]


@pytest.mark.parametrize(
    ("question", "speak"),
    [
        ("Who is the father of Grace?", {BOOK}),
        ("Who is the father of grace?", {BOOK, OTHER}),
        ("Grace is whose daughter?", {BOOK, OTHER}),  # at the head of a question any word has a capital
        ("Who saw the Bow?", {OTHER}),  # nowhere a name: it counts as any word
    ],
)
def test_a_name_speaks_for_the_books_where_it_is_one(fulltext, question, speak):
    fulltext.index(BOOK, lay_out(GRACES[::2]))
    fulltext.index(OTHER, lay_out(GRACES[1:2]))
    _, books = fulltext.rank_both(question, [BOOK, OTHER])
    assert set(books) == speak


def test_ranges_hold_whole_passages_only(book):
    rows = lay_out(SENTENCES)
    _, start, end, _ = rows[1]
    assert [hit.index for hit in book.search("whale", {BOOK: (start, end)})] == [1]
    assert book.search("whale", {BOOK: (start + 1, end)}) == []
    assert book.rank("whale", {BOOK: (start, end - 1)}) == []
    assert book.rank("whale", {BOOK: (0, 0)}) == []
    assert book.count("whale", {BOOK: (10**9, None)}) == 0


def test_each_document_may_have_its_own_range(book):
    book.index(OTHER, lay_out(["The whale came first.", "The whale came again."]))
    first_of_other = lay_out(["The whale came first."])[0][2]
    hits = book.search("whale", {BOOK: (0, None), OTHER: (0, first_of_other)})
    assert [(hit.document, hit.index) for hit in hits] == [(BOOK, 0), (BOOK, 1), (BOOK, 5), (OTHER, 0)]
    ranked = book.rank("whale", {OTHER: (0, first_of_other)})
    assert [(hit.document, hit.index) for hit in ranked] == [(OTHER, 0)]


# scripts

SCRIPTS = [
    # text, query that must find it, what is marked
    ("我喜欢读中文书。", "中文", ["中文"]),
    ("我喜欢读中文书。", "中文书", ["中文书"]),
    ("我喜欢读中文书。", "书", ["书"]),
    ("吾輩は猫である。名前はまだ無い。", "猫", ["猫で"]),
    ("吾輩は猫である。名前はまだ無い。", "名前", ["名前"]),
    ("カタカナのガラス", "ガラス", ["ガラス"]),
    ("ภาษาไทยไม่มีช่องว่าง", "ไทย", ["ไทย"]),
    ("학교에서 책을 읽었다", "학교", ["학교"]),
    ("Привет, мир", "МИР", ["мир"]),
    ("مُحَمَّد كتب", "محمد", ["مُحَمَّد"]),
    ("हिन्दी में किताब", "किताब", ["किताब"]),
    ("cafe\u0301 noir", "café", ["cafe\u0301"]),
    ("the ﬁrst oﬃce", "first", ["ﬁrst"]),
    ("Straße", "STRASSE", ["Straße"]),
    ("ＦＵＬＬ width", "full", ["ＦＵＬＬ"]),
    ("_emphasis_ matters", "emphasis", ["emphasis"]),
    ("smile 😀 here", "here", ["here"]),
    ("iPhone手机", "手机", ["手机"]),
    ("soft\u00adhyphen", "softhyphen", ["soft\u00adhyphen"]),
]


@pytest.mark.parametrize(("text", "query", "expected"), SCRIPTS, ids=[row[1] for row in SCRIPTS])
def test_every_script_finds_something(fulltext, text, query, expected):
    fulltext.index(BOOK, lay_out(["nothing at all", text]))
    hits = fulltext.search(query, BOOK)
    assert [hit.index for hit in hits] == [1]
    assert marked(hits, ["nothing at all", text])[0] == expected
    assert [hit.index for hit in fulltext.rank(query, BOOK)] == [1]


def test_a_chinese_question_finds_a_name_of_one_character(fulltext):
    fulltext.index(BOOK, lay_out(["天气很好。", "后来王来到了城里。", "他们在河边。"]))
    assert fulltext.rank("谁见过王?", BOOK)[0].index == 1


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_words_point_at_their_characters(text):
    found = words(text)
    for word, start, end in found:
        assert 0 <= start < end <= len(text)
        assert word and " " not in word and '"' not in word
    assert [word.start for word in found] == sorted(word.start for word in found)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
def test_every_word_is_found_where_it_stands(tmp_path_factory, texts):
    paths = Paths(tmp_path_factory.getbasetemp() / "every-word")
    paths.document(BOOK).mkdir(parents=True, exist_ok=True)
    fulltext = FullText(paths)
    rows = lay_out(texts)
    fulltext.index(BOOK, rows)
    whole = "\n".join(texts)
    for number, start, _, text in rows:
        for _, first, last in words(text):
            hits = fulltext.search(f'"{text[first:last]}"', BOOK)
            mine = [hit for hit in hits if hit.index == number]
            assert mine, text[first:last]
            covered = {at for low, high in mine[0].spans for at in range(low, high)}
            assert set(range(start + first, start + last)) <= covered
            assert all(whole[low:high].strip() for low, high in mine[0].spans)


# the file


def test_indexing_again_replaces_the_index(book, tmp_path):
    book.index(BOOK, lay_out(["Only squids."]))
    assert book.count("whale", BOOK) == 0 and book.count("squid", BOOK) == 1
    names = sorted(path.name for path in (tmp_path / "documents" / BOOK).iterdir())
    assert names == [module.FILE_NAME, module.SUM_NAME]


def test_a_document_without_an_index_is_refused_by_name(book):
    assert book.has(BOOK) and not book.has(OTHER)
    with pytest.raises(Failure, match=OTHER):
        book.search("whale", OTHER)
    assert book.count("whale") == 3, "the whole shelf means what is indexed"
    (book.paths.document(BOOK) / module.FILE_NAME).unlink()
    assert not book.has(BOOK) and book.count("whale") == 0


def test_an_index_of_another_version_is_not_read(book, monkeypatch):
    monkeypatch.setattr(module, "FORMAT", module.FORMAT + 1)
    assert not book.has(BOOK)
    with pytest.raises(Failure, match="version"):
        book.rank("whale", BOOK)
    assert book.rank("whale") == []


def test_a_damaged_index_is_not_read(book, tmp_path):
    (tmp_path / "documents" / BOOK / module.FILE_NAME).write_bytes(b"not a database" * 100)
    assert not book.has(BOOK)
    with pytest.raises(Failure, match="doctor --repair"):
        book.search("whale", BOOK)
    book.remake = lambda document: book.index(document, [(0, 0, 5, "whale")])
    assert [hit.text for hit in book.search("whale", BOOK)] == ["whale"], "where it can be made it is"


def test_a_failed_indexing_leaves_the_old_index(book, tmp_path):
    def broken():
        yield (0, 0, 5, "whale")
        raise OSError("disk full")

    with pytest.raises(Failure, match="disk full"):
        book.index(BOOK, broken())
    with pytest.raises(ValueError, match="backwards"):
        book.index(BOOK, [(0, 10, 20, "whale"), (1, 5, 9, "ship")])
    assert book.count("whale", BOOK) == 3
    names = sorted(path.name for path in (tmp_path / "documents" / BOOK).iterdir())
    assert names == [module.FILE_NAME, module.SUM_NAME]


@pytest.mark.parametrize("identifier", ["../../etc", "", "a/b", "A" * 12, "a" * 11])
def test_no_identifier_leaves_the_shelf(fulltext, identifier):
    with pytest.raises(BadInput):
        fulltext.search("whale", identifier)
    with pytest.raises(BadInput):
        fulltext.index(identifier, [])


def test_an_empty_document_has_an_index(fulltext):
    assert fulltext.index(BOOK, []) == 0
    assert fulltext.has(BOOK) and fulltext.rank("whale", BOOK) == [] and fulltext.search("whale", BOOK) == []


def test_box_terms_are_bounded():
    assert len(box_terms(" ".join(f"w{number}" for number in range(1000)))) == 64
    assert len(question_terms(" ".join(f"w{number}" for number in range(1000)))) == 64
