"""Roots: the include paths of a set as one tree of names that leads to them.

Why: a snapshot begins at the host's root folder; folders above the include paths hold only what leads to them.
Promises: links above an include path's last part are followed, so that the path is where the files really are.
Include paths may overlap; what two of them hold is in the listing once.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from strongroom.errors import Mistake
from strongroom.model.missed import Reason
from strongroom.model.paths import unescape_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.agent.backup.missed import MissedFiles
    from strongroom.agent.platform.base import Source


class NothingToBackUp(Mistake):
    """None of a set's include paths exists on the host."""

    code = "nothing_to_back_up"


@dataclasses.dataclass(slots=True)
class Root:
    """A name on the way to an include path.

    Args:
        whole: it is an include path: everything beneath it belongs to the set.
        below: further names that lead to include paths.
    """

    whole: bool = False
    below: dict[bytes, Root] = dataclasses.field(default_factory=dict)


def find_roots(source: Source, include: Sequence[str], missed: MissedFiles) -> Root:
    """Return the tree of include paths; those that are not there are missed files.

    Raises:
        NothingToBackUp: none of them is there.
        Mistake: an include path is not absolute (code `bad_path`).
    """
    top = Root()
    found = False
    for text in include:
        path = unescape_path(text)
        if not path.startswith(b"/"):
            raise Mistake(f"The include path {text} is not absolute.", code="bad_path", hint="Begin it with a slash.")
        try:
            real = source.resolve(path)
        except FileNotFoundError:
            missed.add(path.lstrip(b"/"), Reason.NOT_FOUND)
            continue
        except OSError as error:
            missed.add_error(path.lstrip(b"/"), error)
            continue
        found = True
        _mark(top, real)
    if not found:
        named = ", ".join(include) or "nothing"
        raise NothingToBackUp(f"None of the set's paths is on this host: {named}.", hint="Check the include paths.")
    return top


def _mark(top: Root, path: bytes) -> None:
    """Add one include path to the tree."""
    at = top
    for name in path.split(b"/") if path else ():
        at = at.below.setdefault(name, Root())
    at.whole = True
