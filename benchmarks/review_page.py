"""How fast the review page is in Chromium with 100,000 doubts: first view, next doubt, the map's frames.

    python benchmarks/review_page.py [--products 100000] [--shop FOLDER] [--repeats 5]

The shop is generated (see tests/review_shop.py); its first doubts have pictures. There is no graphics card:
WebGL is drawn by the processor (SwiftShader), on the cores on which the server runs as well. Each first view
has an empty cache. Times are taken in the page: from the navigation, or from the key press, until the frame
after everything is in the document. Frames are those that deck.gl has drawn while the map is dragged.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

import record

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from review_browser import launched, tab
from review_client import served
from review_shop import make_shop

PICTURES = 400  # of the highest doubts
AIMS = {"first view, ms": 2000, "next doubt, ms": 100, "map, frames a second": 30}
WATCH = """
window.seen = {};
const lines = () => document.querySelectorAll('.line .title').length;
const whole = () => document.querySelector('.details') && lines() >= 8;
const look = () => {
  if (!window.seen.view && whole()) requestAnimationFrame(() => { window.seen.view = performance.now(); });
  const images = [...document.images].filter((i) => i.src.includes('/pictures/'));
  const loaded = images.length > 5 && images.every((i) => i.complete && i.naturalWidth);
  if (window.seen.view && loaded) { window.seen.pictures = performance.now(); return; }
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
window.steps = [];
addEventListener('keydown', (event) => {
  const began = event.timeStamp;
  const before = document.querySelector('.product')?.dataset.id;
  const wait = () => {
    const now = document.querySelector('.product');
    if (now?.dataset.id !== before && now?.querySelector('.details')) {
      requestAnimationFrame(() => window.steps.push(performance.now() - began));
    } else requestAnimationFrame(wait);
  };
  wait();
}, true);
"""
PAN = """async (seconds) => {
  const canvas = document.querySelector('.surface canvas');
  const box = canvas.getBoundingClientRect();
  const [left, top] = [box.x + box.width / 2, box.y + box.height / 2];
  const at = (n) => [left + 160 * Math.sin(n / 14), top + 110 * Math.cos(n / 17)];
  const send = (type, [clientX, clientY], buttons) => canvas.dispatchEvent(new PointerEvent(type, {
    bubbles: true, cancelable: true, clientX, clientY, buttons, button: 0, pointerId: 1, pointerType: 'mouse',
    isPrimary: true, view: window }));
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  send('pointerdown', at(0), 1);
  for (let n = 0; n < 20; n++) { send('pointermove', at(n), 1); await frame(); }
  const first = Number(canvas.dataset.frames), began = performance.now();
  let n = 20, last = began, longest = 0;
  while (performance.now() - began < 1000 * seconds) {
    send('pointermove', at(n++), 1);
    await frame();
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }
  const took = performance.now() - began, drawn = Number(canvas.dataset.frames) - first;
  const shown = Number(canvas.dataset.shown);
  send('pointerup', at(n), 0);
  return { fps: 1000 * drawn / took, longest, shown };
}"""


def main() -> None:
    """Measure, print, and keep the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--shop", type=Path, help="folder of a shop that is there already, or is to be kept")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shop = asked.shop or Path(folder)
        if not (shop / "doubts.parquet").exists():
            make_shop(shop, asked.products, pictures=False)
        draw(shop)
        load = os.getloadavg()[0]
        result = run(shop, Path(folder), asked.repeats)
    result["load"] = [round(load, 1), round(os.getloadavg()[0], 1)]
    where = record.circumstances()
    record.store("review_page", {"result": result, "where": where}, in_words(result, where))
    print(in_words(result, where))


def draw(shop: Path) -> None:
    """Pictures of the highest doubts, 600 x 600, where there are none yet."""
    from PIL import Image

    images = shop / "images"
    images.mkdir(exist_ok=True)
    rows = pl.read_parquet(shop / "doubts.parquet", columns=["row"])["row"].head(PICTURES)
    names = pl.read_parquet(shop / "catalogue.parquet", columns=["image"])["image"].gather(rows).to_list()
    for number, name in enumerate(names):
        if not (images / name).exists():
            noise = Image.effect_noise((600, 600), 20 + number % 60)
            noise.convert("RGB").save(images / name, quality=85)


def run(shop: Path, folder: Path, repeats: int) -> dict[str, Any]:
    """Open the page, work through doubts, pan the map."""
    options = ("--decisions", str(folder / "d.sqlite"), "--images", str(shop / "images"))
    with served(shop / "doubts.parquet", *options) as server, launched() as browser:
        views, pictures = [], []
        for _ in range(repeats):
            with tab(browser, server.address) as opened:
                opened.page.add_init_script(WATCH)
                opened.open()
                opened.until("window.seen.pictures > 0")
                views.append(opened.page.evaluate("window.seen.view"))
                pictures.append(opened.page.evaluate("window.seen.pictures"))
        with tab(browser, server.address) as opened:
            opened.page.add_init_script(WATCH)
            opened.open()
            decided = steps(opened, ["a", "k", "u", "s", "3"] * 10, 0.6)
            looked = steps(opened, ["ArrowDown"] * 50, 0.6)
            flicked = steps(opened, ["ArrowDown"] * 50, 0.15)
            pans = panned(opened, repeats)
        return {
            "products": server.get("about")["products"], "views": views, "pictures": pictures,
            "decided": decided, "looked": looked, "flicked": flicked, "pans": pans,
        }  # fmt: skip


def steps(opened: Any, keys: list[str], pause: float) -> list[float]:
    """Milliseconds from each key press until the next product was drawn."""
    opened.page.evaluate("window.steps.length = 0")
    for number, key in enumerate(keys):
        opened.page.keyboard.press(key)
        time.sleep(pause)
        opened.until(f"window.steps.length > {number}")
    return opened.page.evaluate("window.steps")


def panned(opened: Any, repeats: int) -> list[dict[str, float]]:
    """Frames a second of dragging the whole map, several times."""
    opened.page.keyboard.press("m")
    opened.page.wait_for_selector(".legend li")
    opened.page.wait_for_timeout(1500)
    return [opened.page.evaluate(PAN, 4) for _ in range(repeats)]


def in_words(result: dict[str, Any], where: dict[str, Any]) -> str:
    """A table and the circumstances."""

    def row(name: str, values: list[float], aim: str) -> tuple[str, ...]:
        worst = min(values) if "frames" in name else max(values)
        return name, f"{statistics.median(values):.0f}", f"{worst:.0f}", aim

    shown = statistics.median(pan["shown"] for pan in result["pans"])
    rows = [
        row("first view, ms", result["views"], "< 2,000"),
        row("first view with all its pictures, ms", result["pictures"], ""),
        row("next doubt after a decision, ms", result["decided"], "< 100"),
        row("next doubt with the arrow key, ms", result["looked"], "< 100"),
        row("next doubt, six of them a second, ms", result["flicked"], ""),
        row("map while it is dragged, frames a second", [pan["fps"] for pan in result["pans"]], ">= 30"),
    ]
    return (
        f"With {result['products']:,} doubts, in headless Chromium, 1280 x 800, without a graphics card "
        f"(SwiftShader). While it was dragged the map drew {shown:,.0f} of its points, all of them when it "
        f"rested. Load of the machine, beginning and end: {' and '.join(map(str, result['load']))}.\n\n"
        + record.table(("measured", "median", "worst", "aim"), rows)
        + f"\n\n{record.in_words(where)}"
    )


if __name__ == "__main__":
    main()
