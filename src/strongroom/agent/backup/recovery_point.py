"""Steps RECOVERY_POINT and RELEASE: where a backup reads from, for as long as it reads.

Why: on the way out of the with-block a recovery point is deleted (W10), whatever happened inside; nobody can forget it.
What can be frozen is read frozen, the rest live, and the report says which and why (W6, W8); a set that *requires* a
recovery point is not backed up without.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from typing import TYPE_CHECKING

from strongroom.agent.backup.exclusions import Exclusions
from strongroom.agent.platform.base import Area, FreezeWish
from strongroom.errors import Unavailable
from strongroom.model.job import SourceKind
from strongroom.model.paths import escape_path, unescape_path
from strongroom.model.policy import RecoveryPointWish
from strongroom.model.steps import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from strongroom.agent.backup.events import Events
    from strongroom.agent.backup.missed import MissedFiles
    from strongroom.agent.backup.places import Places
    from strongroom.agent.platform.base import Platform, Source
    from strongroom.model.policy import Content
    from strongroom.protocol.messages import BackupOrder

_NAMED = 3  # live areas that the one sentence about them names


class NoRecoveryPoint(Unavailable):
    """The set requires a recovery point of all it reads, and there is none of some of it."""

    code = "no_recovery_point"


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """Where the files of one backup are read from.

    Args:
        kind, why: as the report says it.
        areas: each part of what is read.
    """

    source: Source
    kind: SourceKind
    why: str
    areas: tuple[Area, ...] = ()


@contextlib.contextmanager
def recovery_point(
    order: BackupOrder, machine: Platform, places: Places, missed: MissedFiles, events: Events
) -> Iterator[Origin]:
    """Give what the backup reads from: recovery points where they can be made and are wished for, else live files.

    Raises:
        NoRecoveryPoint: one is required and cannot be made.
    """
    events.step(Step.RECOVERY_POINT)
    points = machine.recovery_points(places.state)
    _note(points.clear(), missed, events)
    if order.options.recovery_point is RecoveryPointWish.NEVER:
        with machine.live_source() as source:
            yield Origin(source, SourceKind.LIVE, "Read live: the set wants no recovery point.")
            events.step(Step.RELEASE)
        return
    point = points.make(_wish(order, machine))
    try:
        if order.options.recovery_point is RecoveryPointWish.REQUIRED:
            _require_all(point.areas)
        events.check()
        with point.source() as source:
            yield Origin(source, *_told(point.areas), point.areas)
            events.step(Step.RELEASE)  # after a failure the failed step stays the current one; released it is as well
    finally:
        _note(point.release(), missed, events)


def _wish(order: BackupOrder, machine: Platform) -> FreezeWish:
    """Return what is to be frozen; an include path that cannot be found is the scan's to report."""
    include: dict[bytes, bytes] = {}
    with machine.live_source() as live:
        for text in order.content.include:
            with contextlib.suppress(OSError):
                path = unescape_path(text)
                include[path] = b"/" + live.resolve(path)
    leaves_out = _leaves_out(order.content, set(include.values()))
    return FreezeWish(order.job_id, include, leaves_out, order.content.one_file_system)


def _leaves_out(content: Content, roots: set[bytes]) -> Callable[[bytes], bool]:
    """Return the question whether a path beneath the include paths is excluded, itself or with what it lies in."""
    exclusions = Exclusions(content.exclude)

    def leaves_out(path: bytes) -> bool:
        while path not in roots and path != b"/":
            folder, name = os.path.split(path)
            if not exclusions.kept(folder.lstrip(b"/"), [name]):
                return True
            path = folder
        return False

    return leaves_out


def _require_all(areas: Sequence[Area]) -> None:
    """Refuse to read anything live."""
    live = [area for area in areas if not area.how]
    if live:
        raise NoRecoveryPoint(
            f"The set requires a recovery point, and there is none of {_named(live)}.",
            hint="Exclude what cannot be frozen, stay on one file system, or set the set's recovery point to auto.",
        )


def _told(areas: Sequence[Area]) -> tuple[SourceKind, str]:
    """Return what the files are read from, and why, as a sentence."""
    live = [area for area in areas if not area.how]
    frozen = ", ".join(sorted({area.how for area in areas if area.how}))
    if not frozen:
        return SourceKind.LIVE, f"Read live: {_named(live)}." if live else "Read live."
    if not live:
        return SourceKind.RECOVERY_POINT, f"Read from a recovery point ({frozen})."
    return SourceKind.MIXED, f"Read from a recovery point ({frozen}), but live: {_named(live)}."


def _named(live: Sequence[Area]) -> str:
    """Return the first few areas, each with its reason."""
    named = "; ".join(f"{escape_path(area.path)}: {area.why}" for area in live[:_NAMED])
    return named + (f"; and {len(live) - _NAMED} more" if len(live) > _NAMED else "")


def _note(troubles: Sequence[str], missed: MissedFiles, events: Events) -> None:
    """Say what went wrong with deleting, in the report of either end."""
    for trouble in troubles:
        text = f"{trouble} It is tried again before the next backup and when the agent starts."
        missed.notes.append(text)
        events.note(text)
