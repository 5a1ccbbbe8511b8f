"""The scene: recovery points and live mounts put together into the tree that one job reads.

Promises: the tree has the shape of the live one: what is mounted beneath a frozen folder is there again, frozen itself
or live. Nothing is called frozen that was not seen so: another device than the live files', with the include paths.
"""

from __future__ import annotations

import dataclasses
import errno
import logging
import os
from typing import TYPE_CHECKING, Final

from strongroom.agent.platform.recovery.survey import depth_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from strongroom.agent.platform.mounts import FrozenView
    from strongroom.agent.platform.recovery.freezer import Freezer, Shown
    from strongroom.agent.platform.recovery.stage import Stage
    from strongroom.agent.platform.recovery.survey import Survey

_log: Final = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True)
class Scene:
    """What the tree shows.

    Args:
        frozen: what froze which place.
        live: what else is shown live by a freezer, and why.
        views: what is to be known of frozen file systems, by their `st_dev`.
    """

    frozen: dict[bytes, str] = dataclasses.field(default_factory=dict)
    live: dict[bytes, str] = dataclasses.field(default_factory=dict)
    views: dict[int, FrozenView] = dataclasses.field(default_factory=dict)


def build_scene(stage: Stage, freezers: Sequence[Freezer], found: Survey, roots: Iterable[bytes]) -> Scene:
    """Put everything in its place, and look at it.

    Raises:
        OSError: something cannot be shown, or is not what it should be; then nothing of the scene is to be believed.
    """
    shown = {one.path: (freezer.how, one) for freezer in freezers for one in freezer.show(stage)}
    scene, is_bare = Scene(), dict[bytes, bool]()
    places = {place.path for place in found.places}
    for path in sorted({*shown, *found.points}, key=depth_of):
        how, one = shown.get(path, ("", None))
        is_bare[path] = one is not None
        try:
            if one is not None:
                _show(stage, scene, one)
                if one.why:
                    scene.live[path] = one.why
                else:
                    scene.frozen[path] = how
            elif _around(path, is_bare):
                stage.show(path, path, frozen=False)
        except FileNotFoundError:
            if path in places:
                raise
            _log.info("%s is newer than the recovery point around it", os.fsdecode(path))
            is_bare[path] = False
    stage.finish()
    for root in roots:
        _require_shown(stage, scene, root, is_bare)
    return scene


def _show(stage: Stage, scene: Scene, one: Shown) -> None:
    """Show what a freezer made."""
    device = stage.show(one.source, one.path, frozen=one.view.taken_ns is not None)
    if device == one.view.device and one.view.taken_ns is not None and not one.is_itself:
        raise OSError(errno.EIO, f"{os.fsdecode(one.path)} shows the live files")
    scene.views[device] = one.view


def _around(path: bytes, is_bare: Mapping[bytes, bool]) -> bool:
    """Whether what is mounted at a path is hidden now by what a freezer made, which stands around it."""
    while path != b"/":
        path = os.path.dirname(path)
        if path in is_bare:
            return is_bare[path]
    return False


def _require_shown(stage: Stage, scene: Scene, root: bytes, is_bare: Mapping[bytes, bool]) -> None:
    """Refuse a scene in which an include path is not seen, or not as it was frozen."""
    if not (is_bare.get(root) or _around(root, is_bare)):
        return
    try:
        device = os.lstat(root.lstrip(b"/") or b".", dir_fd=stage.root).st_dev
    except FileNotFoundError:
        if not os.path.lexists(root):
            return  # it went away before the recovery point was made
        raise
    if device not in scene.views:
        raise OSError(errno.EIO, f"{os.fsdecode(root)} is not seen in it")
