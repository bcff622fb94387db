"""The books: every request with its answer, and what a polite visitor would not have done.

A Retry-After is kept when, from `grace` seconds after it was sent until its time is over, no request for the
same host comes in. RFC 9110 says how long to wait "before making a follow-up request" and names no scope;
scrapers pause the host, and so does this rule. Requests for the same address within the time are counted
beside it, without grace.
"""

from __future__ import annotations

import time
from collections import Counter

from chaos_shop import robots

EARLY = 0.02  # seconds that clocks and timers may be off


class Ledger:
    """Remembers everything since the last `clear`."""

    def __init__(self, settings):
        self.settings = settings
        self.clear()

    def clear(self):
        self.began = time.time()
        self.requests = []  # time, host, target, agent, label
        self.forbidden = Counter()
        self.windows = []  # host, target, sent, until
        self.waits = self.early_host = self.early_path = self.early_delay = 0
        self.last = {}

    def arrived(self, request, now):
        """Judge a request as it comes in."""
        self.windows = [window for window in self.windows if window[3] > now]
        open_now = [
            window for window in self.windows if window[0] == request.host and now < window[3] - EARLY
        ]
        self.early_path += any(target == request.target for _, target, _, _ in open_now)
        self.early_host += any(now > sent + self.settings.grace for _, _, sent, _ in open_now)
        delay = getattr(self.settings, "crawl_delay", 0.0)
        if delay and request.target != "/robots.txt":
            self.early_delay += now - self.last.get(request.host, 0.0) < delay - EARLY
            self.last[request.host] = now
        if hasattr(self.settings, "agent") and not robots.allowed(
            self.settings, request.agent, request.target
        ):
            self.forbidden[request.target] += 1

    def answered(self, request, reply, now):
        """Write down what a request gets."""
        self.requests.append((now, request.host, request.target, request.agent, reply.label))
        if reply.wait is not None:
            self.waits += 1
            self.windows.append((request.host, request.target, now, now + reply.wait))

    def summary(self, counts):
        """All of it in numbers."""
        times = [entry[0] for entry in self.requests]
        seconds = times[-1] - times[0] if len(times) > 1 else 0.0
        return {
            "requests": len(times),
            "seconds": seconds,
            "per_second": (len(times) - 1) / seconds if seconds else 0.0,
            "answers": dict(Counter(entry[4] for entry in self.requests)),
            "agents": sorted({entry[3] for entry in self.requests}),
            "forbidden": dict(self.forbidden),
            "retry_after": {"sent": self.waits, "early_host": self.early_host, "early_path": self.early_path},
            "crawl_delay_early": self.early_delay,
            "most_requests_at_once": counts.most_running,
            "most_connections": counts.most_open,
            "bugs": counts.bugs,
        }

    def hits(self):
        """How often each address was asked for."""
        return dict(Counter(entry[2] for entry in self.requests))
