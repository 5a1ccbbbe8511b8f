"""Settings: TOML files into frozen dataclasses, and the environment.

Why: every program is configured by one file and a few named environment variables, and both are read here only.
Promises: unknown keys and wrong types are a `Mistake` that names the file and the key; every key has a default.
Does not: hold any program's keys; those stand in `server/config.py` and `agent/config.py`.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from strongroom.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Mapping

Settings = TypeVar("Settings")


def environment(name: str, default: str = "") -> str:
    """Return the environment variable `STRONGROOM_<name>`, or `default` when unset or empty."""
    return os.environ.get(f"STRONGROOM_{name}", "") or default


def user_folder(kind: str) -> Path:
    """Return the user's own folder for `config` or `state` files of Strongroom (XDG base directories)."""
    variable, fallback = {"config": ("XDG_CONFIG_HOME", ".config"), "state": ("XDG_STATE_HOME", ".local/state")}[kind]
    base = os.environ.get(variable, "")
    return (Path(base) if base else Path.home() / fallback) / "strongroom"


def load(shape: type[Settings], path: Path) -> Settings:
    """Read a TOML file into the frozen dataclass `shape`; a missing file gives the defaults.

    Raises:
        Mistake: the file is not TOML, or has an unknown key or a value of the wrong type.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return shape()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Mistake(f"{path} is not valid TOML: {error}", code="bad_settings") from error
    _require_known_keys(shape, table, path, "")
    try:
        return msgspec.convert(table, shape)
    except msgspec.ValidationError as error:
        raise Mistake(f"{path}: {error}", code="bad_settings") from error


def _require_known_keys(shape: type, table: Mapping[str, object], path: Path, prefix: str) -> None:
    """Refuse keys that `shape` does not know, in nested tables too."""
    fields = {field.name: field for field in dataclasses.fields(shape)}
    for key, value in table.items():
        if key not in fields:
            known = ", ".join(sorted(fields))
            raise Mistake(f"{path}: unknown key {prefix}{key}", code="bad_settings", hint=f"Known keys: {known}.")
        default = fields[key].default_factory
        if isinstance(value, dict) and isinstance(default, type) and dataclasses.is_dataclass(default):
            _require_known_keys(default, value, path, f"{prefix}{key}.")
