"""Addresses of strangers: which are public, how they are spelt, and that nothing else is connected to."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostile_addresses import FORMS
from shelfwise.addresses import Rules, Target, follow, is_public, is_reachable, read, resolve, socket_factory
from shelfwise.errors import AddressError, RecipeError

PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1",
    "127.9.9.9",
    "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1",
    "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16", "100.100.100.200",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:20::1", "2001:db8::1",
    "2002:7f00:1::", "2002:808:808::1", "3fff::1", "fc00::1", "fd00::1", "fd00:ec2::254", "fe80::1",
    "fe80::1%eth0",
    "fec0::1", "ff02::1", "5f00::1", "2606:4700::5efe:7f00:1", "2606:4700::200:5efe:7f00:1",
    "2606:4700:4700::1111%1", "4000::1",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.169.0.1",
          "223.255.255.255", "9.255.255.255", "11.0.0.0", "2606:4700:4700::1111", "2a00:1450:4001::200e",
          "2001:4860:4860::8888"]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public(address):
    assert is_public(address)
    assert is_reachable(address)


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_nothing_is_public_that_python_calls_private(ip):
    assert not (is_public(ip) and (ip.is_private or ip.is_multicast or ip.is_loopback or not ip.is_global))


@given(
    st.integers(0, 2**128 - 1).map(IPv6Address)
    | st.integers(0, 2**125 - 1).map(lambda n: IPv6Address(n + 2**125))
)
def test_nothing_is_public_that_python_calls_private_in_six(ip):
    assert not (is_public(ip) and (ip.is_private or ip.is_reserved or ip.is_multicast))


@given(st.integers(0, 2**32 - 1))
def test_no_disguise_of_an_ipv4_address_is_public(number):
    for disguise in (number, 0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80,
                     0x20010000 << 96 | number):  # fmt: skip
        assert not is_public(IPv6Address(disguise))


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "100.64.0.1", "fd12::1", "8.8.8.8"]
)
def test_a_trusted_host_may_be_private(address):
    assert is_reachable(address)


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "0.0.0.0", "224.0.0.1", "100.100.100.200", "168.63.129.16", "fe80::1",
    "fd00:ec2::254", "::",
     "ff02::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "::169.254.169.254"],
)  # fmt: skip
def test_the_keys_of_a_cloud_are_never_reached(address):
    assert not is_reachable(address)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("https://cdn.shop.com/a/b.jpg?w=3#top", "https://cdn.shop.com/a/b.jpg?w=3"),
        ("HTTP://CDN.Shop.COM.:80", "http://cdn.shop.com/"),
        ("https://cdn.shop.com:443/größe 38.jpg", "https://cdn.shop.com/gr%C3%B6%C3%9Fe%2038.jpg"),
        ("https://xn--bcher-kva.de/a%20b.jpg", "https://xn--bcher-kva.de/a%20b.jpg"),
        ("http://8.8.8.8/x", "http://8.8.8.8/x"),
        ("http://[2606:4700:4700:0::1111]:80/x", "http://[2606:4700:4700::1111]/x"),
        ("http://a.b?x=1", "http://a.b/?x=1"),
    ],
)
def test_each_address_has_one_spelling(address, url):
    target = read(address, Rules())

    assert target.url == url
    assert read(url, Rules()) == target


@pytest.mark.parametrize("address", FORMS)
def test_every_disguise_is_refused_by_name_or_by_what_it_leads_to(address):
    async def found(host, port):
        return ["8.8.8.8", "127.0.0.1"]  # as names such as localtest.me answer

    with pytest.raises(AddressError) as caught:
        asyncio.run(resolve(read(address, Rules()), Rules(), found))
    assert caught.value.code == "address_refused"


@given(
    st.text(max_size=40) | st.text(max_size=20).map("http://{}".format) | st.from_regex(r"https?://\S{0,20}")
)
def test_any_text_is_a_public_target_or_refused(text):
    try:
        target = read(text, Rules())
    except AddressError:
        return
    assert target.port in (80, 443)
    assert target.scheme in ("http", "https")
    assert read(target.url, Rules()) == target
    assert target.url.isascii()


@given(st.text(max_size=40) | st.sampled_from(FORMS))
def test_a_redirect_anywhere_is_a_target_or_refused(location):
    rules = Rules(hosts=("8.8.8.8",))
    try:
        target = follow(read("http://8.8.8.8/a/b", rules), location, rules)
    except AddressError:
        return
    assert target.host == "8.8.8.8"


def test_a_redirect_may_be_beside_its_page():
    here = read("http://a.b/c/d?e", Rules())
    for location, url in (("f", "http://a.b/c/f"), ("/f", "http://a.b/f"), ("//g.h/f", "http://g.h/f"),
                          ("https://g.h", "https://g.h/"), ("", "http://a.b/c/d?e")):  # fmt: skip
        assert follow(here, location, Rules()).url == url


def test_a_name_is_as_good_as_all_that_it_leads_to():
    def asked(*addresses):
        async def found(host, port):
            return list(addresses)

        return asyncio.run(resolve(Target("http", "a.b", 80, "/"), Rules(), found))

    assert asked("8.8.8.8", "1.1.1.1", "8.8.8.8") == ["8.8.8.8", "1.1.1.1"]
    for addresses in (["8.8.8.8", "10.0.0.1"], ["::1"], [], ["nonsense"], ["fe80::1%lo"], ["127.1"]):
        with pytest.raises(AddressError):
            asked(*addresses)


def test_what_cannot_be_found_and_what_is_private_look_alike():
    async def nobody(host, port):
        raise socket.gaierror("unknown")

    async def private(host, port):
        return ["10.0.0.1"]

    said = set()
    for lookup in (nobody, private):
        with pytest.raises(AddressError) as caught:
            asyncio.run(resolve(Target("http", "a.b", 80, "/"), Rules(), lookup))
        said.add((caught.value.code, str(caught.value)))
    assert len(said) == 1


def test_sockets_are_made_for_what_was_checked_alone():
    asked = []
    make = socket_factory(Target("http", "a.b", 80, "/"), ["8.8.8.8"], lambda *where: asked.append(where))
    for where in (("127.0.0.1", 80), ("8.8.8.8", 22), ("8.8.4.4", 80)):
        with pytest.raises(AddressError):
            make((socket.AF_INET, socket.SOCK_STREAM, 6, "", where))
    with make((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 80))) as made:
        assert made.family == socket.AF_INET
    assert asked == [("8.8.8.8", 80)]


def test_named_hosts_are_the_only_ones_and_may_be_private():
    rules = Rules(hosts=("CDN.shop.com", "images.lan:8080", "127.0.0.1:9000", "[::1]:9000", "fd12::1"))
    for address in ("https://cdn.shop.com/x", "http://images.lan:8080/x", "http://127.0.0.1:9000/",
                    "http://[::1]:9000/", "http://[fd12::1]/"):  # fmt: skip
        assert read(address, rules).url == address
    for address in ("https://shop.com/x", "http://images.lan/x", "http://images.lan:8081/",
    "http://127.0.0.1/",
                    "https://cdn.shop.com:8443/", "http://8.8.8.8/",
                    "http://cdn.shop.com.evil.com/"):  # fmt: skip
        with pytest.raises(AddressError):
            read(address, rules)

    async def keys(host, port):
        return ["169.254.169.254"]

    with pytest.raises(AddressError):
        asyncio.run(resolve(read("https://cdn.shop.com/x", rules), rules, keys))


def test_ports_are_chosen():
    assert read("http://a.b:8080/x", Rules(ports=(8080,))).port == 8080
    for address in ("http://a.b/", "http://a.b:22/", "http://a.b:99999/", "http://a.b:-1/", "http://a.b:x/"):
        with pytest.raises(AddressError):
            read(address, Rules(ports=(8080,)))


@pytest.mark.parametrize("given", ["", "a b", "http://x.y", "x:0", "x:70000", "a@b", "*.shop.com", "[x]:1"])
def test_a_host_that_is_none_is_told_at_the_start(given):
    with pytest.raises(RecipeError, match=r"host|port"):
        Rules(hosts=(given,))


def test_a_literal_address_is_never_looked_up():
    async def never(host, port):
        raise AssertionError(host)

    found = asyncio.run(resolve(read("http://8.8.8.8/", Rules()), Rules(), never))
    assert found == ["8.8.8.8"]


@pytest.mark.parametrize("address", ["http://127.0.0.1:8123/a", "http://localhost/a", "http://10.0.0.1/a"])
def test_rules_may_trust_every_private_host(address):
    assert Rules(private=True).trusts("anything", 8123)
    assert read(address, Rules(private=True)).url == address


def test_the_keys_of_a_cloud_are_never_asked():
    with pytest.raises(AddressError):
        asyncio.run(resolve(read("http://169.254.169.254/", Rules(private=True)), Rules(private=True)))
