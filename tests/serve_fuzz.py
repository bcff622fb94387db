"""What nobody should send to a server, by a random generator: bodies, HTTP/1.1, HTTP/2 frames, gRPC messages.

Used by tests/test_serve_fuzz.py (some hundred) and benchmarks/serving_fuzz.py (some ten thousand).
"""

from __future__ import annotations

import base64
import json
import random
import socket
import struct
from collections import Counter

import grpc
import httpx
import msgspec

from shelfwise.serve.proto.inference import grpc_predict_v2_pb2 as v2
from shelfwise.serve.proto.shelfwise.v1 import categorizer_pb2 as pb

PATIENCE = 60.0
"""Seconds after which an answer counts as never given."""

ODD = [
    None, True, 0, -1, 1e308, 10**30, "", "x", "\u0000", "\ud7ff", "😀" * 50, [], {}, [[]], {"a": {"b": [1]}},
    "<script>alert(1)</script>", "{'a': 1}", "[" * 200, "data:image/png;base64,AAAA",
    base64.b64encode(b"BM").decode(),
]  # fmt: skip
NAMES = [
    "title", "description", "brand", "attributes", "picture", "image", "url", "product_id", "category",
    "split", "price", "x", "",
]  # fmt: skip
PATHS = [
    "/v1/predict", "/v1/predict", "/v1/predict", "/v2/models/shop/infer", "/v2/models/shop/infer",
    "/v1/corrections", "/v1/models/shop/reload", "/v1/models", "/v1/models/shop", "/v1/taxonomy", "/v2",
    "/v2/models/shop", "/v2/models/%00/ready", "/health/ready", "/", "/static/..%2f..%2fhttp.py", "/docs",
    "/openapi.json", "/metrics", "/nothing", "/v1/predict/", "//", "/%ff%fe",
    "/v2/models/shop/versions/1/infer",
]  # fmt: skip
METHODS = {
    "/shelfwise.v1.Categorizer/Predict": pb.PredictRequest,
    "/shelfwise.v1.Categorizer/PredictBatch": pb.PredictBatchRequest,
    "/shelfwise.v1.Categorizer/ListModels": pb.ListModelsRequest,
    "/inference.GRPCInferenceService/ModelInfer": v2.ModelInferRequest,
    "/inference.GRPCInferenceService/ModelMetadata": v2.ModelMetadataRequest,
    "/inference.GRPCInferenceService/ModelReady": v2.ModelReadyRequest,
    "/grpc.health.v1.Health/Check": None,
    "/none.Service/Method": None,
}
STREAM = "/shelfwise.v1.Categorizer/PredictStream"
OURS = ("/shelfwise.v1.", "/inference.")


def odd_body(chance: random.Random) -> bytes:
    """A request for predictions that nobody should send."""
    products = [
        {chance.choice(NAMES): chance.choice(ODD) for _ in range(chance.randrange(5))}
        if chance.random() < 0.9
        else chance.choice(ODD)
        for _ in range(chance.randrange(4))
    ]
    body = {"products": products, "top": chance.choice([1, 2, 3, 4, 5, 5, 5, 0, "5", None, 10**9])}
    if chance.random() < 0.3:
        body[chance.choice(["promise", "explain", "model", "x"])] = chance.choice(ODD)
    data = msgspec.json.encode(body)
    if chance.random() < 0.3:
        data = mutated(chance, data)
    return data[: chance.randrange(len(data) + 1)] if chance.random() < 0.1 else data


def odd_tensors(chance: random.Random) -> tuple[bytes, dict[str, str]]:
    """A request of the Open Inference Protocol with tensors in JSON or in bytes, right or not."""
    inputs, rest = [], b""
    for _ in range(chance.randrange(4)):
        count = chance.choice([0, 1, 1, 2, 3, 10**12, -1])
        kind = chance.choice(["BYTES", "BYTES", "BYTES", "FP32", "INT64", "BOOL", "TEXT", ""])
        shape = chance.choice([[count], [count], [count, 1], [], [1, 2], [2**70]])
        one = {"name": chance.choice(NAMES), "datatype": kind, "shape": shape}
        if chance.random() < 0.5:
            part = chance.randbytes(chance.randrange(30))
            if chance.random() < 0.6:
                part = b"".join(struct.pack("<I", 4) + b"boot" for _ in range(min(max(count, 0), 5)))
            size = len(part) if chance.random() < 0.8 else chance.choice(ODD)
            one["parameters"] = {"binary_data_size": size}
            rest += part
        if chance.random() < 0.6:
            one["data"] = [chance.choice(ODD) for _ in range(min(max(count, 0), 3))]
        inputs.append(one)
    body = {"inputs": inputs}
    if chance.random() < 0.5:
        body["parameters"] = {
            chance.choice(["binary_data_output", "top", "promise", "x"]): chance.choice(ODD)
        }
    if chance.random() < 0.3:
        body["outputs"] = [{"name": chance.choice(["category", "confidence", "x"]), "parameters": None}]
    head = msgspec.json.encode(body)
    length = str(len(head)) if chance.random() < 0.8 else chance.choice(["0", "-1", "x", "99999999", "3"])
    headers = {"inference-header-content-length": length} if rest or chance.random() < 0.2 else {}
    return (mutated(chance, head) if chance.random() < 0.1 else head) + rest, headers


def mutated(chance: random.Random, data: bytes) -> bytes:
    """The same bytes but for some."""
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 8)):
        place = chance.randrange(len(changed) + 1)
        choice = chance.random()
        if choice < 0.6 and place < len(changed):
            changed[place] = chance.randrange(256)
        elif choice < 0.8:
            changed[place:place] = chance.randbytes(chance.randrange(1, 9))
        else:
            del changed[place : place + chance.randrange(1, 9)]
    return bytes(changed)


class Fuzzer:
    """Sends to one server; `outcomes` counts what came back, `faults` tells what should not have come."""

    def __init__(self, http: str, grpc_address: str, seed: int) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.faults: list[str] = []
        self._chance = random.Random(seed)
        self._http, self._grpc = http.removeprefix("http://").split(":"), grpc_address.split(":")
        self._client = httpx.Client(base_url=http, timeout=PATIENCE, trust_env=False)
        self._channel = grpc.insecure_channel(grpc_address)
        self._kinds = [
            self.bodies,
            self.bodies,
            self.tensors,
            self.forms,
            self.lines,
            self.frames,
            self.messages,
        ]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._channel.close()

    def send(self, count: int) -> None:
        """Send so many requests, the kinds taking turns at random."""
        for _ in range(count):
            kind = self._chance.choice(self._kinds)
            try:
                outcome = kind()
            except (TimeoutError, httpx.TimeoutException) as error:
                outcome = "hung"
                self.faults.append(f"{kind.__name__}: {type(error).__name__}")
            self.outcomes[kind.__name__, outcome] += 1

    # -- kinds -----------------------------------------------------------------------------------------------

    def bodies(self) -> str:
        """JSON that does not fit."""
        kinds = ["application/json"] * 8 + ["multipart/form-data; boundary=x", "text/html", ""]
        path = self._chance.choice(PATHS)
        return self._post(path, odd_body(self._chance), {"content-type": self._chance.choice(kinds)})

    def tensors(self) -> str:
        """Tensors that do not fit."""
        body, headers = odd_tensors(self._chance)
        return self._post("/v2/models/shop/infer", body, headers)

    def forms(self) -> str:
        """Forms that do not fit."""
        chance = self._chance
        parts = []
        for _ in range(chance.randrange(5)):
            name = chance.choice([*NAMES, "request", "top", "promise", "explain"])
            file = '; filename="a.png"' if chance.random() < 0.3 else ""
            value = chance.choice([*(str(one).encode("utf-8", "replace") for one in ODD), odd_body(chance)])
            parts.append(b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (
                name.encode(), file.encode(), value))  # fmt: skip
        body = b"".join(parts) + b"--x--\r\n"
        if chance.random() < 0.5:
            body = mutated(chance, body)
        return self._post("/v1/predict", body, {"content-type": "multipart/form-data; boundary=x"})

    def lines(self) -> str:
        """HTTP/1.1 that is none, or not quite."""
        chance = self._chance
        body = odd_body(chance)
        head = [f"{chance.choice(['POST'] * 6 + ['GET', 'PUT', 'X', 'PRI'])} {chance.choice(PATHS)} HTTP/1.1"]
        head += ["Host: x", "Content-Type: application/json", "Connection: close"]
        length = chance.choice([str(len(body))] * 5 + ["-1", "x", "9" * 30, "5", "+7", ""])
        head += chance.choice([[f"Content-Length: {length}"]] * 4 + [["Transfer-Encoding: chunked"], []])
        head += chance.sample(
            [
                "Content-Length: 3", "X-A: " + "b" * 70_000, "Expect: 100-continue", "X-Timeout-Seconds: nan",
                "X-Request-Id: \x00", " folded", "Upgrade: h2c", "Upgrade: websocket",
                "Authorization: Basic x", "Transfer-Encoding: gzip, chunked", "Content-Encoding: gzip",
                "Range: bytes=0-", "Ü: ä",
            ],
            chance.choice([0, 0, 0, 1, 2]),
        )  # fmt: skip
        data = "\r\n".join(head).encode() + b"\r\n\r\n" + body
        choice = chance.random()
        if choice < 0.2:
            data = chance.randbytes(chance.randrange(1, 300))
        elif choice < 0.6:
            data = mutated(chance, data)
        return self._talk(self._http, data * chance.choice([1, 1, 1, 3]))

    def frames(self) -> str:
        """HTTP/2 frames at random after the right beginning, or anything at all."""
        chance = self._chance
        data = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
        for _ in range(chance.randrange(6)):
            payload = chance.randbytes(chance.choice([0, 4, 5, 6, 8, 40]))
            if chance.random() < 0.4:  # a header block in plain text: a call that may even be right
                payload = b"".join(
                    b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value
                    for name, value in (
                        (b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"x"),
                        (b"te", b"trailers"),
                        (b":path", chance.choice([*METHODS, STREAM]).encode()),
                        (b"content-type", chance.choice([b"application/grpc", b"text/html"])),
                    )
                )  # fmt: skip
            length = len(payload) if chance.random() < 0.9 else chance.randrange(2**24)
            kind = chance.choice([0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 200])
            stream = chance.choice([0, 1, 1, 1, 2, 3, 2**31 - 1])
            flags = chance.choice([0, 4, 5, 5, chance.randrange(256)])
            data += struct.pack(">I", length)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload
        if chance.random() < 0.2:
            data = chance.randbytes(chance.randrange(1, 300))
        return self._talk(self._grpc, data)

    def messages(self) -> str:
        """Messages of gRPC that are none, or say nonsense."""
        chance = self._chance
        method = chance.choice([*METHODS, STREAM, STREAM])
        data = chance.randbytes(chance.randrange(200))
        if chance.random() < 0.7:
            data = self._message(method).SerializeToString()
            data = mutated(chance, data) if chance.random() < 0.5 else data
        try:
            if method == STREAM:
                call = self._channel.stream_stream(method)
                for _ in call(iter([data] * chance.randrange(1, 5)), timeout=PATIENCE):
                    pass
            else:
                self._channel.unary_unary(method)(data, timeout=PATIENCE)
        except grpc.RpcError as error:
            code, told = error.code().name, error.details() or ""
            if code == "DEADLINE_EXCEEDED" or "Traceback" in told:
                self.faults.append(f"{method}: {code} {told[:200]}")
            if code in ("INTERNAL", "UNKNOWN", "UNAVAILABLE", "DATA_LOSS") and method.startswith(OURS):
                self.faults.append(f"{method}: {code} {told[:200]} for {data!r:.200}")
            return code
        return "OK"

    def _message(self, method: str) -> object:
        chance = self._chance
        text = chance.choice([one for one in ODD if isinstance(one, str)])
        product = pb.Product(title=text, fields={text[:20]: text}, attributes={"a": text}, picture=b"BM")
        options = pb.Options(top=chance.choice([0, 3, 2**31 - 1]), promise=chance.choice([None, -1.0, 0.7]))
        if method == STREAM or METHODS[method] is pb.PredictRequest:
            return (pb.PredictStreamRequest if method == STREAM else pb.PredictRequest)(
                product=product, options=options
            )
        if METHODS[method] is pb.PredictBatchRequest:
            return pb.PredictBatchRequest(products=[product] * chance.randrange(4), options=options)
        request = v2.ModelInferRequest(model_name="shop", id=text)
        shape = [chance.choice([0, 1, 2, -1, 10**12])]
        request.inputs.add(name="title", datatype=chance.choice(["BYTES", "FP16", "x"]), shape=shape)
        request.raw_input_contents.extend([chance.randbytes(chance.randrange(9))] * chance.randrange(3))
        request.inputs[0].contents.bytes_contents.extend(
            [chance.randbytes(3), b"boot"][: chance.randrange(3)]
        )
        return request

    # -- ways ------------------------------------------------------------------------------------------------

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> str:
        try:
            response = self._client.request(
                self._chance.choice(["POST"] * 9 + ["GET", "PUT", "HEAD", "OPTIONS"]),
                path, content=body, headers=headers,
            )  # fmt: skip
        except httpx.RemoteProtocolError:
            return "closed"
        self._judge(response.status_code, response.content, f"{path} {headers} {body!r:.300}")
        if response.headers.get("content-type") == "application/json" and response.request.method != "HEAD":
            json.loads(response.content)
        return str(response.status_code)

    def _talk(self, where: list[str], data: bytes) -> str:
        """Send bytes and read until the server closes; it must, once nothing more can come."""
        answer = b""
        with socket.create_connection((where[0], int(where[1])), PATIENCE) as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(65536):
                    answer += part
            except (ConnectionError, BrokenPipeError):
                pass
            except OSError as error:
                if isinstance(error, TimeoutError):
                    raise
        if not answer.startswith(b"HTTP/1.1 "):
            self._judge(0, answer, repr(data[:300]))
            return "closed" if not answer else "frames"
        status = int(answer[9:12])
        self._judge(status, answer, repr(data[:300]))
        return str(status)

    def _judge(self, status: int, body: bytes, sent: str) -> None:
        if status >= 500 or b"Traceback (most" in body or b"site-packages" in body:
            self.faults.append(f"{status} {body[:300]!r} for {sent}")
