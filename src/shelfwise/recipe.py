"""The recipe: everything that can be set about a model, with every default, as dataclasses and as TOML.

A recipe file names only what differs from the defaults::

    seed = 7

    [catalogue]
    label = "category_path"
    mapping = "fourteen-to-seven.csv"

    [catalogue.roles]
    title = "Bezeichnung"

    [text.weights]
    brand = 0.3

Unknown names and wrong types are errors that say where. A model folder holds the full recipe it was trained
with.
"""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from shelfwise.errors import RecipeError

TEXT_FIELDS = ("title", "description", "attributes", "brand", "shop", "url")
"""Fields of a product that hold text."""

LearnerName = Literal["auto", "softmax", "network", "neighbours", "both"]
Balance = Literal["none", "weights", "logits", "over", "under"]


def _about(text: str, **limits: Any) -> msgspec.Meta:  # noqa: ANN401 - msgspec's: ge, le, gt, lt
    return msgspec.Meta(description=text, **limits)


@dataclass(frozen=True, kw_only=True)
class CatalogueRecipe:
    """How the catalogue is understood."""

    label: Annotated[str, _about("Column to learn; empty: found by name and content.")] = ""
    roles: Annotated[
        dict[str, str | list[str]],
        _about('Role -> column(s), over what is found; "none" switches a role off.'),
    ] = field(default_factory=dict)
    fields: Annotated[
        list[str],
        _about("Text fields to learn from, of title, description, attributes, brand, shop, url; empty: all."),
    ] = field(default_factory=list)
    unlabelled: Annotated[
        list[str],
        _about("Category values that mean 'no category', beside empty ones; empty: a built-in list."),
    ] = field(default_factory=list)
    mapping: Annotated[str, _about("File that renames, merges or drops categories (see the how-to).")] = ""
    doubts: Annotated[
        str,
        _about("Doubts file of an audit; what it doubts and nobody has decided on is not learned from."),
    ] = ""
    least_doubt: Annotated[
        float, _about("Doubt from which on a category is not learned from.", gt=0, le=1)
    ] = 0.5
    sample: Annotated[
        float, _about("Learn from that share of the products, categories keeping theirs.", gt=0, le=1)
    ] = 1.0
    min_products: Annotated[
        int, _about("Merge categories with fewer products into their parent shelf; 1 keeps all.", ge=1)
    ] = 1


@dataclass(frozen=True, kw_only=True)
class TextRecipe:
    """Hashed n-grams of the text fields and the linear learner on them."""

    words: Annotated[int, _about("Longest word n-gram.", ge=1, le=2)] = 2
    chars_min: Annotated[int, _about("Shortest character n-gram.", ge=1, le=8)] = 3
    chars_max: Annotated[int, _about("Longest character n-gram.", ge=1, le=8)] = 5
    bits: Annotated[int, _about("The hash table has 2**bits slots.", ge=10, le=26)] = 22
    min_rows: Annotated[int, _about("Features seen in fewer products are dropped.", ge=1)] = 2
    max_features: Annotated[
        int, _about("Keep at most that many features, the commonest; 0 keeps all.", ge=0)
    ] = 500_000
    weights: Annotated[dict[str, float], _about("How loud each field is; 1 where none is given.")] = field(
        default_factory=lambda: {"attributes": 0.5, "brand": 0.5, "shop": 0.3, "url": 0.5}
    )
    cost: Annotated[float, _about("How closely the linear learner fits; see `LinearLearner`.", gt=0)] = 0.8
    smallest_weight: Annotated[float, _about("Learned weights below this size are dropped.", ge=0)] = 0.03


@dataclass(frozen=True, kw_only=True)
class NeighboursRecipe:
    """The vote of the most similar labelled products."""

    use: Annotated[bool, _about("Whether neighbours may vote; as evidence they are kept either way.")] = True
    count: Annotated[int, _about("How many neighbours vote.", ge=1, le=100)] = 10
    max_rows: Annotated[
        int, _about("At most that many products are kept as neighbours, spread over categories.", ge=1)
    ] = 200_000


@dataclass(frozen=True, kw_only=True)
class LearnerRecipe:
    """What learns from the vectors of an encoder."""

    learner: Annotated[
        LearnerName,
        _about(
            '"softmax" (regularised), "network" (one hidden layer), "neighbours" (cosine, their number '
            'chosen on held-out rows), "both" (network and neighbours, shares fitted), or "auto": both, but '
            "the network alone where so many vectors would make the model large."
        ),
    ] = "auto"
    units: Annotated[int, _about("Hidden units of the network; fewer on few products.", ge=1, le=16384)] = 512
    members: Annotated[
        int, _about("Networks that are averaged; 0: two on few products, one on many.", ge=0, le=20)
    ] = 0
    balance: Annotated[
        Balance,
        _about(
            'Against unequal categories: "weights" (of classes), "logits" (adjusted by frequency), "over" or '
            '"under" (sampling), or "none".'
        ),
    ] = "none"
    metric: Annotated[
        int,
        _about("Width of a projection learned by metric learning before the learner; 0: none.", ge=0),
    ] = 0
    exact_below: Annotated[
        int,
        _about(
            "Neighbours are found by comparing with all products below so many, and by an index (extra "
            "`faiss`) from there on.",
            ge=1,
        ),
    ] = 200_000


@dataclass(frozen=True, kw_only=True)
class EncoderRecipe(LearnerRecipe):
    """A pretrained text encoder as one more view."""

    encoder: Annotated[
        str, _about("onnx:FOLDER, hf:NAME_OR_FOLDER, st:NAME_OR_FOLDER, a plug-in's, or none.")
    ] = "none"
    fields: Annotated[
        list[str], _about("Text fields to encode, in that order; empty: those learned from.")
    ] = field(default_factory=list)
    join: Annotated[str, _about("Stands between the fields.")] = ". "
    max_tokens: Annotated[int, _about("Tokens that are read of a text.", ge=2)] = 256
    pooling: Annotated[
        Literal["auto", "mean", "cls", "pooler"], _about("How a text's tokens become one vector.")
    ] = "auto"


@dataclass(frozen=True, kw_only=True)
class PicturesRecipe(LearnerRecipe):
    """The pictures as a view, where the catalogue's pictures are at hand."""

    encoder: Annotated[
        str,
        _about(
            "pixels (built in), onnx:FOLDER, hf:NAME_OR_FOLDER, timm:NAME, a plug-in's, several joined with "
            "+, or none."
        ),
    ] = "pixels"
    folder: Annotated[str, _about("Folder of the pictures, as --images.")] = ""
    pixels: Annotated[
        bool,
        _about("Let the built-in descriptors speak beside a pretrained encoder, as a view of their own."),
    ] = True


@dataclass(frozen=True, kw_only=True)
class TableRecipe(LearnerRecipe):
    """Numbers and other columns (price, rating, shop) as a view."""

    columns: Annotated[list[str], _about("Columns of the catalogue to learn from; empty: no such view.")] = (
        field(default_factory=list)
    )


@dataclass(frozen=True, kw_only=True)
class DecisionRecipe:
    """From scores to calibrated probabilities and promises."""

    folds: Annotated[
        int, _about("The catalogue is dealt into that many folds for out-of-fold scores.", ge=2, le=20)
    ] = 5
    rows: Annotated[
        int, _about("Folds are predicted until there are about that many out-of-fold products.", ge=100)
    ] = 8_000
    promises: Annotated[list[float], _about("Precisions to prepare a promise for when training.")] = field(
        default_factory=lambda: [0.9, 0.95, 0.98, 0.99]
    )
    delta: Annotated[float, _about("Probability that a promise is not kept.", gt=0, lt=1)] = 0.1


@dataclass(frozen=True, kw_only=True)
class SearchRecipe:
    """What `shelfwise search` may change."""

    space: Annotated[
        dict[str, Any],
        _about(
            "Setting -> values to try: a list, or a range such as {low = 0.2, high = 3.0, log = true}; "
            "empty: a space that suits the recipe."
        ),
    ] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole recipe."""

    seed: Annotated[int, _about("Seed of every random choice.", ge=0)] = 0
    threads: Annotated[int, _about("Threads to use; 0: one a core. Results do not depend on it.", ge=0)] = 0
    catalogue: CatalogueRecipe = field(default_factory=CatalogueRecipe)
    text: TextRecipe = field(default_factory=TextRecipe)
    neighbours: NeighboursRecipe = field(default_factory=NeighboursRecipe)
    encoder: EncoderRecipe = field(default_factory=EncoderRecipe)
    pictures: PicturesRecipe = field(default_factory=PicturesRecipe)
    table: TableRecipe = field(default_factory=TableRecipe)
    decision: DecisionRecipe = field(default_factory=DecisionRecipe)
    finetune: Annotated[
        dict[str, Any],
        _about(
            'Fine-tune the encoders first: `sides` = ["text"], ["picture"] or both, and the settings of '
            "`finetune.settings`; empty: nothing is fine-tuned."
        ),
    ] = field(default_factory=dict)
    search: SearchRecipe = field(default_factory=SearchRecipe)

    @classmethod
    def read(cls, where: str | os.PathLike[str], base: Recipe | None = None) -> Recipe:
        """Read a recipe: a TOML file, the name of a built-in one (see `built_in`), or the folder of a model.

        `base`: what it does not name is taken from; None: the defaults.

        Raises
        ------
        RecipeError
            There is no such file or recipe, it is not TOML, or an entry has a wrong name, type or value.

        """
        path = Path(where)
        known = built_in()
        if not path.is_file() and str(where) in known:
            return cls.parse(known[str(where)], f"built-in recipe {where!r}", base)
        if (model := _model_json(path)) is not None:
            return cls.from_dict(model["recipe"], f"the recipe of {where}")
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            names = ", ".join(known)
            raise RecipeError(
                f"cannot read the recipe {where}: {error}. Built-in recipes are: {names}."
            ) from error
        return cls.parse(text, str(path), base)

    @classmethod
    def parse(cls, text: str, origin: str = "recipe", base: Recipe | None = None) -> Recipe:
        """Read a recipe from TOML text; `origin` names it in errors, `base` is as in `read`."""
        try:
            plain = msgspec.toml.decode(text)
        except msgspec.DecodeError as error:
            raise RecipeError(f"{origin} is not TOML: {error}") from error
        if base is not None:
            below = base.to_dict()
            plain = below | {
                name: below[name] | value if isinstance(value, dict) and name in _TABLES else value
                for name, value in plain.items()
            }
        return cls.from_dict(plain, origin)

    @classmethod
    def from_dict(cls, plain: dict[str, Any], origin: str = "recipe") -> Recipe:
        """Build a recipe from plain values, checking names, types and limits."""
        _check_names(cls, plain, origin, ())
        try:
            recipe = msgspec.convert(plain, cls)
        except msgspec.ValidationError as error:
            raise RecipeError(f"{origin}: {error}. See docs/reference/recipe.md.") from error
        if recipe.text.chars_min > recipe.text.chars_max:
            raise RecipeError(f"{origin}: text.chars_min is larger than text.chars_max")
        for name, weight in recipe.text.weights.items():
            if name not in TEXT_FIELDS:
                fields = ", ".join(TEXT_FIELDS)
                raise RecipeError(
                    f"{origin}: text.weights.{name}: there is no such text field; fields are: {fields}"
                )
            if not 0 <= weight < math.inf:
                raise RecipeError(
                    f"{origin}: text.weights.{name} must be 0 or a positive number, such as 0.5"
                )
        for name in ("cost", "smallest_weight"):
            if getattr(recipe.text, name) == math.inf:
                raise RecipeError(f"{origin}: text.{name} must be finite")
        if unknown := [name for name in recipe.encoder.fields if name not in TEXT_FIELDS]:
            raise RecipeError(
                f"{origin}: encoder.fields: there is no text field {unknown[0]!r}; fields are: "
                f"{', '.join(TEXT_FIELDS)}"
            )
        if any(not 0 < asked < 1 for asked in recipe.decision.promises):
            raise RecipeError(f"{origin}: decision.promises are shares between 0 and 1, such as 0.98")
        return recipe

    def to_dict(self) -> dict[str, Any]:
        """Return the full recipe as plain values."""
        return asdict(self)

    def to_toml(self) -> str:
        """Return the full recipe as TOML."""
        return msgspec.toml.encode(self.to_dict()).decode()


_TABLES = ("catalogue", "text", "neighbours", "encoder", "pictures", "table", "decision", "search")


def trained_on(where: str | os.PathLike[str]) -> str | None:
    """Fingerprint of the data that the model in a folder learned from; None: no model is there."""
    model = _model_json(Path(where))
    return None if model is None else str(model["training"]["data_sha256"])


def _model_json(folder: Path) -> dict[str, Any] | None:
    """What a model says of itself, if the folder is one."""
    try:
        found = msgspec.json.decode((folder / "model.json").read_bytes())
        return {"recipe": dict(found["recipe"]), "training": dict(found["training"])}
    except OSError:
        return None
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise RecipeError(f"{folder / 'model.json'} is not that of a model: {error!r}") from error


def built_in() -> dict[str, str]:
    """Return the recipes that come with the package: name -> TOML text."""
    folder = resources.files("shelfwise") / "recipes"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return {file.name.removesuffix(".toml"): file.read_text("utf-8") for file in files}


def _check_names(kind: type[Any], plain: object, origin: str, at: tuple[str, ...]) -> None:
    """Refuse unknown names, which msgspec would ignore."""
    import difflib
    import typing
    from dataclasses import fields, is_dataclass

    if not isinstance(plain, dict):
        return
    hints = typing.get_type_hints(kind)
    known = [f.name for f in fields(kind)]
    for name, value in plain.items():
        where = ".".join((*at, name))
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Known are: {', '.join(known)}."
            raise RecipeError(f"{origin}: there is no setting {where!r}.{hint}")
        if is_dataclass(hints[name]):
            _check_names(hints[name], value, origin, (*at, name))
