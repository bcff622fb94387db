"""The web shop over HTTP, and in a browser."""

import http.client
import json
import urllib.request
from urllib.error import HTTPError

import polars as pl
import pytest

import review_browser
from shelfwise.demo.site import ShopOptions, WebShop, running
from shelfwise.errors import RecipeError


@pytest.fixture(scope="module")
def shop():
    with running(ShopOptions(products=300, count_hits=True)) as served:
        yield served


def ask(shop, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", shop.server_port, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_pages_come_over_http(shop):
    url = shop.truth()["url"][0]
    with urllib.request.urlopen(url) as answer:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert shop.truth()["title"][0].split(",")[0].encode() in answer.read()


def test_front_page_leads_to_a_language(shop):
    with urllib.request.urlopen(f"{shop.stock.base}/") as answer:
        assert answer.url == f"{shop.stock.base}/en/"


def test_unchanged_pages_are_not_sent_again(shop):
    first, _ = ask(shop, "/en/")
    again, body = ask(shop, "/en/", **{"If-None-Match": first.headers["ETag"]})

    assert (again.status, body) == (304, b"")


def test_head_has_no_body(shop):
    answer, body = ask(shop, "/robots.txt", "HEAD")

    assert (answer.status, body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 100


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_refused(shop, method):
    assert ask(shop, "/en/", method)[0].status == 501


def test_hits_are_counted_where_that_was_asked_for(shop):
    before = json.loads(ask(shop, "/__hits")[1]).get("/de/?x=1", 0)
    ask(shop, "/de/?x=1")

    assert json.loads(ask(shop, "/__hits")[1])["/de/?x=1"] == before + 1
    with running(ShopOptions(products=300)) as silent, pytest.raises(HTTPError, match="404"):
        urllib.request.urlopen(f"{silent.stock.base}/__hits")


def test_taken_port_is_told(shop):
    with pytest.raises(RecipeError, match=f"port {shop.server_port}: .*--port"):
        WebShop(ShopOptions(products=300, port=shop.server_port))


def test_truth_is_written(shop, tmp_path):
    truth, hazards = shop.write_truth(tmp_path / "new")

    assert pl.read_parquet(truth).equals(shop.truth())
    assert pl.read_csv(hazards).columns == ["url", "kind"]


@pytest.mark.skipif(review_browser.chromium() is None, reason="there is no Chromium here")
def test_browser_sees_the_products_that_need_javascript(shop):
    known = shop.truth()
    with review_browser.launched() as browser:
        tab = browser.new_page()
        for form in ("script", "script-data"):
            row = known.filter(form=form).row(0, named=True)
            tab.goto(row["url"])
            tab.wait_for_selector("article h1")
            assert tab.title() == row["title"]
            assert tab.text_content('[itemprop="description"]') == row["description"]
            assert tab.get_attribute('[itemprop="price"]', "content") == row["price"]
            assert tab.locator('img[itemprop="image"]').count() == len(row["images"])
        for silent in (False, True):
            language, path = next(
                (language, path)
                for language, levels in shop.stock.shelves.items()
                for path, items in levels.items()
                if shop.stock.is_shelf(path, language) and shop.stock.has_button(path) and len(items) > 6
                and shop.stock.is_silent(path) == silent
            )  # fmt: skip
            tab.goto(shop.stock.url(shop.stock.shelf_page(path, language)))
            while tab.locator("#more").count():
                shown = tab.locator("#list li").count()
                tab.click("#more")
                tab.wait_for_function(f"document.querySelectorAll('#list li').length > {shown}")
                tab.wait_for_function("!document.querySelector('#more:disabled')")
            assert tab.locator("#list li").count() == len(shop.stock.shelves[language][path])
