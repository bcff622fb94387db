"""The process: draining, reloading while it is asked, tokens, ports, overload."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import httpx
import polars as pl
import pytest
from click.testing import CliRunner
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serve_shop import serving
from shelfwise.categorizer import Categorizer, load
from shelfwise.cli import main
from shelfwise.client import ClientOptions, RefusedError, Retries, connect

BODY = {"products": {"title": "red leather boot"}}


def ask_until(stop, make):
    """Ask again and again with what `make` gives until told to stop; the outcomes."""
    outcomes = []
    ask, close = make()
    while not stop.is_set():
        try:
            outcomes.append(ask())
        except Exception as error:
            outcomes.append(error)
    close()
    return outcomes


def test_a_server_that_ends_loses_nothing_of_clients_that_try_again(saved):
    stop = threading.Event()
    with serving(saved, "--lame-duck", "0.5", "--drain", "10") as server, serving(saved) as other:

        def over(address, second):
            """A client that asks the other server once the first refuses, as a balancer would make it."""

            def make():
                once = ClientOptions(retries=Retries(attempts=1))
                first, then = connect(address, once), connect(second, ClientOptions())

                def ask():
                    try:
                        return first.predict(BODY["products"]).predictions[0].category
                    except RefusedError:
                        return then.predict(BODY["products"]).predictions[0].category

                return ask, lambda: (first.close(), then.close())

            return make

        doors = [over(server.http, other.http), over(f"grpc://{server.grpc}", f"grpc://{other.grpc}")] * 4
        with ThreadPoolExecutor(len(doors)) as pool:
            running = [pool.submit(ask_until, stop, make) for make in doors]
            time.sleep(1)
            begun = time.monotonic()
            code = server.stop()
            seconds = time.monotonic() - begun
            time.sleep(0.3)
            stop.set()
            outcomes = [one for future in running for one in future.result()]

    assert code == 0
    assert seconds < 12
    assert len(outcomes) > 50
    assert {str(one) for one in outcomes} == {outcomes[0]}


def test_readiness_goes_before_the_server_does(saved):
    with serving(saved, "--lame-duck", "1.5") as server, server.client() as client:
        with grpc.insecure_channel(server.grpc) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            assert client.get("/health/ready").status_code == 200
            os.kill(server.process.pid, signal.SIGTERM)
            time.sleep(0.4)
            ready, live = client.get("/health/ready"), client.get("/health/live")
            said = health.Check(health_pb2.HealthCheckRequest())
            answered = client.post("/v1/predict", json=BODY)

        assert (ready.status_code, live.status_code, answered.status_code) == (503, 200, 200)
        assert answered.headers["connection"] == "close"
        assert said.status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert server.stop() == 0


@pytest.fixture(scope="module")
def other(demo, tmp_path_factory):
    """A model that answers otherwise than `saved`."""
    folder = tmp_path_factory.mktemp("other") / "model"
    frame = pl.read_parquet(demo.catalogue).with_columns(pl.col("category") + " old")
    Categorizer().fit(frame, split="split").save(folder)
    return folder


def test_models_are_reloaded_while_they_are_asked(saved, other, tmp_path):
    place = tmp_path / "model"
    shutil.copytree(saved, place)
    wanted = {}
    for folder in (saved, other):
        model = load(folder)
        frame = pl.DataFrame({model.roles_.title: ["red leather boot"]})
        wanted[model.predict(frame)["category"][0]] = folder
    stop, seen = threading.Event(), []

    def client():
        with httpx.Client(base_url=server.http, trust_env=False, timeout=30) as opened:
            while not stop.is_set():
                response = opened.post("/v1/predict", json=BODY)
                said = response.json()
                seen.append(
                    (response.status_code, said["model"]["version"], said["predictions"][0]["category"])
                )

    with serving(f"m={place}", "--watch", "0.2", "--admin", "--lame-duck", "0") as server:
        threads = [threading.Thread(target=client) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(6):
            time.sleep(0.3)
            load(saved if number % 2 else other).save(place)
            if number % 3 == 0:
                os.kill(server.process.pid, signal.SIGHUP)
            elif number % 3 == 1:
                with server.client() as admin:
                    assert admin.post("/v1/models/m/reload", json={}).status_code in (200, 503)
            time.sleep(0.8)
        stop.set()
        for thread in threads:
            thread.join()

    assert {status for status, _, _ in seen} == {200}
    by_version = {version: {category for _, v, category in seen if v == version} for _, version, _ in seen}
    assert len(by_version) == 2
    assert all(len(categories) == 1 for categories in by_version.values())
    assert set.union(*by_version.values()) == set(wanted)


def test_a_model_that_cannot_be_loaded_leaves_the_old_one(saved, tmp_path):
    place = tmp_path / "model"
    shutil.copytree(saved, place)
    with serving(f"m={place}", "--admin", "--lame-duck", "0") as server, server.client() as client:
        (place / "views.safetensors").write_bytes(b"nothing")
        response = client.post("/v1/models/m/reload", json={})

        assert (response.status_code, response.json()["error"]["code"]) == (503, "reload")
        assert client.post("/v1/predict", json=BODY).status_code == 200


def test_without_the_token_only_probes_are_answered(saved):
    with serving(saved, "--token", "secret", "--lame-duck", "0") as server, server.client() as client:
        paths = client.get("/openapi.json", headers={"authorization": "Bearer secret"}).json()["paths"]
        refused = {
            path: client.request(method, path).status_code
            for path, entry in paths.items()
            for method in entry
            if method in ("get", "post")
        }
        page = client.get("/", auth=("anyone", "secret"))
        right = ClientOptions(token="secret")
        wrong = ClientOptions(token="other", retries=Retries(attempts=1))
        answers = []
        for address in (server.http, f"grpc://{server.grpc}"):
            with connect(address, right) as known, connect(address, wrong) as unknown:
                answers.append(known.predict({"title": "boot"}).predictions[0].category)
                with pytest.raises(RefusedError) as error:
                    unknown.predict({"title": "boot"})
                assert error.value.kind == "token"

    probes = {"/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"}
    assert {path for path, status in refused.items() if status != 401} == probes
    assert page.status_code == 200
    assert answers[0] == answers[1]


def test_overload_is_refused_and_passes(saved):
    limits = ["--queue", "8", "--max-items", "8", "--concurrency", "64", "--lame-duck", "0"]
    refused, fine = [], []

    def client():
        body = {"products": [{"title": f"boot {n}"} for n in range(4)], "explain": True}
        with server.client() as opened:
            for _ in range(6):
                response = opened.post("/v1/predict", json=body)
                (refused if response.status_code == 429 else fine).append(response)

    with serving(saved, *limits) as server:
        threads = [threading.Thread(target=client) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        after = server.predict(BODY)

    assert refused
    assert fine
    assert {response.status_code for response in fine} == {200}
    assert all(int(response.headers["retry-after"]) >= 1 for response in refused)
    assert after.status_code == 200


def test_corrections_count_at_once_and_after_a_new_start(saved, tmp_path):
    journal = tmp_path / "corrections.jsonl"
    product = {"title": "entirely new gadget zyx"}
    with serving(saved, "--corrections", journal, "--lame-duck", "0") as server, server.client() as client:
        before = client.post("/v1/predict", json={"products": product}).json()
        shelf = client.get("/v1/taxonomy").json()["categories"][-1]["category"]
        body = {"products": product, "categories": shelf}
        wrong = client.post("/v1/corrections", json=body | {"categories": "No > Such"})
        said = client.post("/v1/corrections", json=body).json()
        after = client.post("/v1/predict", json={"products": product}).json()
    with serving(saved, "--corrections", journal, "--lame-duck", "0") as server:
        again = server.predict({"products": product}).json()

    assert before["predictions"][0]["category"] != shelf
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "category")
    assert said["corrected"] == 1
    assert after["predictions"][0]["category"] == shelf
    assert after["model"] == said["model"] == again["model"]
    assert after["model"]["version"] == before["model"]["version"] + "+1"
    assert again == after


# -- before it begins ----------------------------------------------------------------------------------------


def refused_start(*arguments):
    """What the command says when it does not start."""
    done = CliRunner().invoke(main, ["serve", *map(str, arguments)])
    assert done.exit_code == 2, done.output
    return done.output


def test_a_port_that_is_taken_is_told(saved):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert f"port {port}" in refused_start(saved, "--http-port", port, "--no-grpc")
        assert f"port {port}" in refused_start(saved, "--grpc-port", port, "--no-http")


def test_wrong_options_are_told(saved, tmp_path):
    assert "both doors" in refused_start(saved, "--no-http", "--no-grpc")
    assert "certificate" in refused_start(saved, "--tls-key", tmp_path / "key")
    assert "NAME=MODEL" in refused_start(f"bad name={saved}")
    assert "there is no model folder" in refused_start(tmp_path / "none", "--http-port", 0, "--grpc-port", 0)
    assert "queue" in refused_start(saved, "--queue", 1)


def test_interrupting_ends_the_server_in_peace(saved):
    with serving(saved, "--lame-duck", "0") as server:
        os.kill(server.process.pid, signal.SIGINT)

        assert server.process.wait(20) == 0


def test_a_server_that_is_ended_while_it_loads_ends():
    script = (
        "import time\nfrom shelfwise.serve.server import ServerOptions, run\n"
        "def load():\n    print('loading', flush=True)\n    time.sleep(60)\n"
        "run(load, ServerOptions(http_port=0, grpc_port=None))"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "loading\n"
        process.terminate()

        # Not -SIGTERM, by which a container's first process does not end.
        assert process.wait(20) == 128 + signal.SIGTERM


def test_help_is_instant():
    script = "import sys\nfrom shelfwise.cli import main\n"
    script += "try: main(['serve', '--help'])\nexcept SystemExit: pass\n"
    script += "print('loaded:', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert not {"numpy", "polars", "grpc", "uvicorn", "starlette"} & set(
        done.stdout.split("loaded:")[1].split()
    )
