"""Traces: what a real collector over OTLP/HTTP gets of a real server, and what it may not cost."""

import contextlib
import gzip
import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import polars as pl
import pytest

from serve_shop import png, serving
from shelfwise.categorizer import Categorizer
from shelfwise.errors import MissingExtraError, RecipeError
from shelfwise.recipe import PicturesRecipe, Recipe
from shelfwise.serve.proto.shelfwise.v1 import categorizer_pb2 as pb
from shelfwise.serve.tracing import Tracing, current, note, open_tracing, part

BODY = {"products": [{"title": "red leather boot"}, {"title": "wall clock"}], "promise": 0.6}
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    """A collector that keeps what it is sent; `spans` are plain dictionaries."""

    def __init__(self, status=200):
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        self.spans, self.resources, self.paths = [], [], []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.paths.append(self.path)
                if status == 200:
                    collector._take(ExportTraceServiceRequest.FromString(body))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _take(self, request):
        for group in request.resource_spans:
            self.resources.append(plain(group.resource.attributes))
            for scope in group.scope_spans:
                self.spans += [
                    {
                        "name": one.name, "trace": one.trace_id.hex(), "id": one.span_id.hex(),
                        "parent": one.parent_span_id.hex(), "kind": one.kind, "status": one.status.code,
                        "begun": one.start_time_unix_nano, "ended": one.end_time_unix_nano,
                        **plain(one.attributes),
                    }
                    for one in scope.spans
                ]  # fmt: skip

    def named(self, name):
        """The spans of one name, in the order in which they began."""
        return sorted((one for one in self.spans if one["name"] == name), key=lambda one: one["begun"])

    def below(self, span):
        """The parts of a span by name."""
        return {one["name"]: one for one in self.spans if one["parent"] == span["id"]}

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def plain(attributes):
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@pytest.fixture
def collector():
    made = Collector()
    yield made
    made.close()


@pytest.fixture(scope="module")
def recorded(saved):
    """What a collector got of a server: requests of every kind over both doors; which version answered."""
    collector = Collector()
    traced = {"traceparent": f"00-{TRACE}-{SPAN}-01", "x-request-id": "mine-1"}
    with serving(f"m={saved}", "--trace", collector.address, "--lame-duck", "0") as server:
        collector.version = server.predict(BODY, headers=traced).json()["model"]["version"]
        server.predict(BODY, headers={"traceparent": f"00-{'e' * 32}-{SPAN}-00", "x-request-id": "unsampled"})
        server.predict(BODY, headers={"traceparent": "00-zz-zz-01", "x-request-id": "odd"})
        server.predict(BODY | {"model": "none"}, headers={"x-request-id": "refused"})
        with ThreadPoolExecutor(16) as pool:
            ids = [{"x-request-id": f"many-{number}"} for number in range(16)]
            list(pool.map(lambda headers: server.predict(BODY, headers=headers), ids))
        with server.client() as client:
            client.get("/v2/models/m")
            client.get("/nothing/" + "x" * 500)
            for path in ("/health/live", "/health/ready", "/v2/health/live", "/metrics"):
                client.get(path)
        call(server.grpc)
        assert server.stop() == 0  # what was not sent yet is sent at the end
    collector.close()
    return collector


def call(address):
    """Ask over gRPC: one product, a stream of 300, a model that there is not."""
    metadata = (("traceparent", f"00-{TRACE}-{SPAN}-01"), ("x-request-id", "mine-2"))
    own, product = "/shelfwise.v1.Categorizer/", pb.Product(title="red leather boot")
    with grpc.insecure_channel(address) as channel:
        predict = channel.unary_unary(
            own + "Predict", pb.PredictRequest.SerializeToString, pb.PredictResponse.FromString
        )
        stream = channel.stream_stream(
            own + "PredictStream",
            pb.PredictStreamRequest.SerializeToString,
            pb.PredictStreamResponse.FromString,
        )
        predict(pb.PredictRequest(product=product), metadata=metadata)
        assert len(list(stream(pb.PredictStreamRequest(product=product) for _ in range(300)))) == 300
        with pytest.raises(grpc.RpcError):
            predict(pb.PredictRequest(product=product, options=pb.Options(model="none")))


def by_request(recorded, name):
    return {one.get("shelfwise.request.id"): one for one in recorded.named(name)}


def test_a_request_is_one_span_with_its_parts(recorded):
    span = by_request(recorded, "POST /v1/predict")["mine-1"]
    parts = recorded.below(span)

    assert (span["trace"], span["parent"], span["kind"]) == (TRACE, SPAN, 2)
    assert (span["http.route"], span["http.response.status_code"]) == ("/v1/predict", 200)
    assert (span["shelfwise.model.name"], span["shelfwise.products"]) == ("m", 2)
    assert span["shelfwise.model.version"] == recorded.version
    assert set(parts) == {"read", "queue", "model"}
    assert (parts["model"]["shelfwise.batch.requests"], parts["model"]["shelfwise.batch.products"]) == (1, 2)
    assert span["begun"] <= parts["read"]["begun"] <= parts["read"]["ended"] <= span["ended"]
    assert parts["queue"]["ended"] == parts["model"]["begun"] <= parts["model"]["ended"]
    assert recorded.paths[0] == "/v1/traces"
    assert recorded.resources[0]["service.name"] == "shelfwise"


def test_a_batch_tells_how_many_were_answered_together(recorded):
    requests = by_request(recorded, "POST /v1/predict")
    parts = [recorded.below(requests[f"many-{number}"])["model"] for number in range(16)]
    sizes = Counter((one["shelfwise.batch.requests"]) for one in parts)

    assert all(one["shelfwise.batch.products"] == 2 * one["shelfwise.batch.requests"] for one in parts)
    assert all(count % size == 0 for size, count in sizes.items())  # all of a batch say the same


def test_only_sampled_callers_are_recorded(recorded):
    requests = by_request(recorded, "POST /v1/predict")

    assert "unsampled" not in requests
    assert requests["odd"]["trace"] not in (TRACE, "e" * 32)
    assert requests["odd"]["parent"] == ""


def test_refusals_and_routes_are_told_and_probes_are_not(recorded):
    refused = by_request(recorded, "POST /v1/predict")["refused"]
    (model,) = recorded.named("GET /v2/models/{name}")
    (nowhere,) = recorded.named("GET")
    begun = [one for one in recorded.spans if one["kind"] == 2]

    assert (refused["http.response.status_code"], refused["shelfwise.refusal"]) == (404, "unknown_model")
    assert refused["status"] == 0  # the caller's mistake
    assert model["url.path"] == "/v2/models/m"
    assert len(nowhere["url.path"]) == 200
    assert len(begun) == 3 + 16 + 2 + 3


def test_calls_are_spans_and_take_over_their_callers(recorded):
    fine, refused = recorded.named("shelfwise.v1.Categorizer/Predict")
    (many,) = recorded.named("shelfwise.v1.Categorizer/PredictStream")

    assert (fine["trace"], fine["parent"], fine["kind"]) == (TRACE, SPAN, 2)
    assert (fine["rpc.method"], fine["rpc.grpc.status_code"]) == ("Predict", 0)
    assert (fine["shelfwise.request.id"], fine["shelfwise.model.name"]) == ("mine-2", "m")
    assert set(recorded.below(fine)) == {"queue", "model"}
    assert (refused["rpc.grpc.status_code"], refused["shelfwise.refusal"]) == (5, "unknown_model")
    assert (refused["status"], refused["parent"]) == (0, "")
    assert sum(one["parent"] == many["id"] for one in recorded.spans) == 256
    assert many["shelfwise.parts.left.out"] == 2 * 300 - 256


def test_pictures_are_a_part(demo, collector, tmp_path):
    pictures = PicturesRecipe(folder=str(demo.images), members=1)
    folder, some = tmp_path / "model", pl.read_parquet(demo.catalogue).head(150)
    Categorizer(Recipe(pictures=pictures)).fit(some).save(folder)
    with (
        serving(folder, "--trace", collector.address, "--lame-duck", "0") as server,
        server.client() as asker,
    ):
        files = {"title": (None, "red boot"), "picture": ("a.png", png())}
        assert asker.post("/v1/predict", files=files).status_code == 200
        server.stop()

    (span,) = collector.named("POST /v1/predict")
    assert collector.below(span)["pictures"]["shelfwise.pictures"] == 1


def test_the_environment_is_heard(saved, collector, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shelves")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    with serving(saved, "--lame-duck", "0") as server:
        server.predict(BODY)
        end = time.monotonic() + 20
        while not collector.named("POST /v1/predict") and time.monotonic() < end:
            time.sleep(0.05)
        assert collector.named("POST /v1/predict")  # sent while the server runs

    assert collector.resources[0]["service.name"] == "shelves"
    assert collector.resources[0]["deployment.environment.name"] == "test"


@pytest.mark.parametrize("broken", ["refuses", "never answers"])
def test_a_collector_that_fails_hurts_no_request(saved, broken, monkeypatch):
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    with contextlib.ExitStack() as stack:
        if broken == "refuses":
            failing = Collector(status=503)
            stack.callback(failing.close)
            address = failing.address
        else:
            taken = stack.enter_context(socket.socket())
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with serving(saved, "--trace", address, "--lame-duck", "0") as server:
            answers = [server.predict(BODY).status_code for _ in range(30)]
            begun = time.monotonic()
            code = server.stop()

    assert set(answers) == {200}
    assert code == 0
    assert time.monotonic() - begun < 15  # bounded, where an exporter alone tries on for half a minute


def test_nothing_is_imported_and_nothing_recorded_without_an_endpoint(monkeypatch):
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    script = (
        "import sys, json\nimport shelfwise.serve.http, shelfwise.serve.rpc\n"
        "from shelfwise.serve.tracing import open_tracing\n"
        "assert open_tracing(None) is None\nprint(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert not [name for name in json.loads(done.stdout) if name.startswith(("opentelemetry", "requests"))]
    assert current() is None
    note(products=1)
    with part("read"):
        pass


def test_wrong_endpoints_are_told(monkeypatch):
    for wrong in ("localhost:4318", "ftp://collector", "http://"):
        with pytest.raises(RecipeError, match="http://localhost:4318"):
            open_tracing(wrong)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(RecipeError, match="http/protobuf"):
        open_tracing("http://127.0.0.1:4317")


def test_the_environment_can_switch_it_off(monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert open_tracing("http://127.0.0.1:4318") is None
    monkeypatch.delenv("OTEL_SDK_DISABLED")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert open_tracing("http://127.0.0.1:4318") is None


def test_a_missing_extra_is_told(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(MissingExtraError, match=r"shelfwise\[tracing\]"):
        open_tracing("http://127.0.0.1:4318")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")

    assert open_tracing(None) is None
    assert "shelfwise[tracing]" in caplog.text


def test_an_endpoint_may_name_the_whole_path(collector):
    for address in (collector.address, collector.address + "/", collector.address + "/v1/traces"):
        tracing = open_tracing(address)
        assert isinstance(tracing, Tracing)
        trace = tracing.begin("test", {}, {})
        trace.end("test", {}, False)
        tracing.close()

    assert collector.paths == ["/v1/traces"] * 3
    assert [one["name"] for one in collector.spans] == ["test"] * 3
