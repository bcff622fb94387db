"""TensorBoard for real: event files read back as TensorBoard reads them."""

from __future__ import annotations

import threading

import pytest

from shelfwise.track import open_trackers

pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:tensorboard", "ignore::DeprecationWarning:google"
)


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder), {"tensors": 0, "images": 0, "scalars": 0}).Reload()


def test_events_hold_scalars_curves_texts_pictures_and_settings(tmp_path):
    from PIL import Image
    from tensorboard.plugins.hparams import plugin_data_pb2

    Image.new("RGB", (5, 3)).save(tmp_path / "matrix.png")
    with open_trackers([f"tensorboard:{tmp_path / 'runs'}"]) as tracker:
        tracker.begin("a run/of mine", {"text": {"cost": 0.8}, "label": "a|b"}, "f" * 64, {"shop": "demo"})
        for step, loss in enumerate([3.0, 2.0]):
            tracker.metrics({"loss": loss}, step)
        tracker.curve("reliability", {40: 0.5, 90: 0.75})
        tracker.text("notes", "Größe")
        tracker.figure("confusion_level_1", tmp_path / "matrix.png")
        tracker.artifact(tmp_path / "report")
        tracker.model(tmp_path / "model")
    folders = list((tmp_path / "runs").iterdir())
    found = read(folders[0])

    assert tracker.notes == []
    assert [str(folder) for folder in folders] == [tracker.places["tensorboard"]]
    assert folders[0].name.startswith("a-run-of-mine-")
    assert [(point.step, point.value) for point in found.Scalars("loss")] == [(0, 3.0), (1, 2.0)]
    assert [(point.step, point.value) for point in found.Scalars("reliability")] == [(40, 0.5), (90, 0.75)]
    image = found.Images("confusion_level_1")[0]
    assert (image.width, image.height) == (5, 3)
    assert image.encoded_image_string == (tmp_path / "matrix.png").read_bytes()
    texts = {
        tag: found.Tensors(tag)[0].tensor_proto.string_val[0].decode()
        for tag in found.PluginTagToContent("text")
    }
    assert texts["notes/text_summary"] == "Größe"
    assert "| text.cost | 0.8 |" in texts["run/text_summary"]
    assert "| label | a\\|b |" in texts["run/text_summary"]
    assert texts["model/text_summary"] == str(tmp_path / "model")
    settings = found.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    started = plugin_data_pb2.HParamsPluginData.FromString(settings).session_start_info
    assert started.hparams["text.cost"].number_value == 0.8


def test_threads_end_with_the_run(tmp_path):
    before = threading.active_count()
    with open_trackers([f"tensorboard:{tmp_path}"]) as tracker:
        tracker.begin("run", {}, "f")
        assert threading.active_count() > before
    assert threading.active_count() == before


def test_folder_that_cannot_be_made_costs_a_note(tmp_path):
    (tmp_path / "file").write_text("")
    with open_trackers([f"tensorboard:{tmp_path / 'file'}"]) as tracker:
        tracker.begin("run", {}, "f")
        tracker.metrics({"a": 1.0})

    assert len(tracker.notes) == 1
    assert tracker.notes[0].startswith("tensorboard: ")
