"""Tables, lists and numbers as the terminal shows them: plain columns that never get wider than it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from shelfwise.cli.terminal import printable

if TYPE_CHECKING:
    from rich.console import Console


def heading(console: Console, text: str) -> None:
    """Write a line that opens a part."""
    console.print(f"\n{printable(text)}", style="bold")


def lines(console: Console, texts: Iterable[str]) -> None:
    """Write sentences one below the other."""
    for text in texts:
        console.print(printable(text))


def remarks(console: Console, texts: Iterable[str]) -> None:
    """Write sentences that want attention, each behind a mark and wrapped beside it."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, style="yellow")
    grid.add_column(overflow="fold")
    for text in texts:
        grid.add_row("!", printable(text))
    console.print(grid)


def table(
    console: Console, columns: Sequence[str], rows: Iterable[Sequence[str]], wrap: bool = False
) -> None:
    """Write a table; a column whose name begins with ">" has numbers.

    Where the terminal is too narrow, text gives way and not numbers: it is cut with an ellipsis, or folded
    with `wrap`.
    """
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for place, name in enumerate(columns):
        number = name.startswith(">")
        shown.add_column(
            name.lstrip(">"), justify="right" if number else "left", no_wrap=number or place == 0
        )
    for row in rows:
        cells = (" ".join(printable(cell).split()) for cell in row)
        shown.add_row(*(Text(cell, no_wrap=not wrap, overflow="ellipsis") for cell in cells))
    console.print(shown)


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share as per cent; a dash for none."""
    return "-" if share is None else f"{100 * share:.{digits}f} %"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def seconds(value: float) -> str:
    """Return a duration as a person reads it."""
    return f"{value / 60:.1f} min" if value >= 120 else f"{value:.1f} s"
