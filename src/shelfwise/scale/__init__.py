"""Scale: catalogues of any size in shards, by processes of this machine, by Ray or by Spark.

- bulk.py      a run of predictions: cuts a catalogue into shards, has them done, puts the answers together
- shards.py    its unit of work, a pure function: a shard of rows in, a shard of answers out
- encode.py    a run of encoding: asks the cache what is missing, has it encoded, keeps it
- contents.py  its unit of work: a shard of texts or pictures in, a shard of vectors out
- folds.py     a unit of work of audits: products in folds in, what models of a fold say out
- engine.py    what engines have in common: local.py, ray.py, spark.py, who call a unit of work
- place.py     where shards lie meanwhile: a folder, or an object store
- outputs.py   what comes of predictions: a file, or a folder of numbered files
- digests.py   by what rows, models and versions are told from others
- known.py     what an earlier run answered, so that only new and changed products are predicted
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shelfwise.scale.bulk import Bulk, BulkOptions, BulkReport
    from shelfwise.scale.encode import EncodeOptions, EncodeReport, encode_catalogue
    from shelfwise.scale.folds import FoldEngine

__all__ = [
    "Bulk", "BulkOptions", "BulkReport", "EncodeOptions", "EncodeReport", "FoldEngine", "encode_catalogue",
]  # fmt: skip


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type of a lazily loaded name is in the imports above
    if name not in __all__:
        raise AttributeError(f"module 'shelfwise.scale' has no attribute {name!r}")
    module = "bulk" if name.startswith("Bulk") else "folds" if name == "FoldEngine" else "encode"
    return getattr(import_module(f"shelfwise.scale.{module}"), name)
