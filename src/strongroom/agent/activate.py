"""Activation: a token makes this machine a host of one server.

Promises: nothing secret is sent before the server has shown the authority whose fingerprint stands in the token. The
key is kept before the server hears of it, so repeating an activation whose reply was lost makes no second host.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from strongroom.agent.identity import Identity, facts_of, find_identity, save_identity
from strongroom.agent.link.link import activate as send_activate
from strongroom.agent.link.transport import Transport
from strongroom.agent.platform.current import current_platform
from strongroom.errors import Conflict
from strongroom.protocol.messages import Activate
from strongroom.protocol.tokens import parse_activation_token
from strongroom.protocol.trust import fetch_authority

if TYPE_CHECKING:
    from pathlib import Path

    from strongroom.protocol.tokens import ActivationToken


def activate(token: str, state: Path, *, name: str = "", force: bool = False) -> Identity:
    """Register this machine with the server that made the token.

    Args:
        state: the agent's state folder; made if need be.
        name: what the host shall be called; the machine's own name when empty.
        force: give up the identity that is there and make a new one.

    Raises:
        Mistake: this is no activation token.
        Conflict: this agent belongs to another server already.
        Refused: the server is not the one that made the token, or does not accept it.
        Unavailable: the server cannot be reached.
    """
    parsed = parse_activation_token(token)
    known = None if force else find_identity(state)
    if known is not None and known.fingerprint != parsed.fingerprint.hex():
        raise Conflict(
            f"This agent belongs to another server already: {known.server_url}.",
            code="identity_exists",
            hint="Use --force to give up that identity.",
        )
    authority = fetch_authority(parsed.url, parsed.fingerprint)
    begun = _begun(parsed, authority, known)
    save_identity(state, begun)
    facts = facts_of(current_platform(), name=name, instance_id=uuid.uuid4().hex)
    transport = Transport(begun.server_url, begun.authority)
    try:
        answer = send_activate(transport, Activate(parsed.secret, begun.public_key, facts))
    finally:
        transport.close()
    identity = replace(begun, host_id=answer.host_id, host_name=answer.host_name)
    save_identity(state, identity)
    return identity


def _begun(token: ActivationToken, authority: str, known: Identity | None) -> Identity:
    """Return the identity to activate: with the key that is there already, so that the server knows us again."""
    return Identity(
        server_url=token.url,
        fingerprint=token.fingerprint.hex(),
        authority=authority,
        private_key=known.private_key if known else Ed25519PrivateKey.generate().private_bytes_raw(),
        host_id=known.host_id if known else "",
        host_name=known.host_name if known else "",
    )
