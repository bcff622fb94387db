"""Clients that others wrote talk to both doors: Open Inference Protocol, Triton, health, reflection."""

import json
import os
import signal
import subprocess
import threading
from pathlib import Path

import grpc
import httpx
import polars as pl
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from open_inference.openapi import InferenceRequest, RequestInput, RequestOutput, TensorData
from open_inference.openapi.client import OpenInferenceClient
from open_inference.openapi.core.api_error import ApiError
from open_inference.openapi.errors import BadRequestError, NotFoundError

from serve_shop import offline, same, serving
from shelfwise.predictions import PredictOptions

ROOT = Path(__file__).parent.parent
TRITON = Path(os.environ.get("SHELFWISE_TRITON", ROOT / ".triton" / "bin" / "python"))


@pytest.fixture(scope="module")
def server(saved):
    with serving(f"shop={saved}", "--lame-duck", "0") as running:
        yield running


@pytest.fixture(scope="module")
def titles(demo):
    return pl.read_parquet(demo.catalogue)["title"].drop_nulls().head(12).to_list()


@pytest.fixture(scope="module")
def wanted(model, titles):
    """What the library says of the titles."""
    return offline(model, [{"title": title} for title in titles], PredictOptions(top=3))


@pytest.fixture
def client(server):
    """The public client of the protocol."""
    with httpx.Client(timeout=30, trust_env=False) as opened:
        yield OpenInferenceClient(base_url=server.http, httpx_client=opened)


def asked(data, name="title", datatype="BYTES", shape=None, outputs=None):
    tensor = RequestInput(
        name=name, shape=shape or [len(data)], datatype=datatype, data=TensorData(__root__=data)
    )
    return InferenceRequest(id="7", inputs=[tensor], parameters={"top": 3}, outputs=outputs)


def test_the_client_of_the_protocol_gets_the_answers_of_the_library(client, titles, wanted):
    client.check_server_liveness()
    client.check_server_readiness()
    client.check_model_readiness("shop")
    about = client.read_model_metadata("shop")
    client.check_model_version_readiness("shop", about.versions[0])
    said = client.read_server_metadata()
    answer = client.model_infer("shop", request=asked(titles))
    version = client.model_version_infer("shop", about.versions[0], request=asked(titles))
    outputs = {one.name: one.data.__root__ for one in answer.outputs}

    assert (said.name, said.extensions) == ("shelfwise", ["binary_tensor_data"])
    assert client.read_model_version_metadata("shop", about.versions[0]) == about
    assert {"category", "confidence"} <= {one.name for one in about.outputs}
    assert (answer.id, answer.model_name, answer.model_version) == ("7", "shop", about.versions[0])
    assert version.outputs == answer.outputs
    assert outputs["category"] == [one["category"] for one in wanted]
    assert same(outputs["confidence"], [one["confidence"] for one in wanted])


def test_the_client_of_the_protocol_understands_refusals(client):
    with pytest.raises(NotFoundError) as unknown:
        client.check_model_readiness("none")
    with pytest.raises(NotFoundError):
        client.check_model_version_readiness("shop", "1")
    with pytest.raises(ApiError) as other:
        client.model_infer("none", request=asked(["boot"]))
    assert isinstance(unknown.value.body["error"], str)
    assert other.value.status_code == 404
    for wrong in (
        asked(["boot"], shape=[2]),
        asked(["boot"], datatype="TEXT"),
        asked(["boot"], outputs=[RequestOutput(name="logits")]),
    ):
        with pytest.raises(BadRequestError) as refused:
            client.model_infer("shop", request=wrong)
        assert isinstance(refused.value.body["error"], str)


@pytest.mark.skipif(not TRITON.exists(), reason="make triton sets up Triton's clients")
def test_the_clients_of_triton_get_the_answers_of_the_library(server, titles, wanted):
    command = [TRITON, ROOT / "tests" / "triton_talk.py", server.http.removeprefix("http://"), server.grpc]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*command, "shop", json.dumps(titles)], capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stderr
    heard = json.loads(done.stdout)

    for said in heard.values():
        assert (said["live"], said["ready"], said["model"], said["none"]) == (True, True, True, False)
        assert "shelfwise" in said["server"]
        assert "title" in said["inputs"]
        for answer in said["answers"]:
            assert answer["category"] == [one["category"] for one in wanted]
            assert same(answer["confidence"], [one["confidence"] for one in wanted])
            assert answer["candidates"] == [c["category"] for one in wanted for c in one["candidates"]]
    assert heard["http"]["unknown"][0] == "404"
    assert heard["http"]["no_text"][0] == "400"
    assert "UTF-8" in heard["http"]["no_text"][1]
    assert heard["grpc"]["unknown"][0] == "StatusCode.NOT_FOUND"
    assert heard["grpc"]["no_text"][0] == "StatusCode.INVALID_ARGUMENT"


def test_health_is_checked_and_watched_until_the_end(saved):
    seen = []

    def watch(stub):
        try:
            seen.extend(one.status for one in stub.Watch(health_pb2.HealthCheckRequest(), timeout=30))
        except grpc.RpcError as error:
            seen.append(error.code())

    with serving(saved, "--lame-duck", "0.5") as server, grpc.insecure_channel(server.grpc) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        names = ("", "shelfwise.v1.Categorizer", "inference.GRPCInferenceService")
        checked = [stub.Check(health_pb2.HealthCheckRequest(service=name)).status for name in names]
        with pytest.raises(grpc.RpcError) as unknown:
            stub.Check(health_pb2.HealthCheckRequest(service="none"))
        watcher = threading.Thread(target=watch, args=(stub,))
        watcher.start()
        while not seen:
            watcher.join(0.01)
        os.kill(server.process.pid, signal.SIGTERM)
        watcher.join(30)

        assert server.process.wait(30) == 0
    serving_, gone = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    assert checked == [serving_] * 3
    assert unknown.value.code() == grpc.StatusCode.NOT_FOUND
    assert seen[:2] == [serving_, gone]


def test_reflection_is_enough_to_ask_as_grpcurl_does(server, titles, wanted):
    """Nothing of the package is used: services, methods and messages are those that the server describes."""
    with grpc.insecure_channel(server.grpc) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = descriptor_pool.DescriptorPool(database)
        services = set(database.get_services())
        method = pool.FindServiceByName("shelfwise.v1.Categorizer").FindMethodByName("Predict")
        request, response = (
            message_factory.GetMessageClass(kind) for kind in (method.input_type, method.output_type)
        )
        call = channel.unary_unary(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=request.SerializeToString, response_deserializer=response.FromString,
        )  # fmt: skip
        answer = call(request(product={"title": titles[0]}))
        described = {
            name: [one.name for one in pool.FindServiceByName(name).methods] for name in sorted(services)
        }

    assert answer.prediction.category == wanted[0]["category"]
    assert {"Predict", "PredictBatch", "PredictStream", "ListModels"} == set(
        described["shelfwise.v1.Categorizer"]
    )
    assert "ModelInfer" in described["inference.GRPCInferenceService"]
    assert {"Check", "Watch"} <= set(described["grpc.health.v1.Health"])
    assert isinstance(method.containing_service.file.serialized_pb, bytes)
    assert descriptor_pb2.FileDescriptorProto.FromString(method.containing_service.file.serialized_pb).service
