"""The types of the compiled walk; what its functions mean is written in walk_reference.py."""

from collections.abc import Sequence

from strongroom.kernel.walk_reference import Look

def list_names(handle: int, most: int = 0) -> tuple[bytes, bool] | None: ...
def look(
    handle: int, names: bytes, start: int, *, most: int, now_ns: int, device: int, limits: Sequence[int]
) -> Look: ...
