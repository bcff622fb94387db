"""Runs in MLflow: a local SQLite store by default, so that `mlflow ui` in the same folder shows them at once.

The client is used and not the fluent functions: no global run, no automatic logging, no look at git.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shelfwise.errors import MissingExtraError, ModelError, RecipeError
from shelfwise.track.tracker import Status, flatten

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "shelfwise"
MODEL = "model"  # artifact path of the model folder
DOUBTS, DOUBTS_FILE = "doubts", "doubts.parquet"  # artifact path of a folder, and the file in it

# Set before the package is imported, and only where the user has not.
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # of 7 with growing pauses: minutes for a server that is down
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "GIT_PYTHON_REFRESH": "quiet",
}
_SCHEMES = ("sqlite", "postgresql", "mysql", "mssql", "http", "https", "file", "databricks")
_MOST_PARAMETERS, _MOST_METRICS, _LONGEST = 100, 1000, 6000  # of one request
_STATUS = {"finished": "FINISHED", "failed": "FAILED", "killed": "KILLED"}


class MlflowTracker:
    """One MLflow run; the protocol is `Tracker`."""

    name = "mlflow"

    def __init__(self, uri: str = "") -> None:
        self.uri = tracking_uri(uri)
        self.place = ""
        self._run = ""
        _load()

    def begin(self, name: str, recipe: Mapping[str, Any], fingerprint: str, tags: Mapping[str, str]) -> None:
        """Create the run; a tag `model` that names a tracked run makes this one its child in the list."""
        from mlflow.entities import Dataset, DatasetInput, Param

        self._client = _open_client(self.uri)
        told = {"shelfwise.data_sha256": fingerprint, **tags}
        parent = tags.get("model", "")
        if parent.startswith("mlflow:"):
            told["mlflow.parentRunId"] = parent.removeprefix("mlflow:")
        run = self._client.create_run(self._experiment(), tags=told, run_name=name)
        self._run = run.info.run_id
        self.place = f"mlflow:{self._run}"
        parameters = [Param(_safe(key), str(value)[:_LONGEST]) for key, value in flatten(recipe).items()]
        for start in range(0, len(parameters), _MOST_PARAMETERS):
            self._client.log_batch(self._run, params=parameters[start : start + _MOST_PARAMETERS])
        if fingerprint:
            data = Dataset(tags.get("catalogue", "catalogue")[:500], fingerprint[:36], "local", "{}")
            self._client.log_inputs(self._run, [DatasetInput(data)])

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Log numbers, at step 0 where none is given."""
        self._log((name, value, step or 0) for name, value in values.items())

    def curve(self, name: str, points: Mapping[int, float]) -> None:
        """Log a metric at many steps."""
        self._log((name, value, step) for step, value in points.items())

    def text(self, name: str, text: str) -> None:
        """Keep a text as an artifact `name`.txt."""
        self._client.log_text(self._run, text, f"{_safe(name)}.txt")

    def figure(self, name: str, picture: Path) -> None:
        """Keep a PNG as an artifact figures/`name`.png."""
        import shutil

        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / f"{_safe(name).replace('/', '-')}.png"
            shutil.copyfile(picture, copy)
            self._client.log_artifact(self._run, str(copy), "figures")

    def artifact(self, path: Path) -> None:
        """Keep a file, or a folder with all that is in it."""
        if path.is_dir():
            self._client.log_artifacts(self._run, str(path), path.name)
        else:
            self._client.log_artifact(self._run, str(path))

    def model(self, folder: Path) -> None:
        """Keep the model folder where `fetch_model` looks for it."""
        self._client.log_artifacts(self._run, str(folder), MODEL)

    def end(self, status: Status = "finished") -> None:
        """Set the run's status and end time."""
        if self._run:
            self._client.set_terminated(self._run, _STATUS[status])

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        place = None
        if self.uri.startswith("sqlite:///"):  # beside the store, not in whatever folder this runs in
            place = (Path(self.uri.removeprefix("sqlite:///")).parent / "mlruns" / EXPERIMENT).as_uri()
        return str(self._client.create_experiment(EXPERIMENT, artifact_location=place))

    def _log(self, points: Iterable[tuple[str, float, int]]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        batch = [Metric(_safe(name), float(value), now, step) for name, value, step in points]
        for start in range(0, len(batch), _MOST_METRICS):
            self._client.log_batch(self._run, metrics=batch[start : start + _MOST_METRICS])


def tracking_uri(given: str = "") -> str:
    """Address of the store: as given, else MLFLOW_TRACKING_URI, else `mlflow.db` in the current folder.

    A path without a scheme is an SQLite file, or a folder with an `mlflow.db`.

    Raises
    ------
    RecipeError
        The scheme is none that MLflow knows.

    """
    uri = given or os.environ.get("MLFLOW_TRACKING_URI", "") or "mlflow.db"
    scheme, _, rest = uri.partition("://")
    if uri == "databricks" or (rest and scheme.partition("+")[0] in _SCHEMES and scheme != "sqlite"):
        return uri
    if rest and scheme != "sqlite":
        raise RecipeError(
            f"mlflow:{uri}: MLflow has no store of the kind {scheme!r}; give a file such as mlflow.db, "
            f"or an address that begins with one of: {', '.join(f'{name}://' for name in _SCHEMES)}"
        )
    path = Path(rest.removeprefix("/") if rest else uri)
    return "sqlite:///" + str((path / "mlflow.db" if path.is_dir() else path).absolute())


def _load() -> None:
    """Load the package, quietly."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import mlflow  # noqa: F401 - whether it is there
    except ImportError as error:
        raise MissingExtraError("tracking with MLflow", "mlflow") from error
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _open_client(uri: str) -> MlflowClient:
    """Open a client of a store; an SQLite file and its tables are made where they are missing."""
    from mlflow import MlflowClient

    if uri.startswith("sqlite:///"):  # MLflow would try for minutes to open what cannot be opened
        path = Path(uri.removeprefix("sqlite:///"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
        with closing(sqlite3.connect(path)) as database:
            database.execute("SELECT count(*) FROM sqlite_master")
    return MlflowClient(tracking_uri=uri)


def fetch_model(run: str, into: Path, uri: str = "") -> Path:
    """Return the model folder of a run: where it lies, if that is on this machine, else a copy in `into`.

    Raises
    ------
    MissingExtraError
        MLflow is not installed.
    ModelError
        The store cannot be reached, has no such run, or the run has no model.

    """
    with _asking(run, uri) as client:
        found = _fetch(client, run, MODEL, into)
        place = str(client.get_run(run).info.artifact_uri)
    if found is None:
        raise ModelError(
            f"mlflow:{run}: the run has no model among its files in {place}; take a run that was made by "
            "train with --track mlflow"
        )
    return found


def fetch_doubts(run: str, into: Path, uri: str = "") -> tuple[Path, str]:
    """Return the doubts file of a run (as `fetch_model` does), and the model that was audited, "" for none.

    A run of a training has no doubts itself: those of the last audit of its model are taken.

    Raises
    ------
    MissingExtraError
        MLflow is not installed.
    ModelError
        The store cannot be reached, has no such run, or nothing was audited in it.

    """
    with _asking(run, uri) as client:
        for one in [run, *_children(client, run)]:
            found = _fetch(client, one, DOUBTS, into)
            if found is not None:
                return found / DOUBTS_FILE, _model_of(client, one)
        trained = bool(client.list_artifacts(run, MODEL))
    model = f" --model mlflow:{run}" if trained else ""
    raise ModelError(
        f"mlflow:{run}: the run has no doubts. Make them: "
        f"shelfwise audit CATALOGUE --output doubts.parquet{model} --track mlflow"
    )


def _children(client: MlflowClient, run: str) -> list[str]:
    """The runs that were tagged with a run, the latest first."""
    experiment = client.get_run(run).info.experiment_id
    found = client.search_runs(
        [experiment], f"tags.`mlflow.parentRunId` = '{run}'", order_by=["attributes.start_time DESC"]
    )
    return [str(child.info.run_id) for child in found]


def _model_of(client: MlflowClient, run: str) -> str:
    """The model that a run tells of: its own, or the one that it is tagged with."""
    if client.list_artifacts(run, MODEL):
        return f"mlflow:{run}"
    return str(client.get_run(run).data.tags.get("model", ""))


@contextmanager
def _asking(run: str, uri: str) -> Iterator[MlflowClient]:
    """Give a client of a store that is there; ModelError for all that goes wrong in it."""
    where = tracking_uri(uri)
    _load()
    from mlflow.exceptions import MlflowException

    missing = where.startswith("sqlite:///") and not Path(where.removeprefix("sqlite:///")).is_file()
    if missing:  # asking for a run would create an empty store
        raise ModelError(
            f"mlflow:{run}: there is no MLflow store {where.removeprefix('sqlite:///')}; run this where the "
            "run was tracked, or set MLFLOW_TRACKING_URI"
        )
    try:
        yield _open_client(where)
    except (MlflowException, OSError, sqlite3.Error) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise ModelError(f"mlflow:{run}: {reason} (store: {where})") from error


def _fetch(client: MlflowClient, run: str, name: str, into: Path) -> Path | None:
    """A folder of a run: where it lies, if that is on this machine, else a copy; None: it has no such."""
    place = str(client.get_run(run).info.artifact_uri)
    if not client.list_artifacts(run, name):
        return None
    if place.startswith("file://"):
        from urllib.parse import unquote, urlsplit

        return Path(unquote(urlsplit(place).path)) / name
    return Path(client.download_artifacts(run, name, str(into)))


def _safe(name: str) -> str:
    """Name with what MLflow does not allow in keys replaced."""
    return re.sub(r"[^\w\-. :/]", "_", name, flags=re.ASCII)[:250] or "_"
