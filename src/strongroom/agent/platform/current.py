"""Which machine this is: the one place that chooses the operating system's implementation."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from strongroom.errors import Mistake

if TYPE_CHECKING:
    from strongroom.agent.platform.base import Platform


def current_platform() -> Platform:
    """Return the machine that the program runs on.

    Raises:
        Mistake: there is no agent for this operating system yet.
    """
    if sys.platform != "linux":
        raise Mistake(
            f"There is no Strongroom agent for {sys.platform} yet.",
            code="unknown_platform",
            hint="Run the agent on a Linux host.",
        )
    from strongroom.agent.platform.linux import LinuxPlatform  # noqa: PLC0415 - other systems cannot import it

    return LinuxPlatform()
