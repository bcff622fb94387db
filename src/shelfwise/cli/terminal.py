"""What the commands share with the terminal: errors without tracebacks, plain JSON, progress, a console."""

from __future__ import annotations

import errno
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import click

from shelfwise.errors import ShelfwiseError

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 100
"""Columns of the output where there is no terminal to ask."""

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_STEPS = {
    "read": "Reading the catalogue",
    "folds": "Answering for products that are held out",
    "decision": "Calibrating, and preparing promises",
    "compare": "Comparing with what the model learned from",
    "change": "Asking both models",
    "learn": "Learning from all products",
    "reading": "Reading the catalogue",
    "doubts": "Comparing labels with made-up errors",
    "vectors": "Comparing texts and pictures",
    "neighbours": "Finding what is alike",
    "choosing": "Comparing the products without a category",
    "map": "Laying out the map",
    "reasons": "Finding reasons and neighbours",
}


class Failure(click.ClickException):
    """An error that the user can act on: its message alone, exit code 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the message on stderr."""
        click.echo(f"Error: {printable(self.message)}", file=file, err=file is None)


class Commands(click.Group):
    """The group of all commands: turns errors of the library into messages, and Ctrl-C into exit code 130."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was asked for."""
        for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a letter must not cost the result
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except ShelfwiseError as error:
            raise Failure(str(error)) from error
        except OSError as error:
            if error.errno in (None, errno.EPIPE):  # whoever read the output has gone: click ends quietly
                raise
            place = f"{error.filename}: " if error.filename else ""
            raise Failure(
                f"{place}{error.strerror}"
            ) from error  # a full disk, a folder that is not ours, ...
        except KeyboardInterrupt:
            click.echo("Interrupted; nothing was left half written.", err=True)
            ctx.exit(INTERRUPTED)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the work, not of the alphabet."""
        return list(self.commands)


def printable(text: str) -> str:
    """Return text without the control characters by which a catalogue could steer a terminal."""
    return _CONTROL.sub(" ", text)


def write_json(result: object) -> None:
    """Write one JSON document, and nothing else, on stdout: UTF-8 whatever the terminal speaks."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(result), indent=2))


def write_findings(said: Iterable[str], examples: Iterable[str], notes: Iterable[str], output: str) -> None:
    """Write what was found, a few examples of it, what to know, and where to look at all of it."""
    ends = f"Written to {output}. Next: shelfwise review {output}"
    for line in (*said, *(f"  {one}" for one in examples), *(f"Note: {note}" for note in notes), ends):
        click.echo(printable(line))


def stdout() -> Console:
    """Return a console that writes plain text: no markup from data, no colour where none is wanted."""
    return _console(sys.stdout)


def _console(stream: IO[str]) -> Console:
    from rich.console import Console

    width = None if stream.isatty() else WIDTH
    return Console(  # what a notebook's cell shows is a stream, too
        file=stream, width=width, markup=False, emoji=False, highlight=False, soft_wrap=False,
        force_jupyter=False,
    )  # fmt: skip


@contextmanager
def telling_steps() -> Iterator[Callable[[str], None]]:
    """Give a function that shows the step that has begun; it shows nothing where nobody looks."""
    console = _console(sys.stderr)
    if not console.is_terminal:
        yield lambda step: None
        return
    with console.status("Starting") as status:
        yield lambda step: status.update(f"{_STEPS.get(step, step)} ...")


@contextmanager
def counting_rows(doing: str, total: int) -> Iterator[Callable[[int], None]]:
    """Give a function that takes the number of rows just done; it shows nothing where nobody looks.

    `doing`: what is done with them, in a word. `total`: how many rows there are.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = _console(sys.stderr)
    if not console.is_terminal:
        yield lambda rows: None
        return
    rate = TextColumn("{task.fields[rate]} rows/s")
    shown = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Progress(*shown, console=console, transient=True, speed_estimate_period=300) as progress:
        task = progress.add_task("", total=total, rate="-")
        begun, done = time.monotonic(), 0

        def advance(rows: int) -> None:
            nonlocal done
            done += rows
            rate = f"{done / max(time.monotonic() - begun, 1e-9):,.0f}"
            progress.update(task, advance=rows, rate=rate)

        yield advance
