"""What a model's folder holds, as plain values and arrays: from a model's parts to files and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise import artifact
from shelfwise.card import write_card
from shelfwise.catalogue.roles import Roles
from shelfwise.catalogue.taxonomy import Taxonomy
from shelfwise.corrections.folding import Folding
from shelfwise.corrections.state import Corrections, Learned
from shelfwise.decide.decision import Decision, Record
from shelfwise.decide.fusion import Fusion
from shelfwise.decide.pool import Pool, lift_of
from shelfwise.errors import ModelError, ShelfwiseError
from shelfwise.features.vectors import EncoderMark
from shelfwise.lesson import Training
from shelfwise.past import MOST, Past
from shelfwise.recipe import Recipe
from shelfwise.update import Start
from shelfwise.views.panel import Views

_KEPT = ("product_id", "title")


@dataclass(frozen=True)
class Parts:
    """Everything that a model is made of; see `Categorizer` for what each part means."""

    recipe: Recipe
    roles: Roles
    decision: Decision
    training: Training
    marks: dict[str, EncoderMark]
    corrections: Corrections
    folded: Folding = field(default_factory=Folding)
    past: Past | None = None


@dataclass(frozen=True)
class _KeptTexts:
    """Packed ids and titles of the kept products; unpacked when somebody asks, most processes never do."""

    packed: Mapping[str, NDArray[np.generic]]

    def check(self, count: int) -> None:
        """Raise ModelError unless there are so many of each."""
        for column in _KEPT:
            ends, content = self.packed[f"kept.{column}.ends"], self.packed[f"kept.{column}.bytes"]
            whole = np.concatenate([[0], ends.astype(np.int64), [len(content)]])
            if len(ends) != count or (np.diff(whole) < 0).any() or whole[-1] != whole[-2]:
                raise ModelError(f"the kept products' {column} is damaged")

    def __call__(self) -> pl.DataFrame:
        """The frame of them."""
        columns = {
            column: artifact.unpack_texts(
                {part: self.packed[f"kept.{column}.{part}"] for part in ("bytes", "ends")}
            )
            for column in _KEPT
        }
        return pl.DataFrame(columns, schema=dict.fromkeys(_KEPT, pl.String))


def to_files(parts: Parts) -> dict[str, bytes]:
    """The files of a model's folder; equal models are equal bytes."""
    learned = parts.corrections.learned
    state = _state(parts)
    kept = {
        f"kept.{column}.{part}": array
        for column in _KEPT
        for part, array in artifact.pack_texts(learned.kept[column].to_list()).items()
    }
    decision = {**parts.decision.record.tensors(), "prior": parts.decision.fusion.prior}
    files = {
        "model.json": artifact.to_json(state),
        "taxonomy.json": artifact.to_json(learned.taxonomy.to_dict()),
        "views.safetensors": artifact.to_safetensors({**learned.views.tensors(), **kept}),
        "decision.safetensors": artifact.to_safetensors(decision),
    }
    if parts.past is not None:
        files["past.safetensors"] = artifact.to_safetensors(parts.past.tensors())
    done = None
    if parts.corrections:
        done = parts.corrections.summary()
        files["corrections.json"] = artifact.to_json(parts.corrections.to_dict())
        files["corrections.safetensors"] = artifact.to_safetensors(parts.corrections.tensors())
    files["README.md"] = write_card(state, learned.taxonomy, done).encode("utf-8", "replace")
    return files


def _state(parts: Parts) -> dict[str, Any]:
    """What `model.json` holds: all of training that is no array."""
    learned, fusion = parts.corrections.learned, parts.decision.fusion
    training = parts.training.to_dict()
    training.pop("timings")
    recipe = parts.recipe.to_dict()
    return {
        "recipe": {**recipe, "threads": 0, "pictures": {**recipe["pictures"], "folder": ""}},
        "roles": parts.roles.to_dict(),
        "fields": list(learned.views.fields),
        "dense": list(learned.views.dense),
        "encoders": {name: asdict(mark) for name, mark in parts.marks.items()},
        "fusion": {"pool": fusion.pool.to_dict() if fusion.pool else None, "exponents": fusion.exponents},
        "delta": parts.decision.delta,
        "renamed": learned.renamed,
        "counts": learned.counts.tolist(),
        "folded": parts.folded.to_dict(),
        "training": training,
    }


def start_of(parts: Parts) -> Start:
    """A model as one that another starts from; ModelError where it keeps nothing of its products."""
    if parts.past is None:
        raise ModelError(
            "the model to start from keeps nothing of the products it learned: it was made by an earlier "
            f"version of Shelfwise, or from more than {MOST:,} products. Train once without --from."
        )
    return Start(
        artifact.digest_of(to_files(parts)), parts.recipe, parts.roles, parts.decision, parts.marks,
        parts.corrections, parts.folded, parts.past, parts.training.data_sha256,
    )  # fmt: skip


def from_files(files: Mapping[str, artifact.Content], folder: str) -> Parts:
    """The parts of the model whose files these are; ModelError, naming `folder`, if they are not."""
    try:
        return _parts(files)
    except (ShelfwiseError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ModelError(f"{folder} is not a model that this version can read: {error!r}") from error


def _parts(files: Mapping[str, artifact.Content]) -> Parts:
    state: dict[str, Any] = json.loads(bytes(files["model.json"]))
    recipe = Recipe.from_dict(state["recipe"], "the model's recipe")
    roles = Roles.from_dict(state["roles"])
    taxonomy = Taxonomy.from_dict(json.loads(bytes(files["taxonomy.json"])))
    training = Training(**state["training"])
    renamed = dict(state["renamed"])
    counts = np.array(state["counts"], np.int64)
    tensors = artifact.from_safetensors(files["views.safetensors"])
    marks = {name: EncoderMark(**mark) for name, mark in state["encoders"].items()}
    views = Views(recipe, state["fields"], dense=state["dense"]).restore(tensors, len(taxonomy.labels))
    kept = _KeptTexts({name: array for name, array in tensors.items() if name.startswith("kept.")})
    kept.check(len(views.neighbour_y_))
    decision = artifact.from_safetensors(files["decision.safetensors"])
    prior = decision["prior"].astype(np.float32)
    pool = Pool(**state["fusion"]["pool"], lift=lift_of(prior)) if state["fusion"]["pool"] else None
    decided = Decision(
        Fusion(pool, prior, state["fusion"]["exponents"]), Record.restore(decision), float(state["delta"])
    )
    right = float(decided.record.right.mean())
    learned = Learned(views, kept, taxonomy, counts, renamed, roles.product_id is not None, right)
    folded = Folding.from_dict(state.get("folded", {}))
    past = None
    if "past.safetensors" in files:
        past = Past.restore(artifact.from_safetensors(files["past.safetensors"]), len(taxonomy.labels))
    return Parts(recipe, roles, decided, training, marks, _corrections(learned, files), folded, past)


def _corrections(learned: Learned, files: Mapping[str, artifact.Content]) -> Corrections:
    if "corrections.json" not in files:
        return Corrections.none(learned)
    values = json.loads(bytes(files["corrections.json"]))
    return Corrections.restore(learned, values, artifact.from_safetensors(files["corrections.safetensors"]))
