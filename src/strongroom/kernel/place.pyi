"""Making many small files in many folders, in C; place_reference.py says what it means."""

from collections.abc import Sequence

from strongroom.kernel.place_reference import NewFolder

def place(target: int, folders: Sequence[NewFolder], atime_ns: int, temporary: bytes) -> list[list[int]]: ...
