"""The server's own address: what its certificate must be for, and what hosts and people are told.

Promises: the file `server.json` is there while the server listens, and gone after a clean stop.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from strongroom.server.app.listener import Place
    from strongroom.server.config import DataFolder, ServerConfig

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def names_of(place: Place, config: ServerConfig) -> Sequence[str]:
    """Return all names and addresses that the server's certificate must be for."""
    own = [socket.gethostname()] if _is_any(place.host) else [place.host]
    return list(dict.fromkeys((*LOOPBACK, *config.names, *own)))


def url_of(place: Place, port: int, config: ServerConfig) -> str:
    """Return how hosts and people reach the server; what the settings say comes first."""
    if config.url:
        return config.url.rstrip("/")
    host = _own_name(port) if _is_any(place.host) else place.host
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


@contextlib.contextmanager
def told(folder: DataFolder, url: str) -> Iterator[None]:
    """Have the address in the data folder for as long as the context lasts."""
    draft = folder.address.with_suffix(".new")
    draft.write_bytes(msgspec.json.encode({"url": url, "pid": os.getpid()}))
    draft.replace(folder.address)
    try:
        yield
    finally:
        folder.address.unlink(missing_ok=True)


def _own_name(port: int) -> str:
    """Return this machine's name, or `localhost` when not even it knows itself by that name."""
    try:
        socket.getaddrinfo(socket.gethostname(), port)
    except OSError:
        return "localhost"
    return socket.gethostname()


def _is_any(host: str) -> bool:
    """Tell whether an address stands for all of this machine's."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
