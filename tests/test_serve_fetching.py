"""Fetching pictures: what is refused never sees a connection, what answers badly costs its picture alone."""

import asyncio
import os

import pytest

from hostile_addresses import forms
from picture_hosts import Canary, picture_host
from serve_shop import png
from shelfwise.addresses import Rules
from shelfwise.errors import PictureError
from shelfwise.serve.fetching import Fetcher, FetchOptions
from shelfwise.serve.limits import Limits

PICTURE = png()


@pytest.fixture(scope="module")
def host():
    with picture_host(PICTURE) as running:
        yield running


def fetch(address, host=None, **settings):
    """Bytes or a code, from hosts that are trusted."""
    limits = Limits(**{"picture": 100_000, "fetch_time": 2.0} | settings.pop("limits", {}))
    rules = settings.pop("rules", None) or Rules(hosts=(f"127.0.0.1:{host.port}",))

    async def ask():
        try:
            return await Fetcher(FetchOptions(rules, limits, **settings)).fetch(address)
        except PictureError as error:
            return error.code

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "path", ["picture/a.png", "gzip/a.png", "to/picture/a.png", "to/../picture", "to///{}/picture"]
)
def test_a_picture_comes_as_it_lies_there(host, path):
    address = f"{host.url}/{path}".replace("to/picture", "to//picture")
    assert fetch(address.format(f"127.0.0.1:{host.port}"), host) == PICTURE


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("status/404", "address_status"), ("status/500", "address_status"), ("status/204", "address_status"),
        ("status/206", "address_status"), ("status/304", "address_status"), ("none", "address_status"),
        ("loop/", "address_redirects"), ("large", "address_too_large"), ("endless", "address_too_large"),
        ("bomb", "address_too_large"), ("packed", "address_encoding"), ("damaged", "address_encoding"),
        ("short", "address_failed"), ("headers", "address_failed"), ("drip", "address_time"),
        ("to/file:///etc/passwd", "address_refused"), ("to/gopher://127.0.0.1/", "address_refused"),
    ],
)  # fmt: skip
def test_a_bad_answer_has_its_code(host, path, code):
    assert fetch(f"{host.url}/{path}", host) == code


def test_at_most_three_redirects(host):
    paths = ["picture"]
    for _ in range(4):
        paths.append(f"to//{paths[-1]}")
    assert [fetch(f"{host.url}/{path}", host) for path in paths] == [PICTURE] * 4 + ["address_redirects"]


def test_nobody_who_listens_is_told(host):
    asked = len(host.asked)
    assert fetch(f"{host.url}/picture", host) == PICTURE
    assert fetch(f"{host.url}/to//picture", host) == PICTURE
    for _, headers in host.asked[asked:]:
        assert not {"Cookie", "Authorization", "Referer", "Proxy-Authorization"} & set(headers)
        assert headers["User-Agent"].startswith("shelfwise/")


def test_proxies_and_passwords_of_the_environment_are_not_used(host, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    with Canary() as canary:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
        monkeypatch.setenv("NETRC", str(netrc))
        assert fetch(f"{host.url}/picture", host) == PICTURE
        assert canary.count == 0
    assert "Authorization" not in host.asked[-1][1]


async def _found(name, port):
    """A resolver of all names that leads to this machine, as an attacker's does."""
    return ["127.0.0.1", "::1"]


def test_no_disguise_of_this_machine_is_connected_to():
    asked = []
    with Canary() as canary:
        rules = Rules(ports=(80, 443, canary.port))
        for address in forms(canary.port):
            got = fetch(address, rules=rules, lookup=_found, told=lambda *where: asked.append(where))
            assert got == "address_refused", address
        assert (canary.count, asked) == (0, [])


def test_the_canary_sings_where_it_may():
    asked = []
    with Canary() as canary:
        rules = Rules(hosts=(f"127.0.0.1:{canary.port}",))
        address = f"http://127.0.0.1:{canary.port}/"
        assert fetch(address, rules=rules, told=lambda *where: asked.append(where)) == "address_failed"
        assert canary.count >= 1
        assert set(asked) == {("127.0.0.1", canary.port)}


def test_a_redirect_to_what_is_private_is_not_followed(host):
    asked = []
    with Canary() as canary:
        for address in forms(canary.port):
            if address.isascii() and address.isprintable() and " " not in address:
                got = fetch(f"{host.url}/to/{address}", host, told=lambda *where: asked.append(where))
                assert str(got).startswith("address_"), address
        assert canary.count == 0
    assert set(asked) == {("127.0.0.1", host.port)}


def test_a_name_that_leads_elsewhere_the_next_time_leads_nowhere():
    """Rebinding: public when it is checked, this machine whenever it is looked up again."""
    asked, answers = [], []

    async def rebinding(name, port):
        answers.append("127.0.0.1" if answers else "8.8.8.8")
        return [answers[-1]]

    def told(*where):
        asked.append(where)
        raise ConnectionRefusedError  # nothing leaves this machine

    with Canary() as canary:
        rules = Rules(ports=(canary.port,))
        address = f"http://rebind.shop.com:{canary.port}/"
        codes = [fetch(address, rules=rules, lookup=rebinding, told=told) for _ in range(3)]
        assert canary.count == 0
    assert codes == ["address_failed", "address_refused", "address_refused"]
    assert asked == [("8.8.8.8", canary.port)]
    assert answers == ["8.8.8.8", "127.0.0.1", "127.0.0.1"]  # once an address, never again


def test_a_trusted_name_that_leads_to_the_keys_of_a_cloud_is_refused():
    async def keys(name, port):
        return ["169.254.169.254"]

    asked = []
    got = fetch("http://cdn.shop.com/", rules=Rules(hosts=("cdn.shop.com",)), lookup=keys,
                told=lambda *where: asked.append(where))  # fmt: skip
    assert (got, asked) == ("address_refused", [])


def test_only_so_many_are_fetched_at_a_time(host):
    running, most = 0, 0

    async def slow(name, port):
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(0.02)
        running -= 1
        return ["10.0.0.1"]

    async def ask():
        fetcher = Fetcher(FetchOptions(limits=Limits(fetches=3), lookup=slow))
        asked = (fetcher.fetch(f"http://a{i}.shop.com/") for i in range(12))
        return await asyncio.gather(*asked, return_exceptions=True)

    assert {error.code for error in asyncio.run(ask())} == {"address_refused"}
    assert most == 3


def test_nothing_is_left_open(host):
    async def ask():
        fetcher = Fetcher(FetchOptions(Rules(hosts=(f"127.0.0.1:{host.port}",)), Limits(fetch_time=0.3)))
        before = len(os.listdir("/proc/self/fd"))
        paths = ["picture", "drip", "short", "to/file:///x", "none"] * 4
        await asyncio.gather(*(fetcher.fetch(f"{host.url}/{p}") for p in paths), return_exceptions=True)
        await asyncio.sleep(0.1)
        return len(os.listdir("/proc/self/fd")) - before

    with_server = asyncio.run(ask())  # the host of this process closes its ends a little later
    assert with_server <= 20
