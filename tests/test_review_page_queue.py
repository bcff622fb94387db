"""The review page of a queue in a real browser: products without a shelf, which cannot be kept on one."""

from __future__ import annotations

from pathlib import Path

import pytest

from queue_shop import catalogue, trained
from review_browser import Tab, chromium, here, launched, tab
from review_client import Client
from shelfwise.audit.queue import QueueOptions, find_queue

pytest.importorskip("playwright.sync_api")
pytest.importorskip("openTSNE")
pytestmark = pytest.mark.skipif(chromium() is None, reason="there is no Chromium here")


@pytest.fixture(scope="module")
def browser():
    with launched() as opened:
        yield opened


@pytest.fixture(scope="module")
def queue(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    catalogue().write_parquet(folder / "shop.parquet")
    find_queue(folder / "shop.parquet", trained(), QueueOptions(40)).write(folder / "queue.parquet")
    return folder / "queue.parquet"


@pytest.fixture
def server(queue, tmp_path):
    with here(queue, tmp_path / "decisions.sqlite") as client:
        yield client


@pytest.fixture
def page(browser, server):
    with tab(browser, server.address) as opened:
        opened.open()
        yield opened
        assert (opened.errors, opened.dialogs, opened.foreign, opened.violations()) == ([], [], [], 0)


def test_a_product_without_a_shelf_is_shown_with_its_suggestion_and_why(page: Tab, server: Client):
    first = server.get(f"products/{page.current()}")
    shelves = page.page.locator(".shelves").inner_text()

    assert "none" in shelves
    assert " › ".join(first["suggested_path"]) in shelves.replace("\n", " ").replace("  ", " ")
    assert "Why its shelf would teach much" in page.page.locator(".details").inner_text()
    assert first["reasons"][0] in page.page.locator(".reasons").inner_text()
    assert page.page.get_by_text("apart in the tree").count() == 0
    assert page.page.get_by_text("Nearest on the given shelf").count() == 0
    assert page.page.locator(".line .two").first.inner_text().startswith("→")


def test_keep_is_offered_nowhere_and_its_key_does_nothing(page: Tab, server: Client):
    first = page.current()
    assert page.page.locator(".actions button").all_inner_texts()
    assert not any("Keep" in text for text in page.page.locator("button").all_inner_texts())

    page.press("k")
    page.press("x")

    assert page.current() == first
    assert not any("Keep" in text for text in page.page.locator(".bulkbar button").all_inner_texts())
    page.idle()
    assert server.get(f"products/{first}")["history"] == []


@pytest.mark.parametrize(
    ("key", "action"), [("a", "accept"), ("u", "unsure"), ("s", "skip"), ("1", "accept")]
)
def test_the_other_keys_decide(page: Tab, server: Client, key, action):
    first = page.current()
    page.press(key)
    page.saved()

    assert server.get(f"products/{first}")["history"][-1]["action"] == action


def test_another_shelf_is_chosen_in_the_picker_and_undone(page: Tab, server: Client):
    first = server.get(f"products/{page.current()}")
    wanted = next(shelf for shelf in ("Garden > Hoses", "Garden > Rakes") if shelf != first["suggested"])
    page.press("o")
    page.page.locator("dialog input, .modal input").first.fill(wanted.split(" > ")[1])
    page.page.get_by_role("option", name=wanted.split(" > ")[1]).first.click()
    page.saved()

    past = server.get(f"products/{first['id']}")["history"][-1]
    assert (past["action"], past["category"]) == ("move", wanted)
    page.press("z")
    page.wait_for(first["id"])


def test_the_map_is_coloured_by_the_suggested_shelf(page: Tab):
    page.press("m")
    page.page.wait_for_selector(".legend .name")

    names = set(page.page.locator(".legend .name").all_inner_texts())
    assert names <= {"Shoes", "Kitchen", "Garden"}
    assert names
