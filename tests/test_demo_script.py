"""What `make demo` runs: its commands exist, and what it does beside them is right."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import click
import polars as pl
import pytest

from shelfwise.cli import main

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def demo():
    specification = importlib.util.spec_from_file_location("demo", DOCS / "demo.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_script_is_a_script():
    subprocess.run(["sh", "-n", DOCS / "demo.sh"], check=True)


def test_the_script_runs_from_nothing(tmp_path):
    command = ["sh", DOCS / "demo.sh", Path(sys.executable).parent, tmp_path / "shop"]
    done = subprocess.run(command, cwd=DOCS.parent, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert (tmp_path / "shop" / "report" / "report.html").exists()
    assert "products land on exactly the right shelf" in done.stdout
    assert "of the first 20 doubts are such pages" in done.stdout


def test_every_command_of_the_script_exists_with_its_options():
    text = (DOCS / "demo.sh").read_text().replace("\\\n", " ")
    lines = [line.split() for line in re.findall(r"^(?:run|serve) (.+)$", text, flags=re.MULTILINE)]
    told = re.findall(r"^.*\$bin/shelfwise +([a-z].*)$", text, flags=re.MULTILINE)
    lines += [line.split() for line in told]
    context = click.Context(main)

    assert {verb for verb, *_ in lines} == {
        "demo", "scrape", "images", "inspect", "train", "evaluate", "predict", "audit", "review", "serve"
    }  # fmt: skip
    for verb, *words in lines:
        command = main.get_command(context, verb)
        known = {name for entry in command.params for name in entry.opts}
        assert {word for word in words if word.startswith("--")} <= known, verb


@pytest.fixture
def folder(tmp_path):
    """A shop of 30 products on three shelves, each with a page in English and most with one in German."""
    rows, german = [], {"Shoes": "Schuhe", "Hats": "Hüte", "Lamps": "Lampen"}
    for number in range(30):
        shelf = list(german)[number % 3]
        given = "Hats" if number == 3 else shelf
        rows.append((f"P{number}", f"https://a.example/en/{number}", "en", f"Home > {given}", shelf))
        if number % 5:
            path = f"Haus > {german[given]}"
            rows.append((f"P{number}", f"https://a.example/de/{number}", "de", path, shelf))
    shop = pl.DataFrame(
        rows, schema=["product_id", "url", "language", "category_path", "true"], orient="row"
    ).with_columns(title=pl.format("{} number {}", "true", "product_id"))
    true = pl.format("Home > {}", "true")
    german_too = pl.when(language="de").then(pl.col("category_path")).otherwise(true)
    shop.with_columns(true_category_path=german_too).write_parquet(tmp_path / "truth.parquet")
    shop.drop("true").write_parquet(tmp_path / "shop.parquet")
    return tmp_path


def test_shelves_of_two_languages_are_found_to_be_the_same(demo, folder):
    same = demo.same_shelves(pl.read_parquet(folder / "shop.parquet"))

    assert dict(same.iter_rows()) == {
        "Haus > Hüte": "Home > Hats", "Haus > Lampen": "Home > Lamps", "Haus > Schuhe": "Home > Shoes"
    }  # fmt: skip


def test_products_are_put_aside_with_all_their_pages(demo, folder):
    told = demo.prepare(folder)
    learn, new = (pl.read_parquet(folder / f"{name}.parquet") for name in ("learn", "new-arrivals"))
    sides = [
        set(learn.filter(split="train")["product_id"]), set(learn.filter(split="test")["product_id"]),
        set(new["product_id"]),
    ]  # fmt: skip

    assert learn.height + new.height == 54
    assert sum(map(len, sides)) == len(set.union(*sides)) == 30
    assert all(len(side) >= 2 for side in sides)
    assert "category_path" not in new.columns
    assert "3 German shelves" in told


def test_planted_errors_among_the_first_doubts_are_counted(demo, folder):
    shop = pl.read_parquet(folder / "shop.parquet").with_row_index("row")
    wrong = shop.filter(pl.col("url") == "https://a.example/en/3")["row"][0]
    doubts = pl.DataFrame({"row": [0, wrong, 5], "doubt": [0.2, 0.9, 0.1]})
    doubts.write_parquet(folder / "doubts.parquet")

    assert demo.planted(folder, shown=2).startswith("On 1 of the 54 pages")
    assert demo.planted(folder, shown=2).endswith("1 of the first 2 doubts are such pages.")
