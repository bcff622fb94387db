"""One vector from many."""

from __future__ import annotations

import json

import numpy as np
import pytest

from shelfwise.errors import EncoderError
from shelfwise.features.pooling import configured, pooled

PLACES = np.arange(12, dtype=np.float32).reshape(1, 3, 4)


def test_shapes_and_masks():
    mask = np.array([[1, 1, 0]])

    assert pooled(PLACES, mask, "mean").tolist() == [[2, 3, 4, 5]]
    assert pooled(PLACES, None, "mean").tolist() == [[4, 5, 6, 7]]
    assert pooled(PLACES, mask, "cls").tolist() == [[0, 1, 2, 3]]
    assert pooled(PLACES[:, 0], mask, "mean").tolist() == [[0, 1, 2, 3]]
    assert pooled(PLACES.reshape(1, 3, 2, 2), None, "mean").tolist() == [[1.5, 5.5, 9.5]]
    assert not pooled(PLACES, np.zeros((1, 3), np.int64), "mean").any()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, None),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({"pooling_mode_cls_token": True}, "cls"),
        ({"pooling_mode": "cls"}, "cls"),
    ],
)
def test_what_a_folder_says(tmp_path, config, expected):
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(config))

    assert configured(tmp_path, "t", "auto") == expected
    assert configured(tmp_path, "t", "pooler") == "pooler"


def test_two_poolings_at_once_are_refused(tmp_path):
    (tmp_path / "1_Pooling").mkdir()
    both = {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(both))

    with pytest.raises(EncoderError, match="st:"):
        configured(tmp_path, "t", "auto")
