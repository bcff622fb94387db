"""Mapping files for categories, and merging of rare ones."""

from __future__ import annotations

import polars as pl
import pytest

from shelfwise.catalogue.labels import LabelMapping, Rule, reduce_rare
from shelfwise.errors import LabelError

LABELS = pl.Series(
    "label",
    ["Shoes > Men", "Shoes > Women", "Shoes", "Bags > Men", "Junk", None, "Shoes > Men > Boots", "Shoe care"],
)


def read(tmp_path, text, name="map.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return LabelMapping.read(path)


def test_renames_merges_reduces_and_drops(tmp_path):
    mapping = read(tmp_path, "from,to\nShoes > *,Footwear\nShoes > Women,Ladies\nJunk,-\nBags > Men,Ladies\n")

    mapped, report = mapping.apply(LABELS, " > ")

    assert mapped.to_list() == [
        "Footwear", "Ladies", "Footwear", "Ladies", None, None, "Footwear", "Shoe care",
    ]  # fmt: skip
    assert mapped.name == "label"
    assert [(u.source, u.target, u.rows, u.categories) for u in report.uses] == [
        ("Shoes > *", "Footwear", 3, 3), ("Shoes > Women", "Ladies", 1, 1),
        ("Junk", None, 1, 1), ("Bags > Men", "Ladies", 1, 1),
    ]  # fmt: skip
    assert (report.categories_before, report.categories_after) == (7, 3)
    assert (report.rows_changed, report.rows_dropped) == (5, 1)
    assert report.warnings == ()


def test_the_longest_match_wins():
    rules = (Rule("Shoes > *", "A"), Rule("Shoes > Men > *", "B"), Rule("Shoes > Men", "C"))
    mapped, _ = LabelMapping(rules).apply(LABELS, " > ")
    assert mapped.to_list()[:3] == ["C", "A", "A"]
    assert mapped[6] == "B"


def test_rules_apply_once_so_categories_can_be_swapped(tmp_path):
    mapped, report = read(tmp_path, "from,to\na,b\nb,a\n").apply(pl.Series(["a", "b", "a"]), None)
    assert mapped.to_list() == ["b", "a", "b"]
    assert report.rows_changed == 3


def test_star_is_an_ordinary_name_where_there_is_one_level():
    mapped, _ = LabelMapping((Rule("Shoes > *", "x"),)).apply(pl.Series(["Shoes > Men", "Shoes > *"]), None)
    assert mapped.to_list() == ["Shoes > Men", "x"]


def test_a_rule_without_a_match_is_a_warning_with_a_suggestion(tmp_path):
    mapping = read(tmp_path, "from,to\nShoes > Woman,x\nBgas > *,y\nzzzz,w\nJunk,j\n")

    _, report = mapping.apply(LABELS, " > ")

    assert report.warnings[0].startswith(
        "map.csv, line 2: no category matches 'Shoes > Woman'; did you mean 'Shoes > Wom"
    )
    assert report.warnings[1].endswith("did you mean 'Bags > *'?")
    assert report.warnings[2] == "map.csv, line 4: no category matches 'zzzz'"
    assert len(report.warnings) == 3


def test_a_rule_that_loses_to_another_is_no_mistake():
    _, report = LabelMapping((Rule("Junk > *", "a"), Rule("Junk", "b"))).apply(LABELS, " > ")
    assert report.warnings == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.csv", '\ufefffrom;to\n"a;x";b\nc;\n'),
        ("m.tsv", "To\tFrom\nb\ta;x\n-\tc\n"),
        ("m.json", '{"a;x": "b",\n "c": null}'),
        ("m.toml", '"a;x" = "b"\nc = ""\n'),
    ],
)
def test_all_formats_say_the_same(tmp_path, name, text):
    mapping = read(tmp_path, text, name)
    assert [(rule.source, rule.target) for rule in mapping.rules] == [("a;x", "b"), ("c", None)]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m.csv", "from,to\na,b\nc,d\na,e\n", r"m\.csv, line 4: 'a' has a rule already \(line 2\)"),
        ("m.csv", "old,to\na,b\n", r'm\.csv, line 1: no column "from".*old, to'),
        ("m.csv", "from,to\na,b,c\n", r"m\.csv, line 2: expected 2 values"),
        ("m.csv", "from,to\na\n", r"m\.csv, line 2: expected 2 values"),
        ("m.csv", 'from,to\na,"b\n', r"m\.csv, line 2: unexpected end"),
        ("m.csv", "from,to\n,b\n", r"m\.csv, line 2: .from. is empty"),
        ("m.csv", "from,to\n", "no rules"),
        ("m.csv", "", "line 1: no column"),
        ("m.json", '{"a": "b",\n"c": }', r"m\.json, line 2: not JSON"),
        ("m.json", '["a", "b"]', "expected an object"),
        ("m.json", '{"a": "b",\n"b": "c",\n"a": "d"}', r"m\.json, line 3: 'a' has a rule already \(line 1\)"),
        ("m.json", '{"a": "b",\n"c": 3}', r"m\.json, line 2: 'c' must become a text"),
        ("m.toml", 'a = "b"\na = "c"\n', r"m\.toml: not TOML: .*line 2"),
    ],
)
def test_errors_name_file_and_line(tmp_path, name, text, message):
    with pytest.raises(LabelError, match=message):
        read(tmp_path, text, name)


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(LabelError, match=r"none\.csv: the mapping cannot be read"):
        LabelMapping.read(tmp_path / "none.csv")
    (tmp_path / "old.csv").write_bytes("from,to\né,b\n".encode("cp1252"))
    with pytest.raises(LabelError, match=r"old\.csv: the mapping is not UTF-8"):
        LabelMapping.read(tmp_path / "old.csv")


def test_reduce_rare_goes_up_until_there_are_enough():
    labels = pl.Series(["A > B > C"] * 2 + ["A > B > D"] + ["A > E"] * 4 + ["F"] + ["G > H"] + [None])

    mapped, report = reduce_rare(labels, 3, " > ")

    assert mapped.to_list() == ["A > B"] * 3 + ["A > E"] * 4 + ["F", "G", None]
    assert {use.source: (use.target, use.rows) for use in report.uses} == {
        "A > B > C": ("A > B", 2), "A > B > D": ("A > B", 1), "G > H": ("G", 1),
    }  # fmt: skip
    assert (report.categories_before, report.categories_after) == (5, 4)
    assert report.rows_dropped == 0


def test_reduce_rare_changes_nothing_without_levels_or_need():
    labels = pl.Series(["A > B", "C"])
    assert reduce_rare(labels, 5, None)[0].to_list() == ["A > B", "C"]
    assert reduce_rare(labels, 1, " > ")[1].uses == ()
    assert reduce_rare(pl.Series([], dtype=pl.String), 5, " > ")[0].to_list() == []
