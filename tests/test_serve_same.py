"""One product, one answer: library, file, HTTP and gRPC say the same to the last printed digit."""

import json
import re
from dataclasses import replace

import msgspec
import polars as pl
import pytest
from click.testing import CliRunner

from serve_faults import shortest
from serve_shop import PATIENT, png, serving
from shelfwise.categorizer import Categorizer, load
from shelfwise.cli import main
from shelfwise.client import connect
from shelfwise.predictions import PredictOptions
from shelfwise.recipe import PicturesRecipe, Recipe

ANSWER = ("category", "confidence", "accepted", "shelf", "shelf_confidence", "candidates", "status")


@pytest.fixture(scope="module")
def seeing(demo, tmp_path_factory):
    """The folder of a model of text and pictures."""
    folder = tmp_path_factory.mktemp("seeing") / "model"
    pictures = PicturesRecipe(folder=str(demo.images), learner="both", units=16, members=1)
    model = Categorizer(Recipe(pictures=pictures, threads=1)).fit(demo.catalogue, split="split")
    model.recipe = replace(model.recipe, pictures=replace(pictures, folder=""))
    model.save(folder)
    return folder


@pytest.fixture(scope="module")
def shop(demo, tmp_path_factory):
    """JSON lines and a folder of pictures: good, absent, broken; and lines that are no product."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "images").mkdir()
    rows = pl.read_parquet(demo.catalogue).filter(pl.col("split") == "test")
    sent = rows.select("product_id", "title", "brand").head(24).to_dicts()
    for number, one in enumerate(sent):
        data = [png((20 * number, 90, 200)), None, png()[:70]][number % 3]
        if data is not None:
            one["picture"] = data
            (folder / "images" / f"{one['product_id']}.png").write_bytes(data)
    sent += [{"product_id": "empty", "title": ""}, {"product_id": "odd", "title": "<b>nan</b> &amp; 7"}]
    lines = [json.dumps({name: one[name] for name in one if name != "picture"}) for one in sent]
    (folder / "new.jsonl").write_text("\n".join([*lines, '{"title": "cut', "7"]) + "\n", encoding="utf-8")
    return folder, sent


def comparable(row):
    """A row without what each way words for itself: where a picture lay, and the doors' codes."""
    row = {name: value for name, value in row.items() if name not in ("code", "evidence")}
    row["reason"] = re.sub(r"\S*?([\w-]+)\.png", r"\1", row["reason"] or "")
    return row


def from_file(model, folder, promise, written):
    """What `shelfwise predict` writes."""
    command = ["predict", model, folder / "new.jsonl", "--images", folder / "images", "--output", written]
    command += ["--top", 3, "--promise", promise, "--explain"]
    done = CliRunner().invoke(main, [*map(str, command)])
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in written.read_text("utf-8").splitlines()]


def from_library(folder, products, promise):
    """What `Categorizer.predict` says, numbers as they are printed."""
    model = load(folder)
    pictures = replace(model.recipe.pictures, folder=str(products / "images"))
    model.recipe = replace(model.recipe, pictures=pictures)
    table = model.predict(products / "new.jsonl", PredictOptions(top=3, promise=promise, explain=True))
    return [shortest(row) | {"evidence": shortest(row["evidence"])} for row in table.to_dicts()]


def from_server(address, sent, promise):
    """What a door says: of all products, of the first by themselves, of one with no known field."""
    wish = {"top": 3, "promise": promise, "explain": True}
    with connect(address) as client:
        together = client.predict(sent, **wish).predictions
        apart = [client.predict(one, **wish).predictions[0] for one in sent[:4]]
        unread = client.predict({"nothing": "x"}, **wish).predictions
    assert apart == together[:4]
    return msgspec.to_builtins(together), msgspec.to_builtins(unread)[0]


def test_all_four_ways_give_the_same_digits(seeing, shop, tmp_path):
    folder, sent = shop
    seen = []
    with serving(f"shop={seeing}", "--lame-duck", "0", *PATIENT) as server:
        for promise in (0.6, 0.9):
            file = from_file(seeing, folder, promise, tmp_path / f"{promise}.jsonl")
            library = from_library(seeing, folder, promise)
            http = from_server(server.http, sent, promise)
            rpc = from_server(f"grpc://{server.grpc}", sent, promise)

            assert file == library
            assert http == rpc  # codes, reasons and evidence, too
            for door, line in zip(http[0], file, strict=False):
                assert door.get("evidence") == line["evidence"]
                assert comparable(door) == comparable(line), line["product_id"]
            for line in file[len(sent) :]:  # no product as a line, or with no field that is known
                assert {name: http[1][name] for name in ANSWER} == {name: line[name] for name in ANSWER}
            assert len(file) == len(sent) + 2
            seen += http[0] + [http[1]]

    # It would say little if nothing of all this had happened:
    answered = [one for one in seen if one["category"] is not None]
    assert {one["status"] for one in seen} == {"ok", "empty", "unreadable"}
    assert {one["accepted"] for one in answered} == {True, False}
    assert any(one["shelf"] not in (None, one["category"]) for one in answered)
    assert all(len(one["candidates"]) == 3 for one in answered)
    assert {"truncated", "no_field"} <= {one.get("code") for one in seen}
    assert "pictures" in {vote["view"] for one in answered for vote in one["evidence"]["views"]}
