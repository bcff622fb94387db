"""The server as a process: killed, stopped, asked by two at once, refused a port."""

from __future__ import annotations

import http.client
import random
import signal
import sqlite3
import threading
import time
import uuid

import pytest

from review_client import Client, served
from review_shop import make_shop
from shelfwise.errors import MissingExtraError, RecipeError
from shelfwise.review.decisions import Decisions
from shelfwise.review.server import ServerOptions, address_of, check_extra, is_loopback, open_socket

KILLS = 8


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_shop(tmp_path_factory.mktemp("shop"), 40, pictures=False)


def kept(path):
    store = Decisions(path, write=False)
    rows = store.since(0)
    store.close()
    return rows


class Worker(threading.Thread):
    """Decides and decides, and repeats a request that got no answer, until the server has gone."""

    def __init__(self, client, seed):
        super().__init__()
        self.client, self.chance = client, random.Random(seed)
        self.acknowledged: list[tuple[str, int]] = []
        self.asked: list[str] = []
        self.start()

    def run(self):
        try:
            while True:
                key = str(uuid.uuid4())
                self.asked.append(key)
                ids = self.chance.sample(range(40), self.chance.choice([1, 1, 3]))
                told = self.client.decide(*({"id": n, "action": "keep"} for n in ids), key=key)
                self.acknowledged.append((key, told["saved"]))
        except (OSError, http.client.HTTPException, KeyError):
            pass


def test_a_killed_server_has_lost_nothing_it_acknowledged_and_doubled_nothing(shop, tmp_path):
    path = tmp_path / "d.sqlite"
    acknowledged, asked, chance = {}, [], random.Random(0)
    for number in range(KILLS):
        with served(shop[0], "--decisions", str(path)) as client:
            workers = [Worker(Client(client.address, f"R{n}"), 10 * number + n) for n in range(2)]
            time.sleep(0.2 + chance.random() / 3)
            client.process.send_signal(signal.SIGKILL)
            client.process.wait()
            for worker in workers:
                worker.join()
                acknowledged |= dict(worker.acknowledged)
                asked += worker.asked
    rows = kept(path)
    by_key = {key: [row.id for row in rows if row.key == key] for key in {row.key for row in rows}}
    assert len(acknowledged) > KILLS
    assert all(len(by_key.get(key, [])) == saved for key, saved in acknowledged.items())
    assert all(len(ids) == len(set(ids)) for ids in by_key.values())
    assert set(by_key) <= set(asked)
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def test_after_a_kill_the_page_goes_on_where_it_was(shop, tmp_path):
    options = ("--decisions", str(tmp_path / "d.sqlite"))
    key = str(uuid.uuid4())
    with served(shop[0], *options) as client:
        client.decide({"id": 5, "action": "accept"}, key=key)
        client.process.send_signal(signal.SIGKILL)
    with served(shop[0], *options) as client:
        assert client.get("products/5")["state"] == "decided"
        assert client.decide({"id": 5, "action": "accept"}, key=key)["seq"] == 1  # the browser sends it again
        client.token = "of the server before"
        assert client.decide({"id": 6, "action": "keep"})["error"]["code"] == "token"


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_in_peace(shop, tmp_path, stop):
    with served(shop[0], "--decisions", str(tmp_path / "d.sqlite")) as client:
        client.decide({"id": 1, "action": "keep"})
        client.process.send_signal(stop)
        assert client.process.wait(20) == 0
        assert "All decisions are kept" in client.process.stderr.read()
    assert not (tmp_path / "d.sqlite-wal").exists()  # folded in
    assert len(kept(tmp_path / "d.sqlite")) == 1


def test_two_servers_on_one_file_see_each_other(shop, tmp_path):
    options = ("--decisions", str(tmp_path / "d.sqlite"))
    with served(shop[0], *options) as ada, served(shop[0], *options, who="Bob") as bob:
        ada.decide({"id": 3, "action": "move", "category": "Quite > New", "new": True})
        assert bob.get("products/3")["decision"] == "Quite > New"
        assert bob.get("shelves", q="quite")["items"][0]["category"] == "Quite > New"
        bob.decide({"id": 4, "action": "keep"})
        assert [line["id"] for line in ada.get("changes", since=1)["items"]] == [4]


def test_a_locked_file_is_told_and_the_decision_can_be_repeated(shop, tmp_path):
    path = tmp_path / "d.sqlite"
    with served(shop[0], "--decisions", str(path)) as client:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        told = client.decide({"id": 1, "action": "keep"})
        assert (told["status"], told["error"]["code"]) == (503, "locked")
        assert client.get("products/1")["state"] == "open"  # reading goes on
        other.execute("ROLLBACK")
        other.close()
        assert client.decide({"id": 1, "action": "keep"})["saved"] == 1


def test_look_only_decides_nothing(shop, tmp_path):
    with served(shop[0], "--look-only", "--decisions", str(tmp_path / "d.sqlite")) as client:
        assert not client.get("about")["can_decide"]
        assert client.decide({"id": 1, "action": "keep"})["error"]["code"] == "look_only"
        assert client.undo()["error"]["code"] == "look_only"
    assert kept(tmp_path / "d.sqlite") == []


def test_other_machines_are_let_in_only_when_that_is_said():
    with pytest.raises(RecipeError, match="--allow-remote"):
        open_socket(ServerOptions("0.0.0.0"))
    open_socket(ServerOptions("0.0.0.0", allow_remote=True)).close()


def test_a_port_that_is_taken_is_told():
    taken = open_socket(ServerOptions())
    taken.listen()
    port = taken.getsockname()[1]
    assert address_of(taken) == f"http://127.0.0.1:{port}/"
    with pytest.raises(RecipeError, match=f"port {port}"):
        open_socket(ServerOptions(port=port))
    taken.close()


@pytest.mark.parametrize(
    ("host", "own"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.8.9.1", True), ("0.0.0.0", False),
     ("192.168.0.7", False), ("shop.example", False), ("::", False)],
)  # fmt: skip
def test_which_addresses_are_this_machines_alone(host, own):
    assert is_loopback(host) is own


def test_an_address_of_another_machine_is_told():
    with pytest.raises(RecipeError, match="cannot listen"):
        open_socket(ServerOptions("192.0.2.1", allow_remote=True))
    with pytest.raises(RecipeError):
        open_socket(ServerOptions("no.such.host.invalid", allow_remote=True))


def test_a_missing_extra_is_named(monkeypatch):
    import sys

    check_extra()
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtraError, match=r"shelfwise\[review\]"):
        check_extra()
