"""Write `docs/reference/` from the code: commands, recipe, errors and the public names.

    python docs/generate.py            write what is not current
    python docs/generate.py --check    write nothing, name the stale pages, exit code 1 if there are any

A page here is never edited by hand: change the docstring, the option's help or the field's description.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py (make docs); do not edit. -->"


def commands_page() -> str:
    """Every command with its arguments and options, from click's own tree."""
    root = importlib.import_module("shelfwise.cli").main
    context = click.Context(root, info_name="shelfwise", **root.context_settings)  # with its names of --help
    lines = ["# Commands", "", NOTE, "", inspect.cleandoc(root.help or ""), ""]
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        if command is not None and not command.hidden:
            lines += _commands(command, click.Context(command, info_name=name, parent=context))
    return "\n".join(lines)


def _commands(command: click.Command, context: click.Context) -> Iterator[str]:
    """A command, or those of a group one after the other."""
    if not isinstance(command, click.Group):
        yield from _command(command, context)
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is not None:
            yield from _commands(inner, click.Context(inner, info_name=name, parent=context))


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    path = f"shelfwise {context.command_path.removeprefix('shelfwise ')}"
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    yield from [f"## {path}", "", f"    {usage}", ""]
    yield from [inspect.cleandoc(command.help or "").replace("\b\n", ""), ""]
    options = [
        entry for entry in command.get_params(context) if isinstance(entry, click.Option) and not entry.hidden
    ]
    yield from ["| option | default | |", "|---|---|---|"]
    for option in options:
        named, meaning = option.get_help_record(context) or ("", "")
        yield f"| `{_cell(named)}` | {_default(option)} | {_cell(_without_default(meaning))} |"
    yield ""


def _default(option: click.Option) -> str:
    """An option's default as a reader needs it; flags are off, and click's marks of absence are nothing."""
    value = option.default
    if option.is_flag or option.multiple or callable(value) or not isinstance(value, str | int | float):
        return ""
    return f"`{value}`"


def _without_default(meaning: str) -> str:
    return meaning.split("  [default:")[0]


def recipe_page() -> str:
    """Every setting of a recipe: type, default and meaning, from the recipe's own dataclasses."""
    module = importlib.import_module("shelfwise.recipe")
    lines = ["# Recipe", "", NOTE, "", inspect.cleandoc(module.__doc__ or ""), ""]
    for table, kind in _tables("", module.Recipe):
        lines += [f"## {f'`[{table}]`' if table else 'On top'}", "", _summary(kind), ""]
        lines += ["| setting | type | default | |", "|---|---|---|---|", *_settings(kind), ""]
    settings = importlib.import_module("shelfwise.finetune.settings").FinetuneSettings
    lines += ["## `[finetune]`", "", inspect.cleandoc(settings.__doc__ or ""), ""]
    lines += ["| setting | type | default |", "|---|---|---|"]
    for field in dataclasses.fields(settings):
        if field.name not in ("text", "picture"):
            lines.append(
                f"| `{field.name}` | `{_cell(str(field.type))}` | `{_cell(_written(field.default))}` |"
            )
    lines.append("")
    return "\n".join(lines)


def _tables(table: str, kind: type) -> Iterator[tuple[str, type]]:
    """The recipe's dataclass and those nested in it, as TOML names their tables."""
    yield table, kind
    hints = typing.get_type_hints(kind)
    for name, hint in hints.items():
        for inner in _nested(hint):
            yield from _tables(f"{table}.{name}" if table else name, inner)


def _settings(kind: type) -> Iterator[str]:
    hints = typing.get_type_hints(kind, include_extras=True)
    for name, default in _fields(kind):
        plain, meaning = _plain(hints[name])
        if not _nested(plain):
            shown = [f"`{name}`", f"`{_cell(_type_name(plain))}`", f"`{_cell(_written(default))}`"]
            yield f"| {' | '.join(shown)} | {_cell(meaning)} |"


def _fields(kind: type) -> Iterator[tuple[str, object]]:
    """Names and defaults of a dataclass or msgspec struct, in order."""
    if dataclasses.is_dataclass(kind):
        for field in dataclasses.fields(kind):
            made = field.default_factory
            yield field.name, made() if made is not dataclasses.MISSING else field.default
    else:
        for entry in msgspec.structs.fields(kind):
            made = entry.default_factory
            yield entry.name, made() if made is not msgspec.NODEFAULT else entry.default


def _nested(hint: Any) -> list[type]:
    """Dataclasses or structs that stand in a type: itself, or inside of a union, tuple or mapping."""
    plain, _ = _plain(hint)
    if isinstance(plain, type) and (dataclasses.is_dataclass(plain) or issubclass(plain, msgspec.Struct)):
        return [plain]
    return [found for inner in typing.get_args(plain) for found in _nested(inner)]


def _plain(hint: Any) -> tuple[Any, str]:
    """A type without its `Annotated` wrapping, and the description that was in it."""
    if typing.get_origin(hint) is not typing.Annotated:
        return hint, ""
    plain, *notes = typing.get_args(hint)
    texts = [note.description if isinstance(note, msgspec.Meta) else note for note in notes]
    return plain, " ".join(text for text in texts if isinstance(text, str))


def _type_name(plain: Any) -> str:
    if isinstance(plain, types.UnionType) or typing.get_origin(plain) is typing.Union:
        return " | ".join(_type_name(inner) for inner in typing.get_args(plain))
    if typing.get_origin(plain) is typing.Annotated:
        return _type_name(_plain(plain)[0])
    if typing.get_origin(plain) is typing.Literal:
        return " | ".join(f'"{value}"' for value in typing.get_args(plain))
    if plain is type(None):
        return "nothing"
    return (
        str(plain).replace("typing.", "")
        if typing.get_args(plain)
        else getattr(plain, "__name__", str(plain))
    )


def _written(default: object) -> str:
    """A default as TOML would say it."""
    if default is None:
        return "not set"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple | list):
        return f"[{', '.join(_written(value) for value in default)}]"
    if isinstance(default, dict):
        return f"{{{', '.join(f'{name} = {_written(value)}' for name, value in default.items())}}}"
    return f'"{default}"' if isinstance(default, str) else str(default)


def errors_page() -> str:
    """The tree of errors and what each stands for."""
    module = importlib.import_module("shelfwise.errors")
    lines = ["# Errors", "", NOTE, "", inspect.cleandoc(module.__doc__ or ""), ""]
    for name, value in vars(module).items():
        if inspect.isclass(value) and issubclass(value, Exception) and value.__module__ == module.__name__:
            above = ", ".join(f"`{base.__name__}`" for base in value.__bases__)
            lines += [f"## {name}", "", f"A kind of {above}. {_summary(value)}", ""]
    return "\n".join(lines)


def library_page() -> str:
    """The public names of the package with signatures and docstrings; errors have a page of their own."""
    package = importlib.import_module("shelfwise")
    lines = ["# Library", "", NOTE, "", inspect.cleandoc(package.__doc__ or ""), ""]
    errors = vars(importlib.import_module("shelfwise.errors"))
    for name in package.__all__:
        value = getattr(package, name)
        if name in errors or isinstance(value, str):
            continue
        lines += [*_documented(name, value, "##")]
        if inspect.isclass(value):
            for method, member in _methods(value):
                lines += [*_documented(f"{name}.{method}", member, "###")]
    return "\n".join(lines)


def _documented(name: str, value: Any, level: str) -> Iterator[str]:
    yield from [f"{level} {name}", ""]
    if callable(value):
        yield from ["```python", f"{name}{_signature(value)}", "```", ""]
    yield from [inspect.cleandoc(value.__doc__ or ""), ""]


def _signature(value: Callable[..., Any]) -> str:
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return "(...)"
    inputs = [entry for entry in signature.parameters.values() if entry.name not in ("self", "cls")]
    kept = [_plainly(entry) for entry in inputs]
    text = str(signature.replace(parameters=kept)).replace("'", "").replace("<factory>", "...")
    return text.removesuffix(" -> None") if inspect.isclass(value) else text


def _plainly(entry: inspect.Parameter) -> inspect.Parameter:
    """A parameter as it is written: source annotations without notes and quotes, text defaults with them."""
    entry = entry.replace(annotation=_without_notes(entry.annotation))
    if not isinstance(entry.default, str):
        return entry

    class Quoted(str):
        def __repr__(self) -> str:
            return f'"{self}"'

    return entry.replace(default=Quoted(entry.default))


def _without_notes(annotation: Any) -> Any:
    """The type that an annotation in source form wraps: `Annotated[int, Meta(...)]` is `int`."""
    if not isinstance(annotation, str) or not annotation.startswith("Annotated["):
        return annotation
    depth = 0
    for place, letter in enumerate(annotation):
        depth += (letter in "[(") - (letter in "])")
        if letter == "," and depth == 1:
            return annotation[len("Annotated[") : place]
    return annotation


def _methods(kind: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties that a class defines itself, in the order of its source."""
    for name, member in vars(kind).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property | types.FunctionType | classmethod | staticmethod):
            yield name, member if isinstance(member, property) else getattr(kind, name)


def _summary(value: Any) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(inspect.cleandoc(value.__doc__ or "").split("\n\n")[0].split())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": commands_page,
    "recipe.md": recipe_page,
    "errors.md": errors_page,
    "api.md": library_page,
}


def stale_pages() -> list[str]:
    """Names of the pages that are not what the code says now."""
    return [name for name, text in _pages() if not _is_current(REFERENCE / name, text)]


def _is_current(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def _pages() -> Iterator[tuple[str, str]]:
    for name, page in PAGES.items():
        yield name, page().rstrip() + "\n"


def main() -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="only say whether the pages are current")
    if parser.parse_args().check:
        stale = stale_pages()
        for name in stale:
            print(f"docs/reference/{name} is not current: run make docs")
        return 1 if stale else 0
    REFERENCE.mkdir(exist_ok=True)
    for name, text in _pages():
        if not _is_current(REFERENCE / name, text):
            (REFERENCE / name).write_text(text, encoding="utf-8")
            print(f"docs/reference/{name} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
