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
