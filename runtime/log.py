"""Structured logs: one JSON object a line, ids only. Personal data never enters a log (DESIGN 1)."""

import json
import logging
import sys
import traceback
from typing import Any, TextIO

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """`log.info("batch", extra={"rows": 10})` becomes {"at": ..., "level": "info", "what": "batch", "rows": 10}."""

    def __init__(self, service: str, instance: str) -> None:
        super().__init__()
        self._always = {"service": service, "instance": instance}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": int(record.created * 1000),
            "level": record.levelname.lower(),
            "logger": record.name,
            "what": _message(record),
            **self._always,
        }
        line.update({k: v for k, v in vars(record).items() if k not in _STANDARD})
        if record.exc_info:
            kind, _value, trace = record.exc_info
            # The text of an exception may quote a value (an address): the kind and the place are enough to find the cause.
            line["error"] = kind.__name__ if kind else "?"
            line["trace"] = [f"{f.filename}:{f.lineno}:{f.name}" for f in traceback.extract_tb(trace)][-12:]
        return json.dumps(line, default=str)


def _message(record: logging.LogRecord) -> str:
    """Asyncio adds the future to its message, and with it the text of the error that nobody fetched: its first line is its own."""
    message = record.getMessage()
    return message.partition("\n")[0] if record.name == "asyncio" else message


def setup(service: str, instance: str, stream: TextIO = sys.stderr, level: int = logging.INFO) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(service, instance))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
