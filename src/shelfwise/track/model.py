"""Where a model is: a folder, or the folder that a tracked run has kept."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import warnings
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
    if not where.startswith(_PREFIX):
        return Path(where)
    run = where.removeprefix(_PREFIX).strip()
    if not run.isalnum():
        raise ModelError(f"{where}: give a run id, such as mlflow:0123456789abcdef0123456789abcdef")
    from shelfwise.track.mlflow import fetch_model

    copies = Path(tempfile.mkdtemp(prefix="shelfwise-model-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            folder = fetch_model(run, copies)
        except BaseException:
            shutil.rmtree(copies, ignore_errors=True)
            raise
    if folder.is_relative_to(copies):
        atexit.register(shutil.rmtree, copies, ignore_errors=True)
    else:
        copies.rmdir()
    return folder
