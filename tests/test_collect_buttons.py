"""Buttons that show more of a list: seen in a page, guessed, and pressed in a real Chromium."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from scrape_shop import product, scraped, shop
from shelfwise.collect.browser import find_chromium
from shelfwise.collect.buttons import addresses_of, grows, is_more, next_in_script, next_page

URL = "https://a.example/c/hats/"
needs_chromium = pytest.mark.skipif(not find_chromium(), reason="there is no Chromium")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Show more", True), ("LOAD MORE PRODUCTS", True), ("Load 24 more", True), ("Mehr anzeigen", True),
        ("Weitere 24 Artikel laden", True), ("Mehr Hüte anzeigen", True), ("Afficher plus de produits", True),
        ("Показать ещё", True), ("もっと見る", True), ("Show more ▼", True), ("Ver más", True),
        ("Read more", False), ("Show more filters", False), ("Mehr erfahren", False), ("Add to cart", False),
        ("Show more reviews", False), ("More", False), ("", False),
    ],
)  # fmt: skip
def test_words_of_buttons(text, told):
    assert is_more(html.fragment_fromstring(f"<button>{text}</button>")) is told


def test_an_arrow_may_have_a_name_and_no_words():
    assert is_more(html.fragment_fromstring('<a class="btn js-load-more"><svg></svg></a>'))
    assert is_more(html.fragment_fromstring('<div role="button">Show more</div>'))
    assert not is_more(html.fragment_fromstring("<div>Show more</div>"))


@pytest.mark.parametrize(
    ("markup", "told"),
    [
        ('<div class="infinite-scroll-component">', True), ('<div id="js-infiniteLoading">', True),
        ('<ul class="endless-scroll">', True), ('<span class="grid__scroll-sentinel">', True),
        ('<div class="scroll-to-top">', False), ('<p class="infinite-loop-slider">', False), ("<div>", False),
    ],
)  # fmt: skip
def test_lists_that_grow_when_they_are_scrolled(markup, told):
    assert grows(html.document_fromstring(f"<body><h1>Lamps</h1>{markup}x</body>")) is told


def test_any_attribute_may_say_where_more_comes_from():
    button = html.fragment_fromstring('<button hx-get="/api/more?p=2" data-x="3" class="/no">More</button>')

    assert addresses_of(button, URL) == ["https://a.example/api/more?p=2"]


def test_scripts_name_the_next_page():
    script = 'var list = {"nextPage": "\\/c\\/hats\\/?page=2\\u0026x=1", next: "?page=3", "next": "later"};'

    assert list(next_in_script(script, URL)) == [f"{URL}?page=2&x=1", f"{URL}?page=3"]


def test_the_next_page_is_counted_up():
    assert next_page(URL) == f"{URL}?page=2"
    assert next_page(f"{URL}?page=2") == f"{URL}?page=3"
    assert next_page(f"{URL}?colour=red&seite=7") == f"{URL}?colour=red&seite=8"


@given(st.text(max_size=80))
def test_any_text_is_looked_at(text):
    list(next_in_script(text, URL))
    next_page(f"{URL}?{text}")


# -- in a crawl ----------------------------------------------------------------------------------------------


def listing(numbers, button=""):
    items = "".join(f'<li><a href="/p/{one}">Lamp {one}</a> <b>{one}.90 €</b></li>' for one in numbers)
    return f"<h1>Lamps</h1><ul id=list>{items}</ul>{button}"


def silent(step, replaces):
    """A button whose script alone knows that more is at /api/N; `replaces`: instead of what is shown."""
    change = "list.innerHTML = text" if replaces else "list.innerHTML += text"
    return f"""<button onclick="press(this)">Show more</button><script>
      let next = 1;
      async function press(button) {{
        button.disabled = true;
        const answer = await fetch("/api/" + next++);
        const text = (await answer.json()).rows, list = document.getElementById("list");
        if (text) {change}; else button.remove();
        button.disabled = false;
      }}
    </script>"""


def lamps(front, steps, most=24):
    pages = {f"/p/{number}": product(number) for number in range(most)}
    rows = {
        f"/api/{step}": (
            200,
            {"Content-Type": "application/json"},
            json.dumps({"rows": listing(numbers).partition("<ul id=list>")[2][:-5] if numbers else ""}),
        )
        for step, numbers in steps.items()
    }
    return {"/": '<a href="/c/lamps">Lamps</a>', "/c/lamps": front, **pages, **rows}


STEPS = {1: range(6, 12), 2: range(12, 18), 3: range(18, 24), 4: []}


@needs_chromium
@pytest.mark.parametrize("replaces", [False, True])
def test_a_button_that_says_nothing_is_pressed_until_nothing_more_comes(replaces, tmp_path):
    pages = lamps(listing(range(6), silent(6, replaces)), STEPS)
    with shop(pages) as server:
        told = scraped(server.address, tmp_path / "x.parquet")

    assert told["products"] == 24
    assert told["browser_pages"] == 1
    assert server.hits["/c/lamps?page=2"] == 1  # the guess was tried before
    assert [server.hits[f"/api/{step}"] for step in STEPS] == [1, 1, 1, 1]


ENDLESS = """<div class="infinite-scroll-sentinel">...</div><style>li { height: 300px }</style><script>
  let next = 1;
  new IntersectionObserver(async (seen) => {
    if (!seen.some((one) => one.isIntersecting)) return;
    const answer = await fetch("/api/" + next++);
    const text = (await answer.json()).rows;
    if (text) document.getElementById("list").innerHTML += text;
  }).observe(document.querySelector(".infinite-scroll-sentinel"));
</script>"""


@needs_chromium
def test_a_list_that_grows_is_scrolled_until_nothing_more_comes(tmp_path):
    with shop(lamps(listing(range(6), ENDLESS), STEPS)) as server:
        told = scraped(server.address, tmp_path / "x.parquet")

    assert (told["products"], told["browser_pages"]) == (24, 1)
    assert server.hits["/c/lamps?page=2"] == 1  # the guess was tried before
    assert [server.hits[f"/api/{step}"] for step in STEPS] == [1, 1, 1, 1]


@needs_chromium
def test_a_guess_that_is_right_needs_no_browser(tmp_path):
    pages = lamps(listing(range(6), silent(6, False)), {})
    for page in (2, 3, 4):
        pages[f"/c/lamps?page={page}"] = listing(range(6 * page - 6, 6 * page), silent(6, False))
    with shop(pages) as server:
        told = scraped(server.address, tmp_path / "x.parquet")

    assert told["products"] == 24
    assert told["browser_pages"] == 0
    assert server.hits["/c/lamps?page=6"] == 0


@needs_chromium
def test_a_shop_that_ignores_the_guess_is_asked_once(tmp_path):
    front = listing(range(6), silent(6, False))
    pages = lamps(front, STEPS) | {"/c/lamps?page=2": front}
    with shop(pages) as server:
        told = scraped(server.address, tmp_path / "x.parquet")

    assert (told["products"], told["browser_pages"]) == (24, 1)
    assert server.hits["/c/lamps?page=3"] == 0


@needs_chromium
def test_what_a_button_asks_for_is_checked_as_all_else(tmp_path):
    robots = (200, {"Content-Type": "text/plain"}, "User-agent: *\nDisallow: /api/2\n")
    with shop(lamps(listing(range(6), silent(6, False)), STEPS) | {"/robots.txt": robots}) as server:
        told = scraped(server.address, tmp_path / "x.parquet")

    assert told["products"] == 12
    assert server.hits["/api/2"] == 0


@needs_chromium
def test_without_a_browser_it_is_told_and_the_next_run_presses(tmp_path):
    output = tmp_path / "x.parquet"
    with shop(lamps(listing(range(6), silent(6, False)), STEPS)) as server:
        first = scraped(server.address, output, "--browser", "never")
        second = scraped(server.address, output)

    assert first["products"] == 6
    assert first["pages"]["done"]["needs_browser"] == 1
    assert second["products"] == 24
    assert pl.read_parquet(output)["url"].n_unique() == 24


def test_pieces_of_pages_in_json_lead_on(tmp_path):
    button = '<button data-next="/api/1">More</button>'
    steps = {1: range(6, 12)}
    with shop(lamps(listing(range(6), button), steps)) as server:
        told = scraped(server.address, tmp_path / "x.parquet", "--browser", "never")

    assert told["products"] == 12
