"""What several test files share: profiles of hypothesis, the real catalogues, a small shop."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "shelfwise",
    deadline=None,
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("shelfwise")

REAL = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def real() -> Path:
    """Folder of the real catalogues beside the checkout."""
    if not REAL.is_dir():
        pytest.skip("the real catalogues are not here")
    return REAL


@pytest.fixture
def shop() -> pl.DataFrame:
    """Sixty products in three categories, raw as a shop would export them."""
    kinds = [("Schuhe > Damen > Pumps", "Pumps"), ("Schuhe > Herren > Stiefel", "Stiefel"), ("Uhren", "Uhr")]
    rows = [(i, *kinds[i % 3]) for i in range(60)]
    return pl.DataFrame(
        {
            "sku": [f"A{i:04}" for i, _, _ in rows],
            "title": [f"{name} Modell {i} {'rot' if i % 2 else 'blau'}" for i, _, name in rows],
            "description": [
                f"<p>Ein sch&ouml;nes Paar {name}, Nummer {i}, fein gemacht</p>" for i, _, name in rows
            ],
            "brand": [("Acme", "Nork", "Bolt", "Zed")[i % 4] for i, _, _ in rows],
            "category_path": [path for _, path, _ in rows],
            "color": ["rot" if i % 2 else "blau" for i, _, _ in rows],
            "price": [f"{i},99 €" for i, _, _ in rows],
        }
    )


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A small generated shop (`shelfwise.demo.DemoShop`)."""
    from shelfwise.demo import generate

    return generate(tmp_path_factory.mktemp("demo"), products=600)


@pytest.fixture(scope="session")
def model(demo):
    """A model that learned the train rows of `demo`; tests leave it as it is."""
    from shelfwise.categorizer import Categorizer

    return Categorizer().fit(demo.catalogue, split="split")


@pytest.fixture(scope="session")
def saved(model, tmp_path_factory):
    """The folder of `model`; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    model.save(folder)
    return folder


@pytest.fixture(scope="session")
def seeing(demo):
    """A model that looks at the pictures of `demo` and reads titles; tests leave it as it is."""
    from dataclasses import replace

    from shelfwise.categorizer import Categorizer
    from shelfwise.recipe import PicturesRecipe, Recipe

    pictures = PicturesRecipe(folder=str(demo.images), learner="both", units=16, members=1)
    model = Categorizer(Recipe(pictures=pictures, threads=1)).fit(demo.catalogue, split="split")
    model.recipe = replace(model.recipe, pictures=replace(pictures, folder=""))
    assert model.views_.dense
    return model


@pytest.fixture(scope="session")
def saved_seeing(seeing, tmp_path_factory):
    """The folder of `seeing`; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("seeing") / "model"
    seeing.save(folder)
    return folder


@pytest.fixture(scope="module")
def server(saved):
    """A server of `saved` over both doors that takes little at a time."""
    from serve_shop import SMALL, serving

    with serving(f"shop={saved}", *SMALL) as running:
        yield running


@pytest.fixture(scope="module")
def channel(server):
    """A channel of gRPC to `server`."""
    import grpc

    with grpc.insecure_channel(server.grpc) as opened:
        yield opened


@pytest.fixture(scope="session")
def toys():
    """Ninety products of an easy shop: one word of the title names the shelf, the others say nothing."""
    kinds = [("Shoes > Boots", "boot"), ("Shoes > Sandals", "sandal"), ("Watches", "watch")]
    fillers = ["alder", "birch", "cedar", "maple", "rowan", "sorrel", "thyme"]
    return pl.DataFrame(
        {
            "product_id": f"P{i:03}",
            "title": f"{fillers[i % 7]} {kinds[i % 3][1]} {fillers[i * 5 % 6]} no{i}",
            "category": kinds[i % 3][0],
        }
        for i in range(90)
    )


@pytest.fixture(scope="session")
def toy_model(toys):
    """A model that learned `toys`; tests leave it as it is."""
    from shelfwise.categorizer import Categorizer

    return Categorizer().fit(toys)


@pytest.fixture(scope="session")
def saved_toy(toy_model, tmp_path_factory):
    """The folder of `toy_model`; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("toy") / "model"
    toy_model.save(folder)
    return folder
