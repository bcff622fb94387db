"""The client: the same answers through either door, in threads and event loops; what is tried again."""

import asyncio
import http.server
import json
import threading

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_shop import serving
from shelfwise.client import ClientOptions, RefusedError, Retries, connect, connect_async
from shelfwise.client.rpc import short
from shelfwise.errors import RecipeError


@pytest.fixture(scope="module")
def server(saved):
    with serving(saved, "--lame-duck", "0") as running:
        yield running


@pytest.fixture(scope="module")
def sent(demo):
    return pl.read_parquet(demo.catalogue).select("^(product_id|title|brand|attributes)$").head(40).to_dicts()


def addresses(server):
    return [server.http, f"grpc://{server.grpc}"]


def test_both_doors_answer_the_same_to_the_last_digit(server, sent):
    answers = []
    for address in addresses(server):
        with connect(address) as client:
            answers.append(client.predict(sent, top=3, promise=0.6))
            answers.append(client.predict(sent[0], explain=True))

        async def ask(address=address):
            async with connect_async(address) as client:
                every = [one async for one in client.predict_all(sent, batch=7)]
                return await client.predict(sent, top=3, promise=0.6), every

        again, every = asyncio.run(ask())
        assert again == answers[-2]
        assert [one.product_id for one in every] == [one["product_id"] for one in sent]

    assert answers[0] == answers[2]
    assert answers[1] == answers[3]


def test_refusals_say_the_same_through_both_doors(server):
    said = []
    for address in addresses(server):
        with connect(address) as client, pytest.raises(RefusedError) as refused:
            client.predict({"title": "x"}, model="other")
        said.append((refused.value.kind, refused.value.code, str(refused.value)))

    assert said[0] == said[1]
    assert said[0][:2] == ("unknown", "unknown_model")


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_that_is_not_there_is_told(scheme):
    options = ClientOptions(timeout=5, retries=Retries(attempts=2, first=0.01))
    with connect(f"{scheme}://127.0.0.1:9", options) as client, pytest.raises(RefusedError) as refused:
        client.predict({"title": "x"})

    assert refused.value.kind == "unavailable"


def test_a_busy_server_is_asked_again():
    statuses = [429, 503, 200]
    answer = {"model": {"name": "m", "version": "v"}, "predictions": []}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            status = statuses.pop(0)
            body = json.dumps(
                answer if status == 200 else {"error": {"code": "busy", "message": "x"}}
            ).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        options = ClientOptions(retries=Retries(first=0.01))
        with connect(f"http://127.0.0.1:{server.server_port}", options) as client:
            assert client.predict([]).model.name == "m"
        server.shutdown()

    assert statuses == []


def test_waits_grow_within_bounds_and_end():
    retries = Retries(attempts=4, first=0.1, most=1.0)
    busy = RefusedError("busy", "busy", "x")
    asked = RefusedError("busy", "busy", "x", retry_after=0.9)

    assert 0.05 <= retries.wait(1, busy) <= 0.1
    assert 0.2 <= retries.wait(3, busy) <= 0.4
    assert 0.45 <= retries.wait(1, asked) <= 0.9
    assert retries.wait(4, busy) is None
    assert retries.wait(1, RefusedError("invalid", "x", "x")) is None
    assert Retries(attempts=10**9).wait(10**6, busy) <= 5


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_shortest_number_is_the_one_that_files_have(value):
    assert short(value) == float(str(np.float32(value)))


@pytest.mark.parametrize("address", ["localhost:8000", "ftp://x", "http://", ""])
def test_other_addresses_are_refused(address):
    with pytest.raises(RecipeError, match="http://HOST:PORT"):
        connect(address)
