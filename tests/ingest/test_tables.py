"""Tables of every format, as rows: what is in them, and what a broken one says."""

import json

import pytest

from ingest.errors import BadInput
from ingest.spellings import join_spellings, spelling_groups
from ingest.tables import Table, pasted_table, read_table

RIGHT = [
    ("comma.csv", b"text,label\n\"a, b\",x\ncd,y\n", ("text", "label"), [("a, b", "x"), ("cd", "y")], [2, 3]),
    ("semicolon.csv", b"text;label\nab;x\ncd;y\n", ("text", "label"), [("ab", "x"), ("cd", "y")], [2, 3]),
    ("tab.tsv", b"text\tlabel\na, \"b\tx\n", ("text", "label"), [('a, "b', "x")], [2]),
    ("pipe.txt", b"text|label\nab|x\ncd|y\n", ("text", "label"), [("ab", "x"), ("cd", "y")], [2, 3]),
    ("line.csv", b'text,label\n"two\nlines",x\nab,y\n', ("text", "label"),
     [("two\nlines", "x"), ("ab", "y")], [2, 4]),
    ("windows.csv", b"text,label\r\nab,x\r\n\r\ncd,y\r\n", ("text", "label"),
     [("ab", "x"), ("cd", "y")], [2, 4]),
    ("mark.csv", b"\xef\xbb\xbftext,label\nab,x\n", ("text", "label"), [("ab", "x")], [2]),
    ("wide.csv", "text,label\nüß,x\n".encode("utf-16"), ("text", "label"), [("üß", "x")], [2]),
    ("headless.csv", b"a fine day,good\na bad day,bad\nanother,good\n", ("column 1", "column 2"),
     [("a fine day", "good"), ("a bad day", "bad"), ("another", "good")], [1, 2, 3]),
    ("short.csv", b"text,label,more\nab,x\n", ("text", "label", "more"), [("ab", "x", "")], [2]),
    ("twice.csv", b"text,,text\nab,x,y\n", ("text", "column 2", "text (2)"), [("ab", "x", "y")], [2]),
    ("one.csv", b"text\nab\ncd\n", ("text",), [("ab",), ("cd",)], [2, 3]),
    ("excel.csv", b'\xef\xbb\xbfsep=;\r\ntext;label\r\n"a; b";x\r\ncd;y\r\n', ("text", "label"),
     [("a; b", "x"), ("cd", "y")], [3, 4]),
    ("tabbed.csv", b'"sep=\t"\ntext\tlabel\nab, cd\tx\n', ("text", "label"), [("ab, cd", "x")], [3]),
    ("carriage.csv", b'text,label\r"two\rlines",x\rab,y\r', ("text", "label"),
     [("two\rlines", "x"), ("ab", "y")], [2, 4]),
    ("a.jsonl", b'{"text": "ab", "n": 1}\n\n{"n": 2.0, "text": null, "z": true}\n', ("text", "n", "z"),
     [("ab", "1", ""), ("", "2", "True")], [1, 3]),
    ("a.json", b'[{"text": "ab"}, {"text": "cd"}]', ("text",), [("ab",), ("cd",)], [1, 2]),
]  # fmt: skip


@pytest.mark.parametrize("rows", [(), (("a", "b"),), (('"rows": null', "ü"), ("", "\\\n"))], ids=len)
def test_a_table_comes_back_from_its_json(rows):
    table = Table("n", ("x", '"rows": []'), rows, tuple(range(1, len(rows) + 1)), ("warned",))
    assert Table.from_json(table.to_json()) == table


@pytest.mark.parametrize(("name", "data", "columns", "rows", "numbers"), RIGHT, ids=[row[0] for row in RIGHT])
def test_a_table_is_read(tmp_path, name, data, columns, rows, numbers):
    (tmp_path / name).write_bytes(data)
    found = read_table(tmp_path / name)
    assert found.name == name and found.columns == columns
    assert list(found.rows) == rows
    assert list(found.numbers) == numbers


WRONG = [
    ("empty.csv", b"", "empty"),
    ("blank.csv", b"\n \n", "no rows"),
    ("header.csv", b"text,label\n", "no rows"),
    ("ragged.csv", b"text,label\nab,x\na, b,y\n", "row 3 has more cells than the 2 columns"),
    ("book.xlsx", b"PK\x03\x04rest", "save the sheet as CSV"),
    ("binary.csv", b"ab\0\0\1\2,x\n\0\0", "no text"),
    ("bad.jsonl", b'{"text": "ab"}\n{"text": \n', "line 2 is not valid JSON"),
    ("list.jsonl", b'{"text": "ab"}\n["ab"]\n', "line 2 is no JSON object"),
    ("bad.json", b"[{", "not valid JSON"),
    ("deep.json", b"[" * 100_000, "not valid JSON"),
    ("columns.csv", b"a," * 501, "502 columns are too many"),
    ("columns.jsonl", b"".join(b'{"a%d": 1}\n' % at for at in range(600)), "501 columns are too many"),
    ("rows.csv", b"ab\n" * 500_002, "more than 500,000 rows"),
    ("cells.csv", b"ab" + b"," * 6_000_001, "more than 3,000,000 cells"),
    ("cells.json", b"[" + b"0," * 6_000_001, "more than 3,000,000 cells"),
    ("broken.parquet", b"PAR1 and nothing else", "arquet"),
]


@pytest.mark.parametrize(("name", "data", "says"), WRONG, ids=[row[0] for row in WRONG])
def test_what_is_no_table_says_so_in_one_line(tmp_path, name, data, says):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadInput, match=says) as error:
        read_table(tmp_path / name)
    assert "\n" not in str(error.value) and str(error.value).count(name) == 1


def test_a_quotation_mark_never_closed_is_a_letter(tmp_path):
    (tmp_path / "q.csv").write_text('text,label\n"open and never closed,x\nab,y\n')
    found = read_table(tmp_path / "q.csv")
    assert found.rows == (('"open and never closed', "x"), ("ab", "y"))
    assert "never closed" in found.warnings[0]


def test_an_encoding_can_be_named_and_a_guess_is_told(tmp_path):
    path = tmp_path / "old.csv"
    path.write_bytes("text,label\nGrüße aus Köln,x\nschön,y\n".encode("cp1252"))
    assert read_table(path, encoding="cp1252").rows[0][0] == "Grüße aus Köln"
    found = read_table(path)
    assert found.rows[0][0] == "Grüße aus Köln" and "guessed" in found.warnings[0]
    with pytest.raises(BadInput, match="not valid utf-8"):
        read_table(path, encoding="utf-8")


def test_what_is_pasted_may_have_a_header_or_not():
    assert pasted_table("ab\tx\ncd\ty\n", header=False).rows == (("ab", "x"), ("cd", "y"))
    assert pasted_table("ab\tx\ncd\ty\n", header=True).columns == ("ab", "x")
    assert isinstance(pasted_table(json.dumps({"text": "ab"})), Table)
    with pytest.raises(BadInput, match="what was pasted: there are no rows"):
        pasted_table("  \n")


def test_a_parquet_file_of_a_few_bytes_is_no_table_of_millions(tmp_path):
    fastparquet = pytest.importorskip("fastparquet", reason="fastparquet is not installed")
    import pandas

    again = pandas.Categorical.from_codes([0] * 600_000, categories=["ab"])
    path = tmp_path / "small.parquet"
    fastparquet.write(str(path), pandas.DataFrame({"text": again}), compression="ZSTD")
    assert path.stat().st_size < 10_000
    with pytest.raises(BadInput, match=r"small\.parquet: this table has more than 500,000 rows: give a part"):
        read_table(path)


GROUPS = [
    ({"Refund": 9, "refund": 12, "REFUND": 2, "ship": 1}, (("refund", "Refund", "REFUND"),)),
    (
        {"refund ": 1, "refund": 1, "re  fund": 1, "re fund": 1},
        (("refund ", "refund"), ("re  fund", "re fund")),
    ),
    ({"ﬁne": 1, "fine": 2, "": 4, " ": 1}, (("fine", "ﬁne"),)),
    ({"1": 3, "1.0": 4, "2": 1, "02": 1, "3": 1}, (("1.0", "1"), ("2", "02"))),
    ({"1": 3, "1.0": 4, "many": 1}, ()),
    ({}, ()),
]


@pytest.mark.parametrize(("counts", "groups"), GROUPS)
def test_spellings_of_one_label_are_found(counts, groups):
    assert spelling_groups(counts) == groups


def test_spellings_are_joined_in_one_column_only():
    table = pasted_table("text,label\nRefund,Refund\nab,refund\ncd,ship\n")
    joined = join_spellings(table, "label", [("refund", "Refund")])
    assert joined.rows == (("Refund", "refund"), ("ab", "refund"), ("cd", "ship"))
    assert joined.numbers == table.numbers


def test_cells_of_a_parquet_file_that_say_the_same_are_one(tmp_path):
    fastparquet = pytest.importorskip("fastparquet", reason="fastparquet is not installed")
    import pandas

    path = tmp_path / "same.parquet"
    fastparquet.write(
        str(path), pandas.DataFrame({"text": ["a ferry", "a boat"] * 500, "n": [12_345] * 1_000})
    )
    table = read_table(path)
    assert table.rows[0] == ("a ferry", "12345") and table.rows[999] == ("a boat", "12345")
    assert len({id(cell) for row in table.rows for cell in row}) == 3


def test_parquet(tmp_path):
    fastparquet = pytest.importorskip("fastparquet", reason="fastparquet is not installed")
    import pandas

    frame = pandas.DataFrame({"text": ["ab", None, "üß"], "stars": [1, 2, 3]})
    for compression in (None, "SNAPPY", "GZIP", "ZSTD"):
        path = tmp_path / f"{compression}.parquet"
        fastparquet.write(str(path), frame, compression=compression)
        found = read_table(path)
        assert found.columns == ("text", "stars")
        assert found.rows == (("ab", "1"), ("", "2"), ("üß", "3"))
