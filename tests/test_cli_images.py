"""`shelfwise images`: what it says and writes, what it refuses, and that training finds what it fetched."""

import json

import polars as pl
import pytest
from click.testing import CliRunner

from fetched_shop import COUNT, shop
from shelfwise.cli import main


def run(*words):
    return CliRunner().invoke(main, [*map(str, words)])


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    with shop(folder):
        yield folder


def fetch(box, output, *more):
    return run(
        "images", box / "products.parquet", "--output", output, "--allow-private", "--rate", 1000, *more
    )


def test_it_fetches_and_says_what_failed_and_what_comes_next(box, tmp_path):
    told = fetch(box, tmp_path / "out")

    assert told.exit_code == 0, told.output
    assert "81 addresses: 80 stored, 1 failed." in told.output
    assert "79 files" in told.output
    assert "status_404" in told.output
    assert "HTTP 404" in told.output
    assert "shelfwise train" in told.output
    assert (tmp_path / "out" / "dead-links.csv").read_text().count("\n") == 2


def test_training_learns_from_what_was_fetched(box, tmp_path):
    assert fetch(box, tmp_path / "out", "--size", 64).exit_code == 0
    words = ("--images", tmp_path / "out", "--image-encoder", "pixels", "--json")
    told = run("train", box / "products.parquet", "--model", tmp_path / "model", *words)
    assert told.exit_code == 0, told.output
    answer = run(
        "predict", tmp_path / "model", box / "products.parquet", "--output", tmp_path / "sorted.parquet",
        "--images", tmp_path / "out",
    )  # fmt: skip
    assert answer.exit_code == 0, answer.output
    table = pl.read_parquet(tmp_path / "sorted.parquet").head(COUNT)
    meant = [("blue", "red")[number % 2] for number in range(COUNT)]  # titles tell nothing

    assert table["category"].to_list() == meant
    dead = pl.read_parquet(tmp_path / "sorted.parquet")["reason"][COUNT]
    assert "is not in" in dead


def test_json_alone(box, tmp_path):
    told = json.loads(fetch(box, tmp_path / "out", "--json").output)
    assert (told["links"], told["stored"], told["codes"]) == (81, 80, {"status_404": 1})
    assert told["output"] == str(tmp_path / "out")


def test_a_check_writes_a_table(box, tmp_path):
    told = fetch(box, tmp_path / "out", "--check")
    assert "80 have a picture, 1 failed" in told.output
    assert pl.read_parquet(tmp_path / "out" / "links.parquet")["code"].to_list() == ["ok"] * 80 + [
        "status_404"
    ]


def test_shards(box, tmp_path):
    assert fetch(box, tmp_path / "out", "--pack", "webdataset").exit_code == 0
    assert (tmp_path / "out" / "shards" / "000000.tar").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--check", "--pack", "parquet"], "--check fetches nothing"),
        (["--size", "0"], "size"),
        (["--rate", "0"], "rate"),
        (["--contact", "a\nb"], "ASCII"),
        (["--role", "image=none"], "--role image=COL"),
    ],
)
def test_what_cannot_be_is_refused(box, tmp_path, words, said):
    told = fetch(box, tmp_path / "out", *words)
    assert told.exit_code == 2
    assert said in told.output


@pytest.mark.parametrize("words", [["--role", "image=none"], ["--role", "picture=x"]])
def test_what_is_refused_leaves_nothing_behind(box, tmp_path, words):
    assert fetch(box, tmp_path / "out", *words).exit_code == 2
    assert run("images", tmp_path / "none.parquet", "--output", tmp_path / "out").exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_without_leave_nothing_private_is_asked(box, tmp_path):
    told = run("images", box / "products.parquet", "--output", tmp_path / "out", "--json")
    assert json.loads(told.output)["codes"] == {"address_refused": 81}
