"""Scale: catalogues of any size predicted in shards, by processes of this machine, by Ray or by Spark.

- bulk.py      the run: cuts a catalogue into shards, has them done, puts the answers together in order
- shards.py    the unit of work, a pure function: a shard of rows in, a shard of answers out
- place.py     where shards lie meanwhile: a folder, or an object store
- engine.py    what they have in common: local.py, ray.py, spark.py, who call the unit of work
- outputs.py   what comes of it: a file, or a folder of numbered files
- digests.py   by what rows, models and versions are told from others
- known.py     what an earlier run answered, so that only new and changed products are predicted
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shelfwise.scale.bulk import Bulk, BulkOptions, BulkReport

__all__ = ["Bulk", "BulkOptions", "BulkReport"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type of a lazily loaded name is in the imports above
    if name not in __all__:
        raise AttributeError(f"module 'shelfwise.scale' has no attribute {name!r}")
    from shelfwise.scale import bulk

    return getattr(bulk, name)
