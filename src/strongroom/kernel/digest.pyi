"""The types of the compiled hashing; what it means is written in digest_reference.py."""

from collections.abc import Sequence

from typing_extensions import Buffer

def digests(data: Buffer, sizes: Sequence[int], key: bytes) -> bytes: ...
