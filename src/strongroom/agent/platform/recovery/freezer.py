"""The port to one kind of file system that can be frozen, and what a freezer hands back."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.agent.platform.base import FreezeWish
    from strongroom.agent.platform.mounts import FrozenView
    from strongroom.agent.platform.recovery.records import Records
    from strongroom.agent.platform.recovery.stage import Stage
    from strongroom.agent.platform.recovery.survey import Place, Survey
    from strongroom.agent.platform.recovery.tools import Tools


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """A folder that is to stand in the tree in place of a live one.

    Args:
        path: the real path.
        source: where the stage finds it.
        view: what is to be known of it.
        why: for people; why it is live, if it is.
        is_itself: it is the live folder, which cannot change.
    """

    path: bytes
    source: bytes
    view: FrozenView
    why: str = ""
    is_itself: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """What a freezer works with, for one job.

    Args:
        wish: what is to be frozen, and for whom.
    """

    wish: FreezeWish
    survey: Survey
    records: Records
    tools: Tools


class Freezer(Protocol):
    """Makes recovery points of one kind of file system for one job. Used in the order of its methods.

    Never raises for what cannot be frozen: that is in `failed`, by its path, with the reason.
    """

    how: str
    failed: dict[bytes, str]

    def take(self, places: Sequence[Place]) -> None:
        """Make what must be there before the stage is."""
        ...

    def show(self, stage: Stage) -> list[Shown]:
        """Make the rest; return the folders of the recovery points, looked at and found right."""
        ...

    def release(self) -> list[str]:
        """Delete what was made, once nothing is mounted any more; return what went wrong, as sentences."""
        ...


def said(error: OSError) -> str:
    """Return what the system said, without its number."""
    return error.strerror or str(error)
