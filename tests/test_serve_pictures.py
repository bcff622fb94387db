"""Pictures through a real server: hostile ones cost themselves, addresses answer as bytes do."""

import base64
import os
import signal
import time
from pathlib import Path

import grpc
import numpy as np
import pytest

from hostile_addresses import forms
from hostile_pictures import bases, monsters, mutated, scan_bomb
from picture_hosts import Canary, picture_host
from serve_shop import png, same, serving
from shelfwise.client import connect
from shelfwise.serve.proto.shelfwise.v1 import categorizer_pb2 as pb

PLAIN = {"product_id": "7", "title": "thing"}
PICTURE = png((20, 90, 200), 64)


@pytest.fixture(scope="module")
def host():
    with picture_host(PICTURE) as running:
        yield running


@pytest.fixture(scope="module")
def server(saved_seeing, host):
    listed = ("--picture-hosts", f"127.0.0.1:{host.port}", "--picture-time", "2", "--watch", "0")
    with serving(saved_seeing, *listed) as running:
        yield running


def product(data, **more):
    return {"product_id": "7", "title": "thing", "picture": base64.b64encode(data).decode(), **more}


def ask(server, products):
    answer = server.predict({"products": products})
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"]


def children(server):
    """Process ids of the server's processes: they belong to its threads."""
    tasks = Path(f"/proc/{server.process.pid}/task").iterdir()
    return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_hostile_pictures_cost_themselves(server):
    rng = np.random.default_rng(7)
    sound = bases(rng)
    sent = [mutated(data, rng) for _ in range(3) for data in sound.values()]
    sent += [data for name, data in monsters(rng).items() if "40 Mpx" not in name]
    before = ask(server, [product(PICTURE)])
    with connect(f"grpc://{server.grpc}") as client:
        for place in range(0, len(sent), 16):
            part = sent[place : place + 16]
            over_http = ask(server, [product(data) for data in part])
            over_grpc = client.predict([PLAIN | {"picture": data} for data in part]).predictions
            assert [one["status"] for one in over_http] == ["ok"] * len(part)
            assert [one.get("code") for one in over_http] == [one.code or None for one in over_grpc]
    assert server.process.poll() is None
    assert ask(server, [product(PICTURE)]) == before


def test_a_picture_without_end_is_given_up(server):
    (one,) = ask(server, [product(scan_bomb(2000, 2000))])

    assert (one["status"], one["code"]) == ("ok", "decoder_time")
    assert "7 takes longer than 2 s" in one["reason"]
    assert one["category"] == ask(server, [PLAIN])[0]["category"]


def test_the_decoder_s_death_is_not_the_server_s(server):
    ask(server, [product(PICTURE)])
    for pid in children(server):
        os.kill(pid, signal.SIGSEGV)
    assert "code" not in ask(server, [product(PICTURE)])[0]
    assert server.process.poll() is None


def test_a_picture_by_address_answers_as_the_same_by_bytes(server, host):
    (wanted,) = ask(server, [product(PICTURE)])
    by_address = PLAIN | {"picture_url": f"{host.url}/picture/a.png"}

    assert ask(server, [by_address]) == [wanted]
    assert ask(server, [PLAIN]) != [wanted]
    with connect(f"grpc://{server.grpc}") as client:
        (got,) = client.predict(by_address).predictions
    assert same({"confidence": got.confidence, "category": got.category},
                {name: wanted[name] for name in ("confidence", "category")})  # fmt: skip
    with grpc.insecure_channel(server.grpc) as channel:
        ask_one = channel.unary_unary(
            "/shelfwise.v1.Categorizer/Predict",
            pb.PredictRequest.SerializeToString,
            pb.PredictResponse.FromString,
        )
        named = pb.Product(product_id="7", title="thing", picture_url=by_address["picture_url"])
        answer = ask_one(pb.PredictRequest(product=named), timeout=30)
    assert np.float32(answer.prediction.confidence) == np.float32(wanted["confidence"])
    inputs = [
        {"name": name, "datatype": "BYTES", "shape": [1], "data": [value]}
        for name, value in by_address.items()
    ]
    with server.client() as client:
        infer = client.post("/v2/models/model/infer", json={"inputs": inputs})
    told = {one["name"]: one["data"][0] for one in infer.json()["outputs"]}
    assert told["confidence"] == wanted["confidence"]


def test_bytes_come_before_an_address(server, host):
    asked = len(host.asked)
    got = ask(server, [product(PICTURE, picture_url=f"{host.url}/status/500")])
    assert got == ask(server, [product(PICTURE)])
    assert len(host.asked) == asked


@pytest.mark.parametrize(
    ("path", "code"),
    [("status/404", "address_status"), ("to/http://10.0.0.1/", "address_refused"), ("large",
    "address_too_large"),
     ("loop/", "address_redirects")],
)  # fmt: skip
def test_an_address_that_fails_costs_the_picture(server, host, path, code):
    (one,) = ask(server, [PLAIN | {"picture_url": f"{host.url}/{path}"}])
    (wanted,) = ask(server, [PLAIN])

    assert (one["status"], one["code"]) == ("ok", code)
    assert one["reason"]
    assert {name: one[name] for name in ("category", "confidence")} == {
        name: wanted[name] for name in ("category", "confidence")
    }


def test_no_disguise_of_this_machine_is_connected_to(saved_seeing):
    with Canary() as canary:
        addresses = forms(canary.port)
        ports = ("--picture-ports", str(canary.port), "--picture-ports", "80")
        with serving(saved_seeing, "--picture-urls", *ports, "--watch", "0") as server:
            sent = [{"title": "thing", "picture_url": address} for address in addresses]
            codes = [one.get("code") for one in ask(server, sent)]
        assert codes == ["address_refused"] * len(addresses)
        assert canary.count == 0


def test_addresses_are_off_where_nobody_asked_for_them(saved_seeing, host):
    asked = len(host.asked)
    with serving(saved_seeing, "--watch", "0") as server:
        (one,) = ask(server, [{"title": "thing", "picture_url": f"{host.url}/picture"}])
        assert (one["status"], one["code"]) == ("ok", "addresses_off")
        with server.client() as client:
            page = client.get("/metrics").text
            body = {"products": {"title": "a", "picture_url": "http://a.b/"}, "categories": "x"}
            assert client.post("/v1/corrections", json=body).json()["error"]["code"] == "picture_url"
    assert 'shelfwise_pictures_total{outcome="addresses_off"}' in page
    assert len(host.asked) == asked


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_server(saved_seeing, how):
    with serving(saved_seeing, "--lame-duck", "0", "--watch", "0") as server:
        ask(server, [product(PICTURE)])
        workers = children(server)
        assert workers
        os.kill(server.process.pid, how)
        server.process.wait(30)
        for _ in range(100):
            if not any(map(alive, workers)):
                break
            time.sleep(0.05)
        assert not any(map(alive, workers))


def test_a_request_s_time_holds_for_its_pictures(server):
    slow = product(scan_bomb(2000, 2000))
    with server.client() as client:
        answer = client.post(
            "/v1/predict", json={"products": [slow] * 6}, headers={"X-Timeout-Seconds": "0.5"}
        )
    assert answer.status_code == 504
    assert ask(server, [product(PICTURE)])[0]["status"] == "ok"
