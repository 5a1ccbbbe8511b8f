"""The vault: is all that is stored still there and right, and how much is it?"""

from __future__ import annotations

from typing import Annotated, Any

from ninja import Field, Router
from pydantic import BaseModel, StrictBool

from strongroom import clock
from strongroom.errors import NotFound
from strongroom.server import views
from strongroom.server.api.auth import Request
from strongroom.server.api.pages import Body
from strongroom.server.upkeep.check import check_vault, vault_stats

router = Router(tags=["vault"])


class CheckWish(Body):
    """How thorough the check is to be."""

    read_data: Annotated[StrictBool, Field(description="Read and verify every byte, not only that all is there.")] = (
        False
    )


class Damage(BaseModel):
    """One thing that is not as it must be."""

    subject: Annotated[str, Field(description="`pack` or `snapshot`.")]
    name: str
    pack: Annotated[str | None, Field(description="The pack's name, when it is one.")]
    problem: str
    snapshots: Annotated[list[str], Field(description="Snapshots that cannot be restored whole because of it.")]


class HitSnapshot(BaseModel):
    """A snapshot that cannot be restored whole."""

    id: str
    set_name: str | None
    time: str | None


class CheckReport(BaseModel):
    """What a check looked at and found."""

    ok: bool
    packs_checked: int
    snapshots_checked: int
    bytes_read: int
    damaged: list[Damage]
    snapshots_hit: list[HitSnapshot]


class Stats(BaseModel):
    """How much is stored."""

    snapshots: int
    packs: int
    bad_packs: Annotated[int, Field(description="Packs that a check found damaged or missing.")]
    chunks: int
    source_bytes: Annotated[int, Field(description="Of all snapshots, as the hosts see them.")]
    plain_bytes: Annotated[int, Field(description="Of all chunks, each once, before compression.")]
    stored_bytes: Annotated[int, Field(description="Of all packs, as files.")]
    dedup_ratio: float
    compression_ratio: float


@router.get("/stats", response=Stats, summary="Count what is stored")
def show_stats(request: Request) -> dict[str, Any]:  # noqa: ARG001 - the framework passes the request
    """Return how much is stored and how much that saves."""
    return vault_stats()


@router.post("/check", response=CheckReport, summary="Check the vault")
def check(request: Request, wish: CheckWish) -> dict[str, Any]:
    """Check the vault and name what is damaged and which snapshots it hits.

    The answer comes when the check is done; with `read_data` that takes as long as reading the whole vault.
    """
    report = check_vault(read_data=wish.read_data, by=request.auth, now=clock.now())
    return {
        "ok": report["healthy"],
        "packs_checked": report["packs"],
        "snapshots_checked": report["snapshots"],
        "bytes_read": report["size_bytes"] if wish.read_data else 0,
        "damaged": [
            {**finding, "pack": finding["name"] if finding["subject"] == "pack" else None}
            for finding in report["findings"]
        ],
        "snapshots_hit": [_hit(snapshot) for snapshot in report["affected"]],
    }


def _hit(snapshot: str) -> dict[str, Any]:
    """Return what a person must know of a snapshot that was hit; its row may be what is missing."""
    try:
        return views.snapshot(snapshot)
    except NotFound:
        return {"id": snapshot, "set_name": None, "time": None}
