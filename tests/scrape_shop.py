"""`shelfwise scrape` as a process of its own, and small shops of a few pages to scrape."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src"


def command(url, output, *options):
    return [sys.executable, "-m", "shelfwise", "scrape", url, "--output", str(output), *map(str, options)]


def environment(**more):
    paths = os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": paths, **more}


def scrape(url, output, *options, private=True, **more):
    """Run it to its end: what it printed, or the JSON of it with --json."""
    listed = [*options, "--allow-private"] if private else options
    return subprocess.run(
        command(url, output, "--delay", 0, *listed),
        capture_output=True,
        text=True,
        env=environment(**more),
        timeout=300,
    )


def scraped(url, output, *options, **more):
    """What a run that has to end well tells."""
    done = scrape(url, output, "--json", *options, **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def status(output):
    """What --status tells."""
    done = subprocess.run(
        command("x", output, "--status", "--json"),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def product(number, more=""):
    """The page of a product."""
    about = {
        "@context": "https://schema.org", "@type": "Product", "name": f"Lamp {number}", "sku": f"L-{number}",
        "description": "It shines.", "brand": {"name": "Nork"},
        "offers": {"price": f"{number}.90", "priceCurrency": "EUR"},
    }  # fmt: skip
    text = json.dumps(about)
    return f'<script type="application/ld+json">{text}</script><h1>Lamp {number}</h1><p>It shines.</p>{more}'


@contextmanager
def shop(pages):
    """A shop of a few pages: path -> text, or (status, headers, text). `hits` counts what was asked for."""

    class Visit(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.server.hits[self.path] += 1
            self.server.headers.append((self.path, dict(self.headers)))
            found = self.server.pages.get(self.path, (404, {}, "<h1>404</h1>"))
            found = found(self) if callable(found) else found
            code, headers, text = found if isinstance(found, tuple) else (200, {}, found)
            body = text.encode()
            self.send_response(code)
            for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Visit)
    server.daemon_threads = True
    server.pages, server.hits, server.headers = dict(pages), Counter(), []
    server.address = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
