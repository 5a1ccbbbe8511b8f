"""The magics and versions of all stored and sent objects. DO NOT CHANGE A VALUE: they are in every vault there is.

Why: an object found loose must tell what it is, and no two kinds may ever begin alike.
A new form of an object gets a new version here; its old version stays readable for ever (tests/golden).
"""

from __future__ import annotations

from typing import Final

FORMAT_VERSION: Final = 1
"""Stands in the associated data of all that is sealed."""

BLOCK: Final = b"SRBLOCK\n"
BLOCK_VERSION: Final = 1

TREE: Final = b"SRTREE\n\0"
TREE_VERSION: Final = 1

PACK: Final = b"SRPACK\n\0"
PACK_VERSION: Final = 1
PACK_BLOCK: Final = b"SRPB"
PACK_TRAILER: Final = b"SRTRAIL\n"
PACK_FOOTER: Final = b"SRFOOT\n\0"

INDEX: Final = b"SRINDEX\n"
INDEX_VERSION: Final = 1

NOTES: Final = b"SRNOTES\n"
NOTES_VERSION: Final = 1

SNAPSHOT: Final = b"SRSNAP\n\0"
SNAPSHOT_VERSION: Final = 1
