"""`shelfwise.audit`: planted errors are found in shops of all kinds, the same ones for everybody."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from audit_shop import SHELVES, average_precision, doubt_of, find, plant, recipe, shop
from shelfwise.audit import AuditOptions, audit
from shelfwise.audit.doubts import METADATA, SCHEMA
from shelfwise.audit.kinds import KINDS
from shelfwise.errors import CatalogueError, LabelError, MissingExtraError
from shelfwise.recipe import CatalogueRecipe, PicturesRecipe, Recipe


@pytest.fixture(scope="module")
def demo_shop(tmp_path_factory):
    from shelfwise.demo import generate

    return generate(tmp_path_factory.mktemp("shop"), products=1200)


@pytest.fixture(scope="module")
def found(demo_shop):
    """The audit of the demo shop."""
    return audit(demo_shop.catalogue, options=AuditOptions(layout=False))


@pytest.fixture(scope="module")
def planted():
    return plant(shop(48), 8)


# -- the demo shop -------------------------------------------------------------------------------------------


def test_planted_errors_of_the_demo_shop_are_found(demo_shop, found):
    planted = pl.read_csv(demo_shop.planted).drop_nulls("given")  # some have no category at all
    wrong, ranked = set(planted["product_id"]), found.doubts["product_id"].to_list()

    # By chance both would be 0.03. Half of what is missed lies between shelves that share their words.
    assert average_precision(ranked, wrong) > 0.6
    assert sum(name in wrong for name in ranked[:20]) >= 14
    both = found.doubts.head(100).join(planted, on="product_id")
    assert (both["suggested"] == both["true"]).mean() > 0.85


def test_doubts_of_the_demo_shop_add_up_to_about_what_was_planted(demo_shop, found):
    planted = pl.read_csv(demo_shop.planted).drop_nulls("given").height

    assert planted / 2 < found.expected < 2.5 * planted
    assert found.expected == pytest.approx(float(found.doubts["doubt"].sum()), rel=1e-4)


def test_every_labelled_product_has_one_row(demo_shop, found):
    catalogue = pl.read_parquet(demo_shop.catalogue)
    labelled = catalogue.filter(pl.col("category").fill_null("") != "")

    assert found.doubts.schema == SCHEMA
    assert set(found.doubts["product_id"]) == set(labelled["product_id"])
    assert found.report.rows == 1200
    assert found.report.unlabelled == 1200 - labelled.height > 0


def test_the_only_products_of_their_shelves_are_not_condemned(found):
    alone = found.doubts.filter(pl.col("reasons").list.join(" ").str.contains("alone on its shelf"))

    assert alone.height >= 3
    assert alone["doubt"].median() < 0.5


# -- planted errors of each kind -----------------------------------------------------------------------------


def test_errors_of_each_kind_are_above_all_that_is_right(planted):
    frame, kinds = planted
    found = find(frame)
    top = found.doubts.head(len(kinds))
    true = dict(zip(frame["product_id"], shop(48)["category"], strict=True))

    assert set(top["product_id"]) == set(kinds)
    assert {kinds[name] for name in top["product_id"]} == {"sister", "department"}
    assert top["suggested"].to_list() == [true[name] for name in top["product_id"]]
    assert [kinds[row["product_id"]] for row in top.iter_rows(named=True)] == [
        "sister" if row["distance"] == 2 else "department" for row in top.iter_rows(named=True)
    ]


def test_a_wrong_department_is_above_what_lies_between_two_sister_shelves(planted):
    frame, kinds = planted
    between = pl.DataFrame(
        [
            (f"B{i}", f"boot sandal booola sanola shoeware no{i}x birch", shelf)
            for i, shelf in enumerate(("Shoes > Boots", "Shoes > Sandals"))
        ],
        schema=frame.schema, orient="row",
    )  # fmt: skip
    found = find(pl.concat([frame, between]))
    ranked = found.doubts["product_id"].to_list()
    lowest = max(ranked.index(name) for name, kind in kinds.items() if kind == "department")

    assert {"B0", "B1"} <= set(ranked)
    assert lowest < min(ranked.index("B0"), ranked.index("B1"))


def test_near_duplicates_with_different_labels_are_told(planted):
    frame = planted[0]
    twin = frame[[5]].with_columns(product_id=pl.lit("T"), category=pl.lit("Garden > Rakes"))
    found = find(pl.concat([frame, twin]))
    row = found.doubts.filter(pl.col("product_id") == "T").row(0, named=True)

    assert row["kind"] == "duplicate"
    assert row["suggested"] == frame["category"][5]
    assert row["reasons"][0] == f"A near-duplicate lies on {frame['category'][5]!r}."
    assert doubt_of(found, "T") > doubt_of(found, frame["product_id"][5])


def test_a_given_group_is_kept_together_and_makes_no_near_duplicates(planted):
    frame, kinds = planted
    senders = [f"s{row * 7919 % 12}" for row in range(frame.height)]
    found = find(frame.with_columns(sender_id=pl.Series(senders)))
    top = found.doubts.head(len(kinds))
    true = dict(zip(frame["product_id"], shop(48)["category"], strict=True))

    assert found.report.groups == 12
    assert "duplicate" not in set(found.doubts["kind"])
    assert top["suggested"].to_list() == [true[name] for name in top["product_id"]]


def test_a_shelf_of_one_product_is_doubted_only_as_far_as_another_fits(planted):
    single = pl.DataFrame({"product_id": ["S"], "title": ["quartz ruby gem"], "category": ["Gems"]})
    found = find(pl.concat([planted[0], single]))

    assert doubt_of(found, "S") < 0.5
    assert found.doubts.height == planted[0].height + 1


# -- catalogues of all kinds ---------------------------------------------------------------------------------


def test_categories_of_one_level(planted):
    flat = planted[0].with_columns(pl.col("category").str.split(" > ").list.last())
    found = find(flat)

    assert tuple(found.shares) == ("anywhere", "confusion")
    assert set(found.doubts["distance"]) == {2}
    assert average_precision(found.doubts["product_id"].to_list(), planted[1]) > 0.9
    assert not found.doubts["reasons"].list.join(" ").str.contains("department").any()


def test_ids_with_paths_beside_them(planted):
    frame, kinds = planted
    ids = {name: str(700 + code) for code, name in enumerate(SHELVES)}
    numbered = frame.select(
        "product_id", "title", category_id=pl.col("category").replace_strict(ids).cast(pl.Int64),
        category_name=pl.col("category"),
    )  # fmt: skip
    found = audit(numbered, Recipe(threads=1), AuditOptions(layout=False))
    top = found.doubts.head(len(kinds))

    assert set(found.doubts["given"]) == set(ids.values())
    assert set(found.doubts["distance"]) == {2, 4}
    assert set(top["product_id"]) == set(kinds)
    assert "Shoes > " in " ".join(top["reasons"].explode())


def test_rows_that_cannot_be_judged_are_counted_and_left_out(tmp_path):
    frame = plant(shop(12), 2)[0]
    lines = [json.dumps(row) for row in frame.iter_rows(named=True)]
    odd = [
        {"product_id": "N1", "title": "boot booola", "category": None},
        {"product_id": "N2", "title": "pan panola", "category": ""},
        {"product_id": "E1", "title": "", "category": "Shoes > Boots"},
    ]
    broken = ['{"product_id": "X1", "title": ']
    path = tmp_path / "shop.jsonl"
    path.write_text("\n".join([*map(json.dumps, odd), *lines[:50], *broken, *lines[50:]]) + "\n")
    found = find(path)
    report = found.report

    assert (report.rows, report.unlabelled, report.empty, report.unreadable) == (112, 2, 1, 1)
    assert found.doubts.height == 108
    assert not set(found.doubts["product_id"]) & {"N1", "N2", "E1", "X1"}
    rows = dict(found.doubts.select("product_id", "row").iter_rows())
    assert [rows["P0000"], rows["P0049"], rows["P0050"]] == [3, 52, 54]


def draw_pictures(folder, each):
    """Pictures of red, green and blue discs in a folder for each colour, two of them in a wrong one."""
    Image = pytest.importorskip("PIL.Image")
    draw = pytest.importorskip("PIL.ImageDraw")
    rng = np.random.default_rng(0)
    for shelf, colour in {"red": (190, 40, 40), "green": (40, 150, 60), "blue": (40, 60, 190)}.items():
        (folder / shelf).mkdir()
        for number in range(each):
            image = Image.new("RGB", (64, 64), (250, 250, 250))
            tint = tuple(int(part + rng.integers(-30, 30)) for part in colour)
            for x, y in rng.integers(0, 44, (4, 2)).tolist():
                draw.Draw(image).ellipse((x, y, x + 20, y + 20), fill=tint)
            image.save(folder / shelf / f"{shelf}-{number}.png")
    (folder / "red" / "red-3.png").rename(folder / "green" / "red-3.png")
    (folder / "blue" / "blue-5.png").rename(folder / "red" / "blue-5.png")


def find_by_pictures(folder):
    settings = Recipe(threads=1, pictures=PicturesRecipe(learner="neighbours"))
    return audit(str(folder), settings, AuditOptions(layout=False))


def test_pictures_alone(tmp_path):
    draw_pictures(tmp_path, 20)
    found = find_by_pictures(tmp_path)
    top = found.doubts.head(2)

    assert found.doubts.height == 60
    assert {(row["given"], row["suggested"]) for row in top.iter_rows(named=True)} == {
        ("green", "red"), ("red", "blue"),
    }  # fmt: skip
    assert "picture" in " ".join(top["reasons"].explode())


def test_too_few_pictures_are_refused(tmp_path):
    draw_pictures(tmp_path, 8)
    with pytest.raises(LabelError, match=r"24 products with a category are too few .* pictures"):
        find_by_pictures(tmp_path)


@pytest.mark.parametrize("each", [1, 2])
def test_as_few_products_as_can_be_compared_have_doubts(each):
    frame = pl.DataFrame(
        {"title": [f"word{i % 3} no{i}" for i in range(3 * each)], "category": ["a", "b", "c"] * each}
    )

    assert find(frame).doubts["doubt"].is_between(0, 1).all()


def test_too_few_products_are_refused_with_what_is_missing():
    with pytest.raises(LabelError, match="2 products with a category are too few to hold a part back"):
        find(pl.DataFrame({"title": ["red boot", "blue hat"], "category": ["a", "b"]}))
    with pytest.raises(LabelError, match="name another column with --label"):
        find(pl.DataFrame({"title": ["red boot", "blue hat"], "category": [None, None]}))


def test_a_catalogue_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(CatalogueError, match="nowhere"):
        find(tmp_path / "nowhere.csv")


def test_hostile_text_costs_nothing():
    odd = pl.DataFrame({
        "product_id": ["<b>", "x\x00y", "="],
        "title": ["<script>alert(1)</script> boot", "boot " * 200_000, "\u202e👢"],
        "category": ["Shoes > Boots"] * 3,
    })  # fmt: skip
    found = find(pl.concat([shop(8), odd]))

    assert found.doubts.height == 75


# -- the same for everybody ----------------------------------------------------------------------------------


def test_same_seed_same_bytes_and_threads_change_nothing(tmp_path):
    frame = plant(shop(10), 2)[0]
    for name, settings in (("one", {}), ("again", {}), ("threads", {"threads": 3}), ("other", {"seed": 5})):
        find(frame, **settings).write(tmp_path / f"{name}.parquet")
    files = {path.stem: path.read_bytes() for path in tmp_path.iterdir()}

    assert files["one"] == files["again"] == files["threads"]
    assert files["one"] != files["other"]


def test_steps_are_told_as_they_begin():
    steps = []
    audit(shop(4), recipe(), AuditOptions(layout=False), steps.append)

    assert steps[0] == "reading"
    assert steps[-2:] == ["doubts", "reasons"]


def test_products_have_places_on_the_map():
    pytest.importorskip("openTSNE")
    found = audit(shop(8), recipe())

    assert found.doubts.select(pl.col("x", "y").is_finite().all()).row(0) == (True, True)
    assert found.doubts["x"].n_unique() > 60


def test_a_map_without_its_extra_is_refused_before_the_work(monkeypatch):
    monkeypatch.setattr("shelfwise.audit.find_spec", lambda name: None)
    steps = []
    with pytest.raises(MissingExtraError, match=r"shelfwise\[map\]"):
        audit(shop(4), recipe(), notify=steps.append)

    assert steps == []


# -- the file ------------------------------------------------------------------------------------------------


def test_the_file_remembers_what_it_is_about(demo_shop, found, tmp_path):
    found.write(tmp_path / "doubts.parquet")
    about = json.loads(pl.read_parquet_metadata(tmp_path / "doubts.parquet")[METADATA])

    assert pl.read_parquet(tmp_path / "doubts.parquet").equals(found.doubts)
    assert about["catalogue"] == str(demo_shop.catalogue)
    assert about["files"] == [str(demo_shop.catalogue)]
    assert (about["version"], about["label"], about["separator"], about["rows"]) == (
        1,
        "category",
        " > ",
        1200,
    )
    assert about["roles"]["title"] == "title"
    assert len(about["data_sha256"]) == 64
    assert about["shares"] == found.shares
    assert {"shelfwise", "images", "model"} <= set(about)


def test_the_model_and_the_pictures_are_remembered():
    settings = Recipe(threads=1, catalogue=CatalogueRecipe(label="category"))
    found = audit(shop(4), settings, AuditOptions(layout=False, model="models/shelf"))

    assert found.about["model"] == "models/shelf"
    assert (found.about["catalogue"], found.about["files"], found.about["images"]) == ("", [], "")


def test_another_ending_is_refused(tmp_path, found):
    with pytest.raises(CatalogueError, match=r"end in \.parquet"):
        found.write(tmp_path / "doubts.csv")
    assert list(tmp_path.iterdir()) == []


def test_kinds_are_those_that_are_promised(found):
    assert set(found.doubts["kind"]) <= set(KINDS)
