"""Where torch runs, in which precision, and with how many threads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from threading import Lock
from typing import Any

from shelfwise.errors import EncoderError, MissingExtraError
from shelfwise.features.encoders import EncoderOptions


def import_torch(spec: str, extra: str = "transformers") -> Any:  # noqa: ANN401 - the module torch
    """The module torch; MissingExtraError where it is not installed."""
    try:
        import torch
    except ImportError:
        raise MissingExtraError(spec, extra) from None
    return torch


def chosen(spec: str, options: EncoderOptions) -> tuple[Any, Any]:
    """The device and the type of numbers to compute with.

    Half precision is taken on a GPU of NVIDIA unless it was switched off. On a processor it is slower than
    single precision, and taken only when it was asked for.

    Raises
    ------
    EncoderError
        There is no such device here.

    """
    torch = import_torch(spec)
    name = options.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except Exception as error:  # each backend has errors of its own
        raise EncoderError(
            f"{spec}: the device {name!r} cannot be used here: {str(error).splitlines()[0]}. "
            "Leave out device, or give cpu."
        ) from error
    half = options.half == "on" or (options.half == "auto" and device.type == "cuda")
    if not half:
        return device, torch.float32
    return device, torch.bfloat16 if device.type == "cpu" else torch.float16


_MOST_AT_ONCE = 8  # batches side by side: more only take memory
_ROWS = 32
_CPU_TEXTS, _CPU_PICTURES = 8, 4  # at once: more are no faster there


def side_by_side(device: Any, options: EncoderOptions, pictures: bool = False) -> tuple[int, int]:  # noqa: ANN401
    """How many rows make a batch, and how many batches run at the same time.

    On a processor, small batches run side by side with one thread each (see `one_thread`); a GPU takes one
    large batch after the other.
    """
    if device.type != "cpu":
        return options.batch, 1
    rows = _CPU_PICTURES if pictures else _CPU_TEXTS
    return min(options.batch, rows), min(options.cores, _MOST_AT_ONCE)


def fewest_texts(tokens: int, batch: int) -> int:
    """Texts of that many tokens that must run at once: below 16 rows, products have kernels of their own."""
    return min(-(-_ROWS // max(tokens, 1)), batch)


class _OneThread:
    """Counts who wants torch to use one thread, so that the last one to leave restores what was before."""

    def __init__(self) -> None:
        self.lock, self.inside, self.before = Lock(), 0, 1

    @contextlib.contextmanager
    def __call__(self, torch: Any) -> Iterator[None]:  # noqa: ANN401 - the module
        with self.lock:
            if not self.inside:
                self.before = torch.get_num_threads()
            self.inside += 1
            torch.set_num_threads(1)  # of this thread, and of those that start later
        try:
            yield
        finally:
            with self.lock:
                self.inside -= 1
                if not self.inside:
                    torch.set_num_threads(self.before)


one_thread = _OneThread()
"""With it, torch works on one thread: its sums depend on how many there are."""
