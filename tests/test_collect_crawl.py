"""Whole crawls: of a hostile shop, killed and gone on with; a second look; what cannot be scraped."""

import re
import resource
import signal
import subprocess
import time

import polars as pl
import pytest

from chaos_shop.process import running
from chaos_shop.settings import ShopSettings
from scrape_shop import command, environment, product, scrape, scraped, shop, status
from shelfwise.collect.crawl import Options
from shelfwise.collect.crawl import scrape as in_this_process
from shelfwise.demo.site.sheet import COLUMNS
from shelfwise.errors import ShelfwiseError

FIELDS = [name for name in COLUMNS if name not in ("attributes", "images")]


def compared(output, truth):
    """Share of right fields; fails unless the products are just those that are expected, each once."""
    found = pl.read_parquet(output).filter(pl.col("status") == "ok")
    expected = truth.filter("expected")
    assert sorted(found["url"]) == sorted(expected["url"])
    both = expected.join(found, on="url", suffix="_found", validate="1:1")
    right = [both[name].eq_missing(both[f"{name}_found"]).mean() for name in FIELDS if name != "url"]
    return sum(right) / len(right)


def test_a_hostile_shop_is_scraped_whole_though_killed_again_and_again(tmp_path):
    output = tmp_path / "shop.parquet"
    settings = ShopSettings(products=300, slow=0.05, hang=2.0, faults=0.3)
    with running(settings) as server:
        words = command(
            f"{server.address}/", output, "--delay", 0, "--allow-private", "--browser", "never", "--json"
        )
        kills = 0
        for pages in (60, 250):
            with subprocess.Popen(
                words, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            ) as process:
                began = time.monotonic()
                while (
                    process.poll() is None
                    and server.stats()["requests"] < pages
                    and time.monotonic() - began < 60
                ):
                    time.sleep(0.1)
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                    kills += 1
        told = scraped(f"{server.address}/", output, "--browser", "never")
        books, truth = server.stats(), server.truth("shelfwise")

    assert kills == 2
    assert told["complete"]
    assert (
        compared(output, truth) >= 0.98
    )  # what the pages say is read by `extract`, which has tests of its own
    assert books["forbidden"] == {}
    assert books["retry_after"]["sent"] > 0
    assert books["retry_after"]["early_host"] == 0
    assert books["requests"] < 8 * truth.height  # traps are left
    assert not output.with_name("shop.parquet.tmp").exists()
    assert status(output)["products"] == truth["expected"].sum()


def test_a_second_look_tells_what_is_new_changed_or_gone(tmp_path):
    output = tmp_path / "shop.parquet"
    with running(ShopSettings(products=300, faults=0.0, traps=False)) as server:
        first = scraped(f"{server.address}/", output, "--browser", "never")
        before = server.truth("shelfwise").filter("expected")
        server.become(2)
        server.clear()
        second = scraped(f"{server.address}/", output, "--browser", "never")
        answers, truth = server.stats()["answers"], server.truth("shelfwise")
    now = truth.filter("expected")

    assert first["tally"]["new"] == before.height
    assert second["run"] == 2
    assert second["tally"]["new"] == now.join(before, on="url", how="anti").height
    assert second["tally"]["gone"] == before.join(now, on="url", how="anti").height > 0
    same = before.join(now, on="url")
    assert second["tally"]["changed"] == same.filter(pl.col("price") != pl.col("price_right")).height > 0
    assert answers["304"] > 0.8 * now.height
    assert compared(output, truth) >= 0.98
    gone = pl.read_parquet(output).filter(pl.col("status") == "gone")
    assert set(gone["reason"]) <= {"http_404", "http_410"}
    assert gone.height == second["tally"]["gone"]


def test_a_limit_stops_and_the_same_command_goes_on(tmp_path):
    pages = {f"/p/{number}": product(number) for number in range(30)}
    pages["/"] = "<h1>Shop</h1>" + "".join(f'<a href="{path}">{path}</a> ' for path in pages)
    with shop(pages) as server:
        few = scraped(server.address, tmp_path / "x.parquet", "--limit", "7")
        rest = scraped(server.address, tmp_path / "x.parquet")

    assert few["products"] == 7
    assert (few["stopped"], few["complete"]) == ("limit", False)
    assert rest["products"] == 30
    assert [server.hits[f"/p/{number}"] for number in range(30)].count(
        1
    ) >= 22  # but those under way at the stop


def test_a_list_of_addresses_is_taken_and_no_more(tmp_path):
    (tmp_path / "urls.txt").write_text("{0}p/1\n{0}p/2\n{0}p/9\n")
    with shop({"/p/1": product(1, '<a href="/p/3">'), "/p/2": product(2), "/p/3": product(3)}) as server:
        listed = (tmp_path / "urls.txt").read_text().replace("{0}", server.address)
        (tmp_path / "urls.txt").write_text(listed)
        told = scraped(server.address, tmp_path / "x.parquet", "--urls", tmp_path / "urls.txt")

    assert told["products"] == 2
    assert server.hits["/p/3"] == 0
    assert told["pages"]["failed"] == {"http_404": 1}


def test_a_first_look_tells_what_is_missing(tmp_path):
    pages = {f"/p/{number}": product(number) for number in range(12)}
    pages["/"] = "".join(f'<a href="{path}">{path}</a> ' for path in pages)
    with shop(pages) as server:
        done = scrape(server.address, tmp_path / "x.parquet")

    assert "The first 10 products" in done.stderr
    assert "Mostly missing: category_path, images; selectors" in done.stderr


ROBOTS = {"/robots.txt": (200, {"Content-Type": "text/plain"}, "User-agent: *\nDisallow: /\n")}
LOGIN = "<title>Log in</title><h1>Log in</h1><form><input name=user><input type=password></form>"


@pytest.mark.parametrize(
    ("pages", "told"),
    [
        (ROBOTS, "its robots.txt forbids it"),
        ({"/robots.txt": (503, {}, "")}, "fails to give its robots.txt"),
        ({"/": (302, {"Location": "https://elsewhere.example/"}, "")}, "it leads to another site"),
        ({"/": (401, {}, "")}, "it asks to log in"),
        ({"/": LOGIN}, "it asks to log in"),
        (
            {
                "/": "<h1>About us</h1><p>We sell nothing at all, we only write about the weather in our village."
            },
            "no product",
        ),
        ({"/": '<div id="root"></div><script>go()</script>'}, "a script has to fill its pages"),
        ({"/": (302, {"Location": "https://elsewhere.example/"}, "")}, "leads to https://elsewhere.example/"),
        ({"/": (403, {}, "")}, "it forbids the request"),
        ({}, "there is no such page (404)"),
    ],
)
def test_what_cannot_be_scraped_says_why(pages, told, tmp_path):
    with shop(pages) as server:
        done = scrape(server.address, tmp_path / "new" / "folder" / "x.parquet", "--browser", "never")

    assert done.returncode == 2, done.stdout
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_asked_wrongly_is_refused_before_any_request(tmp_path):
    def message(url="https://shop.example/", output="x.parquet", **options):
        with pytest.raises(ShelfwiseError) as caught:
            in_this_process(url, tmp_path / output, Options(**options))
        return str(caught.value)

    (tmp_path / "rules.toml").write_text('title = "h1..name"')
    (tmp_path / "empty.txt").write_text("\n")

    assert "no CSS selector" in message(rules=tmp_path / "rules.toml")
    assert "there is no address in it" in message(urls=tmp_path / "empty.txt")
    assert "cannot be read" in message(urls=tmp_path / "none.txt")
    assert "is no address of a page" in message("javascript:alert(1)")
    assert "--allow-private" in message("http://127.0.0.1:9/")
    assert "Parquet" in message(output="x.csv")
    assert {path.name for path in tmp_path.iterdir()} == {"rules.toml", "empty.txt"}


def test_a_crawl_that_was_there_is_kept_though_the_shop_is_down(tmp_path):
    output = tmp_path / "x.parquet"
    with shop({"/": product(1)}) as server:
        scraped(server.address, output)
    before = output.read_bytes()
    done = scrape(server.address, output)

    assert done.returncode == 0
    assert "no_answer" in done.stdout
    assert pl.read_parquet(output)["title"].to_list() == ["Lamp 1"]
    assert pl.read_parquet(output).height == pl.read_parquet(before).height


def test_a_wait_that_was_asked_for_is_kept_for_the_next_run(tmp_path):
    with shop({"/": (429, {"Retry-After": "5000"}, "")}) as server:
        done = scrape(server.address, tmp_path / "x.parquet")
        again = scrape(server.address, tmp_path / "x.parquet")

    assert "come back later" in done.stderr
    assert "come back later" in again.stderr
    assert server.hits["/"] == 1


def test_a_full_disk_is_told_and_the_same_command_goes_on(tmp_path):
    output = tmp_path / "x.parquet"
    pages = {f"/p/{number}": product(number) for number in range(60)}
    pages["/"] = "".join(f'<a href="{path}">{path}</a> ' for path in pages)

    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    with shop(pages) as server:
        words = command(server.address, output, "--delay", 0, "--allow-private")
        full = subprocess.run(
            words, capture_output=True, text=True, env=environment(), timeout=120, preexec_fn=little_room
        )
        told = scraped(server.address, output)
        hits = [server.hits[f"/p/{number}"] for number in range(60)]

    assert full.returncode == 2
    assert "run the same command again" in full.stderr
    assert "Traceback" not in full.stderr
    assert told["products"] == 60
    assert told["run"] == 1
    assert hits.count(1) > 20  # what was kept is not asked for again


def test_rules_that_are_written_after_a_first_look_are_used_on_every_page(tmp_path):
    output, rules = tmp_path / "x.parquet", tmp_path / "rules.toml"
    pages = {
        f"/p/{number}": (200, {"ETag": '"1"'}, product(number, '<i class="m">Acme</i>'))
        for number in range(12)
    }
    pages["/"] = "".join(f'<a href="{path}">{path}</a> ' for path in pages)
    for path in [path for path in pages if path != "/"]:
        pages[path] = tagged(pages[path])
    with shop(pages) as server:
        scraped(server.address, output, "--limit", 5)
        rules.write_text('brand = ".m"\ncategory_path = "nav.way a"\n')
        few = scrape(server.address, output, "--limit", 5, "--rules", rules)
        told = scraped(server.address, output, "--rules", rules)
        same = scraped(server.address, output, "--rules", rules)

    assert "every page is read again" in few.stderr
    vain = r"category_path: 'nav.way a' matches nothing on 5 of \d products, such as http"
    assert re.search(vain, few.stdout)  # some may be products that the first run had not seen
    assert set(pl.read_parquet(output)["brand"]) == {"Acme"}
    assert told["products"] == 12
    assert [(one["pages"], one["rule"].endswith("'nav.way a'")) for one in told["rules_in_vain"]] == [
        (12, True)
    ]
    assert same["tally"]["unchanged"] == 12  # by their tags, as the rules are the same


def tagged(answer):
    """An answer that is not sent again to who has it."""

    def found(visit):
        return (304, {}, "") if visit.headers.get("If-None-Match") == '"1"' else answer

    return found


def test_another_shop_does_not_get_into_the_same_file(tmp_path):
    with shop({"/": product(1)}) as one, shop({"/": product(2)}) as other:
        scraped(one.address, tmp_path / "x.parquet")
        done = scrape(other.address, tmp_path / "x.parquet")

    assert done.returncode == 2
    assert "is the state of a crawl of" in done.stderr
