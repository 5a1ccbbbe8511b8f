"""Making many small files in one folder, in C; place_reference.py says what it means."""

from collections.abc import Sequence

from strongroom.kernel.place_reference import NewFile

def place(folder: int, files: Sequence[NewFile], atime_ns: int, temporary: bytes) -> list[int]: ...
