"""Hosts: what an agent says of the machine it protects."""

from __future__ import annotations

import enum

import msgspec


class OsFamily(enum.StrEnum):
    """Operating-system families; admission differs between them (W3, W4)."""

    LINUX = "linux"
    WINDOWS = "windows"


class HostFacts(msgspec.Struct, frozen=True):
    """What the agent reports of its machine when it activates and each time it connects.

    Args:
        name: the host's name.
        os_family: decides the admission column.
        os_version: for people.
        agent_version: the agent's release.
        time_zone: IANA name, for schedules.
        boot_id: changes with every start of the machine.
        instance_id: changes with every start of the agent.
    """

    name: str
    os_family: OsFamily
    os_version: str
    agent_version: str
    time_zone: str
    boot_id: str
    instance_id: str
