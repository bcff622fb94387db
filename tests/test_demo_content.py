"""The web shop's answers: what a page says is what the truth says, and nothing but the shop is served."""

import gzip
import io
import json
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from shelfwise.demo.site.content import SLOW, Content
from shelfwise.demo.site.markup import BLANK, shown_price
from shelfwise.demo.site.stock import FORMS, PER_PAGE, Stock
from shelfwise.demo.site.truth import hazards, truth
from shelfwise.errors import RecipeError

BASE = "http://127.0.0.1:8123"


@pytest.fixture(scope="module")
def stock():
    return Stock(400, 0, BASE)


@pytest.fixture(scope="module")
def content(stock):
    return Content(stock)


@pytest.fixture(scope="module")
def known(stock):
    return truth(stock)


def page(content, url):
    answer = content.answer(url.removeprefix(BASE))
    assert answer.status == 200, url
    return LexborHTMLParser(answer.body.decode())


def test_products_are_told_in_every_form_and_found_in_every_way(known):
    assert set(known["form"]) == set(FORMS)
    assert set(known["found_by"]) == {"sitemap", "links", "button", "press"}
    assert known["url"].n_unique() == known.height
    assert known.group_by("product_id").agg(pl.col("language").n_unique() == pl.len())["language"].all()


def test_audience_is_the_same_word_in_any_language(content, known):
    german = known.filter(
        (pl.col("language") == "de") & (pl.col("form") == "json-ld") & pl.col("audience").is_not_null()
    )

    assert set(known["audience"]) == {None, "women", "men", "kids"}
    for url, word in german.select("url", "audience").iter_rows():
        shown = {"women": "Damen", "men": "Herren", "kids": "Kinder"}[word]
        assert f'"audienceType": "{shown}"' in content.answer(url.removeprefix(BASE)).body.decode()


def test_json_ld_pages_tell_the_truth(content, known):
    for row in known.filter(form="json-ld").iter_rows(named=True):
        said = {}
        for element in page(content, row["url"]).css('script[type="application/ld+json"]'):
            data = json.loads(element.text())
            parts = data if isinstance(data, list) else data.get("@graph", [data])
            said |= {
                part["@type"] if isinstance(part["@type"], str) else part["@type"][0]: part for part in parts
            }
        product, way = said["Product"], [step["name"] for step in said["BreadcrumbList"]["itemListElement"]]
        offers = product["offers"]
        offer = offers[0] if isinstance(offers, list) else offers
        images = [one["contentUrl"] if isinstance(one, dict) else one for one in product["image"]]
        brand, rating = product["brand"], product.get("aggregateRating", {})
        assert product["name"] == row["title"]
        assert product["description"] == row["description"]
        assert (brand if isinstance(brand, str) else brand["name"]) == row["brand"]
        assert float(offer["price"]) == float(row["price"])
        assert float(rating.get("ratingValue", 0)) == (row["rating"] or 0)
        assert images == row["images"]
        assert row["category_path"].split(" > ") in (way[1:], way[1:-1])
        facts = {fact["name"]: fact["value"] for fact in product.get("additionalProperty", [])}
        assert facts == json.loads(row["attributes"] or "{}")


def test_microdata_pages_tell_the_truth(content, known):
    rows = known.filter(form="microdata")
    for row in rows.iter_rows(named=True):
        tree = page(content, row["url"])
        pictures = [shot.attributes for shot in tree.css('img[itemprop="image"]')]
        assert tree.css_first('h1[itemprop="name"]').text() == row["title"]
        assert tree.css_first('[itemprop="price"]').attributes["content"] == row["price"]
        assert tree.css_first('[itemprop="price"]').text() == shown_price(row["price"], row["language"])
        assert tree.css_first('[itemprop="sku"]').text() == row["product_id"]
        assert [shot.get("data-src", shot["src"]) for shot in pictures] == row["images"]
        assert tree.css_first('link[rel="canonical"]').attributes["href"] == row["url"]
        assert tree.css_first("html").attributes["lang"] == row["language"]
    assert any(BLANK in content.answer(urlsplit(url).path).body.decode() for url in rows["url"])


def test_open_graph_pages_tell_what_open_graph_can(content, known):
    for row in known.filter(form="open-graph").iter_rows(named=True):
        metas = page(content, row["url"]).css("meta[property]")
        said = {meta.attributes["property"]: meta.attributes["content"] for meta in metas}
        assert (said["og:title"], said["product:price:amount"]) == (row["title"], row["price"])
        assert row["rating"] is None


def test_script_pages_are_empty_without_javascript(content, known):
    for row in known.filter(pl.col("form").is_in(["script", "script-data"])).iter_rows(named=True):
        tree = page(content, row["url"])
        assert tree.css_first("main").text(strip=True) == "…"
        assert row["title"] not in tree.css_first("title").text()
        if row["form"] == "script":
            said = json.loads(content.answer(tree.css_first("#product").attributes["data-product"]).body)
            assert (said["label"], said["cost"]) == (row["title"], row["price"])


def crawl(content, stock):
    """All paths that links lead to from the front page, without JavaScript and regardless of robots.txt."""
    seen, todo = set(), ["/en/", "/de/"]
    while todo:
        path = todo.pop().removeprefix(BASE).split("#")[0]
        if path in seen:
            continue
        seen.add(path)
        answer = content.answer(path)
        assert answer.status in (200, 301, 302, 410), path
        if "Location" in answer.headers:
            todo.append(answer.headers["Location"])
        elif answer.status == 200 and answer.kind.startswith("text/html"):
            links = LexborHTMLParser(answer.body.decode()).css("a[href]")
            todo += [href for href in (link.attributes["href"] for link in links) if href and href != "#top"]
    return seen


def test_links_and_sitemaps_and_the_button_lead_to_all_products_and_to_nothing_else(content, stock, known):
    linked = {f"{BASE}{path}" for path in crawl(content, stock)}
    index = LexborHTMLParser(content.answer("/sitemap.xml").body.decode())
    mapped = set()
    for one in (element.text() for element in index.css("loc")):
        data = content.answer(one.removeprefix(BASE)).body
        text = gzip.decompress(data) if one.endswith(".gz") else data
        mapped |= {element.text() for element in LexborHTMLParser(text.decode()).css("url > loc")}
    by = {way: set(rows["url"]) for (way,), rows in known.group_by("found_by")}

    assert by["sitemap"] <= mapped
    assert by["links"] <= linked - mapped
    assert (by["button"] | by["press"]).isdisjoint(linked | mapped)
    products = {url for url in linked | mapped if "/p/" in url and url.endswith(tuple("0123456789"))}
    assert products - set(known["url"]) == set(
        hazards(stock).filter(pl.col("kind").is_in(["gone", "soft-404"]))["url"]
    )


def test_button_brings_the_products_that_no_link_leads_to(content, stock, known):
    found, silent = set(), 0
    for language, levels in stock.shelves.items():
        for path, items in levels.items():
            if not (stock.is_shelf(path, language) and stock.has_button(path) and len(items) > PER_PAGE):
                continue
            button = page(content, stock.shelf_page(path, language)).css_first("#more")
            following = button.attributes.get("data-next")
            assert (following is None) == stock.is_silent(path)
            if following is None:  # as shop.js asks
                silent += 1
                following = f"/api/more?shelf={stock.shelf_page(path, language)}&start={PER_PAGE}"
            while following:
                more = json.loads(content.answer(following).body)
                for item in more["items"]:
                    link = item["link"]
                    found.add(content.answer(link).headers.get("Location", link).split("?")[0].split("#")[0])
                following = more["next"]

    hidden = known.filter(pl.col("found_by").is_in(["button", "press"]))["url"]
    assert silent > 3
    assert len(hidden) > 3
    assert {url.removeprefix(BASE) for url in hidden} <= {path.rstrip("/") for path in found}


def test_hazards_are_as_told(content, stock):
    rules = RobotFileParser()
    rules.parse(content.answer("/robots.txt").body.decode().splitlines())
    told = hazards(stock)
    for url, kind in told.filter(pl.col("kind").is_in(["gone", "soft-404"])).iter_rows():
        assert content.answer(url.removeprefix(BASE)).status == (410 if kind == "gone" else 200)
    outlet = told.filter(pl.col("url").str.contains("/outlet/"))
    assert set(outlet["kind"]) == {"forbidden"}
    assert "Disallow: /*/outlet/" in content.answer("/robots.txt").body.decode()
    assert not rules.can_fetch("GreedyBot", f"{BASE}/en/")


def test_pictures_are_fine_or_dead_as_told(content, stock, known):
    from PIL import Image

    urls = known.head(60)["images"].explode().to_list()
    fine = set(known["images_fine"].explode().drop_nulls())
    for url in urls:
        answer = content.answer(url.removeprefix(BASE))
        try:
            with Image.open(io.BytesIO(answer.body)) as picture:
                picture.load()
            assert url in fine
        except OSError:
            assert url not in fine
    assert set(hazards(stock)["kind"]) >= {"missing", "page", "truncated"}


def test_pictures_tell_shelves_apart(content, stock):
    assert (
        content.answer("/pictures/sw-000001-1.jpg").body != content.answer("/pictures/sw-000002-1.jpg").body
    )
    again = Content(Stock(400, 0, BASE))
    assert again.answer("/pictures/sw-000001-1.jpg") == content.answer("/pictures/sw-000001-1.jpg")


def test_quirks_are_there(content, known):
    slow, broken = known.filter(quirk="slow")["url"][0], known.filter(quirk="broken")["url"]
    assert content.answer(slow.removeprefix(BASE)).delay == SLOW
    assert any(b"</div></span>" in content.answer(url.removeprefix(BASE)).body for url in broken)


def test_detours_lead_to_the_canonical_page(content, stock, known):
    url = known["url"][0]
    path, number = url.removeprefix(BASE), url.rsplit("-", 1)[1]
    language = known["language"][0]

    assert content.answer(f"/{language}/deal/{number}").headers["Location"] == path
    assert content.answer(f"/{language}/p/other-words-{number}").headers["Location"] == path
    for detour in (f"{path}?utm_source=a", f"{path}/"):
        assert page(content, BASE + detour).css_first('link[rel="canonical"]').attributes["href"] == url


@pytest.mark.parametrize(
    "target",
    [
        "/static/../server.py", "/static/server.py", "/%2e%2e/etc/passwd", "//etc/passwd", "/static/", "/en",
        "/en/p/-1", "/en/c/fashion/?page=0", "/en/c/fashion/?page=2",
        "/api/more?shelf=/en/c/fashion/&start=0",
        "/pictures/sw-000001-9.jpg",
        "/sitemaps/de.xml", "/api/product/en/1.json", "/__hits", "http://[", "",
    ],
)  # fmt: skip
def test_nothing_else_is_served(content, target):
    assert content.answer(target).status in (400, 404)


@given(st.text(max_size=60))
def test_any_target_has_an_answer(content, target):
    assert content.answer("/" + target).status in (200, 301, 302, 400, 404, 410)


def test_same_seed_same_pages_other_seed_others(content, stock):
    again, other = Content(Stock(400, 0, BASE)), Content(Stock(400, 1, BASE))
    for path in ("/en/", "/de/c/mode/", "/sitemaps/de.xml.gz", "/robots.txt"):
        assert again.answer(path) == content.answer(path)
    assert other.answer("/sitemaps/en.xml").body != content.answer("/sitemaps/en.xml").body


def test_too_few_products_are_refused():
    with pytest.raises(RecipeError, match="at least 300 products, not 5"):
        Stock(5, 0, BASE)
