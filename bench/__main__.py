"""The program: read the command line, get the peers, run the rounds, print the table."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.fetch import NotToBeHad
from bench.figures import OURS
from bench.machine import describe, revision
from bench.rounds import Round, SetResult, SystemMaker, settle, tell
from bench.sets import SETS, DataSet
from bench.systems import PEERS, USUAL_PEERS, Peer, Strongroom
from bench.table import render
from bench.targets import verdict

CACHE = Path(__file__).resolve().parents[1] / ".bench" / "peers"
QUICK = {"scale": 0.02, "sets": "small"}
COPIES = 2.0  # what one system puts on the disk, at most, in sizes of the data: its storage and what it restores
REST_AFTER_REMOVAL_S = 20.0


def main(arguments: list[str]) -> int:
    """Measure what the command line asks for and print it; 0 unless something of Strongroom's failed."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended and removed
    makers, notes = find_systems(options)
    results: list[SetResult] = []
    with work_folder(options) as work:
        facts = f"{describe(work)}; Strongroom {revision()}; scale {options.scale:g}."
        try:
            for data_set in chosen_sets(options):
                folder = work / data_set.name.replace("/", "-")
                make_room(data_set, len(makers), folder, options)
                results.append(Round(data_set, options.scale, makers, folder).run())
                keep(options, facts, notes, results)
        except NotToBeHad as reason:
            sys.exit(f"bench: the bare machine cannot be measured: {reason}")
        finally:  # also what was found before it was stopped
            print(render(results, facts, notes) if results else facts, end="", flush=True)
    return any(outcome.failed for result in results for outcome in result.outcomes if outcome.key == OURS)


def find_systems(options: argparse.Namespace) -> tuple[dict[str, SystemMaker], list[str]]:
    """Find Strongroom and the wished peers; a peer that cannot be had is left out and named."""
    makers: dict[str, SystemMaker] = {} if options.peers_only else {OURS: Strongroom}
    notes = []
    for name in options.peers:
        try:
            makers[name] = functools.partial(Peer, name, PEERS[name].find(options.cache))
        except NotToBeHad as reason:
            notes.append(f"{name} is not in the table: {reason}.")
            tell(notes[-1])
    return makers, notes


def chosen_sets(options: argparse.Namespace) -> list[DataSet]:
    """List the data sets that were asked for, folders that exist already last."""
    folders = [Path(folder).resolve() for folder in options.folder]
    named = [SETS[name] for name in options.sets]
    return [
        *named,
        *(DataSet(str(folder).strip("/"), "a folder of this machine", existing=folder) for folder in folders),
    ]


def make_room(data_set: DataSet, systems: int, folder: Path, options: argparse.Namespace) -> None:
    """Make the folder of a set; what sets before it left is only removed when the disk has no room for this one.

    A mass delete slows the creation of files for a while, and this set is to create many.
    """
    wanted = data_set.size_bytes * (1 if data_set.existing else options.scale) * (2 + COPIES * systems)
    for old in sorted(folder.parent.iterdir(), key=lambda one: one.stat().st_mtime):
        if shutil.disk_usage(folder.parent).free < wanted and not options.keep:
            tell(f"removing what {old.name} left, to have room")
            shutil.rmtree(old)
            settle(REST_AFTER_REMOVAL_S)
    folder.mkdir()


def keep(options: argparse.Namespace, facts: str, notes: list[str], results: list[SetResult]) -> None:
    """Write what was found so far to the files that were asked for."""
    if options.markdown:
        options.markdown.write_text(render(results, facts, notes))
    if options.json:
        told = {
            "facts": facts,
            "scale": options.scale,
            "notes": notes,
            "sets": [one.as_json() for one in results],
            "verdict": verdict(results),
        }
        options.json.write_text(json.dumps(told, indent=1, default=str) + "\n")


@contextlib.contextmanager
def work_folder(options: argparse.Namespace) -> Iterator[Path]:
    """Make a folder to work in, and remove it afterwards unless it is to be kept."""
    if options.work:
        options.work.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="strongroom-bench-", dir=options.work)).resolve()
    try:
        yield folder
    finally:
        if options.keep:
            tell(f"Everything is kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure Strongroom beside its peers.")
    parser.add_argument("--sets", help=f"data sets [{','.join(SETS)}]")
    parser.add_argument("--folder", action="append", default=[], help="also a folder of this machine, only read")
    parser.add_argument(
        "--peers", default=",".join(USUAL_PEERS), help=f"of {','.join(PEERS)} [{','.join(USUAL_PEERS)}]"
    )
    parser.add_argument("--peers-only", action="store_true", help="leave Strongroom out")
    parser.add_argument("--scale", type=float, help="size of the data sets; 1 is as described [1]")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK['sets']} at scale {QUICK['scale']}")
    parser.add_argument("--work", type=Path, help="folder to work in [a temporary one]")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where fetched peers are kept [.bench/peers]")
    parser.add_argument("--markdown", type=Path, help="also write the tables to this file, after each set")
    parser.add_argument("--json", type=Path, help="also write everything in raw units, after each set")
    parser.add_argument("--keep", action="store_true", help="leave data, vaults and restored files in place")
    options = parser.parse_args(arguments)
    usual = QUICK if options.quick else {"scale": 1.0, "sets": ",".join(SETS)}
    options.scale = options.scale or usual["scale"]
    options.sets = usual["sets"] if options.sets is None else options.sets
    for name, known in (("sets", SETS), ("peers", PEERS)):
        given = [one for one in getattr(options, name).split(",") if one]
        unknown = set(given) - set(known)
        if unknown:
            parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        setattr(options, name, given)
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
