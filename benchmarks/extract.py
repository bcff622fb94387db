"""What is read right from pages of shops: shelfwise.collect beside plain extruct with price-parser.

    python benchmarks/extract.py
    python benchmarks/extract.py --pages FOLDER --label "what is measured"

The pages are those of `tests/shop_pages`, written for this project as shop platforms write them, with what
is true of each. `held` are platforms whose pages were written before the code, and whose faults were seen
only when its rules of thumb were done: the first run that is kept is from before that, and stands in a row of
its own. A field is right when it is the truth but for case and spaces (title, brand), the same number and
currency, the same levels, the same address (main picture). Speed is processor time of one process over all
pages, parsing included; these pages are short (3 kB).

With `--pages` the pages are those of a folder of yours: `NAME.html` files and a `truth.json`, an object of
NAME: {"url": ..., "shop": ..., "lang": ..., "group": ..., and what is true: "title", "price" with
"currency", "brand", "path" (a list of levels), "image"}. What is not told of a page is not judged. A picture
is right when it is the same file, whatever its size. Only figures are kept, in a second table, a row for each
group; pages and their texts stay yours.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import extruct
from price_parser import Price

from record import HERE, circumstances, in_words, store, stored, table

sys.path.insert(0, str(HERE.parent / "tests"))
from shelfwise.collect import extract
from shop_pages import ShopPage, shop_pages

FIELDS = ("title", "price", "brand", "category path", "main picture")
Row = dict[str, Any]
_ABOUT_SAVED = """\
The second table is of saved pages of real shops that are not part of the repository: product pages
cut to the part that is about the product, and of most shops only the breadcrumbs in a bare page, of
which nothing but the category path is judged. The truth was written before the code was run on
them. `worked on` was used for rules; `held back` was not, but for two faults that were seen;
`collected later` came when the rules were done, and its faults were looked at after the second run;
`collected last` came after all rules."""
_SIZE = re.compile(r"[-_.]\d{2,4}x\d{0,4}|-\d+-\d+(?=/)|-(?:home|thickbox|large|medium)_default")


@dataclass(frozen=True)
class SavedPage:
    """A page of a folder, with what is true of it."""

    name: str
    url: str
    html: bytes
    truth: Row


def plain(html: bytes, url: str) -> Row:
    """What extruct finds, taken as it is: the first product, else OpenGraph; prices by price-parser."""
    row: Row = dict.fromkeys(("title", "price", "currency", "brand", "path", "image"))
    try:
        data = extruct.extract(
            html, base_url=url, uniform=True, errors="log", syntaxes=["json-ld", "microdata", "opengraph"]
        )
    except Exception:  # a page that breaks it gives nothing
        return row
    nodes = [node for syntax in ("json-ld", "microdata") for node in data.get(syntax, [])]
    nodes += [inner for node in nodes for inner in node.get("@graph", []) if isinstance(inner, dict)]
    graph = next(iter(data.get("opengraph", [])), {})
    product = next((node for node in nodes if node.get("@type") == "Product"), {})
    offer = _first(product.get("offers")) or {}
    brand = _first(product.get("brand"))
    image = _first(product.get("image"))
    amount = offer.get("price") if isinstance(offer, dict) else None
    price = Price.fromstring(str(amount if amount is not None else graph.get("product:price:amount") or ""))
    crumbs = next((node for node in nodes if node.get("@type") == "BreadcrumbList"), {})
    items = crumbs.get("itemListElement") or []
    names = [_name(item) for item in (items if isinstance(items, list) else [items])]
    row["title"] = product.get("name") or graph.get("og:title")
    row["price"] = str(price.amount) if price.amount is not None else None
    row["currency"] = (offer.get("priceCurrency") if isinstance(offer, dict) else None) or graph.get(
        "product:price:currency"
    )
    row["brand"] = brand.get("name") if isinstance(brand, dict) else brand
    row["path"] = [name for name in names if name]
    row["image"] = (image.get("url") if isinstance(image, dict) else image) or graph.get("og:image")
    row["image"] = urljoin(url, row["image"]) if isinstance(row["image"], str) else None
    return row


def _first(value: object) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _name(item: object) -> str:
    if not isinstance(item, dict):
        return ""
    inner = item.get("item")
    return str(item.get("name") or (inner.get("name") if isinstance(inner, dict) else "") or "")


def ours(html: bytes, url: str) -> Row:
    """What shelfwise reads."""
    row = extract(html, url)
    path = row["category_path"].split(" > ") if row["category_path"] else []
    return {**row, "path": path, "image": next(iter(row["images"]), None)}


def same(one: object, other: object) -> bool:
    """The same text but for case and spaces."""
    return " ".join(str(one).split()).casefold() == " ".join(str(other).split()).casefold()


def same_file(one: object, other: object) -> bool:
    """The same picture, whatever its size and its parameters."""
    first, second = (
        _SIZE.sub("", re.sub(r"^https?:", "", str(text or "")).split("?")[0]) for text in (one, other)
    )
    return bool(first) and first == second


def judged(page: ShopPage | SavedPage, row: Row) -> dict[str, bool]:
    """Which of the fields that the page's truth tells are right."""
    truth = page.truth
    right = {}
    if "title" in truth:
        right["title"] = same(row["title"], truth["title"])
    if "price" in truth:
        try:
            number = Decimal(str(row["price"])) == Decimal(str(truth["price"]).replace(",", ""))
        except InvalidOperation:
            number = False
        right["price"] = number and row["currency"] == truth["currency"]
    if "image" in truth:
        exact = isinstance(page, ShopPage)
        right["main picture"] = (
            row["image"] == truth["image"] if exact else same_file(row["image"], truth["image"])
        )
    if "brand" in truth:
        right["brand"] = same(row["brand"], truth["brand"])
    if "path" in truth:
        right["category path"] = [part.casefold() for part in row["path"]] == [
            part.casefold() for part in truth["path"]
        ]
    return right


def measure(read: Callable[[bytes, str], Row], pages: list[ShopPage] | list[SavedPage]) -> dict[str, Any]:
    """Shares of right fields, in per cent, with their counts, and pages a second of processor time."""
    tally: dict[str, list[bool]] = defaultdict(list)
    read(pages[0].html, pages[0].url)
    began = time.process_time()
    rows = [read(page.html, page.url) for page in pages]
    spent = time.process_time() - began
    for page, row in zip(pages, rows, strict=True):
        for name, right in judged(page, row).items():
            tally[name].append(right)
    result = {name: {"right": sum(tally[name]), "of": len(tally[name])} for name in FIELDS}
    return {"fields": result, "pages_per_second": round(len(pages) / spent, 1)}


def _cell(tally: dict[str, int]) -> str:
    return (
        f"{100 * tally['right'] / tally['of']:.0f} % ({tally['right']}/{tally['of']})" if tally["of"] else "-"
    )


def saved_pages(folder: Path) -> list[SavedPage]:
    """The pages of a folder in the form that the head of this file tells."""
    told = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    return [
        SavedPage(name, truth["url"], (folder / f"{name}.html").read_bytes(), truth)
        for name, truth in told.items()
    ]


def measure_saved(pages: list[SavedPage], label: str) -> Row:
    """Both tools on each group of saved pages, as figures."""
    run: Row = {"where": circumstances(), "label": label, "groups": {}}
    for group in dict.fromkeys(page.truth.get("group", "all") for page in pages):
        members = [page for page in pages if page.truth.get("group", "all") == group]
        run["groups"][group] = {
            "pages": len(members),
            "shops": len({page.truth["shop"] for page in members}),
            "languages": len({page.truth["lang"] for page in members}),
            "extruct": measure(plain, members),
            "shelfwise": measure(ours, members),
        }
    return run


def _saved_table(runs: list[Row]) -> str:
    """The runs on saved pages, the peer's figures once."""
    lines = []
    for number, run in enumerate(runs):
        for group, kept in run["groups"].items():
            for tool in ("extruct", "shelfwise") if number == len(runs) - 1 else ("shelfwise",):
                cells = [_cell(kept[tool]["fields"][name]) for name in FIELDS]
                about = f"{group}, {kept['pages']} pages, {kept['languages']} languages: {tool}"
                lines.append([about, "" if tool == "extruct" else run["label"], *cells])
    return table(["saved pages", "", *FIELDS], lines)


def _own(results: Row) -> str:
    """Measure both on both groups of the project's pages, keep the run and give the table."""
    groups = {
        name: [p for p in shop_pages(name) if p.truth.get("kind") != "other"] for name in ("seen", "held")
    }
    others = [page for name in groups for page in shop_pages(name) if page.truth.get("kind") == "other"]
    run: dict[str, Any] = {"where": circumstances(), "groups": {}}
    lines = []
    for group, pages in groups.items():
        kept = {"extruct": measure(plain, pages), "shelfwise": measure(ours, pages)}
        run["groups"][group] = {"pages": len(pages), **kept}
        for tool, result in kept.items():
            cells = [_cell(result["fields"][name]) for name in FIELDS]
            lines.append([f"{group}, {len(pages)} pages: {tool}", *cells, result["pages_per_second"]])
    refused = sum(extract(page.html, page.url)["status"] != "ok" for page in others)
    run["others"] = {"pages": len(others), "refused": refused}
    runs = [*results["runs"], run]
    first = runs[0]["groups"]["held"]["shelfwise"]
    lines.append(
        [
            "held, before their faults were looked at: shelfwise",
            *(_cell(first["fields"][n]) for n in FIELDS),
            "",
        ]
    )
    text = table(["", *FIELDS, "pages/s"], lines)
    text += f"\n\n{refused} of {len(others)} pages that are not of a product were told apart. "
    text += in_words(run["where"])
    results["runs"] = [runs[0], *runs[1:][-4:]]
    return text


def main() -> None:
    """Measure, keep the figures and show them."""
    options = argparse.ArgumentParser(description="What is read right from pages of shops.")
    options.add_argument("--pages", type=Path, help="a folder of saved pages with a truth.json")
    options.add_argument("--label", default="now", help="what a run on saved pages is called")
    chosen = options.parse_args()
    results = stored("extract")
    if chosen.pages:
        run = measure_saved(saved_pages(chosen.pages), chosen.label)
        kept = [old for old in results.get("saved", []) if old["label"] != chosen.label]
        results["saved"] = [*kept, run][-4:]
    else:
        results["text"] = _own(results)
    text = results.get("text", "")
    if results.get("saved"):
        text += f"\n\n{_saved_table(results['saved'])}\n\n{_ABOUT_SAVED}"
    store("extract", results, text)
    print(text)


if __name__ == "__main__":
    main()
