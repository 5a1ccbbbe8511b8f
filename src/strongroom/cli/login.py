"""`strongroom login`: prove who you are once; the server's answer is kept for the commands that follow."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from strongroom.cli.client import Access, Client, credentials_file, require_address
from strongroom.cli.output import ask, confirm, remark, say
from strongroom.errors import Mistake, Refused
from strongroom.protocol import trust

if TYPE_CHECKING:
    from pathlib import Path


def login(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="The server's address, such as https://backup.example.org:8440.")
    ],
    *,
    user: Annotated[str, typer.Option(help="Your name on the server.")] = "",
    fingerprint: Annotated[str, typer.Option(help="SHA-256 of the server's authority, if you know it.")] = "",
    print_token: Annotated[bool, typer.Option("--print-token", help="Print the token instead of keeping it.")] = False,
) -> None:
    """Log in to a server."""
    require_address(url)
    authority = _trusted_authority(url, fingerprint)
    name = user or ask("User")
    password = ask("Password", hidden=True)
    reply = Client(Access(url, "", authority)).send(
        "login", body={"username": name, "password": password, "name": f"command line on {os.uname().nodename}"}
    )
    if print_token:
        say(reply["token"])
        return
    _save(credentials_file(), Access(url, reply["token"], authority))
    remark(f"Logged in to {url} as {name}.")


def _trusted_authority(url: str, fingerprint: str) -> str:
    """Return the server's authority: compared with `fingerprint`, or shown to the person who must say yes.

    Raises:
        Mistake: the fingerprint given is none.
        Refused: the person said no, or the fingerprint differs.
    """
    if fingerprint:
        try:
            expected = bytes.fromhex(fingerprint.replace(":", ""))
        except ValueError as error:
            raise Mistake(f"{fingerprint!r} is not a fingerprint.", hint="It is 64 hexadecimal digits.") from error
        return trust.fetch_authority(url, expected)
    authority = trust.fetch_authority(url, None)
    remark("The server's certificate authority has the SHA-256 fingerprint")
    remark(f"  {trust.fingerprint_of(authority).hex()}")
    if not confirm("Is that your server?"):
        raise Refused("Not logged in.", hint="The fingerprint is in the server's log at its start.")
    return authority


def _save(file: Path, access: Access) -> None:
    """Keep the access for later commands, readable by this user only."""
    fresh = file.with_suffix(".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh.touch(mode=0o600)
        fresh.chmod(0o600)
        fresh.write_bytes(msgspec.json.encode(access))
        fresh.replace(file)
    except OSError as error:
        raise Mistake(f"{file} cannot be written: {error.strerror}.", code="no_access") from error
