"""The reference says what the code says, and the documents name only what there is."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import click
import msgspec
import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def documents(but=None):
    """Run a test once for each Markdown file of the repository."""
    paths = [path for path in DOCUMENTS if path.name != but]
    return pytest.mark.parametrize("document", paths, ids=[str(path.relative_to(ROOT)) for path in paths])


@pytest.fixture(scope="module")
def generate():
    specification = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_reference_is_current(generate):
    assert generate.stale_pages() == [], "run make docs"


@dataclass(frozen=True)
class Inner:
    """How hard to try."""

    epochs: Annotated[int, msgspec.Meta(description="Passes over | the data.")] = 5


@dataclass(frozen=True)
class Outer:
    """A recipe."""

    name: Annotated[str | None, "What it is called."] = None
    fields: tuple[str, ...] = ("title", "brand")
    inner: Inner = field(default_factory=Inner)


def test_settings_show_type_default_and_meaning(generate):
    tables = dict(generate._tables("", Outer))

    assert list(tables) == ["", "inner"]
    assert list(generate._settings(Inner)) == ["| `epochs` | `int` | `5` | Passes over \\| the data. |"]
    assert list(generate._settings(Outer)) == [
        "| `name` | `str \\| nothing` | `not set` | What it is called. |",
        '| `fields` | `tuple[str, ...]` | `["title", "brand"]` |  |',
    ]


def test_signatures_leave_notes_to_the_recipe_page(generate):
    assert generate._signature(Inner) == "(epochs: int = 5)"
    assert generate._signature(Outer).startswith("(name: str | None = None, fields: tuple[str, ...]")


def test_commands_show_options_defaults_and_no_hidden_ones(generate):
    @click.command()
    @click.argument("catalogue")
    @click.option("--top", default=5, show_default=True, help="How many to show.")
    @click.option("--json", "as_json", is_flag=True, help="For machines.")
    @click.option("--secret", hidden=True)
    def predict(): ...

    page = "\n".join(generate._command(predict, click.Context(predict, info_name="predict")))

    assert "    shelfwise predict [OPTIONS] CATALOGUE" in page
    assert "| `--top INTEGER` | `5` | How many to show. |" in page
    assert "| `--json` |  | For machines. |" in page
    assert "secret" not in page


@documents()
def test_links_between_documents_lead_somewhere(document):
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]

    missing = [target for target in targets if target and not (document.parent / target).exists()]

    assert missing == []


def commands_in(document: Path) -> list[list[str]]:
    """The `shelfwise` command lines in code blocks, as lists of words; a backslash continues a line."""
    text = document.read_text(encoding="utf-8").replace("\\\n", " ")
    fenced = "\n".join(re.findall(r"^```.*?\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE))
    indented = "\n".join(re.findall(r"^ {4}(.*)$", text, flags=re.MULTILINE))
    command = r"^(?:\$ )?(?:\.venv/bin/)?(shelfwise [a-z].*)$"
    lines = re.findall(command, f"{fenced}\n{indented}", flags=re.MULTILINE)
    return [line.split("#")[0].split() for line in lines]


@documents(but="design.md")  # the design speaks of what is to come
def test_commands_in_documents_exist_with_their_options(document):
    from shelfwise.cli import main

    context = click.Context(main)
    unknown = []
    for _, verb, *words in commands_in(document):
        command = main.get_command(context, verb)
        while isinstance(command, click.Group) and words:
            command = command.get_command(context, words.pop(0))
        known = {name for entry in command.params for name in (*entry.opts, "--help")} if command else set()
        options = [word.split("=")[0].strip("[]") for word in words if word.strip("[").startswith("--")]
        unknown += [f"{verb} {name}" for name in options if name not in known] if command else [verb]

    assert unknown == []


def test_make_help_lists_every_target_of_the_contract():
    listed = subprocess.run(
        ["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    for target in ("demo", "test", "check", "bench", "docs", "lock"):
        assert f"make {target}" in listed


def test_commands_are_found_in_fenced_and_indented_blocks(tmp_path):
    document = tmp_path / "how-to.md"
    document.write_text(
        "shelfwise is good\n\n    shelfwise train a.csv --model m\n\n```sh\n$ shelfwise recipes # all\n```\n"
    )

    assert commands_in(document) == [
        ["shelfwise", "recipes"],
        ["shelfwise", "train", "a.csv", "--model", "m"],
    ]
