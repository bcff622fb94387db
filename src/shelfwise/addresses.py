"""Which addresses of strangers may be asked: on the public internet, and nowhere else.

An address in a catalogue or a request can name anything that this machine reaches: services of its own, of
its network, of its cloud. So an address is taken apart strictly (one spelling of each host, or none), its
host is looked up once, every answer is checked, and the connection is made to just what was checked: a name
that leads elsewhere a moment later leads nowhere. A redirect is a new address.

    target = read(address, rules)                  spelling, scheme, host, port
    addresses = await resolve(target, rules)       looked up and checked
    socket_factory(target, addresses)              for the client: connects there and nowhere else
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from shelfwise.errors import AddressError, RecipeError

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""Finds the IP addresses of a host, as text."""

_PORTS = {"http": 80, "https": 443}
_LONGEST = 2048
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?").fullmatch
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)").fullmatch
_PLAIN = re.compile(r"[!-~]+").fullmatch  # printable ASCII without blanks
_HIDDEN = re.compile(r"[\x00-\x1f\x7f\\]").search  # what parsers drop, or take for a slash
_SAFE = "/%:@!$&'()*+,;=-._~?"  # of a path and a query
_LOCAL = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home.arpa")

# What `ipaddress` calls global differs between Python's versions; the registries of IANA do not.
_NOT_PUBLIC_4 = tuple(map(IPv4Network, (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
    "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "168.63.129.16/32",  # the services of Azure's hosts
)))  # fmt: skip
_PUBLIC_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(map(IPv6Network, (
    "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
)))  # fmt: skip
# Never even for a host that is trusted: no shop's pictures lie there, but the keys of its cloud do.
_NEVER_4 = tuple(map(IPv4Network, (
    "0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32", "100.100.100.200/32",
)))  # fmt: skip
_OWN_6, _KEYS_6, _SELF_6 = IPv6Network("fc00::/7"), IPv6Network("fd00:ec2::/32"), IPv6Address("::1")


@dataclass(frozen=True)
class Rules:
    """Which addresses may be asked.

    ports: of hosts on the public internet. hosts: where there are any, these alone may be asked, as HOST or
    HOST:PORT; they may be in a private network or on this machine. private: any host and port may be asked,
    in private networks and on this machine too.
    """

    ports: tuple[int, ...] = (80, 443)
    hosts: tuple[str, ...] = ()
    private: bool = False

    def __post_init__(self) -> None:
        for given in self.hosts:
            _trusted(given)

    def trusts(self, host: str, port: int) -> bool:
        """Whether a host was named, or all are trusted."""
        return self.private or any(
            host == named and port in ((wanted,) if wanted else self.ports)
            for named, wanted in map(_trusted, self.hosts)
        )


@dataclass(frozen=True)
class Target:
    """An address, taken apart: host in lower case without a dot at the end, an IPv6 one without brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """The address in its one spelling."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def is_public(address: str | IPv4Address | IPv6Address) -> bool:
    """Whether an IP address is one host on the public internet.

    IPv6 addresses that stand for IPv4 ones (mapped, compatible, 6to4, Teredo, NAT64, ISATAP) are not: what
    they lead to is decided by routers that are not known here.
    """
    ip = ip_address(address) if isinstance(address, str) else address
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _NOT_PUBLIC_4)
    if ip.scope_id is not None or ip not in _PUBLIC_6:
        return False
    isatap = int(ip) >> 32 & 0xFDFFFFFF == 0x5EFE
    return not isatap and not any(ip in network for network in _NOT_PUBLIC_6)


def is_reachable(address: str | IPv4Address | IPv6Address) -> bool:
    """Whether an IP address may be asked for a host that is trusted: public, private or this machine."""
    ip = ip_address(address) if isinstance(address, str) else address
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _NEVER_4)
    return is_public(ip) or ip == _SELF_6 or (ip in _OWN_6 and ip not in _KEYS_6 and ip.scope_id is None)


def read(address: str, rules: Rules) -> Target:
    """Take an address apart.

    Raises
    ------
    AddressError
        With the code "address_refused": it has another scheme, port or spelling, or names what is not public.

    """
    if len(address) > _LONGEST or _HIDDEN(address) or address != address.strip():
        raise _refused("it is too long, or holds signs that no address has")
    try:
        parts = urlsplit(address)
        port = parts.port
        path, query = quote(parts.path or "/", _SAFE), quote(parts.query, _SAFE)
    except ValueError as error:
        raise _refused(f"it cannot be read ({error})") from error
    if parts.scheme not in _PORTS:
        raise _refused("only http:// and https:// are fetched")
    if _PLAIN(parts.netloc) is None or "@" in parts.netloc or "%" in parts.netloc:
        raise _refused("its host is no name and port in ASCII (others are written as xn--...)")
    host = _host(parts.netloc)
    port = _PORTS[parts.scheme] if port is None else port
    target = Target(parts.scheme, host, port, path + (f"?{query}" if query else ""))
    _check(target, rules)
    return target


def follow(target: Target, location: str, rules: Rules) -> Target:
    """Take apart where a target leads on to, by itself or beside the target; AddressError as `read`."""
    try:
        address = urljoin(target.url, location)
    except ValueError as error:
        raise _refused(f"it leads on to what cannot be read ({error})") from error
    return read(address, rules)


async def resolve(target: Target, rules: Rules, lookup: Lookup | None = None) -> list[str]:
    """Return the IP addresses of a target's host; one that may not be asked spoils them all.

    Raises
    ------
    AddressError
        "address_refused": there is none, or not on the public internet. Which of the two is not told: names
        of a private network are nobody's business.

    """
    allowed = is_reachable if rules.trusts(target.host, target.port) else is_public
    try:
        found = [_literal(target.host)] if _literal(target.host) else None
        listed = found or [ip_address(one) for one in await (lookup or look_up)(target.host, target.port)]
    except (OSError, ValueError, UnicodeError) as error:
        raise _nowhere(target) from error
    if not listed or not all(one is not None and allowed(one) for one in listed):
        raise _nowhere(target)
    return list(dict.fromkeys(map(str, listed)))


async def look_up(host: str, port: int) -> list[str]:
    """Find the IP addresses of a host as the system does."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def socket_factory(
    target: Target, addresses: Sequence[str], told: Callable[[str, int], None] | None = None
) -> Callable[[tuple[Any, ...]], socket.socket]:
    """Return what makes sockets for a client: to these addresses and the target's port, and to no others.

    Parameters
    ----------
    target, addresses
            As `resolve` checked them.
    told
            Told of every address that a socket is made for.

    """
    allowed = {ip_address(one) for one in addresses}

    def make(about: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, where = about
        if ip_address(where[0]) not in allowed or where[1] != target.port:
            raise _nowhere(target)
        if told is not None:
            told(where[0], where[1])
        return socket.socket(family, kind, protocol)

    return make


def _check(target: Target, rules: Rules) -> None:
    """Refuse a target by its name and port; what its name leads to shows later."""
    if rules.trusts(target.host, target.port):
        return
    if rules.hosts:
        raise _refused(f"{target.host}, port {target.port}, is none of the hosts that are fetched from")
    if target.port not in rules.ports:
        raise _refused(f"port {target.port} is not fetched from")
    ip = _literal(target.host)
    if ip is not None and not is_public(ip):
        raise _nowhere(target)
    if ip is None and ("." not in target.host or target.host.endswith(tuple(f".{one}" for one in _LOCAL))):
        raise _nowhere(target)


def _host(netloc: str) -> str:
    """The host of an address in its one spelling; AddressError where it is none, or spelt in another way."""
    bracketed = netloc.startswith("[")
    host, rest = netloc[1:].split("]", 1) if bracketed else (netloc.partition(":")[0], "")
    if bracketed and (rest and not rest.startswith(":")):
        raise _refused("its host is followed by more than a port")
    if bracketed:
        ip = _literal(host)
        if not isinstance(ip, IPv6Address):
            raise _refused("there is no IPv6 address in its brackets")
        return str(ip)
    host = host.lower()
    host = host[:-1] if host.endswith(".") else host
    labels = host.split(".")
    if not host or len(host) > 253 or not all(map(_LABEL, labels)):
        raise _refused("its host is no name of a host")
    if _NUMBER(labels[-1]) and not isinstance(_literal(host), IPv4Address):
        raise _refused("its host is a number; write it as four decimal ones")
    return host


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    """The IP address that a host is, None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _trusted(given: str) -> tuple[str, int | None]:
    """Host and port (None: the usual ones) of a host that is named in the rules."""
    name, _, port = given.rpartition(":") if given.rpartition(":")[2].isdecimal() else (given, "", "")
    if given.count(":") > 1 and not given.startswith("["):
        name, port = f"[{given}]", ""
    try:
        if ":" in name and not name.startswith("["):
            raise _refused("its host is no name of a host")
        host = _host(name)
        number = int(port) if port else None
    except AddressError as error:
        raise RecipeError(f"{given!r} is no host: give a name such as cdn.shop.com, or name:port") from error
    if number is not None and not 0 < number < 65536:
        raise RecipeError(f"{given!r}: a port is a number from 1 to 65535")
    return host, number


def _refused(why: str) -> AddressError:
    return AddressError("address_refused", f"the address is not fetched: {why}")


def _nowhere(target: Target) -> AddressError:
    return _refused(f"{target.host} is no host on the public internet")
