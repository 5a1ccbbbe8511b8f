"""The types of the compiled join; what it means is written in join_reference.py."""

from typing_extensions import Buffer

from strongroom.kernel.join_reference import Row

def join(entries: Buffer, stats: Buffer) -> tuple[list[Row], int, int] | None: ...
