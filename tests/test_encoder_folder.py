"""Fingerprints follow contents and options, not places and dates; broken JSON is named."""

from __future__ import annotations

import os

import pytest

from shelfwise.errors import EncoderError
from shelfwise.features.encoder_folder import (
    files_of,
    fingerprint,
    folder_of,
    read_json,
    read_json_if_there,
)


def print_of(folder, **options):
    return fingerprint(folder, files_of(folder, ("*.json", "*/*.bin")), options)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a" / "sub").mkdir(parents=True)
    (tmp_path / "a" / "config.json").write_text("{}")
    (tmp_path / "a" / "sub" / "weights.bin").write_bytes(b"12")
    return tmp_path / "a"


def test_follows_contents_names_and_options(folder):
    first = print_of(folder, pooling="mean")

    assert len(first) == 64
    assert print_of(folder, pooling="cls") != first
    (folder / "README.md").write_text("no part of it")
    os.utime(folder / "config.json", (1, 1))
    folder = folder.rename(folder.parent / "b")
    assert print_of(folder, pooling="mean") == first
    (folder / "sub" / "weights.bin").write_bytes(b"13")
    assert print_of(folder, pooling="mean") != first
    (folder / "sub" / "weights.bin").write_bytes(b"12")
    (folder / "config.json").rename(folder / "other.json")
    assert print_of(folder, pooling="mean") != first


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff\xfe", b"[" * 100_000])
def test_broken_json_is_named(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content)

    with pytest.raises(EncoderError, match=r"hf:x: .*config.json"):
        read_json(tmp_path / "config.json", "hf:x")


def test_what_is_not_there(tmp_path):
    assert read_json_if_there(tmp_path / "config.json", "hf:x") == {}
    with pytest.raises(EncoderError, match=r"has no config.json"):
        read_json(tmp_path / "config.json", "hf:x")
    with pytest.raises(EncoderError, match="does not exist"):
        folder_of("onnx:x", str(tmp_path / "x"))
    (tmp_path / "file").write_text("")
    with pytest.raises(EncoderError, match="is a file"):
        folder_of("onnx:x", str(tmp_path / "file"))
