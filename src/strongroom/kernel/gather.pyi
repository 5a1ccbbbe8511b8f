"""The types of the compiled `gather`; what it means is written in gather_reference.py."""

from typing_extensions import Buffer

from strongroom.kernel.gather_reference import Gathered

def gather(
    folder: int, stats: Buffer, start: int, buffer: Buffer, *, most: int, limit: int, kept: int, avoided: Buffer
) -> tuple[list[Gathered], int]: ...
