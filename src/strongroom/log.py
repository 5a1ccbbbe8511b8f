"""Logging: one line per event, to standard error, the same in all programs.

Why: a service's log is read by the system's journal; it must be one line per event and free of surprises.
Promises: time in UTC, level, module, text; as JSON objects when asked.
Does not: rotate or ship logs; the system does.
"""

from __future__ import annotations

import logging
import sys
import time

import msgspec

PLAIN = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """Format a record as one JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        fields = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname,
            "logger": record.name,
            "text": record.getMessage(),
        }
        if record.exc_info:
            fields["trace"] = self.formatException(record.exc_info)
        return msgspec.json.encode(fields).decode()


def configure(*, level: str = "INFO", json_lines: bool = False) -> None:
    """Send all logging to standard error.

    Args:
        level: the lowest level that is written.
        json_lines: write JSON objects instead of plain lines.
    """
    handler = logging.StreamHandler(sys.stderr)
    formatter: logging.Formatter = JsonLines() if json_lines else logging.Formatter(PLAIN, "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
