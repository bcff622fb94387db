"""Which answers fail, and how: the same for the same seed, address and number of the hit."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from email.utils import formatdate

from chaos_shop.wire import Reply, message

MIX = {"429": 7, "503": 8, "reset": 6, "slow": 5, "truncated": 4}
SORRY = b"<!doctype html><title>Sorry</title><h1>Please come back later</h1>"


def draw(*parts):
    """A number from 0 to 1 that depends on nothing but the parts."""
    digest = hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def pick(weights, *parts):
    """A key of `weights` with a probability by its weight, from nothing but the parts."""
    point = draw(*parts) * sum(weights.values())
    for name, weight in weights.items():
        point -= weight
        if point < 0:
            return name
    return name


class Faults:
    """Counts the hits of each address and says what becomes of the next.

    A fault is drawn from the seed, the address and the number of the hit. After `faults_in_row` of them the
    same address is answered once.
    """

    def __init__(self, settings, mix=MIX):
        self.settings, self.mix = settings, mix
        self.hits, self.row = Counter(), Counter()

    def next(self, target):
        """The fault of this hit, or None."""
        settings = self.settings
        self.hits[target] += 1
        number = self.hits[target]
        chance = draw(settings.seed, "fault", target, number)
        if chance >= settings.faults or self.row[target] >= settings.faults_in_row:
            self.row[target] = 0
            return None
        self.row[target] += 1
        return pick(self.mix, settings.seed, "kind", target, number)

    def spoil(self, fault, target, reply, now):
        """What is sent instead of a reply; `now` is the time in seconds since 1970."""
        if fault in ("429", "503"):
            return self.refusal(int(fault), target, now)
        if fault == "slow":
            reply.label, reply.delay = "slow", self.settings.slow
            return reply
        where = draw(self.settings.seed, "where", target, self.hits[target])
        head, _, body = reply.data.partition(b"\r\n\r\n")
        if fault == "reset" and where < 0.5:
            return Reply(b"", "reset", end="reset")
        part = head + b"\r\n\r\n" + body[: len(body) // 2]
        return Reply(part, fault, delay=0.02, end="reset" if fault == "reset" else "close")

    def refusal(self, status, target, now):
        """429 or 503; some say when to come back, half of them in seconds, half as a date."""
        settings, number = self.settings, self.hits[target]
        if draw(settings.seed, "wait", target, number) >= settings.retry_after_share:
            return Reply(message(status, SORRY), str(status))
        seconds = settings.retry_after
        if draw(settings.seed, "form", target, number) < 0.5:
            return self.told(status, str(seconds), seconds)
        then = math.ceil(now + seconds)  # dates have no fractions
        return self.told(status, formatdate(then, usegmt=True), then - now)

    def told(self, status, text, wait):
        return Reply(message(status, SORRY, headers=[("Retry-After", text)]), f"{status}-wait", wait=wait)
