"""The short way to products over gRPC: what the usual way says, to the byte, and calls that end early."""

import time

import grpc
import pytest

from serve_shop import SMALL, counted, serving, until
from shelfwise.serve.proto.shelfwise.v1 import categorizer_pb2 as pb

BOOT = pb.Product(title="red leather boot")
ONE = [
    pb.PredictRequest(product=BOOT, options=pb.Options(top=2)),
    pb.PredictRequest(product=BOOT, options=pb.Options(promise=0.6)),
    pb.PredictRequest(product=BOOT, options=pb.Options(explain=True)),
    pb.PredictRequest(product=BOOT, options=pb.Options(promise=2)),
    pb.PredictRequest(product=BOOT, options=pb.Options(model="none")),
    pb.PredictRequest(product=pb.Product(title="boot", fields={"nothing": "x"})),
    pb.PredictRequest(product=pb.Product(fields={"nothing": "x"})),
    pb.PredictRequest(),
]
MANY = [
    pb.PredictBatchRequest(products=[BOOT, pb.Product(title="wall clock"), pb.Product()]),
    pb.PredictBatchRequest(products=[BOOT] * 51),
    pb.PredictBatchRequest(products=[BOOT] * 40, options=pb.Options(explain=True)),
    pb.PredictBatchRequest(),
]
SENT = [
    *(("Predict", one.SerializeToString()) for one in ONE),
    *(("PredictBatch", many.SerializeToString()) for many in MANY),
    ("Predict", b"\xff" * 9), ("PredictBatch", b"\x0a\xff\xff\xff\xff\x0f"),
]  # fmt: skip


@pytest.fixture(scope="module")
def usual(saved):
    """To a server whose calls all go the usual way: they are traced, for a collector that is not there."""
    with (
        serving(f"shop={saved}", *SMALL, "--trace", "http://127.0.0.1:9") as running,
        grpc.insecure_channel(running.grpc) as opened,
    ):
        yield opened


def ask(channel, name, message, **settings):
    """The bytes of an answer, or code, details and trailing metadata of a refusal."""
    try:
        return channel.unary_unary(f"/shelfwise.v1.Categorizer/{name}")(message, **settings)
    except grpc.RpcError as error:
        return error.code(), error.details(), sorted(error.trailing_metadata())


@pytest.mark.parametrize(("name", "message"), SENT)
def test_both_ways_give_the_same(channel, usual, name, message):
    got, wanted = ask(channel, name, message), ask(usual, name, message)

    assert got == wanted


def test_some_of_them_are_answered_and_some_refused(channel):
    outcomes = [type(ask(channel, name, message)) for name, message in SENT]

    assert outcomes.count(bytes) == 8
    assert outcomes.count(tuple) == 6


def test_a_caller_that_goes_gives_back_its_place(server, channel):
    before = counted(server, "grpc", "CANCELLED")
    slow = pb.PredictBatchRequest(products=[BOOT] * 32, options=pb.Options(explain=True)).SerializeToString()
    asked = [channel.unary_unary("/shelfwise.v1.Categorizer/PredictBatch").future(slow) for _ in range(4)]
    time.sleep(0.02)
    for one in asked:
        one.cancel()
    until(lambda: counted(server, "grpc", "CANCELLED") + counted(server, "grpc", "OK") >= before + 4)

    with server.client() as client:
        assert "shelfwise_requests_under_way 0.0" in client.get("/metrics").text
    assert isinstance(ask(channel, "Predict", SENT[0][1]), bytes)


def test_a_call_without_a_message_is_told_so(channel):
    with pytest.raises(grpc.RpcError) as raised:
        channel.stream_unary("/shelfwise.v1.Categorizer/Predict")(iter([]))

    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert dict(raised.value.trailing_metadata()) == {"shelfwise-code": "message"}


def test_time_that_is_over_is_counted_and_gives_back_its_place(server, channel):
    slow = pb.PredictBatchRequest(products=[BOOT] * 32, options=pb.Options(explain=True)).SerializeToString()
    code, *_ = ask(channel, "PredictBatch", slow, timeout=0.003)

    assert code == grpc.StatusCode.DEADLINE_EXCEEDED
    with server.client() as client:
        until(lambda: "shelfwise_requests_under_way 0.0" in client.get("/metrics").text)


def test_a_busy_server_refuses_and_says_when_to_come_again(saved):
    going = [True]

    def products():
        while going:
            yield b""
            time.sleep(0.05)

    with (
        serving(f"shop={saved}", *SMALL, "--concurrency", "1") as server,
        grpc.insecure_channel(server.grpc) as channel,
    ):
        answers = channel.stream_stream("/shelfwise.v1.Categorizer/PredictStream")(products())
        next(answers)  # it has its place, and keeps it
        code, told, trailing = ask(channel, "Predict", SENT[0][1])
        going.clear()
        list(answers)
        until(lambda: isinstance(ask(channel, "Predict", SENT[0][1]), bytes))

    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert dict(trailing) == {"shelfwise-code": "busy", "grpc-retry-pushback-ms": "1000"}
    assert "as many requests as it can" in told


def test_a_token_is_asked_for(saved):
    with (
        serving(f"shop={saved}", *SMALL, "--token", "word") as server,
        grpc.insecure_channel(server.grpc) as channel,
    ):
        having = [("authorization", "Bearer word")]
        wrong = [[], [("authorization", "Bearer other")]]
        refused = [ask(channel, "Predict", SENT[0][1], metadata=one)[0] for one in wrong]

        assert refused == [grpc.StatusCode.UNAUTHENTICATED] * 2
        assert isinstance(ask(channel, "Predict", SENT[0][1], metadata=having), bytes)
        health = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert health(b"") == b"\x08\x01"
