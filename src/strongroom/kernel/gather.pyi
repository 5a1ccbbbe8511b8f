"""The types of the compiled `gather`; what it means is written in gather_reference.py."""

from collections.abc import Sequence

from typing_extensions import Buffer

from strongroom.kernel.gather_reference import Gathered

def gather(folder: int, names: Sequence[bytes], buffer: Buffer, limit: int) -> list[Gathered | None]: ...
