from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.catalogue import delimited
from shelfwise.catalogue.charset import Charset
from shelfwise.catalogue.read import UNREADABLE, open_source
from shelfwise.errors import CatalogueError


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def as_csv(rows: list[list[str]], **dialect: object) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, **dialect).writerows(rows)  # type: ignore[arg-type]
    return buffer.getvalue()


# Formats


def test_parquet_keeps_types_and_gives_rows_in_batches_of_the_asked_size(tmp_path: Path):
    frame = pl.DataFrame({"id": range(55), "title": [f"t{i}" for i in range(55)], "x": [[1]] * 55})
    frame.write_parquet(tmp_path / "a.parquet")
    source = open_source(tmp_path / "a.parquet")
    assert source.columns == frame.schema
    assert source.frame().equals(frame)
    batches = list(source.batches(20, ["title"]))
    assert [b.height for b in batches] == [20, 20, 15]
    assert pl.concat(batches).equals(frame.select("title"))
    assert source.place(2) == "a.parquet, row 3"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_csv_delimiter_is_found_and_numbers_stay_text(tmp_path: Path, delimiter: str, ending: str):
    rows = [["id", "category_id", "title"], ["1", "007", "A; b, c | d"], ["2", "1.50", 'with "quotes"']]
    path = write(tmp_path, "a.csv", as_csv(rows, delimiter=delimiter, lineterminator=ending))
    source = open_source(path)
    assert source.frame().rows() == [tuple(r) for r in rows[1:]]
    assert source.problems == []


@pytest.mark.parametrize(
    ("encoding", "text", "mark"),
    [
        ("utf-8", "Größe 5", b""),
        ("utf-8", "Größe 5", codecs.BOM_UTF8),
        ("utf-16-le", "Größe 5", codecs.BOM_UTF16_LE),
        ("utf-16-be", "Größe 5", codecs.BOM_UTF16_BE),
        ("cp1251", "Кружка синяя", b""),
        ("cp1252", "Crème brûlée – 5 €", b""),
        ("latin-1", "Größe", b""),
    ],
)
def test_csv_encoding_is_found(tmp_path: Path, encoding: str, text: str, mark: bytes):
    path = write(tmp_path, "a.csv", mark + f"id;title\n1;{text}\n2;plain\n".encode(encoding))
    assert open_source(path).frame()["title"].to_list() == [text, "plain"]


def test_a_long_ascii_file_with_one_late_accent_is_utf8(tmp_path: Path):
    path = write(tmp_path, "a.csv", "id,title\n" + "1,plain\n" * 100_000 + "2,Größe\n")
    assert open_source(path).frame()["title"][-1] == "Größe"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1250", "Żółta łódź płynie spokojnie wśród trzcin"),
        ("cp1251", "Кружка керамическая, объём триста миллилитров"),
        ("koi8-r", "Кружка керамическая, объём триста миллилитров"),
        ("cp866", "Кружка керамическая, объём триста миллилитров"),
        ("cp1253", "Κεραμική κούπα με χερούλι, τριακόσια χιλιοστόλιτρα"),
        ("cp1252", "Crème hydratante à l'huile d'olive, très légère"),
    ],
)
def test_one_line_in_an_old_encoding_is_enough(tmp_path: Path, encoding: str, text: str):
    path = write(tmp_path, "a.csv", f'id;title\n1;"{text}"\n'.encode(encoding))
    source = open_source(path)
    assert source.frame()["title"].to_list() == [text]
    assert "not UTF-8" in source.notes[0]


def test_missing_values_are_null_however_they_are_written(tmp_path: Path):
    path = write(tmp_path, "a.csv", 'id,a,b\n1,"",NaN\n2,,x\n')
    assert open_source(path).frame().rows() == [("1", None, None), ("2", None, "x")]


def test_unnamed_and_repeated_columns_get_names(tmp_path: Path):
    assert list(open_source(write(tmp_path, "a.csv", ",title,title\n0,x,y\n")).columns) == [
        "column_1",
        "title",
        "title_2",
    ]


def test_json_lines_lists_and_wrapped_lists_are_one(tmp_path: Path):
    items = [{"id": 7, "sizes": ["M"]}, {"id": "007", "new": True}]
    lines = write(tmp_path, "a.jsonl", "\n".join(json.dumps(i) for i in items) + "\n\n")
    listed = write(tmp_path, "b.json", json.dumps(items, indent=1))
    wrapped = write(tmp_path, "c.json", json.dumps({"total": 2, "products": items}))
    expected = [("7", '["M"]', None), ("007", None, "true")]
    for path in (lines, listed, wrapped):
        assert open_source(path).frame().rows() == expected
    assert open_source(lines).place(1) == "a.jsonl, line 2"
    assert open_source(listed).place(1) == "b.json, item 2"


def test_gzipped_text(tmp_path: Path):
    assert open_source(write(tmp_path, "a.csv.gz", gzip.compress(b"id,t\n1,x\n"))).frame().rows() == [
        ("1", "x")
    ]
    assert open_source(write(tmp_path, "a.jsonl.gz", gzip.compress(b'{"id": 1}\n'))).frame().rows() == [
        ("1",)
    ]


def test_a_folder_of_files_with_different_columns(tmp_path: Path):
    for i in range(12):
        extra = ",price" if i % 2 else ""
        value = f",{i}.5" if i % 2 else ""
        write(tmp_path, f"part{i:02}.csv", f"name,sub_category{extra}\nn{i},s{value}\n")
    write(tmp_path, "notes.txt", "not a catalogue")
    write(tmp_path, ".hidden.csv", "x\n1\n")
    for where in (tmp_path, str(tmp_path / "*.csv")):
        source = open_source(where)
        assert list(source.columns) == ["name", "sub_category", "price"]
        assert source.frame()["name"].to_list() == [f"n{i}" for i in range(12)]
        assert source.frame(["price"])["price"].to_list()[:4] == [None, "1.5", None, "3.5"]
        assert source.place(3) == "part03.csv, line 2"


def test_a_column_whose_type_differs_between_files_is_text(tmp_path: Path):
    pl.DataFrame({"id": [1, 2]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"id": ["x"]}).write_parquet(tmp_path / "b.parquet")
    assert open_source(tmp_path).frame()["id"].to_list() == ["1", "2", "x"]


def test_a_folder_of_pictures(tmp_path: Path):
    for name in ("Shoes/Pumps/1.jpg", "Shoes/Boots/2.PNG", "Watches/3.jpeg"):
        write(tmp_path, name, b"never opened")
    source = open_source(tmp_path)
    assert source.format == "pictures"
    assert source.frame().rows() == [
        ("Shoes/Boots/2.PNG", "Shoes/Boots/2.PNG", "Shoes > Boots"),
        ("Shoes/Pumps/1.jpg", "Shoes/Pumps/1.jpg", "Shoes > Pumps"),
        ("Watches/3.jpeg", "Watches/3.jpeg", "Watches"),
    ]


class Capsule:
    """A frame of another library: all it can do is speak Arrow."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.frame.__arrow_c_stream__(requested_schema)


def test_any_frame_that_speaks_arrow():
    frame = pl.DataFrame({"id": [1], "title": ["x"]})
    for given_frame in (frame, frame.lazy(), Capsule(frame)):
        assert open_source(given_frame).frame().equals(frame)


def test_the_sample_is_spread_over_all_files(tmp_path: Path):
    for i in range(4):
        pl.DataFrame({"file": [i] * 1000}).write_parquet(tmp_path / f"{i}.parquet")
    sample = open_source(tmp_path).sample(100)
    assert sample["file"].value_counts().sort("file").rows() == [(0, 25), (1, 25), (2, 25), (3, 25)]


# Damage


def test_a_broken_quote_costs_one_row(tmp_path: Path):
    path = write(tmp_path, "a.csv", 'id,title\n1,"fine, really"\n2,"broken\n3,after\n4,"two\nlines"\n')
    source = open_source(path)
    frame = source.frame()
    assert frame["id"].to_list() == ["1", None, "3", "4"]
    assert frame["title"].to_list() == ["fine, really", None, "after", "two\nlines"]
    assert [(p.line, p.file) for p in source.problems] == [(3, path)]
    assert frame[UNREADABLE].is_not_null().to_list() == [False, True, False, False]
    assert source.place(3) == "a.csv, line 5"


def test_ragged_rows_cost_themselves_only(tmp_path: Path):
    source = open_source(write(tmp_path, "a.csv", "a,b\n1,2\n3\n4,5,6\n7,8,\n9,10\n"))
    assert source.frame(["a"])["a"].to_list() == ["1", None, None, "7", "9"]
    assert [str(p) for p in source.problems] == [
        "a.csv, line 3: 1 fields where the header has 2",
        "a.csv, line 4: 3 fields where the header has 2",
    ]


def test_inch_marks_inside_a_value_are_no_damage(tmp_path: Path):
    source = open_source(write(tmp_path, "a.csv", 'id,title\n1,Monitor 27" black\n2,TV 55"\n'))
    assert source.frame()["title"].to_list() == ['Monitor 27" black', 'TV 55"']
    assert source.problems == []


def test_backslash_quotes(tmp_path: Path):
    source = open_source(write(tmp_path, "a.csv", 'id,title\n"1","a \\"b\\" c, d"\n"2","x"\n'))
    assert source.frame()["title"].to_list() == ['a "b" c, d', "x"]


def test_a_line_that_is_no_json_costs_one_row(tmp_path: Path):
    source = open_source(write(tmp_path, "a.jsonl", '{"a": 1}\n{"a": \n[1]\n{"a": 2}\n'))
    assert source.frame()["a"].to_list() == ["1", None, None, "2"]
    assert [(p.line, p.reason) for p in source.problems] == [(2, "not JSON"), (3, "JSON, but no object")]


def test_a_few_broken_bytes_do_not_turn_utf8_into_latin(tmp_path: Path):
    path = write(tmp_path, "a.csv", b"id,t\n" + "1,Größe\n".encode() * 20 + b"2,caf\xe9\n")
    source = open_source(path)
    assert source.frame()["t"][0] == "Größe"
    assert "broken characters" in source.notes[0]


def test_problems_of_one_file_mark_rows_of_all_batches(tmp_path: Path):
    write(tmp_path, "a.csv", "a,b\n1,2\n")
    write(tmp_path, "b.csv", "a,b\n3\n")
    assert [b.columns for b in open_source(tmp_path).batches(1, ["a"])] == [["a", UNREADABLE]] * 2


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"\n\n  \n", "empty"),
        ("a.csv", random.Random(1).randbytes(3000), "binary"),
        ("a.parquet", b"", "empty"),
        ("a.parquet", b"PAR1 and then nothing", "truncated"),
        ("a.parquet", b"id,title\n1,x\n", "no Parquet"),
        ("a.jsonl", b"rubbish\nmore\n", "no JSON object"),
        ("a.xlsx", b"PK\x03\x04....", "spreadsheet"),
        ("a.xyz", b"id,title\n", "unknown file ending"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path: Path, name: str, content: bytes, says: str):
    path = write(tmp_path, name, content)
    with pytest.raises(CatalogueError, match=says) as error:
        open_source(path).frame()
    assert str(path) in str(error.value)


def test_a_truncated_parquet_file(tmp_path: Path):
    pl.DataFrame({"a": range(1000)}).write_parquet(tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    with pytest.raises(CatalogueError, match="truncated"):
        open_source(write(tmp_path, "b.parquet", whole[: len(whole) // 2]))


def test_places_without_catalogues(tmp_path: Path):
    write(tmp_path, "readme.md", "x")
    write(tmp_path, "empty/x.md", "x")
    with pytest.raises(CatalogueError, match=r"2 x \.md"):
        open_source(tmp_path)
    with pytest.raises(CatalogueError, match=r"readme\.md"):
        open_source(tmp_path / "products.csv")
    with pytest.raises(CatalogueError, match="matches"):
        open_source(str(tmp_path / "*.csv"))
    with pytest.raises(CatalogueError, match="int is no catalogue"):
        open_source(42)
    write(tmp_path, "a.csv", "id\n1\n")
    with pytest.raises(CatalogueError, match=r"'nope'.*id"):
        open_source(tmp_path / "a.csv").frame(["nope"])


# Laws

_CELL = st.text(alphabet="ab1 ,;|\t\"\n'é", max_size=8)


@given(
    st.lists(st.tuples(_CELL, _CELL, _CELL), min_size=1, max_size=12),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_what_a_csv_writer_wrote_is_read_back(
    tmp_path: Path, rows: list[tuple[str, ...]], mark: str, quoting: int
):
    table = [["alpha", "beta", "gamma"], *(list(row) for row in rows)]
    path = write(tmp_path, "a.csv", as_csv(table, delimiter=mark, quoting=quoting, lineterminator="\n"))
    dialect = delimited.Dialect(mark)
    read = list(delimited._read_rows(path, Charset("utf-8"), dialect, 3))
    assert [r.values for r in read] == [[v or None for v in row] for row in rows]
    survey = delimited._survey(path, mark)
    if survey is not None:  # then the fast reader must say the same as the careful one
        scan = delimited._scan(path, dialect, table[0], survey)
        batches = list(scan.batches(table[0]))
        frame = pl.concat(batches) if batches else pl.DataFrame()
        assert survey.rows == len(rows)
        assert frame.rows() == [tuple(r.values or ()) for r in read]
        assert [scan.place(i) for i in range(len(read))] == [f"line {r.line}" for r in read]


@given(
    st.lists(st.tuples(st.text("ab\n", max_size=6), st.text("cd,", max_size=6)), min_size=3, max_size=10),
    st.integers(1, 64),
)
def test_the_survey_does_not_depend_on_its_blocks(tmp_path: Path, rows: list[tuple[str, str]], block: int):
    path = write(tmp_path, "a.csv", as_csv([["a", "b"], *(list(r) for r in rows)], lineterminator="\n"))
    whole = delimited._survey(path, ",")
    before, delimited._BLOCK = delimited._BLOCK, block
    try:
        assert delimited._survey(path, ",") == whole
    finally:
        delimited._BLOCK = before


@given(st.lists(st.text(alphabet='ab,"\n\r;', max_size=12), min_size=1, max_size=10))
def test_damage_never_loses_a_line_without_a_report(tmp_path: Path, damaged: list[str]):
    lines = ["id,title"]
    for i, junk in enumerate(damaged):
        lines += [f"{i},whole", junk]
    text = "\n".join(lines) + "\n"
    source = open_source(write(tmp_path, "a.csv", text))
    frame = source.frame()
    assert frame.height == source.rows
    assert sum(v is not None for v in frame.get_column(UNREADABLE, default=pl.Series([None]))) == len(
        source.problems
    )
    # Every line that is not blank starts a row or stands inside the value of the row before it.
    starts = {int(source.place(row).rsplit(" ", 1)[1]): row for row in range(source.rows)}
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        if number == 1 or number in starts or not line.strip("\r\n"):
            continue
        before = max(start for start in starts if start < number)
        values = [v for v in frame.row(starts[before]) if v is not None]
        spanned = sum(len(v.replace("\r\n", "\n").replace("\r", "\n").split("\n")) - 1 for v in values)
        assert spanned >= number - before


@given(st.lists(st.text(alphabet="ab,;", max_size=12), min_size=1, max_size=10))
def test_lines_that_are_whole_survive_damage_without_quotes(tmp_path: Path, damaged: list[str]):
    lines = ["id,title", *(line for i, junk in enumerate(damaged) for line in (f"{i},whole", junk))]
    frame = open_source(write(tmp_path, "a.csv", "\n".join(lines) + "\n")).frame()
    assert frame.filter(pl.col("title") == "whole")["id"].to_list() == [str(i) for i in range(len(damaged))]


@pytest.mark.real
def test_a_real_catalogue_is_the_same_from_parquet_and_csv(real: Path, tmp_path: Path):
    frame = pl.read_parquet(real / "flipkart" / "products.parquet")
    frame.write_csv(tmp_path / "a.csv")
    read = open_source(tmp_path / "a.csv")
    assert read.problems == []
    assert read.frame().fill_null("").equals(frame.fill_null(""))


def test_the_catalogue_s_own_folder(tmp_path: Path):
    (tmp_path / "a").mkdir()
    for name in ("x.csv", "a/y.csv"):
        (tmp_path / name).write_text("id,title\n1,Mug\n")
    assert open_source(tmp_path / "a/y.csv").folder == tmp_path / "a"
    assert open_source(tmp_path).folder == tmp_path
    assert open_source(str(tmp_path / "*.csv")).folder == tmp_path
    assert open_source(pl.DataFrame({"a": [1]})).folder is None
