"""What is usual for a model is what products like its own show; other products show in /metrics."""

import polars as pl
import pytest

from serve_shop import serving
from shelfwise.serve.drift import Usual, count_words


def values(server):
    """The metrics of a server by name and labels."""
    with server.client() as client:
        lines = client.get("/metrics").text.splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[:1] != "#"}


def test_the_usual_spread_is_that_of_training(model):
    tops = pl.Series([path[0] for path in model.taxonomy_.paths])
    spread = Usual.of(model).spread

    assert set(spread) == set(tops)
    assert sum(spread.values()) == pytest.approx(1)
    first = model.taxonomy_.paths[0][0]
    counted = sum(count for top, count in zip(tops, model.counts_.tolist(), strict=True) if top == first)
    assert spread[first] == pytest.approx(counted / model.counts_.sum())


def test_usually_unknown_words_are_those_of_products_that_were_not_learned(demo, model):
    new = pl.read_parquet(demo.catalogue).filter(pl.col("split") == "test")
    known, seen = count_words(model, new.select("title"))
    naive, of = count_words(model, model.neighbours_)
    usual = Usual.of(model).unknown_words

    assert abs(usual - (1 - known / seen)) < 0.06
    assert usual > 1.2 * (1 - naive / of)  # learned products know their own words


def test_other_fields_than_titles_do_not_count(model):
    titles = pl.DataFrame({"title": ["red boot"]})
    more = titles.with_columns(pl.lit("qqq www zzz").alias("description"))

    assert count_words(model, more) == count_words(model, titles)
    assert count_words(model, titles.head(0)) == (0, 0)


def test_products_that_drift_show_in_the_metrics(demo, saved):
    """Products as learned, then those of one shelf alone with words that nobody used."""
    frame = pl.read_parquet(demo.catalogue).filter(pl.col("split") == "test").select("title", "category")
    top = frame["category"].str.split(" > ").list.first()
    one = frame.filter(top == top.value_counts(sort=True)[0, 0])["title"].to_list()
    usual = [{"title": title} for title in frame["title"]]
    other = [{"title": f"zorblax quuxy{n} frobnitz {one[n % len(one)][:20]}"} for n in range(len(usual))]
    with serving(f"m={saved}", "--lame-duck", "0") as server:
        first = values(server)
        seen = []
        for products in (usual, other):
            before = values(server)
            for start in range(30):
                body = {"products": products[start % 7 :: 7], "promise": 0.7}
                assert server.predict(body).status_code == 200
            after = values(server)
            seen.append({name: after[name] - before.get(name, 0.0) for name in after})
    shares, unknown, accepted = zip(*map(drift, seen), strict=True)
    training = {name.split('"')[3]: value for name, value in first.items() if "training_share" in name}
    shift = [sum(abs(share.get(top, 0) - training[top]) for top in training) / 2 for share in shares]

    assert set(shares[0]) >= set(training)  # from the start, at 0
    assert abs(unknown[0] - first['shelfwise_training_unknown_words{model="m"}']) < 0.12
    assert unknown[1] > unknown[0] + 0.15
    assert shift[0] < 0.2 < 0.4 < shift[1]
    assert accepted[1] != accepted[0]


def drift(counted):
    """Shares of shelves, of unknown words and of accepted answers in what was counted."""
    shelves = {name.split('"')[3]: value for name, value in counted.items() if "shelves_total" in name}
    words = {name.split('"')[1]: value for name, value in counted.items() if "words_total" in name}
    promised = [value for name, value in counted.items() if "promised_total" in name]
    accepted = sum(v for name, v in counted.items() if "promised_total" in name and "accepted" in name)
    total = sum(shelves.values())
    return (
        {name: value / total for name, value in shelves.items()},
        words["no"] / sum(words.values()),
        (accepted / sum(promised)),
    )
