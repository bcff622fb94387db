"""Runs in TensorBoard: event files in one folder a run, written without TensorFlow or PyTorch.

TensorBoard keeps no files: of artifacts and the model it gets the path, as a text.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shelfwise.errors import MissingExtraError
from shelfwise.track.tracker import Status, flatten

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

FOLDER = "runs"


class TensorboardTracker:
    """One folder of event files below `folder`; the protocol is `Tracker`."""

    name = "tensorboard"

    def __init__(self, folder: str = "") -> None:
        try:
            import tensorboard.summary.writer.event_file_writer  # noqa: F401 - whether it is there
        except ImportError as error:
            raise MissingExtraError("tracking with TensorBoard", "tensorboard") from error
        self.folder = Path(folder or FOLDER)
        self.place = ""
        self._writer: EventFileWriter | None = None

    def begin(self, name: str, recipe: Mapping[str, Any], fingerprint: str, tags: Mapping[str, str]) -> None:
        """Make the run's folder, and keep recipe, fingerprint and tags: as text and as hyper-parameters."""
        from tensorboard.plugins.hparams import summary_v2 as hparams
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        stem = re.sub(r"[^\w\-.]+", "-", name).strip("-.") or "run"
        folder = self.folder / f"{stem}-{datetime.now():%Y%m%d-%H%M%S-%f}"
        folder.mkdir(parents=True)
        self._writer = EventFileWriter(str(folder))
        self.place = str(folder)
        settings = flatten(recipe)
        self._write(hparams.hparams_pb(settings, trial_id=folder.name, start_time_secs=time.time()))
        rows = {"data_sha256": fingerprint, **tags, **settings}
        cells = (f"| {_cell(key)} | {_cell(value)} |" for key, value in rows.items())
        self.text("run", "\n".join(["| setting | value |", "|---|---|", *cells]))

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Write scalars, at step 0 where none is given."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        parts = [Summary.Value(tag=name, simple_value=float(value)) for name, value in values.items()]
        self._write(Summary(value=parts), step or 0)

    def curve(self, name: str, points: Mapping[int, float]) -> None:
        """Write a scalar at many steps."""
        for step, value in points.items():
            self.metrics({name: value}, step)

    def text(self, name: str, text: str) -> None:
        """Write a text, which TensorBoard shows as Markdown."""
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.compat.proto.types_pb2 import DT_STRING

        tensor = TensorProto(dtype=DT_STRING, string_val=[text.encode("utf-8", "replace")])
        kind = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
        tag = f"{name}/text_summary"
        self._write(Summary(value=[Summary.Value(tag=tag, tensor=tensor, metadata=kind)]))

    def figure(self, name: str, picture: Path) -> None:
        """Write a PNG as an image."""
        from PIL import Image
        from tensorboard.compat.proto.summary_pb2 import Summary

        with Image.open(picture) as opened:
            width, height = opened.size
        image = Summary.Image(
            width=width, height=height, colorspace=3, encoded_image_string=picture.read_bytes()
        )
        self._write(Summary(value=[Summary.Value(tag=name, image=image)]))

    def artifact(self, path: Path) -> None:
        """Write where the file is."""
        self.text(f"artifact/{path.name}", str(path.absolute()))

    def model(self, folder: Path) -> None:
        """Write where the model folder is."""
        self.text("model", str(folder.absolute()))

    def end(self, status: Status = "finished") -> None:
        """Write the status, and close the file and its thread."""
        from tensorboard.plugins.hparams import metadata, plugin_data_pb2
        from tensorboard.plugins.hparams.api_pb2 import Status as Kind

        if self._writer is None:
            return
        from tensorboard.compat.proto.summary_pb2 import Summary

        kind = Kind.STATUS_SUCCESS if status == "finished" else Kind.STATUS_FAILURE
        ended = plugin_data_pb2.SessionEndInfo(status=kind, end_time_secs=time.time())
        told = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=ended))
        tag = metadata.SESSION_END_INFO_TAG
        self._write(Summary(value=[Summary.Value(tag=tag, metadata=told, tensor=metadata.NULL_TENSOR)]))
        self._writer.close()
        self._writer = None

    def _write(self, summary: Summary, step: int = 0) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        if self._writer is not None:
            self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
