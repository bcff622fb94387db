"""Takes the pictures of the review page in docs/images, from the demo shop.

    .venv/bin/python docs/screenshots.py [--doubts FILE]

Without --doubts the demo shop is generated and audited first (`shelfwise demo`, `shelfwise audit`). Needs
Chromium and playwright.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from review_browser import Tab, launched, tab
from review_client import served

IMAGES = Path(__file__).parent / "images"


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--doubts", type=Path, help="a doubts file that is there already")
    asked = parser.parse_args()
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        doubts = asked.doubts or audited(Path(folder))
        decisions = str(Path(folder) / "decisions.sqlite")
        with (
            served(doubts, "--decisions", decisions) as server,
            launched() as browser,
            tab(browser, server.address, viewport={"width": 1440, "height": 900}) as opened,
        ):
            opened.open()
            hide_notes(opened)
            taken(opened)


def audited(folder: Path) -> Path:
    """The doubts of a new demo shop."""
    command = [sys.executable, "-m", "shelfwise"]
    shop, doubts = folder / "demo-shop", folder / "doubts.parquet"
    subprocess.run([*command, "demo", "--output", str(shop)], check=True)
    images = ["--images", str(shop / "images")]
    subprocess.run(
        [*command, "audit", str(shop / "catalogue.parquet"), *images, "--output", str(doubts)], check=True
    )
    return doubts


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
    page.page.wait_for_timeout(800)
    page.until("[...document.images].every((image) => image.complete)")
    page.page.screenshot(path=IMAGES / f"review-{name}.png")


if __name__ == "__main__":
    main()
