"""What to protect and how: content rules and the options that a backup runs under."""

from __future__ import annotations

import enum

import msgspec


class LockedFiles(enum.StrEnum):
    """What to do with a file that carries an advisory lock (W9)."""

    MISS = "miss"
    READ = "read"


class RecoveryPointWish(enum.StrEnum):
    """Whether a backup reads from a recovery point (W6, W8)."""

    AUTO = "auto"  # where one can be made; the rest live
    REQUIRED = "required"  # of everything, or the job fails
    NEVER = "never"


class ConflictMode(enum.StrEnum):
    """What a restore does where something is there already."""

    OVERWRITE = "overwrite"
    SKIP = "skip"
    KEEP_BOTH = "keep-both"  # the existing one is moved aside
    OVERWRITE_OLDER = "overwrite-older"


class Content(msgspec.Struct, frozen=True):
    """What a backup set protects.

    Args:
        include: absolute paths on the host, escaped text (`model.paths`).
        exclude: patterns, escaped text: without a slash they match a name at any depth; with one they match from
            the root (`/var/cache/**`) or, when relative, at any depth (`build/*.o`).
        one_file_system: stay on the file systems that the include paths lie on.
    """

    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    one_file_system: bool = False


class Options(msgspec.Struct, frozen=True):
    """How a backup is made, and how it treats awkward files.

    Args:
        recovery_point: whether it reads from one (W6).
        locked_files: back up files that only carry an advisory lock, or miss them (W9).
        raw_names: store names that are not UTF-8 byte for byte instead of missing them (W11).
        retry_missed: one more try at the end of the same job (W9).
    """

    locked_files: LockedFiles = LockedFiles.MISS
    raw_names: bool = False
    retry_missed: bool = False
    recovery_point: RecoveryPointWish = RecoveryPointWish.AUTO
