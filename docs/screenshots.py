"""Takes the pictures in docs/images of the review page, of a queue and of what is only looked at.

    .venv/bin/python docs/screenshots.py [--only review,queue,explore]

All are of the demo shop, which is generated first (`shelfwise demo`). Needs Chromium and playwright.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from review_browser import Tab, launched, tab
from review_client import served
from shelfwise.audit.explore import explore
from shelfwise.demo import DemoShop, generate
from shelfwise.recipe import PicturesRecipe, Recipe

IMAGES = Path(__file__).parent / "images"


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(PAGES), help="pages, with commas between")
    asked = parser.parse_args()
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        box = Path(folder)
        shop = generate(box / "shop")
        for name in asked.only.split(","):
            made, take = PAGES[name]
            photograph(made(shop, box), box / f"{name}.sqlite", take)


def photograph(file: Path, decisions: Path, take: Callable[[Tab], None]) -> None:
    """Open the page of a file and take its pictures."""
    with (
        served(file, "--decisions", str(decisions)) as server,
        launched() as browser,
        tab(browser, server.address, viewport={"width": 1440, "height": 900}) as opened,
    ):
        opened.open()
        hide_notes(opened)
        take(opened)


def shelfwise(*words: object) -> None:
    """Run a command."""
    subprocess.run([sys.executable, "-m", "shelfwise", *map(str, words)], check=True)


def audited(shop: DemoShop, box: Path) -> Path:
    """The doubts of the shop."""
    doubts = box / "doubts.parquet"
    shelfwise("audit", shop.catalogue, "--images", shop.images, "--output", doubts)
    return doubts


def queued(shop: DemoShop, box: Path) -> Path:
    """What to label next of the shop's new arrivals."""
    model, queue = box / "shelf", box / "queue.parquet"
    shelfwise("train", shop.catalogue, "--images", shop.images, "--model", model)
    shelfwise("queue", with_arrivals(shop, box), "--images", shop.images, "--model", model,
              "--count", 60, "--output", queue)  # fmt: skip
    return queue


def explored(shop: DemoShop, box: Path) -> Path:
    """The shop, to look at."""
    pictures = PicturesRecipe(folder=str(shop.images), encoder="pixels")
    found, file = explore(with_arrivals(shop, box), Recipe(pictures=pictures)), box / "explored.parquet"
    found.write(file)
    return file


def with_arrivals(shop: DemoShop, box: Path) -> str:
    """The catalogue with the new arrivals, which have no category yet."""
    path = box / "all.parquet"
    arrivals = pl.read_csv(shop.new_arrivals, infer_schema=False)
    catalogue = pl.read_parquet(shop.catalogue)
    together = [frame.select(pl.all().cast(pl.String)) for frame in (catalogue, arrivals)]
    pl.concat(together, how="diagonal").drop("split", strict=False).write_parquet(path)
    return str(path)


def hide_notes(page: Tab) -> None:
    """Close what the page says about the shop at the top."""
    while page.page.locator(".banners >> text=Hide").count():
        page.page.locator(".banners >> text=Hide").first.click()
        page.page.wait_for_timeout(100)


def taken(page: Tab) -> None:
    """The list, the picker, the map."""
    for key in ("a", "a", "k", "ArrowDown", "x", "Shift+ArrowDown", "ArrowDown"):
        page.press(key)
        page.page.wait_for_timeout(250)
    page.saved()
    page.press("Escape")
    page.wait_for(page.current())
    shot(page, "list")
    page.press("o")
    page.page.wait_for_selector(".found [role=option]")
    page.page.keyboard.type("sho")
    page.page.wait_for_selector(".found mark")
    shot(page, "picker")
    page.press("Escape")
    page.page.wait_for_selector("dialog", state="detached")
    page.press("m")
    page.page.wait_for_selector(".legend li")
    page.page.wait_for_timeout(2500)
    hovered(page)
    shot(page, "map")


def queue_taken(page: Tab) -> None:
    """The first products to label, one of them labelled."""
    page.press("a")
    page.saved()
    page.wait_for(page.current())
    shot(page, "queue")


def explore_taken(page: Tab) -> None:
    """The map of everything, and a product."""
    page.press("m")
    page.page.wait_for_selector(".legend li")
    page.page.wait_for_timeout(2500)
    hovered(page)
    shot(page, "explore")


def hovered(page: Tab) -> None:
    """Put the mouse on some point in the middle of the map."""
    box = page.page.locator(".surface").bounding_box()
    for step in range(60):
        x, y = box["x"] + 200 + 5 * step, box["y"] + 330 + (37 * step) % 140
        page.page.mouse.move(x, y)
        page.page.wait_for_timeout(150)
        if page.page.locator(".tip img").count():
            return


def shot(page: Tab, name: str) -> None:
    """Keep one picture, when everything in it is loaded."""
    from PIL import Image

    page.page.wait_for_timeout(800)
    page.until("[...document.images].every((image) => image.complete)")
    file = IMAGES / f"review-{name}.png"
    page.page.screenshot(path=file)
    with Image.open(file) as image:  # 256 colours are as clear, in a third of the bytes
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)


Page = tuple[Callable[[DemoShop, Path], Path], Callable[[Tab], None]]
PAGES: dict[str, Page] = {
    "review": (audited, taken),
    "queue": (queued, queue_taken),
    "explore": (explored, explore_taken),
}


if __name__ == "__main__":
    main()
