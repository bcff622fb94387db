"""The page of `shelfwise explore` in a real browser: products, what is near, the map; nothing to decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit_shop import recipe
from queue_shop import catalogue
from review_browser import Tab, chromium, here, launched, tab
from review_client import Client
from shelfwise.audit.explore import explore

pytest.importorskip("playwright.sync_api")
pytest.importorskip("openTSNE")
pytestmark = pytest.mark.skipif(chromium() is None, reason="there is no Chromium here")


@pytest.fixture(scope="module")
def browser():
    with launched() as opened:
        yield opened


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    catalogue().write_parquet(folder / "shop.parquet")
    explore(folder / "shop.parquet", recipe()).write(folder / "look.parquet")
    return folder / "look.parquet"


@pytest.fixture(scope="module")
def server(file, tmp_path_factory):
    with here(file, tmp_path_factory.mktemp("none") / "d.sqlite") as client:
        yield client


@pytest.fixture
def page(browser, server):
    with tab(browser, server.address, who="") as opened:
        opened.open()
        yield opened
        assert (opened.errors, opened.dialogs, opened.foreign, opened.violations()) == ([], [], [], 0)


def test_a_product_is_shown_with_its_shelf_and_what_is_nearest(page: Tab, server: Client):
    first = server.get("products/0")
    whole = page.page.locator("body").inner_text()

    assert page.current() == 0
    assert first["title"] in whole
    assert page.page.locator(".near li").count() == 3
    assert page.page.locator(".shelves dt").all_inner_texts() == ["Shelf"]
    assert page.page.locator(".top").inner_text().count("228 products") == 1
    assert page.total() == 228


def test_nothing_speaks_of_doubts_suggestions_or_decisions(page: Tab):
    page.press("m")
    page.page.wait_for_selector(".legend .name")
    whole = page.page.locator("body").inner_text().lower()

    for word in ("doubt", "suggest", "accept", "keep", "undo", "reviewed", "export", "decid", "unsure"):
        assert word not in whole, word
    assert page.page.locator(".actions, .bulkbar, .doubt, .progress progress").count() == 0
    assert page.page.locator("dialog[open], .modal").count() == 0


def test_keys_decide_nothing_but_go_through_the_list(page: Tab, server: Client):
    page.press("a", "k", "u", "s", "1", "o")
    assert page.current() == 0

    page.press("ArrowDown")

    assert page.current() == 1
    assert page.page.locator("dialog[open], .modal").count() == 0
    assert server.get("progress")["decided"] == 0


def test_the_list_is_narrowed_by_text_shelf_and_kind(page: Tab):
    page.page.get_by_label("Text filter").fill("violin")
    page.until("document.querySelector('.summary strong').textContent === '6 products'")
    page.page.get_by_role("button", name="Clear filters").click()
    page.until("document.querySelector('.summary strong').textContent === '228 products'")
    page.page.get_by_label("Kind").select_option("labelled")
    page.until("document.querySelector('.summary strong').textContent === '96 products'")


def test_a_product_without_a_shelf_says_so_and_its_nearest_open(page: Tab):
    page.page.get_by_label("Text filter").fill("violin cello sonata")
    page.until("document.querySelector('.summary strong').textContent === '1 product'")
    page.page.wait_for_selector(".shelves .none")
    before = page.current()

    page.page.locator(".near button").first.click()

    page.until(f"document.querySelector('.product').dataset.id !== '{before}'")


def test_the_map_is_coloured_by_the_levels_of_the_shelves(page: Tab):
    page.press("m")
    page.page.wait_for_selector(".legend .name")

    assert set(page.page.locator(".legend .name").all_inner_texts()) == {
        "Shoes", "Kitchen", "Garden", "no shelf",
    }  # fmt: skip
    colours = page.page.get_by_label("Colour of the map").locator("option").all_inner_texts()
    assert [text.strip() for text in colours] == ["Shelf, level 1", "Shelf, level 2"]
