"""Several workers: one that is killed, an end without losses, models and corrections that reach all."""

import os
import re
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from serve_shop import serving
from shelfwise.categorizer import load
from shelfwise.cli import main
from shelfwise.client import ClientOptions, Retries, connect

BODY = {"products": {"title": "red leather boot"}}


def workers_of(server):
    """The process ids of the workers."""
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return sorted(child for child, line in lines.items() if b"spawn_main" in line)


def until(found, seconds=60.0):
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)


def versions(server, count=12):
    """What a number of connections are answered by: version and first category of each."""
    return {
        (said["model"]["version"], said["predictions"][0]["category"])
        for said in (server.predict(BODY).json() for _ in range(count))
    }


def count_requests(server):
    """Requests that were answered over HTTP, by all workers."""
    time.sleep(0.5)  # each counts for all a few times a second
    with server.client() as client:
        page = client.get("/metrics").text
    assert re.findall(r"^shelfwise_requests_under_way (\S+)$", page, re.M) == ["0.0"]
    return float(re.search(r'requests_total{door="http",outcome="200"} (\S+)', page)[1])


def correct(server, product, shelf):
    """Correct a product, over a connection of its own."""
    with server.client() as client:
        said = client.post("/v1/corrections", json={"products": product, "categories": shelf})
    assert said.status_code == 200, said.text


def test_one_that_is_killed_is_replaced_while_the_others_answer(saved):
    patient = ClientOptions(retries=Retries(attempts=8))
    stop, outcomes = threading.Event(), []

    def ask(address):
        with connect(address, patient) as client:
            while not stop.is_set():
                outcomes.append(client.predict(BODY["products"]).predictions[0].category)

    with serving(saved, "--workers", "2", "--lame-duck", "0.2") as server:
        before = workers_of(server)
        asking = [threading.Thread(target=ask, args=(to,)) for to in (server.http, f"grpc://{server.grpc}")]
        for thread in asking:
            thread.start()
        time.sleep(0.5)
        os.kill(before[0], signal.SIGKILL)
        until(lambda: len(now := workers_of(server)) == 2 and before[0] not in now)
        stop.set()
        for thread in asking:
            thread.join()
        code = server.stop()

    assert len(before) == 2
    assert len(set(outcomes)) == 1
    assert any("ended with code -9" in line for line in server.log)
    assert code == 0


def test_the_metrics_are_those_of_all(saved):
    with serving(saved, "--workers", "2", "--lame-duck", "0") as server:
        for _ in range(40):
            server.predict(BODY)

        assert count_requests(server) == 40


def test_corrections_reach_all_and_count_once(saved, tmp_path):
    journal = tmp_path / "corrections.jsonl"
    with serving(saved, "--workers", "2", "--corrections", journal, "--lame-duck", "0") as server:
        ((plain, before),) = versions(server)
        with server.client() as client:
            shelves = [one["category"] for one in client.get("/v1/taxonomy").json()["categories"]]
        shelf = next(one for one in shelves if one != before)
        others = [{"title": f"gadget {n} zyx"} for n in range(8)]
        threads = [threading.Thread(target=correct, args=(server, one, shelf)) for one in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        correct(server, BODY["products"], shelf)
        until(lambda: versions(server) == {(f"{plain}+9", shelf)})

    assert len(journal.read_text().splitlines()) == 9


@pytest.mark.parametrize("how", ["signal", "request"])
def test_a_new_model_reaches_all(saved, tmp_path, how):
    place = tmp_path / "shop"
    shutil.copytree(saved, place)
    with serving(place, "--workers", "2", "--watch", "0", "--admin", "--lame-duck", "0") as server:
        ((before, _),) = versions(server)
        load(saved).add_shelf("Gadgets > Zyx", words="gadget zyx").save(place)
        if how == "signal":
            os.kill(server.process.pid, signal.SIGHUP)
        else:
            with server.client() as client:
                said = client.post("/v1/models/shop/reload", headers={"content-type": "application/json"})
            assert said.status_code == 200
        until(lambda: before not in {version for version, _ in versions(server)})

        assert len(versions(server)) == 1


def test_workers_end_with_the_one_above_them(saved):
    with serving(saved, "--workers", "2", "--lame-duck", "0") as server:
        pids = workers_of(server)
        server.process.kill()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 30)

    assert len(pids) == 2


def test_what_a_worker_cannot_start_for_is_told(tmp_path):
    result = CliRunner().invoke(
        main, ["serve", str(tmp_path / "none"), "--workers", "2", "--http-port", "0", "--grpc-port", "0"]
    )

    assert result.exit_code == 2
    assert "no model folder" in result.output
