"""Run one of the two servers until it is terminated."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys

from chaos_shop import __doc__ as about
from chaos_shop.pictures import Gallery
from chaos_shop.settings import PictureSettings, ShopSettings, parser_of
from chaos_shop.shop import Shop
from chaos_shop.wire import Limits, serve

KINDS = {"shop": (ShopSettings, Shop), "pictures": (PictureSettings, Gallery)}


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in KINDS:
        sys.exit(f"{about}\nusage: python -m chaos_shop {{{','.join(KINDS)}}} [--help]")
    kind, made = KINDS[sys.argv[1]]
    parser = parser_of(kind, prog=f"python -m chaos_shop {sys.argv[1]}", description=made.__doc__)
    settings = kind(**vars(parser.parse_args(sys.argv[2:])))
    try:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:
        runner = asyncio.Runner()
    port = settings.port or free_port()
    shop = made(settings, f"http://127.0.0.1:{port}")

    def ready(ports, counts):
        shop.books.counts = counts
        addresses = [f"http://127.0.0.1:{one}" for one in ports]
        print(json.dumps({"address": addresses[0], "control": addresses[1], "pid": os.getpid()}), flush=True)

    limits = Limits(settings.hang, getattr(settings, "endless", 200) * 1_000_000, settings.latency)
    try:
        with runner:
            runner.run(
                serve([(port, shop.answer), (settings.control_port, shop.books.answer)], limits, ready)
            )
    except (KeyboardInterrupt, asyncio.CancelledError):
        pass


def free_port():
    """A port that is free now: the pages are made before the server listens, and have it in their links."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


main()
