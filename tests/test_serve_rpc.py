"""The gRPC door, on a real port: the same answers as over HTTP, refusals, deadlines, health, reflection."""

import grpc
import polars as pl
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from serve_shop import offline, rows, same
from shelfwise.client.rpc import from_message
from shelfwise.predictions import PredictOptions
from shelfwise.serve.proto.inference import grpc_predict_v2_pb2 as v2
from shelfwise.serve.proto.shelfwise.v1 import categorizer_pb2 as pb


@pytest.fixture(scope="module")
def sent(demo):
    return pl.read_parquet(demo.catalogue).select("^(product_id|title|brand)$").head(20).to_dicts()


def method(channel, name, kind=None):
    """A method of the Categorizer."""
    make = getattr(channel, kind or "unary_unary")
    return make(
        f"/shelfwise.v1.Categorizer/{name}",
        request_serializer=getattr(pb, f"{name}Request").SerializeToString,
        response_deserializer=getattr(pb, f"{name}Response").FromString,
    )


def infer(channel, name, request):
    """A call of the inference service."""
    call = channel.unary_unary(
        f"/inference.GRPCInferenceService/{name}",
        request_serializer=getattr(v2, f"{name}Request").SerializeToString,
        response_deserializer=getattr(v2, f"{name}Response").FromString,
    )
    return call(request)


def products(sent):
    return [pb.Product(**{name: value for name, value in one.items() if value is not None}) for one in sent]


@pytest.mark.parametrize(
    "options", [PredictOptions(), PredictOptions(top=2, promise=0.6), PredictOptions(explain=True)]
)
def test_answers_are_those_of_the_library(channel, model, sent, options):
    wanted = offline(model, sent, options)
    wishes = pb.Options(top=options.top, promise=options.promise, explain=options.explain)
    batch = method(channel, "PredictBatch")(pb.PredictBatchRequest(products=products(sent), options=wishes))
    one = method(channel, "Predict")(pb.PredictRequest(product=products(sent)[0], options=wishes))

    assert same(rows(from_message(batch).predictions), wanted)
    assert batch.predictions[0] == one.prediction
    assert batch.model == one.model


def test_a_stream_is_answered_in_its_order(channel, sent):
    asked = [pb.PredictStreamRequest(product=one) for one in products(sent) * 20]
    answers = list(method(channel, "PredictStream", "stream_stream")(iter(asked)))

    assert [one.prediction.product_id for one in answers] == [one.product.product_id for one in asked]


def test_a_burst_of_calls_is_answered_or_told_that_it_is_too_much(channel):
    """The core gets to see all of them before the event loop does, and cancels none."""
    predict = method(channel, "Predict")
    asked = [predict.future(pb.PredictRequest(product=pb.Product(title="boot"))) for _ in range(500)]
    codes = {one.code() for one in asked}

    assert grpc.StatusCode.OK in codes
    assert codes <= {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}


def test_attributes_and_own_columns_are_read(channel):
    product = pb.Product(title="boot", attributes={"nothing": "x"}, fields={"other": "y"})
    answer = method(channel, "Predict")(pb.PredictRequest(product=product))

    assert "other" in answer.ignored


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (pb.PredictBatchRequest(products=[pb.Product(title="x")] * 51), grpc.StatusCode.INVALID_ARGUMENT),
        (pb.PredictBatchRequest(options=pb.Options(model="other")), grpc.StatusCode.NOT_FOUND),
        (pb.PredictBatchRequest(options=pb.Options(promise=2.0)), grpc.StatusCode.INVALID_ARGUMENT),
        (pb.PredictBatchRequest(options=pb.Options(top=5000)), grpc.StatusCode.INVALID_ARGUMENT),
        (
            pb.PredictBatchRequest(products=[pb.Product(title="x" * 300_000)]),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
        ),
    ],
)
def test_requests_that_do_not_fit_are_refused(channel, request_, status):
    with pytest.raises(grpc.RpcError) as refused:
        method(channel, "PredictBatch")(request_)

    assert refused.value.code() == status


def test_a_deadline_that_has_passed_ends_the_call(channel):
    with pytest.raises(grpc.RpcError) as late:
        method(channel, "Predict")(pb.PredictRequest(product=pb.Product(title="x")), timeout=1e-6)

    assert late.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_bytes_that_are_no_message_are_refused(channel):
    raw = channel.unary_unary("/shelfwise.v1.Categorizer/Predict")
    for data in (b"\xff" * 40, b"\x0a\xff\xff\xff\xff\x0f", bytes(range(256))):
        with pytest.raises(grpc.RpcError):
            raw(data)

    assert method(channel, "Predict")(pb.PredictRequest(product=pb.Product(title="x"))).prediction.category


def test_health_and_reflection_answer(channel):
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", "shelfwise.v1.Categorizer", "inference.GRPCInferenceService"):
        found = health.Check(health_pb2.HealthCheckRequest(service=service))
        assert found.status == health_pb2.HealthCheckResponse.SERVING
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="shelfwise.v1.Categorizer"),
    ]
    listed, described = stub.ServerReflectionInfo(iter(asked))

    names = {one.name for one in listed.list_services_response.service}
    assert {"shelfwise.v1.Categorizer", "inference.GRPCInferenceService", "grpc.health.v1.Health"} <= names
    assert described.file_descriptor_response.file_descriptor_proto


def test_models_are_listed(channel, model):
    (about,) = method(channel, "ListModels")(pb.ListModelsRequest()).models

    assert (about.model.name, about.categories) == ("shop", len(model.taxonomy_.labels))


# -- Open Inference Protocol ---------------------------------------------------------------------------------


def test_tensors_are_answered_typed_and_raw(channel, server, sent):
    titles = [one["title"] for one in sent]
    wanted = server.predict({"products": [{"title": title} for title in titles]}).json()["predictions"]
    typed = v2.ModelInferRequest(model_name="shop", id="7")
    typed.inputs.add(name="title", datatype="BYTES", shape=[len(titles)])
    for name in ("category", "confidence"):
        typed.outputs.add(name=name)
    raw = v2.ModelInferRequest()
    raw.CopyFrom(typed)
    typed.inputs[0].contents.bytes_contents.extend(title.encode() for title in titles)
    packed = b"".join(len(title.encode()).to_bytes(4, "little") + title.encode() for title in titles)
    raw.raw_input_contents.append(packed)

    one, other = infer(channel, "ModelInfer", typed), infer(channel, "ModelInfer", raw)

    assert one.id == "7"
    assert [c.decode() for c in one.outputs[0].contents.bytes_contents] == [w["category"] for w in wanted]
    assert same(list(one.outputs[1].contents.fp32_contents), [w["confidence"] for w in wanted])
    first = wanted[0]["category"].encode()
    assert other.raw_output_contents[0].startswith(len(first).to_bytes(4, "little") + first)


def test_metadata_names_what_goes_in_and_comes_out(channel):
    about = infer(channel, "ModelMetadata", v2.ModelMetadataRequest(name="shop"))
    ready = infer(channel, "ModelReady", v2.ModelReadyRequest(name="shop", version=about.versions[0]))
    other = infer(channel, "ModelReady", v2.ModelReadyRequest(name="none"))

    assert "title" in {one.name for one in about.inputs}
    assert "category" not in {one.name for one in about.inputs}
    assert {"category", "confidence"} <= {one.name for one in about.outputs}
    assert (ready.ready, other.ready) == (True, False)
    assert infer(channel, "ServerLive", v2.ServerLiveRequest()).live
    assert infer(channel, "ServerReady", v2.ServerReadyRequest()).ready
    assert infer(channel, "ServerMetadata", v2.ServerMetadataRequest()).name == "shelfwise"


def test_raw_contents_that_are_cut_are_refused(channel):
    request = v2.ModelInferRequest(model_name="shop", raw_input_contents=[b"\x09\x00\x00\x00ab"])
    request.inputs.add(name="title", datatype="BYTES", shape=[1])
    with pytest.raises(grpc.RpcError) as refused:
        infer(channel, "ModelInfer", request)

    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
