"""What an agent says of its machine, taken into the host's row. It comes from outside, so it is cut and cleaned."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strongroom.model.host import HostFacts
    from strongroom.server.catalog import models


def take_facts(host: models.Host, facts: HostFacts) -> None:
    """Set the host's fields from the facts; the name is given at activation and stays."""
    host.os_family = facts.os_family.value
    host.os_version = one_line(facts.os_version, 255)
    host.agent_version = one_line(facts.agent_version, 64)
    host.time_zone = one_line(facts.time_zone, 64)
    host.boot_id = facts.boot_id[:64]
    host.instance_id = facts.instance_id[:64]


def one_line(text: str, limit: int) -> str:
    """Return text from outside as one printable line: it will be shown on terminals and pages."""
    return "".join(character if character.isprintable() else " " for character in text[:limit])
