"""One vector from many: how the vectors of a text's tokens, or of a picture's patches, become one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import EncoderError
from shelfwise.features.encoder_folder import read_json_if_there

_SENTENCE = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}


def configured(folder: Path, spec: str, asked: str) -> str | None:
    """The pooling to use: what was asked for, else what the folder's 1_Pooling/config.json says, if anything.

    Raises
    ------
    EncoderError
        The folder says one that is not known here.

    """
    if asked != "auto":
        return asked
    config = read_json_if_there(folder / "1_Pooling" / "config.json", spec)
    modes = [name for name, value in config.items() if name.startswith("pooling_mode_") and value is True]
    modes += [str(config["pooling_mode"])] if isinstance(config.get("pooling_mode"), str) else []
    found = [_SENTENCE.get(mode, mode) for mode in modes]
    if not found:
        return None
    if found not in (["mean"], ["cls"]):
        raise EncoderError(
            f"{spec}: the pooling {', '.join(modes)} of 1_Pooling/config.json is not known here; "
            f"open the folder with st:{folder}, or ask for pooling mean or cls"
        )
    return found[0]


def pooled(found: NDArray[Any], mask: NDArray[np.int64] | None, pooling: str) -> NDArray[np.float32]:
    """One vector a row, float32 [rows, width].

    Parameters
    ----------
    found
        [rows, width], returned as it is; [rows, places, width]; or [rows, width, height, breadth], of which
        the mean is taken.
    mask
        int64 [rows, places], 1 where there is something to read; None for everywhere.
    pooling
        "mean" over the places, or "cls" for the first.

    """
    array = np.asarray(found, np.float32)
    if array.ndim == 4:
        return np.ascontiguousarray(array.mean(axis=(2, 3)))
    if array.ndim != 3:
        return array
    if pooling == "cls":
        return np.ascontiguousarray(array[:, 0])
    if mask is None:
        return np.ascontiguousarray(array.mean(axis=1))
    weights = mask.astype(np.float32)[:, :, None]
    return np.asarray((array * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1), np.float32)
