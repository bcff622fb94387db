"""Why an address has no picture: a code each, what it means, and whether it may pass."""

from __future__ import annotations

LOCAL = "local"
OPTED_OUT = "opted_out"
UNKNOWN_HOST, REFUSED, UNREACHABLE = "unknown_host", "connection_refused", "unreachable"
TIMEOUT, BROKEN, CERTIFICATE, WAIT = "timeout", "broken", "certificate", "asked_to_wait"

_STATUS = "status_"
_PASSING_STATUS = frozenset([408, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524])

MEANINGS = {
    "address_refused": "no address on the public internet that is fetched from",
    UNKNOWN_HOST: "there is no host of this name",
    REFUSED: "the host takes no connections",
    UNREACHABLE: "no connection to the host",
    TIMEOUT: "the host did not answer in time",
    BROKEN: "the connection broke off, or the answer is no HTTP",
    CERTIFICATE: "the host cannot prove who it is (TLS)",
    WAIT: "the host asks to wait longer than a run does",
    "address_redirects": "leads on too often",
    "address_too_large": "more bytes than are fetched",
    "address_encoding": "packed in a way that was not asked for",
    OPTED_OUT: "the host does not want its picture to be used so (X-Robots-Tag)",
    "empty": "0 bytes",
    "not_a_picture": "no picture, such as a web page",
    "format": "a format that is not read, such as SVG or AVIF",
    "too_large": "more bytes than are decoded",
    "too_many_pixels": "more pixels than are decoded",
    "truncated": "cut off",
    "unreadable": "damaged inside",
    "decoder_memory": "needs more memory than a decoder has",
    "decoder_time": "takes longer than a decoder has",
    "decoder_died": "breaks its decoder",
    "decoder_missing": "no process for decoding starts",
    LOCAL: "a file and no address; it is not fetched",
}
"""Every code but those of HTTP (status_404), in words."""

_PASSING = frozenset([UNKNOWN_HOST, REFUSED, UNREACHABLE, TIMEOUT, BROKEN, WAIT, "decoder_missing"])


def of_status(status: int) -> str:
    """The code of an answer's status that brings no picture, such as "status_404"."""
    return f"{_STATUS}{status}"


def passes(code: str) -> bool:
    """Whether asking again later may help."""
    if code.startswith(_STATUS):
        return int(code.removeprefix(_STATUS)) in _PASSING_STATUS
    return code in _PASSING


def meaning(code: str) -> str:
    """What a code says, in words."""
    return f"HTTP {code.removeprefix(_STATUS)}" if code.startswith(_STATUS) else MEANINGS[code]
