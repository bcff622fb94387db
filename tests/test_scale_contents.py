"""The unit of work of encoding: the same vectors however often and where, and errors as values."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.catalogue.pictures import Picture
from shelfwise.errors import CatalogueError, EncoderError, PictureError
from shelfwise.features.cache import key_of, rounded
from shelfwise.features.encoders import EncoderOptions
from shelfwise.features.vectors import NamedEncoder
from shelfwise.scale import contents
from shelfwise.scale.contents import Contents, EncodeJob, Made, MarkedEncoder
from shelfwise.scale.engine import Failed
from tiny_encoders import onnx_pictures, onnx_texts, picture_bytes

TEXTS = ["red boot", "blue steel watch", "lamp", "wool shoe no7"]
OPTIONS = EncoderOptions(threads=1)


@pytest.fixture
def named(tmp_path):
    text, picture = onnx_texts(tmp_path / "text"), onnx_pictures(tmp_path / "picture")
    return (
        NamedEncoder("encoder", "text", f"onnx:{text}", OPTIONS),
        NamedEncoder("pictures", "image", f"onnx:{picture}", OPTIONS),
    )


@pytest.fixture
def job(named, tmp_path):
    contents.forget()
    yield EncodeJob(tuple(MarkedEncoder.of(one, one.open()) for one in named), str(tmp_path / "work"))
    contents.forget()


def keyed(pictures):
    return [key_of(picture.read()) for picture in pictures]


def test_texts_become_the_vectors_of_the_encoder_however_often_and_where(job, named):
    expected = rounded(named[0].open().encode(TEXTS))

    first = job.do(contents.send_texts(job, 3, 0, TEXTS))
    got, known = contents.read_vectors(job, first)
    elsewhere = replace(pickle.loads(pickle.dumps(job)), threads=2)
    again = elsewhere.do(contents.send_texts(job, 3, 0, TEXTS))

    assert first == again == Made(3, 4, first.digest, {}, ())
    assert known.all()
    assert np.array_equal(got, expected)


def test_pictures_of_files_and_of_the_catalogue_have_vectors_or_reasons(job, named, tmp_path):
    (tmp_path / "a.png").write_bytes(picture_bytes(1))
    pictures = [
        Picture("a.png", tmp_path / "a.png"),
        Picture("P2", data=b"no picture at all"),
        Picture("P3", data=picture_bytes(3)),
    ]
    expected = named[1].open().encode(list(map(open_picture, (1, 3))))

    made = job.do(contents.send_pictures(job, 0, 1, pictures, keyed(pictures)))
    got, known = contents.read_vectors(job, made)

    assert (made.height, made.failed) == (3, {"not_a_picture": 1})
    assert made.examples == ("P2 is text; JPEG, PNG, WebP, GIF, BMP and TIFF are read",)
    assert known.tolist() == [True, False, True]
    assert np.array_equal(got[known], rounded(expected))
    assert os.listdir(job.work) == []


def open_picture(seed):
    import io

    from PIL import Image

    return Image.open(io.BytesIO(picture_bytes(seed)))


def test_picture_that_a_worker_does_not_see_is_an_error_and_no_bad_picture(job, tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(picture_bytes(1))
    pictures = [Picture("a.png", file)]
    task = contents.send_pictures(job, 0, 1, pictures, keyed(pictures))
    file.unlink()

    failed = job.do(task)

    assert isinstance(failed, Failed)
    assert isinstance(failed.error(), CatalogueError)
    assert "paths that all of them see" in failed.message
    file.write_bytes(picture_bytes(2))
    changed = job.do(task)
    assert changed.failed == {"changed": 1}
    assert changed.examples == ("a.png was changed during the run; run it again",)


def test_one_picture_that_vanished_costs_its_own_row(job, tmp_path):
    pictures = [Picture(name, tmp_path / name) for name in ("a.png", "b.png")]
    for seed, picture in enumerate(pictures):
        picture.path.write_bytes(picture_bytes(seed))
    task = contents.send_pictures(job, 0, 1, pictures, keyed(pictures))
    pictures[0].path.unlink()

    made = job.do(task)

    assert made.failed == {"missing": 1}
    assert contents.read_vectors(job, made)[1].tolist() == [False, True]


def test_shards_and_encoders_that_a_worker_does_not_see_or_that_are_others_are_told(job, tmp_path):
    task = contents.send_texts(job, 0, 0, TEXTS)

    assert "does not see the shards" in job.do(Contents(1, 0, task.sent)).message
    assert "was changed while it was worked on" in job.do(replace(task, sent="of another file")).message
    onnx_texts(tmp_path / "text", seed=1)
    other = job.do(task)
    assert (other.kind, "has another encoder" in other.message) == ("EncoderError", True)
    os.rename(tmp_path / "text", tmp_path / "elsewhere")
    assert "does not see the encoder" in job.do(task).message
    assert "another version of Shelfwise" in replace(job, program="older").do(task).message


def test_encoder_is_opened_once_for_all_shards(job, monkeypatch):
    from shelfwise.features.onnx import OnnxTextEncoder

    opened, opener = [], OnnxTextEncoder.open

    def count(name, options):
        opened.append(name)
        return opener(name, options)

    monkeypatch.setattr(OnnxTextEncoder, "open", count)
    for number in range(3):
        assert isinstance(job.do(contents.send_texts(job, number, 0, TEXTS)), Made)

    assert len(opened) == 1


def test_specification_means_the_same_in_any_folder_and_a_fingerprint_is_asked_for(
    named, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    here = replace(named[0], spec="onnx:text")
    encoder = here.open()

    marked = MarkedEncoder.of(here, encoder)

    assert (marked.name, marked.named.spec) == ("onnx:text", f"onnx:{tmp_path / 'text'}")
    assert MarkedEncoder.of(replace(here, spec="hf:some/model"), encoder).named.spec == "hf:some/model"
    encoder.fingerprint = ""
    with pytest.raises(EncoderError, match="has no fingerprint"):
        MarkedEncoder.of(here, encoder)


def test_vectors_that_another_run_has_touched_are_told(job):
    made = job.do(contents.send_texts(job, 0, 0, TEXTS))

    with pytest.raises(CatalogueError, match="Does another run use that folder"):
        contents.read_vectors(job, replace(made, digest="another"))


@given(st.lists(st.integers(0, 40_000_000), max_size=12))
def test_cut_keeps_all_rows_in_order_and_parts_small(sizes):
    parts = list(contents.cut(range(len(sizes)), sizes))

    assert [row for part in parts for row in part] == list(range(len(sizes)))
    assert all(len(part) == 1 or sum(sizes[row] for row in part) <= contents._BYTES for part in parts)
    assert all(parts)


def test_look_gives_key_and_size_or_the_error(tmp_path):
    assert contents.look(Picture("a", data=b"12345")) == (key_of(b"12345"), 5)
    assert isinstance(contents.look(Picture("a", tmp_path / "nowhere.png")), PictureError)
