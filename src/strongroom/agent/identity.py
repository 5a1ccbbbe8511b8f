"""Who this host is to its server: address, pinned authority, and the private key. Kept in `identity.json`, mode 0600.

Promises: the key is written before the server hears of it, so that an activation whose reply was lost can be repeated
with the same key and makes no second host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom import __version__
from strongroom.agent.keeping import keep
from strongroom.errors import Mistake
from strongroom.model.host import HostFacts

if TYPE_CHECKING:
    from pathlib import Path

    from strongroom.agent.platform.base import Platform

_FILE: Final = "identity.json"
_HINT: Final = "Run `strongroom agent activate TOKEN`."


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the agent knows of itself and its server.

    Args:
        server_url: where the server is.
        fingerprint: SHA-256 of the authority's certificate, hex.
        authority: the authority's certificate, PEM.
        private_key: raw Ed25519, 32 bytes (base64 in the file).
        host_id: empty until the server has answered the activation.
        host_name: as the server calls this host.
    """

    server_url: str
    fingerprint: str
    authority: str
    private_key: bytes
    host_id: str = ""
    host_name: str = ""

    @property
    def key(self) -> Ed25519PrivateKey:
        """The key that assertions are signed with."""
        return Ed25519PrivateKey.from_private_bytes(self.private_key)

    @property
    def public_key(self) -> bytes:
        """The half that the server keeps, 32 bytes."""
        return self.key.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        """Leave the key out."""
        return f"Identity({self.host_name!r} at {self.server_url!r})"


def find_identity(state: Path) -> Identity | None:
    """Return the identity in the state folder, activated or begun; None when there is none.

    Raises:
        Mistake: the file is damaged or cannot be read.
    """
    path = state / _FILE
    try:
        identity = msgspec.json.decode(path.read_bytes(), type=Identity)
        _ = identity.key
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Mistake(f"{path} cannot be read: {error.strerror}.", code="bad_identity") from error
    except (msgspec.DecodeError, ValueError) as error:
        raise Mistake(f"{path} is damaged.", code="bad_identity", hint=f"{_HINT[:-1]} with --force.") from error
    return identity


def load_identity(state: Path) -> Identity:
    """Return the identity of an activated agent.

    Raises:
        Mistake: this agent was not activated.
    """
    identity = find_identity(state)
    if identity is None or not identity.host_id:
        raise Mistake(f"The agent with its state in {state} is not activated.", code="not_activated", hint=_HINT)
    return identity


def save_identity(state: Path, identity: Identity) -> None:
    """Keep the identity.

    Raises:
        Unavailable: the state folder cannot be written.
    """
    keep(state / _FILE, msgspec.json.encode(identity))


def facts_of(machine: Platform, *, name: str, instance_id: str) -> HostFacts:
    """Return what the server is told of this machine.

    Args:
        name: what the host shall be called; the machine's own name when empty.
        instance_id: new with each start of the agent.
    """
    return HostFacts(
        name=name or machine.host_name(),
        os_family=machine.family,
        os_version=machine.os_version(),
        agent_version=__version__,
        time_zone=machine.time_zone(),
        boot_id=machine.boot_id(),
        instance_id=instance_id,
    )
