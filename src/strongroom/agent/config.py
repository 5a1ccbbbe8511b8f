"""The agent's settings: `agent.toml` in its state folder, and where that folder is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strongroom import settings

_SYSTEM_STATE: Final = Path("/var/lib/strongroom-agent")
_SYSTEM_LOGS: Final = "/var/log/strongroom"


@dataclass(frozen=True)
class AgentConfig:
    """What an administrator may set on a host.

    Args:
        log_root: the folder for the logs of missed files; the environment's STRONGROOM_LOG_ROOT comes before it.
    """

    log_root: str = _SYSTEM_LOGS

    def log_folder(self) -> Path:
        """Return the folder for logs that people read."""
        return Path(settings.environment("LOG_ROOT", self.log_root))


def default_state_folder() -> Path:
    """Return the agent's state folder: the system's for root, else the user's own."""
    return _SYSTEM_STATE if os.geteuid() == 0 else settings.user_folder("state") / "agent"


def load_config(state: Path) -> AgentConfig:
    """Read the settings.

    Raises:
        Mistake: the file has an unknown key or a wrong value.
    """
    return settings.load(AgentConfig, state / "agent.toml")
