"""Logs of a server: one JSON object a line on stderr, so that whoever collects them need not guess."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

import msgspec


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object; what a record has `about` it joins its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        about = getattr(record, "about", None)
        if isinstance(about, dict):
            line |= about
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def log_to_stderr() -> None:
    """Write the logs of the server, and warnings of what it stands on, on stderr from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.getLogger("grpc._cython.cygrpc").addFilter(_worth_telling)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("shelfwise").setLevel(logging.INFO)


def _worth_telling(record: logging.LogRecord) -> bool:
    """Whether a record of gRPC is about more than the bytes of some caller, which are no message."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or kind.__name__ != "DecodeError"
