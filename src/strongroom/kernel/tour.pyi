"""The types of the compiled tours; what its functions mean is written in tour_reference.py and pass_reference.py."""

from collections.abc import Sequence

from strongroom.kernel.pass_reference import Passed
from strongroom.kernel.tour_reference import Extent, Tour

def tour(
    handle: int, path: bytes, names: bytes, extent: Extent, *, now_ns: int, device: int, limits: Sequence[int]
) -> Tour: ...
def pass_known(told: bytes, told_at: int, known: bytes, known_at: int) -> Passed: ...
def skip(records: bytes, at: int, count: int) -> tuple[int, int]: ...
