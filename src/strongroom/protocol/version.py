"""The protocol's version: one integer, sent with every request."""

from __future__ import annotations

from strongroom.errors import Refused

VERSION = 1
HEADER = "Strongroom-Protocol"


def require_supported(offered: str) -> None:
    """Refuse a peer that speaks another version.

    Raises:
        Refused: the version is missing or not ours.
    """
    if offered != str(VERSION):
        raise Refused(
            f"This server speaks protocol {VERSION}, the agent offered {offered or 'none'}.",
            code="protocol_version",
            hint="Install the agent and the server of the same release.",
        )
