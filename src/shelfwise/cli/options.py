"""What several commands take: arguments, options, and the recipe that they add up to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from shelfwise.recipe import Recipe

_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def catalogue() -> _Decorator:
    """A catalogue to read."""
    return click.argument("catalogue", type=click.Path())


def model() -> _Decorator:
    """A model folder to load, or the run of a tracked training."""
    return click.argument("model", type=click.Path())


def model_folder() -> _Decorator:
    """A folder to save a model in, checked before the work and not after it."""
    meaning = "Folder to save the model in; a model that is there is replaced, anything else is left alone."
    return click.option(
        "--model", metavar="DIR", required=True, type=click.Path(), callback=_free, help=meaning
    )


def output() -> _Decorator:
    """A table of products to write."""
    meaning = "File to write: .parquet, .csv or .jsonl."
    return click.option("--output", metavar="FILE", required=True, type=click.Path(), help=meaning)


def as_json() -> _Decorator:
    """Results for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else.")


def label() -> _Decorator:
    """The column to learn."""
    return click.option("--label", metavar="COL", help="Column of the category; found by itself otherwise.")


def roles() -> _Decorator:
    """Roles of columns that are not as they were found."""
    meaning = "Which column is what, such as title=Bezeichnung; none switches a role off. May be repeated."
    return click.option("--role", "roles", metavar="ROLE=COL", multiple=True, callback=_pairs, help=meaning)


def recipe(more: str = "") -> _Decorator:
    """The settings."""
    meaning = f"Settings: a TOML file, or a name that `shelfwise recipes` lists.{more}"
    return click.option("--recipe", metavar="FILE", help=meaning)


def split(meaning: str) -> _Decorator:
    """The column of a given split."""
    return click.option("--split", metavar="COL", help=meaning)


def promise(meaning: str) -> _Decorator:
    """The precision to keep."""
    return click.option("--promise", metavar="P", type=float, help=meaning)


def seed(meaning: str) -> _Decorator:
    """The seed of random choices."""
    return click.option("--seed", metavar="N", type=click.IntRange(min=0), help=meaning)


def threads() -> _Decorator:
    """How many threads to use."""
    meaning = "Threads to use; one a core otherwise. The result is the same for any number."
    return click.option("--threads", metavar="N", type=click.IntRange(min=1), help=meaning)


def memory() -> _Decorator:
    """How much memory may be filled, and where files are put that do not fit."""
    size = (
        "Memory to fill at most, such as 8GB or 500MB; half of what is free otherwise. The model is the same."
    )
    folder = "Folder for work files where the memory is too small; beside the model otherwise."
    kind = click.Path(exists=True, file_okay=False, writable=True, path_type=Path)
    both = (
        click.option("--memory", metavar="SIZE", callback=_size, help=size),
        click.option("--work", metavar="DIR", type=kind, help=folder),
    )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(both):
            command = option(command)
        return command

    return decorate


def fields() -> _Decorator:
    """The text fields to learn from."""
    meaning = (
        "Learn from these text fields alone, of title, description, attributes, brand, shop and url;"
        " from all that there are otherwise."
    )
    return click.option("--fields", metavar="A,B,C", callback=_names, help=meaning)


def images() -> _Decorator:
    """The folder of the pictures."""
    meaning = "Folder of the pictures: by product id, by the file name in the catalogue, at any depth."
    return click.option("--images", metavar="DIR", type=click.Path(), help=meaning)


def encoders() -> _Decorator:
    """Pretrained encoders of texts and pictures."""
    text = "Text encoder: onnx:FOLDER, hf:NAME_OR_FOLDER, st:NAME_OR_FOLDER or none."
    picture = "Picture encoder: pixels, onnx:FOLDER, hf:NAME_OR_FOLDER, timm:NAME or none; several with +."
    both = (
        click.option("--text-encoder", metavar="SPEC", help=text),
        click.option("--image-encoder", metavar="SPEC", help=picture),
    )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(both):
            command = option(command)
        return command

    return decorate


def settings_of(use: str) -> _Decorator:
    """A trained model whose settings are used."""
    meaning = f"A model folder or mlflow:RUN_ID: {use}"
    return click.option("--model", metavar="MODEL", type=click.Path(), help=meaning)


def work(what: str) -> _Decorator:
    """Where lies meanwhile what an engine works on."""
    return click.option("--work", metavar="DIR", help=f"Folder, or address, for {what} otherwise.")


def engine() -> _Decorator:
    """Who does the work, and with how many."""
    who = "Who does the work: processes of this machine, a Ray cluster or Spark."
    many = "Processes, or on a cluster shards under way at a time; as many as suit otherwise."
    choice = click.Choice(["local", "ray", "spark"])
    both = (
        click.option("--engine", type=choice, default="local", show_default=True, help=who),
        click.option("--workers", metavar="N", type=click.IntRange(min=0), default=0, help=many),
    )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(both):
            command = option(command)
        return command

    return decorate


def track() -> _Decorator:
    """Stores to track the run in."""
    meaning = "Keep the run in a store: mlflow[:URI], tensorboard[:DIR] or wandb[:PROJECT]. May be repeated."
    return click.option("--track", metavar="SPEC", multiple=True, help=meaning)


NO_MAP = 'there is no map: it needs pip install "shelfwise[map]"'
"""What is said where a map was not drawn because it could not be."""


def layout() -> _Decorator:
    """Whether products get a place on the map."""
    meaning = "Give products a place on the map; if it is installed."
    return click.option("--map/--no-map", "layout", default=None, help=meaning)


def map_is_there() -> bool:
    """Return whether a map can be drawn."""
    from importlib.util import find_spec

    return find_spec("openTSNE") is not None


def with_finetuning(recipe: Recipe, sides: list[str]) -> Recipe:
    """Return a recipe that fine-tunes these sides with the usual settings."""
    from dataclasses import replace

    return replace(recipe, finetune={"sides": sides or ["text"]})


def with_encoders(recipe: Recipe, images: str | None, text: str | None, image: str | None) -> Recipe:
    """Return a recipe with the encoders and pictures of the options; None = was not given."""
    from dataclasses import replace

    encoder = recipe.encoder if text is None else replace(recipe.encoder, encoder=text)
    pictures = recipe.pictures if image is None else replace(recipe.pictures, encoder=image)
    pictures = pictures if images is None else replace(pictures, folder=images)
    return replace(recipe, encoder=encoder, pictures=pictures)


def build_recipe(
    file: str | None, on_top: Mapping[str, object], base: Recipe | None = None, /, **catalogue: object
) -> Recipe:
    """Return the settings of a recipe file with those of the options on top; None = was not given.

    `on_top`: settings that stand on top of a recipe. `base`: what a recipe file does not name is taken from;
    the defaults otherwise. `catalogue`: settings of its table `catalogue`.
    """
    from shelfwise.recipe import Recipe

    plain = (Recipe.read(file, base) if file else base or Recipe()).to_dict()
    plain |= {name: value for name, value in on_top.items() if value is not None}
    given = {name: value for name, value in catalogue.items() if value is not None}
    if isinstance(roles := given.get("roles"), dict):
        given["roles"] = plain["catalogue"]["roles"] | roles
    return Recipe.from_dict(plain | {"catalogue": plain["catalogue"] | given}, "options")


def _free(context: click.Context, option: click.Parameter, value: str) -> str:
    """A folder that a model may be saved in."""
    from shelfwise.artifact import is_replaceable

    if Path(value).exists() and not is_replaceable(Path(value)):
        raise click.BadParameter(f"{value} exists and is not a Shelfwise model; choose another folder")
    return value


def _size(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    """Bytes of a size of memory."""
    from shelfwise.errors import RecipeError
    from shelfwise.workspace import parse_size

    try:
        return None if value is None else parse_size(value)
    except RecipeError as error:
        raise click.BadParameter(str(error)) from error


def _pairs(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str | list[str]]:
    """Values written as ROLE=COL by role; a role that was given more than once has several columns."""
    pairs: dict[str, str | list[str]] = {}
    for value in values:
        role, _, column = (part.strip() for part in value.partition("="))
        if not role or not column:
            raise click.BadParameter(f"{value!r} is not ROLE=COL, such as title=Bezeichnung")
        earlier = pairs.get(role, [])
        listed = [*(earlier if isinstance(earlier, list) else [earlier]), column]
        pairs[role] = listed if len(listed) > 1 else column
    return pairs


def _names(context: click.Context, option: click.Parameter, value: str | None) -> list[str] | None:
    """Names with commas between, as a list of known fields."""
    from shelfwise.catalogue.products import TEXT_FIELDS

    if value is None:
        return None
    names = [name.strip() for name in value.split(",") if name.strip()]
    unknown = [name for name in names if name not in TEXT_FIELDS]
    if unknown or not names:
        wrong = ", ".join(unknown) or "nothing"
        raise click.BadParameter(f"{wrong} is no text field; fields are {', '.join(TEXT_FIELDS)}")
    return names
