"""The review page in a real browser: keys, undo, picker, filters, bulk, map, a dying server, two people."""

from __future__ import annotations

import json
import signal
import socket
import time
from pathlib import Path

import polars as pl
import pytest

from review_browser import Tab, chromium, here, launched, tab
from review_client import Client, served
from review_shop import make_shop

pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(chromium() is None, reason="there is no Chromium here")

ROOT = Path(__file__).parent.parent
WEB = ROOT / "web"
STATIC = ROOT / "src" / "shelfwise" / "review" / "static"
GONE = "Gone > Shelf"
PAIR = ("Clothing > Shoes > Boots", "Clothing > Shoes > Sandals", "Pair & Co")


@pytest.fixture(scope="module")
def browser():
    with launched() as opened:
        yield opened


@pytest.fixture(scope="module")
def doubts(tmp_path_factory) -> Path:
    """A shop in which a seller has mistaken twelve boots for sandals; the second doubt's shelf is gone."""
    path, catalogue, _ = make_shop(tmp_path_factory.mktemp("shop"), 400)
    frame, about = pl.read_parquet(path), pl.read_parquet_metadata(path)
    products = pl.read_parquet(catalogue)
    same = frame["row"][10:22].to_list()
    frame = frame.with_row_index("n").with_columns(
        given=pl.when(pl.col("n").is_between(10, 21)).then(pl.lit(PAIR[0])).otherwise("given"),
        suggested=pl.when(pl.col("n").is_between(10, 21)).then(pl.lit(PAIR[1]))
        .when(pl.col("n") == 1).then(pl.lit(GONE)).otherwise("suggested"),
    ).drop("n")  # fmt: skip
    frame.write_parquet(path, metadata={"shelfwise.audit": about["shelfwise.audit"]})
    products.with_row_index("n").with_columns(
        seller=pl.when(pl.col("n").is_in(same)).then(pl.lit(PAIR[2])).otherwise("seller"),
        category=pl.when(pl.col("n").is_in(same)).then(pl.lit(PAIR[0])).otherwise("category"),
    ).drop("n").write_parquet(catalogue)  # fmt: skip
    return path


@pytest.fixture
def server(doubts, tmp_path):
    with here(doubts, tmp_path / "decisions.sqlite") as client:
        yield client


@pytest.fixture
def page(browser, server):
    with tab(browser, server.address) as opened:
        opened.open()
        yield opened
        assert (opened.errors, opened.dialogs, opened.foreign, opened.violations()) == ([], [], [], 0)


def last(server: Client, number: int) -> tuple[str, str | None]:
    """Action and category of the last decision about a doubt that stands."""
    history = server.get(f"products/{number}")["history"]
    standing = [past for past in history if not past["undone"] and past["action"] != "undo"]
    return (standing[-1]["action"], standing[-1]["category"]) if standing else ("", None)


def test_first_view_is_the_worst_doubt_with_everything_about_it(page: Tab, server: Client):
    worst = server.get("products/0")

    assert page.current() == 0
    assert page.page.locator(".decide h2").inner_text() == worst["title"]
    shown = page.page.locator(".details").inner_text()
    for text in (worst["product_id"], worst["brand"], worst["description"], *worst["reasons"]):
        assert text in shown
    assert page.page.locator(".shelves dd").first.inner_text().split(" › ") == worst["given_path"]
    assert page.page.locator(".near").count() == 2
    assert page.page.locator(".candidates li").count() == len(worst["candidates"])
    link = page.page.locator(".facts-table a")
    assert (link.get_attribute("rel"), link.get_attribute("href")) == (
        "noopener noreferrer nofollow",
        worst["url"],
    )
    page.until("document.querySelector('.frame.large img').naturalWidth > 100")


def test_list_holds_only_what_is_on_the_screen_and_scrolls_to_the_end(page: Tab, server: Client):
    items = [server.get("doubts", offset=start, limit=200)["items"] for start in (0, 200)]
    everything = [item["id"] for part in items for item in part]

    assert page.total() == len(everything) == 400
    assert page.page.locator(".line").count() < 40
    page.page.evaluate("document.querySelector('.list').scrollTop = 1e9")
    page.page.wait_for_selector(f"#doubt-{everything[-1]}")
    assert page.page.locator(".line").count() < 40


@pytest.mark.parametrize(
    ("key", "action"),
    [
        ("a", "accept"),
        ("Enter", "accept"),
        ("k", "keep"),
        ("u", "unsure"),
        ("s", "skip"),
        ("ArrowRight", "skip"),
    ],
)
def test_a_key_decides_and_shows_the_next(page: Tab, server: Client, key, action):
    first = page.current()
    product = server.get(f"products/{first}")
    following = int(page.page.locator(".line").nth(1).get_attribute("id").removeprefix("doubt-"))

    page.press(key)

    assert page.current() == following
    page.saved()
    category = {"accept": product["suggested"], "keep": product["given"]}.get(action)
    assert last(server, first) == (action, category)
    page.page.wait_for_selector(f"#doubt-{first}", state="detached")


@pytest.mark.parametrize("key", ["z", "Control+z"])
def test_undo_takes_back_and_shows_the_product_again(page: Tab, server: Client, key):
    first = page.current()
    page.press("k")
    page.saved()
    assert last(server, first)[0] == "keep"

    page.press(key)

    page.wait_for(first)
    page.saved()
    assert last(server, first) == ("", None)
    page.page.wait_for_selector(f"#doubt-{first}")
    assert "undone" in page.page.locator(".history").inner_text()


def test_nothing_to_undo_is_said(page: Tab):
    page.press("z")

    page.page.wait_for_selector("text=There is nothing to undo.")


def test_arrows_go_through_the_list_and_decide_nothing(page: Tab, server: Client):
    lines = [
        int(line.get_attribute("id").removeprefix("doubt-")) for line in page.page.locator(".line").all()
    ]

    page.press("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp")

    assert page.current() == lines[2]
    assert server.get("progress")["decided"] == 0


def test_digits_choose_a_candidate(page: Tab, server: Client):
    third = server.get("products/0")["candidates"][2]["category"]

    page.press("3")

    page.saved()
    assert last(server, 0) == ("move", third)


def test_candidates_that_end_alike_are_told_apart(browser, server: Client):
    paths = ("Shop > Clothing > Men > Jackets", "Shop > Clothing > Women > Jackets", "Shop > Toys > Kites")

    def answer(route):
        product = route.fetch().json()
        product["candidates"] = [{"category": path, "confidence": 0.3} for path in paths]
        route.fulfill(json=product)

    with tab(browser, server.address) as page:
        page.page.route("**/api/products/0", answer)
        page.open(".candidates")
        names = [name.strip() for name in page.page.locator(".candidates .name").all_inner_texts()]
        assert names == ["Men › Jackets", "Women › Jackets", "Kites"]


def test_keys_in_a_field_are_text(page: Tab, server: Client):
    page.press("f")
    page.page.keyboard.type("ask u")

    assert page.page.locator("#filter-text").input_value() == "ask u"
    assert server.get("progress")["decided"] == 0


def test_help_names_every_key(page: Tab):
    page.press("?")

    text = page.page.locator("dialog").inner_text()
    assert all(
        word in text for word in ("accept the suggestion", "Ctrl+Z", "unsure", "picker", "map or list")
    )
    page.press("Escape")
    page.page.wait_for_selector("dialog", state="detached")


# -- picker --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["o", "/"])
def test_picker_has_the_candidates_first_and_finds_without_accents(page: Tab, server: Client, key):
    page.press(key)
    page.page.wait_for_selector(".found [role=option]")
    first = page.page.locator(".found [role=option] .leaf").first.inner_text()
    assert first == server.get("products/0")["candidates"][0]["category"].split(" > ")[-1]

    page.page.keyboard.type("kuche toas")
    marks = "[...document.querySelectorAll('.found mark')].map((mark) => mark.textContent).join('|')"
    page.until(f"{marks} === 'Toas|Küche'")
    page.press("Enter")

    page.saved()
    assert last(server, 0) == ("move", "Elektronik > Küche > Toaster")


def test_enter_means_what_was_typed_and_not_what_is_still_shown(page: Tab, server: Client):
    page.press("o")
    page.page.wait_for_selector(".found [role=option]")
    held = []
    page.page.route("**/api/shelves?*", lambda route: held.append(route))

    page.page.keyboard.type("kuche toas")
    page.press("Enter")
    page.page.wait_for_timeout(200)  # the browser has had every chance to take what is shown
    assert page.page.locator(".found[aria-busy=true]").count() == 1
    assert server.get("progress")["decided"] == 0
    for route in held:
        route.continue_()

    page.page.wait_for_selector("dialog", state="detached")
    page.saved()
    assert last(server, 0) == ("move", "Elektronik > Küche > Toaster")


def test_picker_moves_with_arrows_and_closes_with_escape(page: Tab, server: Client):
    page.press("o")
    page.page.wait_for_selector(".found [role=option]")
    page.press("ArrowDown", "ArrowDown", "ArrowUp")
    chosen = page.page.locator(".found [aria-selected=true]")
    assert chosen.get_attribute("id") == "shelf-1"

    page.press("Escape")

    page.page.wait_for_selector("dialog", state="detached")
    assert server.get("progress")["decided"] == 0


def test_tree_is_browsed_down_to_a_shelf(page: Tab, server: Client):
    page.press("o")
    for name in ("Sports", "Outdoor", "Tents"):
        page.page.locator(".tree .branch", has_text=name).click()

    page.saved()
    assert last(server, 0)[1] == "Sports > Outdoor > Tents"


def test_new_shelf_is_made_after_it_was_confirmed(page: Tab, server: Client):
    page.press("o")
    page.page.wait_for_selector(".found [role=option]")
    page.page.keyboard.type("Sports > Outdoor > Kajaks")
    page.page.click("text=New shelf “Sports")
    assert "Sports › Outdoor › Kajaks" in page.page.locator("dialog").inner_text()
    assert server.get("shelves", q="kajaks")["items"] == []

    page.page.click("text=Make it and choose it")

    page.page.wait_for_selector("dialog", state="detached")
    page.saved()
    assert last(server, 0) == ("move", "Sports > Outdoor > Kajaks")
    assert len(server.get("shelves", q="kajaks")["items"]) == 1


# -- filters -------------------------------------------------------------------------------------------------


def test_filters_narrow_the_list_as_the_server_does(page: Tab, server: Client):
    page.page.select_option('[aria-label="Kind"]', "outlier")
    page.idle()
    assert page.total() == server.get("doubts", kind="outlier")["total"] < 400

    page.page.fill('[aria-label="Least doubt in per cent"]', "10")
    page.press("Tab")
    page.idle()
    assert page.total() == server.get("doubts", kind="outlier", least=0.1)["total"]

    page.page.click("text=Clear filters")
    page.idle()
    assert page.total() == 400
    page.page.select_option('[aria-label="Seller"]', PAIR[2])
    page.idle()
    assert page.total() == 12
    page.page.fill("#filter-text", "no such title")
    page.page.wait_for_selector("text=Nothing is open here.")


def test_shelf_filter_suggests_as_one_types(page: Tab, server: Client):
    page.page.locator("#filter-shelf").press_sequentially("etage")
    page.page.wait_for_selector(".options [role=option]")
    page.press("ArrowDown", "Enter")
    page.idle()

    shelf = "Maison & Jardin > Mobilier > Étagères"
    assert page.page.locator("#filter-shelf").input_value() == shelf
    assert page.total() == server.get("doubts", shelf=shelf)["total"] > 0
    page.page.locator("#filter-shelf").fill("Sports")
    page.press("Enter")
    page.idle()
    page.page.select_option('[aria-label="Which shelf"]', "given")
    page.idle()
    assert page.total() == server.get("doubts", shelf="Sports", role="given")["total"]


def test_decided_products_are_found_by_their_state(page: Tab):
    page.press("u", "k")
    page.saved()

    for state, many in (("unsure", 1), ("decided", 1), ("skipped", 0), ("open", 398), ("all", 400)):
        page.page.select_option('[aria-label="State"]', state)
        page.idle()
        assert page.total() == many


# -- bulk ----------------------------------------------------------------------------------------------------


def test_picked_products_are_decided_together_after_a_confirmation(page: Tab, server: Client):
    lines = [
        int(line.get_attribute("id").removeprefix("doubt-")) for line in page.page.locator(".line").all()
    ][2:6]
    page.press("ArrowDown", "ArrowDown", "x", "Shift+ArrowDown", "Shift+ArrowDown", "Shift+ArrowDown")
    assert "4 picked" in page.page.locator(".bulkbar").inner_text()

    page.page.click(".bulkbar >> text=Keep")
    assert "Decide on 4 products" in page.page.locator("dialog").inner_text()
    assert server.get("progress")["decided"] == 0
    page.page.click("dialog .main")

    page.page.wait_for_selector("text=kept.")
    assert [last(server, number)[0] for number in lines] == ["keep"] * 4
    page.press("z")
    page.page.wait_for_selector("text=Undone: 4 decisions.")
    assert server.get("progress")["decided"] == 0


def test_the_whole_list_is_moved_to_a_chosen_shelf(page: Tab, server: Client):
    page.page.select_option('[aria-label="Seller"]', PAIR[2])
    page.idle()
    page.page.click(".bulkbar >> text=Move to")
    page.page.wait_for_selector(".found [role=option]")
    page.page.keyboard.type("tents")
    page.press("Enter")
    page.page.wait_for_selector("dialog >> text=12 products: all to Sports › Outdoor › Tents")
    page.press("Enter")

    page.page.wait_for_selector("text=kept.")
    moved = server.get("progress")["moved_pairs"]
    assert [(pair["to"], pair["count"]) for pair in moved] == [("Sports > Outdoor > Tents", 12)]


def test_all_of_a_seller_from_one_shelf_to_another(page: Tab, server: Client):
    page.page.select_option('[aria-label="Seller"]', PAIR[2])
    button = page.page.locator(".actions .button", has_text=f"All 12 of {PAIR[2]} from Boots to Sandals")
    button.click()
    page.page.click("dialog .main")

    page.page.wait_for_selector("text=kept.")
    assert server.get("progress")["moved_pairs"] == [{"from": PAIR[0], "to": PAIR[1], "count": 12}]
    assert page.total() == 0


# -- the map -------------------------------------------------------------------------------------------------


def spot(page: Tab) -> tuple[float, float]:
    """Where the current product is on the screen."""
    page.page.wait_for_selector(".ring")
    ring = page.page.locator(".ring").bounding_box()
    return ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2


def test_map_shows_hovers_opens_and_encircles(page: Tab, server: Client):
    page.press("ArrowDown", "ArrowDown", "m")
    page.page.wait_for_selector(".legend li")
    page.until("Number(document.querySelector('canvas').dataset.frames) > 0")
    wanted = page.current()
    x, y = spot(page)

    page.page.mouse.move(x, y)
    page.page.wait_for_selector(".tip")
    assert server.get(f"products/{wanted}")["title"] in page.page.locator(".tip").inner_text()
    page.press("ArrowUp")
    page.page.mouse.click(x, y)
    page.wait_for(wanted)

    page.page.keyboard.down("Shift")
    page.page.mouse.move(x - 90, y - 90)
    page.page.mouse.down()
    for dx, dy in ((90, -90), (90, 90), (-90, 90), (-90, -90)):
        page.page.mouse.move(x + dx, y + dy)
    page.page.mouse.up()
    page.page.keyboard.up("Shift")
    page.page.wait_for_selector(".chosen >> text=encircled")
    many = int(page.page.locator(".chosen strong").inner_text().split()[0])
    page.page.click("text=Show in the list")
    page.idle()
    assert page.total() == many > 1
    assert page.page.locator(f"#doubt-{wanted}").count() == 1


def test_map_is_coloured_by_each_measure_and_its_legend_picks_out(page: Tab, server: Client):
    page.press("m")
    for colour in ("level2", "kind", "decision", "level3"):
        page.page.select_option('[aria-label="Colour of the map"]', colour)
        names = server.get("map/legend", colour=colour)["names"]
        shown = "JSON.stringify([...document.querySelectorAll('.legend .name')].map((e) => e.textContent))"
        page.until(f"{shown} === JSON.stringify({json.dumps(names)})")
    page.page.select_option('[aria-label="Colour of the map"]', "doubt")
    page.page.wait_for_selector(".legend.scale")
    page.page.select_option('[aria-label="Colour of the map"]', "kind")
    page.page.locator(".legend li button").first.click()
    assert page.page.locator(".legend .dim").count() == page.page.locator(".legend li").count() - 1


def test_map_pans_with_the_mouse_and_zooms_with_the_wheel(page: Tab):
    page.press("m")
    x, y = spot(page)
    box = page.page.locator(".surface").bounding_box()
    middle = (box["x"] + 250, box["y"] + 300)
    page.page.mouse.move(*middle)
    page.page.mouse.down()
    page.page.mouse.move(middle[0] + 30, middle[1] + 20)
    page.page.mouse.move(middle[0] + 60, middle[1] + 40)
    page.page.mouse.up()
    ring = "(document.querySelector('.ring').getBoundingClientRect().x + 10)"
    page.until(f"Math.abs({ring} - {x}) > 20")
    moved = spot(page)
    assert moved[0] > x
    page.page.mouse.wheel(0, -300)
    page.until(f"Math.abs({ring} - {moved[0]}) > 3")
    assert moved[1] > y


# -- what goes wrong -----------------------------------------------------------------------------------------


def test_a_refused_decision_is_told_and_the_product_comes_back(page: Tab, server: Client):
    assert server.get("products/1")["suggested"] == GONE
    page.press("ArrowDown")
    page.wait_for(1)

    page.press("a")

    page.page.wait_for_selector(".toast.bad")
    assert "no shelf" in page.page.locator(".toast.bad").inner_text()
    page.page.wait_for_selector("#doubt-1")
    assert last(server, 1) == ("", None)
    page.errors.clear()  # the browser itself reports the 409


def test_an_answer_that_got_lost_is_asked_for_again_and_kept_once(page: Tab, server: Client):
    lost, told = [], []

    def lose(route):
        if not lost:
            route.fetch()  # the server keeps it, and the page never hears of it
        lost.append(route.request.post_data_json["key"])
        if told:
            route.continue_()
        else:  # until somebody could read that it is not saved, however slow the machine
            route.abort()

    page.page.route("**/api/decisions", lose)
    page.press("k")
    page.page.wait_for_selector(".chip.bad >> text=1 decision not saved yet")
    told.append(True)
    page.saved()

    assert len(lost) >= 2
    assert len(set(lost)) == 1
    assert len(server.get("products/0")["history"]) == 1
    page.errors.clear()


def test_a_killed_server_loses_nothing_and_is_found_again(browser, doubts, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ("--decisions", str(tmp_path / "decisions.sqlite"), "--port", str(port))
    with served(doubts, *options) as server, tab(browser, server.address) as page:
        page.open()
        page.press("k")
        page.saved()
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()

        page.press("u", "s")

        page.page.wait_for_selector("text=The server does not answer.")
        page.page.wait_for_selector("text=2 decisions not saved yet")
        page.page.click(".top .chip")
        assert page.page.locator(".unsaved li").count() == 2
        page.press("Escape")
        with served(doubts, *options) as again:
            page.page.wait_for_selector("text=The server does not answer.", state="detached")
            page.saved()
            by_action = again.get("progress")["by_action"]
            assert {name: by_action.get(name) for name in ("keep", "unsure", "skip")} == {
                "keep": 1, "unsure": 1, "skip": 1,
            }  # fmt: skip


def test_a_decision_on_its_way_survives_a_reload(page: Tab, server: Client):
    page.page.route("**/api/decisions", lambda route: route.abort())
    with page.page.expect_request("**/api/decisions"):
        page.press("k")
    page.page.wait_for_selector(".chip.bad")
    page.page.unroute("**/api/decisions")
    page.page.reload()
    page.page.wait_for_selector(".details")
    page.saved()

    assert last(server, 0)[0] == "keep"
    page.errors.clear()


def test_an_answer_that_breaks_off_is_none_and_the_page_goes_on_asking(page: Tab, server: Client):
    broken = []

    def answer(route):
        if broken:
            route.continue_()
        else:
            broken.append(route.request.url)
            route.fulfill(status=200, content_type="application/json", body='{"seq": 0, "items": [')

    page.page.route("**/api/changes*", answer)
    page.page.wait_for_selector("text=The server does not answer.")
    page.page.wait_for_selector("text=The server does not answer.", state="detached")
    assert len(broken) == 1


def test_a_key_pressed_before_the_first_effects_have_run_is_seen(browser, server: Client):
    """A slow machine runs effects long after the first picture; what happens in between must be drawn."""
    with tab(browser, server.address) as page:
        page.page.add_init_script("""
            const soon = window.setTimeout;
            window.setTimeout = (then, after, ...more) => soon(then, after < 200 ? 1e6 : after, ...more);
            window.requestAnimationFrame = () => 0;
        """)
        page.open(".actions")
        page.press("?")
        page.page.wait_for_selector("dialog", timeout=1500)  # the next look at changes comes after 2000 ms


def test_two_people_see_each_others_work_within_three_seconds(page: Tab, browser, server: Client):
    with tab(browser, server.address, who="Bob") as other:
        other.open()
        first = other.current()
        page.page.wait_for_selector(f"#doubt-{first}")
        began = time.monotonic()
        other.press("k")
        other.saved()

        page.page.wait_for_selector(f"#doubt-{first}", state="detached", timeout=6000)
        assert time.monotonic() - began < 4.5  # three seconds, and what a busy machine adds
        page.page.wait_for_selector("text=1 of 400 reviewed")

        page.press("u")  # the same product, which is still open here: both count, and it is told
        page.page.click(".progress")
        text = page.page.locator("dialog").inner_text()
        assert "Bob" in text
    page.press("Escape")


def test_looking_only_offers_no_decision(browser, doubts, tmp_path):
    options = ("--look-only", "--decisions", str(tmp_path / "none.sqlite"))
    with served(doubts, *options) as server, tab(browser, server.address) as page:
        page.open()
        page.press("k", "a", "o", "z")

        assert page.page.locator(".actions, .bulkbar, dialog").count() == 0
        assert page.current() == 0


# -- how it looks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)])
def test_everything_fits_and_has_a_name(page: Tab, size):
    page.page.set_viewport_size({"width": size[0], "height": size[1]})
    nameless = """[...document.querySelectorAll("button, input, select, a, [role=listbox]")]
        .filter((e) => !(e.ariaLabel || e.textContent.trim() || e.title || e.closest("label")))
        .map((e) => e.outerHTML)"""
    for key in ("", "o", "m", "?"):
        if key:
            page.press(key)
            page.page.wait_for_timeout(150)
        assert page.page.evaluate(nameless) == []
        assert page.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        page.press("Escape")


def test_reviewer_is_asked_once_and_exports_are_there(browser, server: Client):
    with tab(browser, server.address, who="") as page:
        page.open("dialog")
        page.page.fill("#reviewer", "Зоя")
        page.press("Enter")
        page.wait_for(0)
        page.press("k")
        page.saved()
        assert server.get("products/0")["history"][0]["who"] == "Зоя"
        page.page.reload()
        page.page.wait_for_selector(".details")
        assert page.page.locator("dialog").count() == 0
        page.page.click("text=Export")
        for name, ending in (("Parquet", "parquet"), ("CSV", "csv")):
            with page.page.expect_download() as download:
                page.page.click(f".menu >> text=Decisions as {name}")
            assert download.value.suggested_filename.endswith(ending)


# -- the bundle ----------------------------------------------------------------------------------------------
