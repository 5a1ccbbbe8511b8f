r"""Paths as text: a reversible escape of raw path bytes.

Why: names are bytes inside, but API, CLI, console and logs show text; what they show, they must accept again.
Promises: `unescape_path(escape_path(p)) == p` for any bytes; the text is printable, on one line, valid UTF-8.
A backslash becomes `\\`, a byte that is not valid UTF-8 and every control character become `\xNN`.
"""

from __future__ import annotations

import re

from strongroom.errors import Mistake

_ESCAPE = re.compile(r"\\(\\|x[0-9a-f]{2})|\\", re.IGNORECASE)
_SPECIAL = re.compile(
    "[\\\\\x00-\x1f\x7f\x80-\x9f\u2028\u2029\ufeff\u200e\u200f\u202a-\u202e\u2066-\u2069\udc80-\udcff]"
)


def escape_path(path: bytes) -> str:
    """Return `path` as one line of printable text."""
    text = path.decode("utf-8", "surrogateescape")
    return _SPECIAL.sub(_escape_one, text) if _SPECIAL.search(text) else text


def _escape_one(match: re.Match[str]) -> str:
    """Escape one character: a backslash by doubling, all others byte by byte."""
    character = match.group()
    if character == "\\":
        return "\\\\"
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def unescape_path(text: str) -> bytes:
    """Return the raw bytes that `escape_path` showed as `text`.

    Raises:
        Mistake: a backslash that begins no escape.
    """
    out = bytearray()
    position = 0
    for match in _ESCAPE.finditer(text):
        out += text[position : match.start()].encode("utf-8", "surrogateescape")
        escaped = match.group(1)
        if escaped is None:
            raise Mistake(
                f"Not a valid escape in the path: {text!r}.",
                code="bad_path",
                hint=r"Write a backslash as \\ and other bytes as \xNN.",
            )
        out += b"\\" if escaped == "\\" else bytes.fromhex(escaped[1:])
        position = match.end()
    out += text[position:].encode("utf-8", "surrogateescape")
    return bytes(out)
