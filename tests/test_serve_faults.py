"""Reloads, restarts and load, in short: nothing is lost, nothing is wrong, nothing grows."""

import shutil

import polars as pl
import pytest

from serve_faults import (
    AGAIN,
    ONCE,
    Asker,
    Supervisor,
    known,
    reload_often,
    slope,
    soak,
    state,
    version,
    watching,
)
from serve_shop import PATIENT, serving
from shelfwise.categorizer import Categorizer, load


@pytest.fixture(scope="module")
def products(demo):
    return pl.read_parquet(demo.catalogue).select("^(product_id|title|brand)$").head(30).to_dicts()


@pytest.fixture(scope="module")
def two(demo, saved, products, tmp_path_factory):
    """Two models, and what each says of the products by its version."""
    folder = tmp_path_factory.mktemp("other") / "model"
    frame = pl.read_parquet(demo.catalogue).with_columns(pl.col("category") + " old")
    Categorizer().fit(frame, split="split").save(folder)
    models = [load(saved), load(folder)]
    return models, {
        version(at): known(one, products) for at, one in zip((saved, folder), models, strict=True)
    }


def test_reloads_under_load_lose_nothing_and_every_answer_is_that_of_its_version(
    two, saved, products, tmp_path
):
    models, answers = two
    place = tmp_path / "model"
    shutil.copytree(saved, place)
    with serving(f"m={place}", "--watch", "0.2", "--admin", "--lame-duck", "0", *PATIENT) as server:
        asker = Asker([server.http, f"grpc://{server.grpc}"], products, answers)
        with asker.steadily(40) as tally:
            taken = reload_often(server, place, models, range(6), tally)

    assert taken == {"signal": 2, "request": 2, "change": 2}
    assert tally.faultless, (tally.wrong[:3], tally.lost)
    assert set(tally.versions) == set(answers)


def test_restarts_lose_nothing_of_clients_that_try_again_or_honour_readiness(two, saved, products):
    _, answers = two
    supervisor = Supervisor(saved, "--lame-duck", "1", "--drain", "10", *PATIENT)
    addresses = [supervisor.http, supervisor.grpc]
    try:
        again, honest = Asker(addresses, products, answers), Asker(addresses, products, answers)
        with (
            again.busily(4, AGAIN, 0.05) as first,
            watching(supervisor.http, honest),
            honest.busily(4, ONCE, 0.05) as second,
        ):
            for _ in range(2):
                supervisor.restart([first, second])
    finally:
        supervisor.close()

    assert [code for code, _ in supervisor.ended] == [0, 0]
    assert all(seconds < 15 for _, seconds in supervisor.ended)
    for tally in (first, second):
        assert tally.faultless, (tally.wrong[:3], tally.lost)
        assert tally.answered >= 40


def test_files_and_threads_do_not_grow_under_load(two, saved, products):
    _, answers = two
    with serving(f"m={saved}", "--lame-duck", "0", *PATIENT) as server:
        asker = Asker([server.http, f"grpc://{server.grpc}"], products, answers)
        with asker.steadily(40) as tally:
            seen = soak(server.process.pid, tally, 5, every=0.5)
        after = state(server.process.pid)

    assert tally.faultless, (tally.wrong[:3], tally.lost)
    assert seen[-1]["answered"] > seen[0]["answered"]
    assert after["threads"] <= seen[0]["threads"] + 4
    assert after["files"] <= seen[0]["files"] + 4


def test_a_slope_is_what_grows_a_minute():
    assert slope([0, 30, 60], [5.0, 6.0, 7.0]) == pytest.approx(2)
