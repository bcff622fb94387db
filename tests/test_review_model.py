"""A model beside the doubts offers its shelves, and heeds what was decided."""

from __future__ import annotations

import pytest

from review_shop import make_shop
from shelfwise.categorizer import Categorizer
from shelfwise.review import DeskOptions, open_desk
from shelfwise.review.desk import Wish


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    doubts, catalogue, _ = make_shop(folder, 150, pictures=False)
    Categorizer().fit(catalogue).save(folder / "model")
    return doubts, str(folder / "model")


def test_the_models_shelves_follow_the_audits_and_heed_decisions(shop, tmp_path):
    desk = open_desk(shop[0], DeskOptions(decisions=tmp_path / "d.sqlite", model=shop[1]))
    audited = desk.doubts.details(0).candidates
    offered = desk.candidates(0)
    assert offered[: len(audited)] == audited
    names = [candidate.category for candidate in offered]
    assert len(names) == len(set(names)) > len(audited)
    other = next(name for name in desk.shelves.labels if name not in names[:3])
    desk.decide("key-0001", "Ada", [Wish(0, "move", other)])
    place = int(desk.products.of_doubt[0])
    assert desk.voice.candidates(desk.products, place)[0].category == other
    assert desk.store.since(0)[0].model == shop[1]
    desk.undo("undo-001", "Ada")
    assert desk.voice.candidates(desk.products, place)[0].category != other
    desk.close()
