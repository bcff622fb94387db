"""Products that attack the page: whatever a catalogue says is text, and nothing of it ever runs."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from review_browser import Tab, chromium, here, launched, tab
from review_shop import make_shop

pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(chromium() is None, reason="there is no Chromium here")

RUN = "window.hacked=1"
BARE = [
    f"<script>{RUN}</script>",
    f"<script src=data:text/javascript,{RUN}></script>",
    f"<img src=x onerror={RUN}>",
    f"<img src=x onerror=alert(1) onload={RUN}>",
    f"<svg onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<math><mtext><img src=x onerror={RUN}></mtext></math>",
    f"<iframe src=javascript:parent.{RUN}></iframe>",
    f'<iframe srcdoc="<script>parent.{RUN}</script>"></iframe>',
    f"<body onload={RUN}>",
    f"<details open ontoggle={RUN}>",
    f"<video><source onerror={RUN}></video>",
    f"<input autofocus onfocus={RUN}>",
    f"<object data=javascript:{RUN}></object>",
    f"<embed src=javascript:{RUN}>",
    f"<a href=javascript:{RUN}>x</a>",
    f"<form action=javascript:{RUN}><button autofocus>x</button></form>",
    f"<link rel=stylesheet href=javascript:{RUN}>",
    f"<style>@import 'javascript:{RUN}';</style>",
    f"<base href=javascript:{RUN}//>",
    f"<meta http-equiv=refresh content=0;javascript:{RUN}>",
    f"javascript:{RUN}",
    f"${{constructor.constructor('{RUN}')()}}{{{{constructor.constructor('{RUN}')()}}}}",
    f"data:text/html,<script>{RUN}</script>",
]
ROUND = [
    "{}",
    '">{}',
    "'>{}",
    "</title></textarea></style></script>{}",
    "<!--><![CDATA[{}]]>-->",
    "\u202e{}\u200b",
    "`-{}-'\"\\",
    "<b>{}</b><noscript><p title='</noscript>{}'>",
]
PAYLOADS = [around.replace("{}", bare) for around in ROUND for bare in BARE]
LOOK = """[window.hacked, document.scripts.length,
  document.querySelectorAll('iframe, object, embed, base, form[action], meta[http-equiv], style').length,
  [...document.querySelectorAll('*')].filter((e) => [...e.attributes].some((a) => /^on/.test(a.name))).length,
  [...document.querySelectorAll('a')].filter((a) => !/^https?:$/.test(a.protocol)).length,
  [...document.images].filter((i) => !/^\\/(pictures|static)\\//.test(new URL(i.src).pathname)).length]"""
ESCAPED = str.maketrans({"<": "&lt;", ">": "&gt;", "&": "&amp;"})


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> tuple[Path, list[str]]:
    """A shop whose first 200 doubts carry a payload in every field, and its doubts file."""
    path, catalogue, images = make_shop(tmp_path_factory.mktemp("hostile"), 210)
    about = json.loads(pl.read_parquet_metadata(path)["shelfwise.audit"])
    doubts, products = pl.read_parquet(path), pl.read_parquet(catalogue)
    payload_of = dict(zip(doubts["row"].to_list(), PAYLOADS, strict=False))
    rows = []
    for number, row in enumerate(products.iter_rows(named=True)):
        payload = payload_of.get(number)
        if payload is not None:
            picture = images / row["image"]
            row["image"] = payload.replace("/", "\u2215")[:60] + ".jpg"
            if picture.is_file():
                picture.rename(images / row["image"])
            # Descriptions are HTML of which the text is kept: what was escaped comes out as it was meant.
            row |= {
                "title": f"{payload} {number}",
                "description": payload.translate(ESCAPED),
                "brand": payload,
                "seller": payload,
                "attributes": json.dumps({payload: payload}),
                "url": payload if number % 2 else f"javascript:{RUN}",
                "category": f"{payload} > {payload}",
            }
        rows.append(row)
    pl.DataFrame(rows, schema=products.schema).write_parquet(catalogue)
    attacked = []
    for row in doubts.iter_rows(named=True):
        payload = payload_of.get(row["row"])
        if payload is not None:
            shelf = f"{payload} > {payload}"
            near = [one | {"title": payload, "category": shelf} for one in row["neighbours"]]
            row |= {"given": shelf, "kind": row["kind"], "reasons": [payload], "neighbours": near}
            row["candidates"] = [{"category": shelf, "confidence": 0.5}]
        attacked.append(row)
    frame = pl.DataFrame(attacked, schema=doubts.schema)
    frame.write_parquet(path, metadata={"shelfwise.audit": json.dumps(about)})
    return path, PAYLOADS


def untouched(page: Tab) -> None:
    """Nothing ran, nothing was refused, nothing was made of the texts, nothing was fetched from elsewhere."""
    made = page.page.evaluate(LOOK)
    assert made == [None, 1, 0, 0, 0, 0]
    assert (page.dialogs, page.foreign, page.violations()) == ([], [], 0)


def test_two_hundred_payloads_are_shown_as_text(shop, tmp_path):
    doubts, payloads = shop
    assert len(payloads) == len(set(payloads)) == 200
    with (
        launched() as browser,
        here(doubts, tmp_path / "d.sqlite") as server,
        tab(browser, server.address, who=PAYLOADS[0]) as page,
    ):
        page.open()
        listed = server.get("doubts", state="all", limit=200)["items"]
        assert sum(item["picture"] is not None for item in listed) > 150  # files of those names are served
        seen = set()
        for place in range(200):
            page.wait_for(page.current())
            shown = page.page.locator(".product").inner_text()
            title = server.get(f"products/{page.current()}")["title"]
            assert " ".join(title.split()) in " ".join(shown.split())
            seen.add(page.current())
            if place % 25 == 0:
                untouched(page)
            following = page.current()
            page.press("ArrowDown")
            page.until(f"document.querySelector('.product').dataset.id !== '{following}'")
        assert len(seen) == 200
        untouched(page)

        page.press("o")
        page.page.wait_for_selector(".found [role=option]")
        page.page.keyboard.type("script")
        page.page.wait_for_selector(".found mark")
        untouched(page)
        page.press("Escape")
        page.page.locator("#filter-shelf").press_sequentially("onerror")
        page.page.wait_for_selector(".options [role=option]")
        untouched(page)
        page.page.locator("#filter-shelf").fill("")
        page.press("Escape", "k")
        page.page.wait_for_selector("dialog", state="detached")
        page.saved()
        page.page.click(".progress")
        page.page.wait_for_selector("dialog .facts-table")
        untouched(page)
        page.press("Escape")
        page.page.wait_for_selector("dialog", state="detached")
        page.press("m")
        page.page.wait_for_selector(".legend li")
        box = page.page.locator(".surface").bounding_box()
        for step in range(0, 400, 40):
            page.page.mouse.move(box["x"] + 80 + step, box["y"] + 100 + step)
        untouched(page)
        assert page.errors == []
