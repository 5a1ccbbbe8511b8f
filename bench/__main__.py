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
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.fetch import NotToBeHad, find_borg, find_restic
from bench.machine import describe
from bench.rounds import SystemMaker, clear, run_set, tell
from bench.sets import SETS, DataSet
from bench.systems import Borg, Restic, Strongroom
from bench.table import render

CACHE = Path(__file__).resolve().parents[1] / ".bench" / "peers"
QUICK_SCALE = 0.05
PEERS: dict[str, Callable[[Path], SystemMaker]] = {
    "restic": lambda cache: functools.partial(Restic, find_restic(cache)),
    "borg-lz4": lambda cache: functools.partial(Borg, find_borg(cache), "lz4"),
    "borg-zstd": lambda cache: functools.partial(Borg, find_borg(cache), "zstd,3"),
}


def main(arguments: list[str]) -> int:
    """Measure what the command line asks for and print it; 0 unless something of Strongroom's failed."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended and removed
    makers, notes = find_systems(options)
    results = []
    with work_folder(options) as work:
        machine = describe(work)
        print(f"{machine}\nscale {options.scale:g}; ratios above 1: Strongroom is ahead\n", flush=True)
        for data_set in chosen_sets(options):
            folder = work / data_set.name.replace("/", "-")
            folder.mkdir(parents=True)
            results.append(run_set(data_set, options.scale, makers, folder))
            print(render(results[-1]), end="\n\n", flush=True)
            if not options.keep:
                clear(folder)
                folder.rmdir()
    print("\n".join(notes))
    if options.json:
        told = {"machine": machine, "scale": options.scale, "notes": notes, "sets": [one.as_json() for one in results]}
        options.json.write_text(json.dumps(told, indent=1, default=str) + "\n")
    return any(outcome.failed for result in results for outcome in result.outcomes if outcome.name == Strongroom.name)


def find_systems(options: argparse.Namespace) -> tuple[list[SystemMaker], list[str]]:
    """Find Strongroom and the wished peers; a peer that cannot be had is left out and named."""
    makers: list[SystemMaker] = [] if options.peers_only else [Strongroom]
    notes = []
    for name in filter(None, options.peers.split(",")):
        try:
            makers.append(PEERS[name](options.cache))
        except NotToBeHad as reason:
            notes.append(f"{name} is not in the table: {reason}.")
            tell(notes[-1])
    return makers, notes


def chosen_sets(options: argparse.Namespace) -> list[DataSet]:
    """List the data sets that were asked for, folders that exist already last."""
    folders = [Path(folder).resolve() for folder in options.folder]
    named = [SETS[name] for name in filter(None, options.sets.split(","))]
    return [*named, *(DataSet(str(folder).strip("/"), "a folder of this machine", None, folder) for folder in folders)]


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
    parser = argparse.ArgumentParser(prog="bench", description="Measure Strongroom beside restic and borg.")
    parser.add_argument("--sets", default="office,small", help=f"data sets, of {','.join(SETS)} [office,small]")
    parser.add_argument("--folder", action="append", default=[], help="also a folder of this machine, such as /usr")
    parser.add_argument("--peers", default=",".join(PEERS), help=f"peers, of {','.join(PEERS)} [all]")
    parser.add_argument("--peers-only", action="store_true", help="leave Strongroom out")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the data sets; 1 is as described [1]")
    parser.add_argument("--quick", action="store_true", help=f"small data: scale {QUICK_SCALE:g}")
    parser.add_argument("--work", type=Path, help="folder to work in [a temporary one]")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where fetched peers are kept [.bench/peers]")
    parser.add_argument("--json", type=Path, help="also write everything to this file")
    parser.add_argument("--keep", action="store_true", help="leave data, vaults and restored files in place")
    options = parser.parse_args(arguments)
    if options.quick:
        options.scale = QUICK_SCALE
    for given, known in ((options.sets, SETS), (options.peers, PEERS)):
        unknown = set(filter(None, given.split(","))) - set(known)
        if unknown:
            parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
