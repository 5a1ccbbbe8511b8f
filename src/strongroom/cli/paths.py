"""Paths on the command line: raw bytes from the shell, escaped text on the wire."""

from __future__ import annotations

import os

from strongroom.model.paths import escape_path


def as_argument(path: str) -> str:
    """Return a path as the shell gave it in the escaped form that the API takes."""
    return escape_path(os.fsencode(path))
