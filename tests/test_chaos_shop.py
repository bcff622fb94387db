"""The chaos shop does what it says, keeps honest books, and every product can be read from its page."""

import gzip
import html
import http.client
import io
import json
import re
import time
import urllib.error
import urllib.request
import zlib
from collections import Counter
from urllib.parse import urlsplit

import polars as pl
import pytest
from selectolax.lexbor import LexborHTMLParser

from chaos_shop import robots, traps
from chaos_shop.faults import MIX, Faults, draw, pick
from chaos_shop.pages import PER_PAGE
from chaos_shop.process import running
from chaos_shop.settings import ShopSettings, arguments, parser_of
from chaos_shop.shop import Shop
from chaos_shop.stock import CHARSETS, JSON_FAULTS, PRICES
from chaos_shop.wire import Request

ADDRESS = "http://127.0.0.1:8999"
CALM = ShopSettings(products=600, faults=0.0)


@pytest.fixture(scope="module")
def shop():
    """The shop without sockets."""
    return Shop(CALM, ADDRESS)


@pytest.fixture(scope="module")
def known(shop):
    return shop.stock.truth(1, "shelfwise")


def get(shop, target, **headers):
    """Status, headers and body of an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = shop.reply(Request("GET", target.removeprefix(ADDRESS), {"host": "127.0.0.1:8999", **named}))
    head, _, body = reply.data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


# -- pages ---------------------------------------------------------------------------------------------------


def decoded(body, charset):
    names = {"lying-utf-8": "windows-1251", "meta-only": "windows-1252", "bom": "utf-16"}
    return body.decode(names.get(charset, "utf-8"))


def decimal(text):
    """A price in any of the five forms: the last separator before two digits is the decimal point."""
    digits = re.sub(r"[^\d.,']", "", text)
    whole, cents = re.fullmatch(r"(.*)[.,](\d\d)", digits).groups()
    return f"{int(re.sub(r'[^0-9]', '', whole))}.{cents}"


def mended(text, fault):
    """JSON-LD as it was meant."""
    if fault == "entities":
        text = html.unescape(text)
    if fault == "cdata":
        text = text.replace("//<![CDATA[", "").replace("//]]>", "")
    if fault == "comments":
        text = re.sub(r"/\*.*?\*/|^// .*$", "", text, flags=re.MULTILINE)
    if fault == "trailing-comma":
        text = re.sub(r",(?=[}\]]$)", "", text)
    return json.loads(text, strict=False)


def parts_of(tree, fault):
    found = {}
    for element in tree.css('script[type="application/ld+json"]'):
        data = mended(element.text(), fault)
        for part in data if isinstance(data, list) else data.get("@graph", [data]):
            found[part["@type"] if isinstance(part["@type"], str) else part["@type"][0]] = part
    return found


def test_every_product_can_be_read_from_its_page(shop, known):
    for row in known.iter_rows(named=True):
        status, headers, body = get(shop, row["url"])
        assert status == 200
        assert int(headers["Content-Length"]) == len(body)
        tree = LexborHTMLParser(decoded(body, row["charset"]))
        if row["form"] == "json-ld":
            product = parts_of(tree, row["json_fault"])["Product"]
            offer = product["offers"][0] if isinstance(product["offers"], list) else product["offers"]
            title, price = product["name"], offer["price"]
            price = f"{price:.2f}" if isinstance(price, float) else price
            assert product["description"].strip() == row["description"]
        elif row["form"] == "microdata":
            title = tree.css_first('h1[itemprop="name"]').text()
            price = tree.css_first('[itemprop="price"]').text()
        else:
            title = tree.css_first('meta[property="og:title"]').attributes["content"]
            price = tree.css_first('meta[property="product:price:amount"]').attributes["content"]
        assert (title, decimal(price)) == (row["title"], row["price"])


def test_truth_has_all_that_can_be_wrong_with_a_page(known):
    assert set(known["charset"]) == set(CHARSETS)
    assert set(known["price_form"]) == set(PRICES)
    assert set(known["json_fault"]) == set(JSON_FAULTS)
    assert set(known["policy"]) == {"", "noindex", "tdm"}
    assert known["product_id"].n_unique() == known.height
    assert 0.85 < known["expected"].mean() < 0.99


@pytest.mark.parametrize(("charset", "word"), [("lying-utf-8", "utf-8"), ("header-wrong", "iso-8859-1")])
def test_headers_lie_about_the_charset(shop, known, charset, word):
    row = known.filter(charset=charset).row(0, named=True)
    _, headers, body = get(shop, row["url"])

    assert word in headers["Content-Type"]
    assert row["title"] not in body.decode(word, "replace")


def test_reservations_stand_in_headers_pages_and_the_file(shop):
    where = {one.where: one for one in shop.stock.products.values()}
    assert get(shop, where["noindex-header"].path)[1]["X-Robots-Tag"] == "noindex"
    assert b'<meta name="robots" content="noindex' in get(shop, where["noindex-meta"].path)[2]
    assert get(shop, where["tdm-header"].path)[1]["tdm-reservation"] == "1"
    assert b'<meta name="tdm-reservation" content="1">' in get(shop, where["tdm-meta"].path)[2]
    told = json.loads(get(shop, "/.well-known/tdmrep.json")[2])
    assert where["/reserved/p/"].path.startswith(told[0]["location"].rstrip("*"))


def test_javascript_pages_are_empty_and_their_script_finds_the_facts():
    shop = Shop(ShopSettings(products=300, faults=0.0, javascript=0.1), ADDRESS)
    rows = shop.stock.truth(1, "shelfwise").filter(form="script")
    assert 15 <= rows.height <= 50
    for row in rows.head(5).iter_rows(named=True):
        text = get(shop, row["url"])[2].decode()
        facts = json.loads(get(shop, re.search(r'data-url="([^"]+)"', text)[1])[2])
        assert row["title"] not in LexborHTMLParser(text).css_first("#p").text()
        assert facts["title"] == row["title"]
        assert json.loads(facts["ld"])["@graph"][2]["offers"]["price"] == float(row["price"])


# -- how products are found ----------------------------------------------------------------------------------


def listed(shop):
    """Numbers of the products that shelves list, with the links they have."""
    found = {}
    for path in shop.pages.slugs.values():
        for page in range(1, -(-len(shop.stock.shelves[path]) // PER_PAGE) + 1):
            status, _, body = get(shop, f"{shop.pages.shelf_path(path)}?page={page}")
            if status == 200:
                for link in re.findall(r'href="([^"]*/[pP]/[^"]+)"', body.decode()):
                    number = re.search(r"-(\d+)(-secret\.html)?/?([?#].*)?$", html.unescape(link))
                    found[int(number[1])] = html.unescape(link)
    del found[0]  # the page of a product that there is not
    return found


def test_shelves_and_sitemaps_lead_to_the_products_as_told(shop, known):
    links = {f"CH-{number:06d}" for number in listed(shop)}
    index = LexborHTMLParser(get(shop, "/sitemap.xml")[2].decode())
    mapped = set()
    for url in (element.text() for element in index.css("loc")):
        status, _, data = get(shop, url)
        if re.search(r"/\d+\.xml(\.gz)?$", url) and status == 200:
            text = gzip.decompress(data) if url.endswith(".gz") else data
            mapped |= {element.text() for element in LexborHTMLParser(text.decode()).css("url > loc")}
    for row in known.iter_rows(named=True):
        assert (row["product_id"] in links) == ("links" in row["found"])
        assert (row["url"] in mapped) == ("sitemap" in row["found"])


def test_other_addresses_have_the_canonical_one_in_them(shop, known):
    urls = dict(zip(known["product_id"], known["url"], strict=True))
    kinds = Counter()
    for number, link in listed(shop).items():
        status, headers, body = get(shop, link.split("#")[0])
        url = urls[f"CH-{number:06d}"]
        assert status == 200
        charset = shop.stock.products[number].charset
        element = LexborHTMLParser(decoded(body, charset)).css_first('link[rel="canonical"]')
        said = element.attributes["href"] if element else headers["Link"].split(">")[0].lstrip("<")
        assert said == url
        kinds["same" if ADDRESS + link == url else "other"] += 1
    assert kinds["other"] > 100


# -- robots.txt ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "path", "free"),
    [
        ("shelfwise", "/p/shoe-1", True),
        ("shelfwise", "/private/p/shoe-1", False),
        ("shelfwise", "/private/open/p/shoe-1", True),
        ("shelfwise", "/p/shoe-1-secret.html", False),
        ("shelfwise", "/p/shoe-1-secret.html?x", True),
        ("shelfwise", "/c/shoes/?page=2&sort=price", False),
        ("Shelfwise/1.0 (+https://example.org)", "/not-for-shelfwise/p/shoe-1", False),
        ("other", "/not-for-shelfwise/p/shoe-1", True),
        ("other", "/only-for-shelfwise/p/shoe-1", False),
        ("GreedyBot", "/", False),
        ("GreedyBot", "/robots.txt", True),
    ],
)
def test_rules(agent, path, free):
    assert robots.allowed(CALM, agent, path) is free


def test_forbidden_products_are_linked_and_in_the_sitemap_and_not_expected(known):
    forbidden = known.filter(~pl.col("allowed"))

    assert forbidden.height > 5
    assert not forbidden["expected"].any()
    assert {"sitemap+links"} <= set(forbidden["found"])


@pytest.mark.parametrize(
    ("state", "statuses"), [("missing", [404]), ("error", [503, 503]), ("flaky", [503, 200])]
)
def test_robots_txt_in_other_states(state, statuses):
    shop = Shop(ShopSettings(products=300, robots=state), ADDRESS)

    assert [get(shop, "/robots.txt")[0] for _ in statuses] == statuses


def test_long_robots_txt_has_its_rules_first(shop):
    text = robots.text(ShopSettings(robots="long", crawl_delay=0.5), ADDRESS)

    assert len(text) > 500 * 1024
    assert text.index("Crawl-delay: 0.5") < 1000
    assert "Crawl-delay" not in robots.text(CALM, ADDRESS)


# -- time ----------------------------------------------------------------------------------------------------


def test_unchanged_pages_are_not_sent_again(shop, known):
    _, headers, _ = get(shop, known["url"][0])

    assert get(shop, known["url"][0], if_none_match=headers["ETag"])[0] == 304
    assert get(shop, known["url"][0], if_none_match='"other"')[0] == 200
    assert get(shop, known["url"][0], if_modified_since=headers["Last-Modified"])[0] == 304
    assert get(shop, known["url"][0], if_modified_since="Thu, 01 Jan 2015 00:00:00 GMT")[0] == 200
    assert get(shop, known["url"][0], if_modified_since="yesterday")[0] == 200


def test_versions_change_remove_and_add_products():
    shop = Shop(CALM, ADDRESS)
    before, after = (shop.stock.truth(version, "shelfwise") for version in (1, 2))
    both = before.join(after, on="url", suffix="_later")
    changed = both.filter(pl.col("price") != pl.col("price_later"))
    gone, new = (one.join(other, on="url", how="anti") for one, other in ((before, after), (after, before)))

    assert 5 <= changed.height <= 80
    assert (changed["changed_later"] == 2).all()
    assert min(gone.height, new.height) > 0
    tags = {url: get(shop, url)[1]["ETag"] for url in both["url"]}
    shop.books.version = 2
    again = {url: get(shop, url, if_none_match=tag)[0] for url, tag in tags.items()}
    moved = {url for url, status in again.items() if status == 200}
    assert set(changed["url"]) <= moved
    assert {get(shop, url)[0] for url in gone["url"]} <= {404, 410}
    assert {get(shop, url)[0] for url in new["url"]} == {200}


# -- faults --------------------------------------------------------------------------------------------------


def faults_of(settings, urls=200, hits=20):
    faults = Faults(settings)
    return {f"/p/{url}": [faults.next(f"/p/{url}") for _ in range(hits)] for url in range(urls)}


def test_faults_depend_on_seed_address_and_hit_alone():
    told = faults_of(ShopSettings())
    other_way = Faults(ShopSettings())
    by_hit = [{url: other_way.next(url) for url in reversed(told)} for _ in range(20)]

    assert told == faults_of(ShopSettings())
    assert told == {url: [one[url] for one in by_hit] for url in told}
    assert told != faults_of(ShopSettings(seed=1))


def test_a_third_of_the_answers_fails_in_five_ways_and_never_too_often_in_a_row():
    told = [fault for one in faults_of(ShopSettings(faults_in_row=2)).values() for fault in one]
    rows = "".join("x" if fault else "." for fault in told)

    assert 0.25 < sum(fault is not None for fault in told) / len(told) < 0.31
    assert set(told) == {None, *MIX}
    assert all("xxx" not in rows[start : start + 20] for start in range(0, len(rows), 20))


def test_no_faults_where_none_are_wanted():
    assert {fault for one in faults_of(ShopSettings(faults=0.0)).values() for fault in one} == {None}


def test_draws_are_uniform_and_picks_follow_their_weights():
    draws = [draw("x", number) for number in range(2000)]
    picks = Counter(pick({"a": 3, "b": 1}, number) for number in range(2000))

    assert 0.48 < sum(draws) / 2000 < 0.52
    assert 0.70 < picks["a"] / 2000 < 0.80


def test_same_seed_same_pages(shop, known):
    again, other = Shop(CALM, ADDRESS), Shop(ShopSettings(products=600, faults=0.0, seed=1), ADDRESS)

    assert [get(again, url) for url in known["url"][:50]] == [get(shop, url) for url in known["url"][:50]]
    assert set(other.stock.truth(1, "x")["url"]) != set(known["url"])


# -- traps ---------------------------------------------------------------------------------------------------


def links(shop, target):
    status, _, body = get(shop, target)
    assert status == 200, target
    return [html.unescape(link) for link in re.findall(r'href="([^"]*)"', body.decode())]


def test_calendar_and_levels_never_end(shop):
    month, level = "/calendar?month=2026-12", "/x/deep/1"
    seen = set()
    for _ in range(50):
        assert month not in seen
        assert level not in seen
        seen |= {month, level}
        month, level = links(shop, month)[-1], links(shop, level)[0]
    assert get(shop, "/calendar?month=x")[0] == 404


def test_paging_ends_repeats_or_goes_on(shop):
    kinds = Counter()
    for path, items in shop.stock.shelves.items():
        if shop.pages.children(path):
            continue
        last, here = max(1, -(-len(shop.pages.listed(path, 1)) // PER_PAGE)), shop.pages.shelf_path(path)
        status, _, body = get(shop, f"{here}?page={last + 5}")
        if status == 200:
            assert f"?page={last + 6}".encode() in body
            kinds["repeats" if b"/p/" in body or b"/P/" in body else "endless"] += 1
        else:
            assert status == 404
            assert b'rel="next"' not in get(shop, f"{here}?page={last}")[2]
            kinds["honest"] += 1
        assert items
    assert min(kinds["repeats"], kinds["endless"], kinds["honest"]) > 0


def test_filters_combine_and_sessions_change(shop):
    shelf = next(path for path in shop.stock.shelves if not shop.pages.children(path))
    filters = [
        link for link in links(shop, shop.pages.shelf_path(shelf)) if "colour=" in link or "size=" in link
    ]
    inner = [link for link in links(shop, filters[0]) if "size=" in link]
    assert any("colour=" in link and "size=" in link for link in inner)

    at, seen = f"/s/00000001{shop.target}", set()
    for _ in range(10):
        session = at.split("/")[2]
        assert session not in seen
        seen.add(session)
        following = list(re.findall(r'href="(/s/[^"]+)"', get(shop, at)[2].decode("utf-8", "replace")))
        if not following:
            break
        at = following[-1]
    assert len(seen) > 2


def test_redirects_go_round_or_end(shop):
    def follow(path):
        for steps in range(60):
            status, headers, _ = get(shop, path)
            if status not in (301, 302):
                return steps, status
            path = headers["Location"]
        return steps, None

    assert follow("/x/loop/a") == (59, None)
    assert follow("/x/self") == (59, None)
    assert follow("/x/chain/short/1") == (3, 200)
    assert follow("/x/chain/long/1") == (40, 200)
    assert get(shop, "/x/outside")[1]["Location"].startswith("http://169.254.169.254/")


def test_bomb_is_small_and_becomes_large():
    packed, size = traps.bomb(), 0
    unpacker = zlib.decompressobj(31)
    data = packed
    while data:
        size += len(unpacker.decompress(data, 2**24))
        data = unpacker.unconsumed_tail

    assert len(packed) < 300_000
    assert size == traps.BOMB * 2**20
    assert unpacker.eof


def test_what_there_is_not(shop):
    assert get(shop, "/p/no-such-product-0")[0] == 200  # and says so only in words
    assert get(shop, "/nowhere")[0] == 404
    assert get(shop, f"/elsewhere{shop.target}")[0] == 404
    assert get(shop, "/sitemaps/missing.xml")[0] == 404
    calm = Shop(ShopSettings(products=300, faults=0.0, traps=False), ADDRESS)
    assert get(calm, "/x/self")[0] == 404
    assert "/calendar" not in get(calm, "/")[2].decode()


# -- over sockets, and the books -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served():
    with running(ShopSettings(products=300, faults=0.0, hang=1.0, latency=0.05)) as one:
        yield one
        assert one.stats()["bugs"] == 0


def ask(served, path, agent="shelfwise/1.0", timeout=10):
    connection = http.client.HTTPConnection(urlsplit(served.address).netloc, timeout=timeout)
    try:
        connection.request("GET", path, headers={"User-Agent": agent})
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def test_books_tell_hits_forbidden_ones_and_who_it_was(served):
    served.clear()
    private = served.truth().filter(pl.col("url").str.contains("/private/p/"))["url"][0]
    path = urlsplit(private).path
    for agent in ("shelfwise/1.0", "other"):
        ask(served, "/", agent)
    ask(served, path)
    ask(served, "/robots.txt", "GreedyBot")

    stats = served.stats()
    assert stats["requests"] == 4
    assert stats["forbidden"] == {path: 1}
    assert stats["agents"] == ["GreedyBot", "other", "shelfwise/1.0"]
    assert served.hits() == {"/": 2, path: 1, "/robots.txt": 1}
    assert [entry[4] for entry in served.requests()] == ["shelf", "shelf", "product", "robots"]


def test_books_tell_how_many_came_at_once(served):
    from concurrent.futures import ThreadPoolExecutor

    served.clear()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: ask(served, "/"), range(12)))

    assert 2 <= served.stats()["most_requests_at_once"] <= 6


def test_truth_comes_with_the_books_and_depends_on_the_agent(served):
    mine, theirs = served.truth(), served.truth("other")

    assert mine["url"].to_list() == theirs["url"].to_list()
    assert mine.filter(pl.col("url").str.contains("/only-for-"))["allowed"].all()
    assert not theirs.filter(pl.col("url").str.contains("/only-for-"))["allowed"].any()


def test_shop_becomes_another_version(served):
    before = served.truth()
    served.become(2)
    after = served.truth()
    served.become(1)

    assert set(before["url"]) != set(after["url"])
    assert served.truth().equals(before)


@pytest.mark.parametrize("path", ["/x/tarpit.html", "/x/endless.html"])
def test_bodies_without_end_are_given_up(served, path):
    began = time.monotonic()
    answer, body = ask(served, path)

    assert answer.headers["Content-Length"] is None
    assert len(body) > (10_000 if "endless" in path else 20)
    assert time.monotonic() - began < 8


def test_heads_flood(served):
    with pytest.raises(http.client.HTTPException, match="headers"):
        ask(served, "/x/headers.html")


def test_other_methods_and_bad_requests_are_refused(served):
    request = urllib.request.Request(f"{served.address}/", method="DELETE")
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(request)
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(f"{served.address}/", data=b"a body")


def test_every_fault_comes_over_the_socket_as_it_should():
    wanted = ShopSettings(products=300, faults=1.0, faults_in_row=1, slow=0.01, retry_after_share=0.0)
    shop = Shop(wanted, ADDRESS)
    seen = Counter()
    with running(wanted) as served:
        for url in shop.stock.truth(1, "x")["url"].head(60):
            path = url.removeprefix(ADDRESS)
            fault = shop.faults.next(path)
            seen[fault] += 1
            try:
                answer, _ = ask(served, path)
                assert answer.status == (int(fault) if fault in ("429", "503") else 200)
                assert fault in ("429", "503", "slow")
            except http.client.IncompleteRead:
                assert fault in ("truncated", "reset")
            except ConnectionResetError:
                assert fault == "reset"
            answer, _ = ask(served, path)
            assert answer.status == 200
        assert served.stats()["bugs"] == 0
    assert set(seen) == set(MIX)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_books_tell_whether_a_retry_after_was_kept(form):
    wanted = ShopSettings(products=300, faults=1.0, faults_in_row=1, retry_after_share=1.0, grace=0.0)
    faults = Faults(wanted)
    with running(wanted) as served:
        paths = [f"/nothing/{number}" for number in range(200)]
        path = next(
            one
            for one in paths
            if faults.next(one) in ("429", "503")
            and (b"Retry-After: 1\r" in faults.refusal(429, one, time.time()).data) == (form == "seconds")
        )
        answer, _ = ask(served, path)
        assert answer.status in (429, 503)
        ask(served, "/robots.txt")
        ask(served, path)
        assert served.stats()["retry_after"] == {"sent": 1, "early_host": 2, "early_path": 1}
        served.clear()
        later = next(one for one in paths[paths.index(path) + 1 :] if faults.next(one) in ("429", "503"))
        told = ask(served, later)[0].headers["Retry-After"]
        time.sleep(2.1 if "GMT" in told else 1.0)
        ask(served, "/robots.txt")
        assert served.stats()["retry_after"] == {"sent": 1, "early_host": 0, "early_path": 0}


def test_crawl_delay_is_watched():
    with running(ShopSettings(products=300, faults=0.0, crawl_delay=0.3)) as served:
        for path in ("/robots.txt", "/", "/"):
            ask(served, path)
        assert served.stats()["crawl_delay_early"] == 1
        time.sleep(0.3)
        ask(served, "/")
        assert served.stats()["crawl_delay_early"] == 1


def test_settings_survive_the_command_line():
    wanted = ShopSettings(products=321, traps=False, robots="flaky", faults=0.25)
    parsed = parser_of(ShopSettings).parse_args(arguments(wanted))

    assert ShopSettings(**vars(parsed)) == wanted


def test_truth_is_a_parquet_file(served):
    data = served.ask("/truth.parquet")

    assert pl.read_parquet(io.BytesIO(data)).height > 250


def test_pages_with_furniture_are_heavy_packed_and_say_the_same(known):
    heavy = Shop(ShopSettings(products=600, faults=0.0, furniture=True), ADDRESS)
    for row in known.filter(pl.col("form") == "json-ld", charset="utf-8").head(5).iter_rows(named=True):
        status, headers, body = get(heavy, row["url"])
        page = gzip.decompress(body)
        tree = LexborHTMLParser(page.decode())

        assert (status, headers["Content-Encoding"]) == (200, "gzip")
        assert len(page) > 80_000
        assert len(tree.css("*")) > 1_000
        assert len(tree.css("a[href]")) > 200
        assert tree.css_first("h1").text() == row["title"]
