"""`shelfwise explore`: a page to look at, a file where one is wanted, and nothing else left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from queue_shop import catalogue
from review_client import Client, served
from shelfwise.cli import main

START = "from shelfwise.cli import main; main()"


@contextmanager
def explored(*words):
    """What it says and a client of its page."""
    command = [sys.executable, "-c", START, "explore", *map(str, words), "--no-browser", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        told = ""
        for line in process.stdout:
            told += line
            if line.startswith("}"):
                break
        try:
            assert told, process.stderr.read()
            yield json.loads(told), Client(json.loads(told)["address"])
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    catalogue().write_csv(folder / "shop.csv")
    return folder / "shop.csv"


def test_the_page_shows_products_and_nothing_is_judged(shop):
    with explored(shop, "--no-map", "--threads", 1) as (told, client):
        assert (told["products"], told["rows"], told["labelled"], told["unlabelled"]) == (228, 228, 96, 132)
        about = client.get("about")
        assert (about["judged"], about["can_decide"], about["title"]) == (False, False, "shop")
        assert about["kinds"] == {"labelled": 96, "unlabelled": 132}
        items = client.get("doubts", limit=200)["items"]
        assert [item["product_id"] for item in items] == catalogue()["product_id"].head(200).to_list()
        assert {item["doubt"] for item in items} == {item["suggested"] for item in items} == {None}
        product = client.get("products/0")
        assert product["confidence"] is None
        assert sum(map(len, product["neighbours"].values())) == 3
        refused = client.decide({"id": 0, "action": "unsure"})
        assert (refused["status"], refused["error"]["code"]) == (403, "look_only")
        assert client.get("doubts", kind="unlabelled")["total"] == 132
        assert client.get("doubts", shelf="Shoes")["total"] == sum(
            (category or "").startswith("Shoes") for category in catalogue()["category"]
        )
        names = client.get("map/legend", colour="level1")["names"]
        assert set(names) == {"Shoes", "Kitchen", "Garden", "no shelf"}
        assert client.get("map/legend", colour="doubt")["status"] == 400
    assert [path.name for path in shop.parent.iterdir()] == ["shop.csv"]


def test_what_was_kept_is_opened_again_by_review(shop, tmp_path):
    output = tmp_path / "look.parquet"
    with explored(shop, "--no-map", "--output", output) as (told, client):
        assert told["output"] == str(output)
        first = client.get("products/5")
    for words in (["--look-only"], []):
        with served(output, *words) as again:
            assert again.get("products/5") == first
            assert not again.get("about")["can_decide"]
    assert [path.name for path in tmp_path.iterdir()] == ["look.parquet"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["SHOP", "--output", "look.csv"], "end in .parquet"),
        (["absent.csv"], "absent.csv"),
        (["SHOP", "--label", "colour"], "colour"),
        (["SHOP", "--host", "0.0.0.0"], "--allow-remote"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(shop, words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["explore", *(word.replace("SHOP", str(shop)) for word in words)])

    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_option():
    told = CliRunner().invoke(main, ["explore", "--help"]).output
    for name in ("--output", "--images", "--label", "--text-encoder", "--image-encoder", "--map", "--port",
                 "--host", "--allow-remote", "--no-browser", "--seed", "--threads", "--json"):  # fmt: skip
        assert name in told
