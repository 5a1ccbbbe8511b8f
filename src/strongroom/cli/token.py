"""`strongroom token`: activation tokens, with which agents register."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from strongroom.cli.client import Client, find_access
from strongroom.cli.output import AsJson, minute, moment, print_json, print_table, remark, say
from strongroom.errors import Mistake

app = typer.Typer(no_args_is_help=True, help="Activation tokens for agents.")

_DURATION = re.compile(r"(\d{1,9})\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@app.command()
def create(
    *,
    uses: Annotated[int | None, typer.Option(min=1, help="How many hosts it may register [any number].")] = None,
    expires: Annotated[str, typer.Option(help="How long it works: 30m, 24h, 7d.")] = "24h",
    as_json: AsJson = False,
) -> None:
    """Make an activation token and print it once."""
    made: dict[str, Any] = Client(find_access()).send("tokens", body={"uses": uses, "expires_s": duration_s(expires)})
    if as_json:
        print_json(made)
        return
    say(made["token"])
    remark(f"Works until {moment(made['expires'])}. On the file server: strongroom agent activate TOKEN")


@app.command("list")
def list_tokens(*, as_json: AsJson = False) -> None:
    """List the activation tokens that still work or once did."""
    tokens = Client(find_access()).fetch_all("tokens")
    if as_json:
        print_json(tokens)
        return
    print_table(
        ("id", "uses left", "expires (UTC)"),
        (
            (token["id"], token["uses_left"] if token["uses_left"] is not None else "any", minute(token["expires"]))
            for token in tokens
        ),
    )


@app.command()
def delete(
    token: Annotated[int, typer.Argument(min=1, metavar="ID", help="The token's id.")], *, as_json: AsJson = False
) -> None:
    """Delete a token; hosts that it registered go on."""
    Client(find_access()).delete("tokens", token)
    if as_json:
        print_json({"id": token, "deleted": True})
    else:
        say(f"Token {token} is deleted.")


def duration_s(text: str) -> int:
    """Return the seconds of a duration such as `90s`, `24h` or `1d12h`.

    Raises:
        Mistake: it is none.
    """
    parts = _DURATION.findall(text)
    if not parts or _DURATION.sub("", text).strip():
        raise Mistake(f"{text!r} is not a duration.", hint="Write it like 30m, 24h or 7d.")
    return sum(int(count) * _SECONDS[unit] for count, unit in parts)
