"""LitServe's part of `peer_servers.py`: a class that its processes can import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import litserve

BATCH, WAIT = 64, 0.005
"""Requests that go through the model together, and seconds in which they are gathered."""


class Api(litserve.LitAPI):
    """Titles to categories, some requests at a time."""

    def __init__(self, open_model: Callable[[Path], Callable[[list[str]], list[str]]], folder: Path) -> None:
        super().__init__(max_batch_size=BATCH, batch_timeout=WAIT)
        self._open, self._folder = open_model, folder

    def setup(self, device: str) -> None:
        """Load the model, in the process that predicts."""
        self._model = self._open(self._folder)

    def decode_request(self, request) -> list[str]:
        """The titles of a request; LitServe takes an annotation here for how it is to be read."""
        return request["titles"]

    def batch(self, inputs: list[list[str]]) -> list[list[str]]:
        """Requests as they are: they are joined in `predict`."""
        return inputs

    def predict(self, x: list[list[str]]) -> list[list[str]]:
        """Categories of all titles in one go."""
        answers = iter(self._model([title for titles in x for title in titles]))
        return [[next(answers) for _ in titles] for titles in x]

    def unbatch(self, output: list[list[str]]) -> list[list[str]]:
        """Answers as they are, one a request."""
        return output

    def encode_response(self, output: list[str]) -> dict[str, list[str]]:
        """The answer to a request."""
        return {"categories": output}


def run(open_model: Callable[[Path], Callable[[list[str]], list[str]]], folder: Path, port: int) -> None:
    """Serve until the process is told to end."""
    server = litserve.LitServer(Api(open_model, folder), accelerator="cpu")
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="warning")
