"""Where a model is: a folder, or the folder that a tracked run has kept."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shelfwise.errors import ModelError

_PREFIX = "mlflow:"


def resolve_model(where: str) -> Path:
    """Return the model folder that `where` names: a path, or mlflow:RUN_ID.

    The run is looked up at MLFLOW_TRACKING_URI, or in `mlflow.db` in the current folder. What lies on another
    machine is copied to a temporary folder, which is removed when the program ends.

    Raises
    ------
    MissingExtraError
        MLflow is not installed.
    ModelError
        No store, no such run, or a run without a model. That a path holds a model is not checked here.

    """
    if not is_run(where):
        return Path(where)
    from shelfwise.track.mlflow import fetch_model

    with copies_kept() as into:
        return fetch_model(run_of(where), into)


def is_run(where: str) -> bool:
    """Return whether something is named by the run that has kept it."""
    return where.startswith(_PREFIX)


def run_of(where: str) -> str:
    """Return the run id in mlflow:RUN_ID; ModelError for what is none."""
    run = where.removeprefix(_PREFIX).strip()
    if not run.isalnum():
        raise ModelError(f"{where}: give a run id, such as mlflow:0123456789abcdef0123456789abcdef")
    return run


@contextmanager
def copies_kept() -> Iterator[Path]:
    """Give a folder for copies from another machine, which is removed when the program ends."""
    copies = Path(tempfile.mkdtemp(prefix="shelfwise-run-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield copies
        except BaseException:
            shutil.rmtree(copies, ignore_errors=True)
            raise
    if any(copies.iterdir()):
        atexit.register(shutil.rmtree, copies, ignore_errors=True)
    else:
        copies.rmdir()
