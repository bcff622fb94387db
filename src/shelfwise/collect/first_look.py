"""First look: what the first products of an unknown shop look like, before hours go by; and rules in vain."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shelfwise.collect.frontier import Frontier
    from shelfwise.collect.rules import Rules

FIRST_LOOK = 10  # products after which a crawl of an unknown shop tells what it found
TELLING = ("title", "price", "brand", "category_path", "images", "description")
_VAIN = re.compile(r"([^;]+?: \w+: .+?) matches nothing here(?:;|$)")


@dataclass
class Vain:
    """A rule that matched nothing on some products' pages: how many, and the address of one."""

    rule: str
    pages: int
    example: str

    def told(self, of: int) -> str:
        """It in words; `of`: products in all."""
        return f"{self.rule} matches nothing on {self.pages:,} of {of:,} products, such as {self.example}"


def rules_in_vain(rows: Iterable[Mapping[str, Any]]) -> list[Vain]:
    """The rules that matched nothing on some products' pages, the most frequent first."""
    found: dict[str, Vain] = {}
    for row in rows:
        for match in _VAIN.finditer(row.get("reason") or ""):
            rule = match[1].strip()
            found.setdefault(rule, Vain(rule, 0, row["url"])).pages += 1
    return sorted(found.values(), key=lambda one: (-one.pages, one.rule))


def first_look(frontier: Frontier, asked: int, rules: Rules | None = None) -> str:
    """What the first products of a shop look like, in words; `asked`: pages that were asked for."""
    rows = frontier.products.first(FIRST_LOOK)
    if not rows:
        return (
            f"No product on the first {asked} pages; going on. If this shop needs a browser, try "
            "--browser always; if its pages are unusual, write --rules."
        )
    counts = {name: sum(bool(row.get(name)) for row in rows) for name in TELLING}
    found = ", ".join(f"{name} {count}" for name, count in counts.items())
    lines = [f"The first {len(rows)} products ({asked} pages) have: {found}."]
    lines += [f"  {_shown(row)}" for row in rows[:3]]
    missing = [name for name, count in counts.items() if count < len(rows) / 2]
    if missing:
        how = "selectors for them can be given with --rules" if rules is None else "look at --rules"
        lines.append(f"Mostly missing: {', '.join(missing)}; {how}.")
    lines += [f"{one.told(len(rows))}." for one in rules_in_vain(rows)]
    lines.append("Going on. Ctrl-C ends it, the same command goes on; with other --rules it begins anew.")
    return "\n".join(lines)


def _shown(row: Mapping[str, Any]) -> str:
    """A product in a line."""
    cost = " ".join(str(row[name]) for name in ("price", "currency") if row.get(name))
    parts = (
        row.get("title") or "(no title)",
        cost or "(no price)",
        row.get("category_path") or "(no category)",
    )
    return " | ".join(str(part)[:60] for part in parts)
