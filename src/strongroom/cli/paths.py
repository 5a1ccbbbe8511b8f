"""Paths on the command line: as the shell gives them, or as we show them; escaped text on the wire."""

from __future__ import annotations

import os
import re

from strongroom.errors import Mistake
from strongroom.model.paths import escape_path, unescape_path

_WINDOWS = re.compile(r"[A-Za-z]:\\|\\\\")


def as_argument(path: str) -> str:
    """Return a path or pattern as the API takes it.

    What our lists show is taken as it is shown. Where a backslash begins no escape, the text is the path itself, and
    so it is where a drive or a share on Windows begins it.
    """
    raw = os.fsencode(path)
    if _WINDOWS.match(path):
        return escape_path(raw)
    try:
        return escape_path(unescape_path(path))
    except Mistake:
        return escape_path(raw)
