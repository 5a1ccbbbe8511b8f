"""The data folder, opened: settings, root key, catalog and vault, once a process.

Why: verbs are plain functions; what they all need is here, and nowhere handed through six layers.
Promises: `premises()` is the same value from any thread until `close_premises`.
Does not: create anything; that is `server init` (`server/setup`).
"""

from __future__ import annotations

from strongroom.server.premises.opened import Premises, close_premises, open_premises, premises, read_root_key

__all__ = ["Premises", "close_premises", "open_premises", "premises", "read_root_key"]
