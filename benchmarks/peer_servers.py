"""The servers that `shelfwise serve` is measured beside, each as its own documentation writes them.

    python benchmarks/peer_servers.py fastapi           FOLDER --port N
    python benchmarks/peer_servers.py litserve          FOLDER --port N
    python benchmarks/peer_servers.py litserve-shelfwise FOLDER --port N
    python benchmarks/peer_servers.py grpc-aio          FOLDER --port N

The first two serve what `peers.py train svc` left in FOLDER (TF-IDF and LinearSVC, by joblib), the third a
model of Shelfwise's. `POST /predict` takes `{"titles": [...]}` and gives `{"categories": [...]}`. LitServe
gathers requests as `shelfwise serve` does: up to 64, for at most 5 ms. The last is no server of a model:
`grpc.aio` on uvloop that gives every call the same bytes, as many as an answer has, and reads no folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

Model = Callable[[list[str]], list[str]]
ANSWER = 400
"""Bytes of an answer to one product with five candidates, about."""


def open_svc(folder: Path) -> Model:
    """TF-IDF and LinearSVC."""
    import joblib

    union, classifier = joblib.load(folder / "model.joblib")

    def predict(titles: list[str]) -> list[str]:
        texts = [" ".join(title.lower().split()) for title in titles]
        return classifier.predict(union.transform(texts)).tolist()

    return predict


def open_shelfwise(folder: Path) -> Model:
    """A model of Shelfwise's by its library."""
    import polars as pl

    import shelfwise

    model = shelfwise.load(folder)

    def predict(titles: list[str]) -> list[str]:
        return model.predict(pl.DataFrame({"title": titles}))["category"].to_list()

    return predict


def run_fastapi(open_model: Callable[[Path], Model], folder: Path, port: int) -> None:
    """FastAPI with uvicorn: a plain function, which runs in its thread pool."""
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Asked(BaseModel):
        titles: list[str]

    class Answer(BaseModel):
        categories: list[str]

    app, model = FastAPI(), open_model(folder)

    def predict(asked: Asked) -> Answer:
        return Answer(categories=model(asked.titles))

    predict.__annotations__ = {
        "asked": Asked,
        "return": Answer,
    }  # classes of this function, not of the module
    app.post("/predict")(predict)
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False)


def run_litserve(open_model: Callable[[Path], Model], folder: Path, port: int) -> None:
    """LitServe with batches."""
    import peer_litserve

    peer_litserve.run(open_model, folder, port)


def run_grpc(open_model: Callable[[Path], Model], folder: Path, port: int) -> None:
    """What a call costs `grpc.aio` by itself: no message is read, no model asked."""
    import asyncio

    import grpc
    import uvloop

    answer = bytes(ANSWER)

    async def same(message: bytes, context: object) -> bytes:
        return answer

    async def serve() -> None:
        server = grpc.aio.server()
        methods = {"Predict": grpc.unary_unary_rpc_method_handler(same)}
        service = grpc.method_handlers_generic_handler("shelfwise.v1.Categorizer", methods)
        server.add_generic_rpc_handlers((service,))
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        await server.wait_for_termination()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


SERVERS: dict[str, tuple[Callable[[Callable[[Path], Model], Path, int], None], Callable[[Path], Model]]] = {
    "fastapi": (run_fastapi, open_svc),
    "litserve": (run_litserve, open_svc),
    "litserve-shelfwise": (run_litserve, open_shelfwise),
    "grpc-aio": (run_grpc, open_svc),
}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("server", choices=list(SERVERS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    run, open_model = SERVERS[asked.server]
    run(open_model, asked.folder, asked.port)


if __name__ == "__main__":
    main()
