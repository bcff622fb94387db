"""What the doctor writes: the page, the table's files, and the command."""

import html.parser
import json

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from shelfwise.audit.doctor import Answers, examine, render_page, safe_merges, tabulate
from shelfwise.audit.doctor.files import write_findings
from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.cli import main
from shelfwise.errors import CatalogueError, MissingExtraError

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def evil_answers():
    """Two shelves dealt at random, with names and titles that would run."""
    rng = np.random.default_rng(0)
    labels = ["a > cups", f"a > {EVIL}", "b > pans", '=HYPERLINK("x")']
    tree = Taxonomy.build(labels, None, " > ")
    y = np.repeat(tree.codes(labels), 30).astype(np.int32)
    probabilities = np.full((120, 4), 0.01, np.float32)
    mixed = tree.codes(labels[:2])
    for row, code in enumerate(y):
        if code in mixed:
            share = rng.uniform(0.3, 0.7)
            probabilities[row, mixed] = share, 0.98 - share
        else:
            probabilities[row, code] = 0.97
    codes = np.tile(np.arange(4, dtype=np.int32), (120, 1))
    given = probabilities[np.arange(120), y]
    titles = [f"{EVIL} {row}" for row in range(120)]
    return Answers(tree, y, codes, probabilities, given, np.arange(120), titles, [f'"{EVIL}' for _ in y])


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes = set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_nothing_from_the_catalogue_becomes_markup():
    pytest.importorskip("jinja2")
    told = evil_answers()
    findings = examine(told)
    page = render_page(told, findings, safe_merges(told, findings), EVIL)
    parsed = Tags()
    parsed.feed(page)
    assert not {"script", "img"} & parsed.tags
    assert not {name for name in parsed.attributes if name.startswith("on")}
    assert "default-src 'none'" in page
    assert "&lt;script&gt;" in page
    assert "Merges to apply" in page


def test_a_healthy_tree_has_a_page_too():
    pytest.importorskip("jinja2")
    assert "Nothing was found" in render_page(evil_answers(), [], {})


def test_without_jinja_the_page_names_the_extra(monkeypatch):
    monkeypatch.setattr("shelfwise.audit.sheet.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"shelfwise\[report\]"):
        render_page(evil_answers(), [], {})


@pytest.mark.parametrize("ending", ["parquet", "csv", "json", "jsonl"])
def test_the_table_is_written_in_the_form_of_its_ending(tmp_path, ending):
    findings = examine(evil_answers())
    path = tmp_path / "deep" / f"findings.{ending}"
    write_findings(findings, path)
    readers = {"parquet": pl.read_parquet, "csv": pl.read_csv, "json": pl.read_json, "jsonl": pl.read_ndjson}
    table = readers[ending](path)
    assert table["kind"].to_list() == [one.kind for one in findings]
    if ending == "csv":
        assert json.loads(table["shelves"][0]) == list(findings[0].shelves)
        assert not table["merge_into"].drop_nulls().str.starts_with("=").any()
    else:
        assert table["shelves"].to_list() == tabulate(findings)["shelves"].to_list()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_ending_that_says_nothing_is_refused_before_the_work(tmp_path):
    with pytest.raises(CatalogueError, match="ending"):
        write_findings([], tmp_path / "findings.xls")
    ended = CliRunner().invoke(main, ["doctor", "nowhere.csv", "--output", str(tmp_path / "findings.xls")])
    assert ended.exit_code == 2
    assert "ending" in ended.output


def shop(tmp_path):
    """A catalogue in which one shelf stands under two spellings."""
    rng = np.random.default_rng(0)
    rows = []
    for shelf in ("Cups", "Pans", "Forks", "Spoons"):
        own = [f"{shelf.lower()}{letter}" for letter in "abcdef"]
        for number in range(40):
            name = "cup" if shelf == "Cups" and number % 2 else shelf
            rows.append(
                (
                    f"{shelf}{number}",
                    " ".join(rng.choice(own, 3, replace=False)) + f" {number}",
                    f"Table > {name}",
                )
            )
    path = tmp_path / "shop.csv"
    pl.DataFrame(rows, schema=["product_id", "title", "category"], orient="row").write_csv(path)
    return path


def test_the_command_writes_what_it_was_asked_for(tmp_path):
    pytest.importorskip("jinja2")
    output, page, mapping = (tmp_path / name for name in ("findings.parquet", "doctor.html", "mapping.csv"))
    asked = [str(shop(tmp_path)), "--output", str(output), "--page", str(page), "--mapping", str(mapping)]
    ended = CliRunner().invoke(main, ["doctor", *asked, "--threads", "1", "--json"])
    assert ended.exit_code == 0, ended.output
    told = json.loads(ended.stdout)
    assert told["products"] == 160
    assert told["shelves"] == 5
    assert told["files"] == [str(output), str(page), str(mapping)]
    assert {one["kind"] for one in told["findings"]} >= {"overlap", "spelling"}
    assert pl.read_parquet(output).height == len(told["findings"])
    assert mapping.read_text().splitlines()[0] == "from,to"
    (source,) = told["merges"]
    assert {source, told["merges"][source]} == {"Table > Cups", "Table > cup"}
    assert "<title>Doctor" in page.read_text()
