"""The demo shop: believable, the same for everybody, and honest about its planted faults."""

import json
from collections import Counter

import polars as pl
import pytest

from shelfwise.catalogue.decoding import decode
from shelfwise.catalogue.duplicates import group_near_duplicates
from shelfwise.catalogue.picture_hashes import hash_pictures
from shelfwise.catalogue.pictures import PictureFolder
from shelfwise.demo import DemoShop, generate
from shelfwise.demo.pictures import SIDE
from shelfwise.demo.words import vocabulary
from shelfwise.errors import PictureError, RecipeError


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    return generate(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def catalogue(shop: DemoShop) -> pl.DataFrame:
    return pl.read_parquet(shop.catalogue)


def labelled(catalogue: pl.DataFrame) -> pl.DataFrame:
    return catalogue.filter(pl.col("category").fill_null("") != "")


def test_has_as_many_products_as_asked_for_each_with_its_own_id(catalogue):
    assert catalogue.height == 3000
    assert catalogue["product_id"].n_unique() == 3000
    assert catalogue["url"].n_unique() == 3000


def test_tree_has_uneven_depth_equal_leaf_names_and_shelves_with_one_product(catalogue):
    counts = labelled(catalogue).group_by("category").len()
    paths = [tuple(path.split(" > ")) for path in counts["category"]]
    leaves = [path[-1] for path in paths]

    assert {len(path) for path in paths} == {1, 2, 3}
    assert len(leaves) > len(set(leaves))
    assert set(counts.filter(pl.col("len") == 1)["category"]) == {
        "Garden > Beehives",
        "Kitchen > Appliances > Fondue Sets",
        "Toys > Rocking Horses",
    }


def test_shelves_are_unlike_in_size(catalogue):
    counts = labelled(catalogue).group_by("category").len()["len"]

    assert counts.max() > 5 * counts.median() / 2
    assert 55 <= len(counts) <= 75


def test_planted_faults_are_those_of_the_catalogue_and_all_of_them_are_wrong(shop, catalogue):
    planted = pl.read_csv(shop.planted)
    both = planted.join(catalogue, on="product_id", how="left")

    assert 60 <= planted.height <= 120
    assert both["category"].to_list() == both["given"].to_list()
    assert (planted["given"] != planted["true"]).all()


def test_same_thing_from_two_sellers_stays_on_one_side_of_the_split(catalogue):
    described = catalogue.filter(pl.col("description") != "").group_by("description", "attributes", "brand")
    repeated = described.agg(pl.col("split").n_unique().alias("sides"), pl.len()).filter(pl.col("len") > 1)

    assert repeated.height > 50
    assert repeated["sides"].max() == 1
    assert 0.15 < (catalogue["split"] == "test").mean() < 0.25


def test_every_tested_category_can_be_learned(catalogue):
    rows = labelled(catalogue)
    learned, tested = (set(rows.filter(split=side)["category"]) for side in ("train", "test"))

    assert tested <= learned


def test_has_what_makes_real_catalogues_hard(catalogue):
    assert 10 <= catalogue["category"].fill_null("").eq("").sum() <= 60
    assert catalogue["description"].eq("").sum() > 100
    assert catalogue["description"].str.contains("&amp;|&#x27;|&euro;").any()
    assert catalogue["title"].str.contains("für Damen").any()
    assert any(isinstance(json.loads(text).get("Details"), dict) for text in catalogue["attributes"] if text)
    assert {"€", "E"} <= set("".join(catalogue["price"]))


def test_new_arrivals_have_no_category_and_are_not_in_the_catalogue(shop, catalogue):
    arrivals = pl.read_csv(shop.new_arrivals, infer_schema=False)

    assert arrivals.columns == [name for name in catalogue.columns if name not in ("category", "split")]
    assert arrivals.height == 150
    assert not set(arrivals["product_id"]) & set(catalogue["product_id"])


def test_same_seed_same_files_other_seed_other_shop(tmp_path):
    first = generate(tmp_path / "first", products=300, seed=1)
    again = generate(tmp_path / "again", products=300, seed=1)
    other = generate(tmp_path / "other", products=300, seed=2)

    for name in ("catalogue", "new_arrivals", "planted"):
        assert getattr(first, name).read_bytes() == getattr(again, name).read_bytes()
        assert getattr(first, name).read_bytes() != getattr(other, name).read_bytes()
    assert pictures_in(first) == pictures_in(again)
    assert pictures_in(first) != pictures_in(other)


def pictures_in(shop: DemoShop) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in shop.images.iterdir()}


def test_most_products_have_a_picture_and_some_are_broken(shop, catalogue):
    found = PictureFolder(shop.images).find(catalogue.with_columns(image=pl.lit("")))
    faults = Counter()
    for picture in found:
        try:
            faults["fine" if picture and decode(picture.read(), picture.name).width <= SIDE else "none"] += 1
        except PictureError as error:
            faults[error.code] += 1

    assert 0.02 < faults["none"] / catalogue.height < 0.06
    assert min(faults[code] for code in ("empty", "not_a_picture", "truncated")) > 0
    assert faults["fine"] > 0.93 * catalogue.height


def test_new_arrivals_have_pictures_too(shop):
    arrivals = pl.read_csv(shop.new_arrivals, infer_schema=False)
    found = PictureFolder(shop.images).find(arrivals.with_columns(image=pl.lit("")))

    assert sum(picture is not None for picture in found) > 0.9 * arrivals.height


def test_pictures_look_different_enough_not_to_be_taken_for_twins(shop, catalogue):
    hashes = hash_pictures(PictureFolder(shop.images).find(catalogue.with_columns(image=pl.lit(""))))
    words, both = group_near_duplicates(catalogue), group_near_duplicates(catalogue, pictures=hashes)

    assert len(set(both)) > 0.97 * len(set(words))


def test_pictures_of_an_earlier_larger_shop_are_removed(tmp_path):
    generate(tmp_path, products=400)
    small = generate(tmp_path, products=300)
    fresh = generate(tmp_path / "fresh", products=300)

    assert pictures_in(small) == pictures_in(fresh)


def test_too_small_a_shop_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="at least 300 products, not 20"):
        generate(tmp_path / "shop", products=20)

    assert not (tmp_path / "shop").exists()


def test_words_come_in_both_languages():
    shelves = vocabulary().shelves

    assert all(
        shelf.kinds and shelf.remarks and shelf.path[0] in vocabulary().departments for shelf in shelves
    )
    assert len({shelf.path for shelf in shelves}) == len(shelves)
