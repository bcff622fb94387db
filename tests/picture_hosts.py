"""A host of pictures on this machine that behaves as hosts do and should not, and listeners that count."""

import contextlib
import gzip
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

_BOMB = gzip.compress(bytes(50 << 20))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        name, _, rest = self.path.lstrip("/").partition("/")
        getattr(self, f"_{name}", self._missing)(rest)

    def log_message(self, *about):
        pass

    def _answer(self, status, body=b"", **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _missing(self, rest):
        self._answer(404, b"nothing here")

    def _picture(self, rest):
        self._answer(200, self.server.picture, Set_Cookie="a=b")

    def _gzip(self, rest):
        self._answer(200, gzip.compress(self.server.picture), Content_Encoding="gzip")

    def _bomb(self, rest):
        self._answer(200, _BOMB, Content_Encoding="gzip")

    def _packed(self, rest):
        self._answer(200, b"x", Content_Encoding="br")

    def _damaged(self, rest):
        self._answer(200, b"no gzip at all", Content_Encoding="gzip")

    def _status(self, rest):
        self._answer(int(rest))

    def _to(self, rest):
        self._answer(302, b"", Location=unquote(rest))

    def _loop(self, rest):
        self._answer(302, b"", Location="/loop/" + rest + "x")

    def _large(self, rest):
        self._answer(200, b"x" * 100, Content_Length=str(10**12))

    def _short(self, rest):
        self._answer(200, b"x" * 100, Content_Length="1000")
        self.close_connection = True

    def _headers(self, rest):
        self._answer(200, b"x", X_Long="y" * 100_000)

    def _endless(self, rest):
        self._pour(b"10000\r\n" + bytes(65_536) + b"\r\n", 0)

    def _drip(self, rest):
        self._pour(b"1\r\nx\r\n", 0.05)

    def _pour(self, piece, pause):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        end = time.monotonic() + 20
        with contextlib.suppress(OSError):
            while time.monotonic() < end:
                self.wfile.write(piece)
                time.sleep(pause)
        self.close_connection = True


class _Host(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client):
        pass  # callers go away in the middle: that is what they are here for


@contextlib.contextmanager
def picture_host(picture):
    """Serve a picture on a free port of 127.0.0.1; `asked` has what was asked, with headers."""
    host = _Host(("127.0.0.1", 0), _Handler)
    host.picture, host.asked = picture, []
    host.port = host.server_address[1]
    host.url = f"http://127.0.0.1:{host.port}"
    thread = threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        host.shutdown()
        host.server_close()
        thread.join()


class Canary:
    """Listeners on one port of 127.0.0.1 and ::1 that count who connects."""

    def __init__(self):
        self.count = 0
        self._sockets = [socket.create_server(("127.0.0.1", 0))]
        self.port = self._sockets[0].getsockname()[1]
        with contextlib.suppress(OSError):  # a machine without IPv6
            self._sockets.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        self.listening = len(self._sockets)
        for one in self._sockets:
            threading.Thread(target=self._listen, args=(one,), daemon=True).start()

    def _listen(self, listener):
        with contextlib.suppress(OSError):
            while True:
                listener.accept()[0].close()
                self.count += 1

    def __enter__(self):
        return self

    def __exit__(self, *about):
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
