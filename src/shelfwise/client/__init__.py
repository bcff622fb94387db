"""Ask a Shelfwise server from Python: over HTTP or gRPC, at once or in an event loop, with retries.

    from shelfwise.client import connect

    with connect("http://localhost:8000") as shelves:       # or grpc://localhost:8001
        answer = shelves.predict({"title": "Red leather pumps"}, promise=0.95)
        print(answer.predictions[0].shelf)

A server that is busy or ends is asked again, later each time; what it refuses for good is a `RefusedError`.
"""

from shelfwise.client.asking import AsyncClient, Client, ClientOptions, connect, connect_async
from shelfwise.client.retries import Retries
from shelfwise.serve.messages import PredictAnswer, Prediction
from shelfwise.serve.refusal import RefusedError

__all__ = [
    "AsyncClient", "Client", "ClientOptions", "PredictAnswer", "Prediction", "RefusedError", "Retries",
    "connect", "connect_async",
]  # fmt: skip
