"""The page of a catalogue, and the command that writes it."""

import html.parser
import io
import json

import polars as pl
import pytest
from click.testing import CliRunner

from shelfwise.audit.overview import sample_products
from shelfwise.catalogue.read import open_source
from shelfwise.catalogue.roles import find_roles
from shelfwise.cli import main

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("jinja2")
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"


class Tags(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.sources, self.text = [], set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.sources += [value for name, value in attrs if name == "src"]

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def shop_folder(tmp_path):
    rows = 60
    frame = pl.DataFrame(
        {
            "product_id": [f"p{n}" for n in range(rows)],
            "title": [f"Cup number {n}" if n else EVIL for n in range(rows)],
            "description": [f"<b>Blue</b> &amp; round, number {n}" for n in range(rows)],
            "condition": ["new"] * rows,
            "category": ["Kitchen > Cups" if n % 3 else f"Garden > {EVIL}" for n in range(rows)],
        }
    )
    frame.write_parquet(tmp_path / "shop.parquet")
    (tmp_path / "images").mkdir()
    for n in range(rows):
        data = io.BytesIO()
        Image.new("RGB", (300, 200), (n, 2 * n, 90)).save(data, "JPEG")
        content = b"<html>gone</html>" if n == 5 else data.getvalue()
        (tmp_path / "images" / f"p{n}.jpg").write_bytes(content)
    return tmp_path


def test_the_page_has_facts_products_and_pictures_and_runs_nothing(shop_folder):
    page = shop_folder / "look.html"
    told = CliRunner().invoke(
        main,
        ["inspect", str(shop_folder / "shop.parquet"), "--images", str(shop_folder / "images"),
         "--html", str(page), "--json"],
    )  # fmt: skip
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["html"] == str(page)
    text = page.read_text("utf-8")
    parsed = Tags(text)
    assert "script" not in parsed.tags
    assert not {name for name in parsed.attributes if name.startswith("on")}
    assert all(source.startswith("data:image/jpeg;base64,") for source in parsed.sources)
    assert len(parsed.sources) == 23  # of 24 products one has a picture that is none
    shown = "".join(parsed.text)
    for words in (
        "60 products on 2 shelves", "Column condition is almost constant: 100 %", "Kitchen > Cups", EVIL,
        "Blue & round", "32 to 63", "60 of 60 products have a picture", "p5.jpg",
    ):  # fmt: skip
        assert words in shown
    assert "default-src 'none'" in text


def test_samples_are_spread_over_all_batches_and_small_catalogues_are_shown_whole(shop_folder):
    source = open_source(str(shop_folder / "shop.parquet"))
    roles = find_roles(source.sample())
    found = sample_products(source, roles, count=6)
    assert [one.product_id for one in found] == ["p0", "p10", "p20", "p30", "p40", "p50"]
    assert [one.product_id for one in sample_products(source, roles, count=90)] == [
        f"p{n}" for n in range(60)
    ]
    assert found[1].description == "Blue & round, number 10"


def test_a_catalogue_without_rows_or_categories_has_a_page(tmp_path):
    (tmp_path / "none.csv").write_text("id,title\n", "utf-8")
    page = tmp_path / "none.html"
    told = CliRunner().invoke(main, ["inspect", str(tmp_path / "none.csv"), "--html", str(page)])
    assert told.exit_code == 0, told.output
    assert "0 products, without a column of categories" in page.read_text("utf-8")


def test_a_page_that_cannot_be_written_is_said(shop_folder):
    shop = str(shop_folder / "shop.parquet")
    told = CliRunner().invoke(main, ["inspect", shop, "--html", f"{shop}/look.html"])
    assert told.exit_code == 2
    assert "shop.parquet: File exists" in told.output
