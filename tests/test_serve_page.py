"""The page to try a product, in a real browser: a shelf and why, hostile titles as text, nothing foreign."""

from __future__ import annotations

import pytest

from review_browser import Tab, chromium, launched, tab
from serve_shop import serving

pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(chromium() is None, reason="there is no Chromium here")


@pytest.fixture(scope="module")
def server(saved):
    with serving(f"shop={saved}", "--lame-duck", "0") as running:
        yield running


@pytest.fixture(scope="module")
def browser():
    with launched() as opened:
        yield opened


@pytest.fixture
def page(browser, server):
    with tab(browser, server.http, who="") as opened:
        opened.open("#about")
        opened.until("document.querySelector('#about').textContent.includes('categories')")
        yield opened
        assert (opened.errors, opened.dialogs, opened.foreign, opened.violations()) == ([], [], [], 0)


def test_a_product_is_tried_and_its_shelf_shown_with_the_reasons(page: Tab, server):
    title = "Rubber boots, green, size 38"
    answer = server.predict({"products": {"title": title}, "explain": True}).json()["predictions"][0]

    page.page.fill("#title", title)
    page.page.keyboard.press("Enter")

    page.page.wait_for_selector(f"main h2 >> text={answer['category']}")
    shown = page.page.locator("main").inner_text()
    assert all(one["category"] in shown for one in answer["candidates"])
    assert all(one["title"] in shown for one in answer["evidence"]["neighbours"])
    assert "no product id" not in shown


def test_a_hostile_title_is_text(page: Tab):
    page.page.fill("#title", "<img src=x onerror=alert(1)>boots</script><script>alert(2)</script>")
    page.page.keyboard.press("Enter")

    page.page.wait_for_selector("main h2")
    assert page.page.locator("main img[src='x'], main script").count() == 0
