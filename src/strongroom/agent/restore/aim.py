"""Where each path of a snapshot goes.

The rules: to the original place, or with nothing asked for, a path keeps its whole length below the target (`/` or the
folder). When paths are asked for and a folder is given, that folder gets the last component of each. Folders above an
asked path only lead to it: they are made when they are missing and otherwise left as they are.
Does not: touch the disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from strongroom.errors import Mistake
from strongroom.model.paths import escape_path, unescape_path

if TYPE_CHECKING:
    from collections.abc import Sequence

Parts: TypeAlias = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Landing:
    """Where the entries of one folder of the snapshot go.

    Args:
        parts: the folder below the target.
        only: names of the entries that are meant, with whether the entry is asked for (else it leads there);
            None when all of them are asked for.
    """

    parts: Parts
    only: dict[bytes, bool] | None = None


class Aim:
    """A restore's target and what of the snapshot goes there."""

    def __init__(self, paths: Sequence[str], target: str) -> None:
        """Take the paths and the target as an order gives them.

        Raises:
            Mistake: a path cannot be, or two would land under the same name.
        """
        self.target = _absolute(target) if target else b"/"
        roots = {_parts(path) for path in paths}
        self._whole = not roots or () in roots
        roots = set() if self._whole else {root for root in roots if not _has_ancestor(root, roots)}
        self._roots = roots
        self._flat = bool(target) and bool(roots)
        self._unseen = set(roots)
        self._above: dict[Parts, dict[bytes, bool]] = {}
        for root in roots:
            for depth, name in enumerate(root):
                leads = self._above.setdefault(root[:depth], {})
                leads[name] = depth == len(root) - 1
        if self._flat and len({root[-1] for root in roots}) < len(roots):
            raise Mistake(
                "Two of the asked paths end in the same name, so they cannot go into one folder.",
                code="ambiguous_paths",
                hint="Restore them one after the other, into different folders.",
            )

    def landing(self, path: bytes) -> Landing | None:
        """Return where the entries of a folder go; None when they were not asked for.

        Raises:
            Mistake: the path has a component that no folder can have.
        """
        parts = _parts(path)
        if self._whole:
            return Landing(parts)
        if (leads := self._above.get(parts)) is not None:
            return self._landing_above(parts, leads)
        for depth in range(1, len(parts) + 1):
            if parts[:depth] in self._roots:
                return Landing(parts[depth - 1 :] if self._flat else parts)
        return None

    def _landing_above(self, parts: Parts, leads: dict[bytes, bool]) -> Landing | None:
        """Return where asked entries of a folder go that itself only leads to them."""
        if not self._flat:
            return Landing(parts, leads)
        asked = {name: True for name, is_asked in leads.items() if is_asked}
        return Landing((), asked) if asked else None

    def note_seen(self, path: bytes, name: bytes) -> None:
        """Remember that the snapshot has this entry."""
        if self._unseen:
            self._unseen.discard((*_parts(path), name))

    def unseen(self) -> list[bytes]:
        """Return the asked paths that the snapshot did not have."""
        return sorted(b"/" + b"/".join(root) for root in self._unseen)

    def shown(self, parts: Parts) -> bytes:
        """Return the absolute path of something below the target."""
        return b"/".join((self.target.rstrip(b"/"), *parts)) or b"/"


def is_name(name: bytes) -> bool:
    """Whether `name` can be the name of one entry of a folder."""
    return bool(name) and name not in {b".", b".."} and b"/" not in name and b"\0" not in name


def _parts(path: str | bytes) -> Parts:
    """Take a path apart; slashes at its ends do not matter."""
    raw = unescape_path(path) if isinstance(path, str) else path
    trimmed = raw.strip(b"/")
    parts = tuple(trimmed.split(b"/")) if trimmed else ()
    if not all(is_name(part) for part in parts):
        raise Mistake(f"{escape_path(raw)} is not the path of anything in a snapshot.", code="bad_path")
    return parts


def _has_ancestor(root: Parts, roots: set[Parts]) -> bool:
    """Whether a folder above `root` is asked for too."""
    return any(root[:depth] in roots for depth in range(1, len(root)))


def _absolute(target: str) -> bytes:
    """Return the target folder's raw path."""
    raw = unescape_path(target)
    if not raw.startswith(b"/") or b"\0" in raw:
        raise Mistake(f"The folder to restore into must be an absolute path, not {target!r}.", code="bad_target")
    return raw
