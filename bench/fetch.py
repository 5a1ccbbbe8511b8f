"""Where the peers come from: what is installed if it is new enough, else a private copy that touches nothing else.

restic is taken from Debian's newer suite and unpacked. borg is built in an environment of its own, against libraries
unpacked from this system's own suite. Both use a private copy of the package tool's state, and the mirror that this
system uses already; its package sources and installed packages stay as they are. What was fetched is kept for the
next run. When something cannot be had, the reason goes into the table.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

NEWER_SUITE = "trixie"
RESTIC_AT_LEAST = (0, 18)
BORG_AT_LEAST = (1, 4)
BORG_WANTED = "borgbackup==1.4.*"
BORG_LIBRARIES = ("libacl1", "liblz4-1", "libzstd1", "libxxhash0", "libssl3")
BORG_HEADERS = ("libacl1-dev", "liblz4-dev", "libzstd-dev", "libxxhash-dev", "libssl-dev")


class NotToBeHad(Exception):
    """A peer can be neither found nor fetched; the text says why."""


@dataclass(frozen=True)
class Program:
    """A program that is there, and which version it is."""

    path: str
    version: str


def find_restic(cache: Path) -> Program:
    """Find restic or fetch it.

    Raises:
        NotToBeHad: neither worked.
    """
    kept = cache / "restic" / "usr" / "bin" / "restic"
    found = installed("restic", RESTIC_AT_LEAST) or installed(str(kept), RESTIC_AT_LEAST)
    if not found:
        unpack(cache, NEWER_SUITE, ["restic"], cache / "restic")
        found = installed(str(kept), RESTIC_AT_LEAST)
    return require(found, "restic", RESTIC_AT_LEAST)


def find_borg(cache: Path) -> Program:
    """Find borg or build it.

    Raises:
        NotToBeHad: neither worked.
    """
    kept = cache / "borg" / "bin" / "borg"
    found = installed("borg", BORG_AT_LEAST) or installed(str(kept), BORG_AT_LEAST)
    if not found:
        libraries = cache / "borg-libraries"
        unpack(cache, system_suite(), [*BORG_LIBRARIES, *BORG_HEADERS], libraries)
        build_borg(cache / "borg", libraries / "usr")
        found = installed(str(kept), BORG_AT_LEAST)
    return require(found, "borg", BORG_AT_LEAST)


def find_installed(name: str) -> Program:
    """Find a program that is never fetched.

    Raises:
        NotToBeHad: it is not installed.
    """
    found = installed(name, (0, 0))
    if not found:
        raise NotToBeHad("it is not installed")
    return found


def installed(name: str, at_least: tuple[int, int]) -> Program | None:
    """Give the program if it is there, starts, and is new enough."""
    path = shutil.which(name)
    if not path:
        return None
    option = "version" if Path(path).name == "restic" else "--version"
    answer = subprocess.run([path, option], capture_output=True, text=True, check=False)
    version = re.search(r"\d+\.\d+(\.\d+)?", answer.stdout)
    if answer.returncode or not version or tuple(map(int, version[0].split(".")[:2])) < at_least:
        return None
    return Program(path, version[0])


def require(found: Program | None, name: str, at_least: tuple[int, int]) -> Program:
    """Insist that a program was found."""
    if not found:
        raise NotToBeHad(f"{name} {'.'.join(map(str, at_least))} was fetched, but does not start")
    return found


def unpack(cache: Path, suite: str, packages: list[str], target: Path) -> None:
    """Download packages of a suite with a private state of the package tool, and unpack them into a folder."""
    state = cache / f"apt-{suite}"
    downloads = state / "downloads"
    shutil.rmtree(downloads, ignore_errors=True)
    for folder in (state / "lists" / "partial", state / "cache" / "archives" / "partial", downloads, target):
        folder.mkdir(parents=True, exist_ok=True)
    (state / "sources.list").write_text(f"deb {system_mirror()} {suite} main\n")
    (state / "apt.conf").write_text(
        f'Dir::State "{state}";\nDir::State::lists "{state}/lists";\nDir::State::status "/var/lib/dpkg/status";\n'
        f'Dir::Cache "{state}/cache";\nDir::Etc::sourcelist "{state}/sources.list";\nDir::Etc::sourceparts "-";\n'
        'APT::Sandbox::User "";\n'
    )
    environment = {**os.environ, "APT_CONFIG": str(state / "apt.conf")}
    run(["apt-get", "update", "-q"], state, environment)
    for name in packages:
        try:
            run(["apt-get", "download", "-q", name], downloads, environment)
        except NotToBeHad:  # newer suites renamed libraries whose notion of time grew
            run(["apt-get", "download", "-q", f"{name}t64"], downloads, environment)
    for package in sorted(downloads.glob("*.deb")):
        run(["dpkg-deb", "-x", str(package), str(target)], state, environment)


def build_borg(target: Path, libraries: Path) -> None:
    """Build borg in an environment of its own, linked to the unpacked libraries."""
    binaries = sorted(folder.parent for folder in libraries.glob("lib/*/liblz4.so"))
    if not binaries:
        raise NotToBeHad("the libraries that borg is built with could not be unpacked")
    prefixes = {
        f"BORG_{name}_PREFIX": str(libraries) for name in ("OPENSSL", "LIBLZ4", "LIBZSTD", "LIBXXHASH", "LIBACL")
    }
    environment = {
        **os.environ,
        **prefixes,
        "CFLAGS": f"-I{libraries}/include -I{libraries}/include/{binaries[0].name}",
        "LDFLAGS": f"-L{binaries[0]} -Wl,-rpath,{binaries[0]}",
    }
    run([sys.executable, "-m", "venv", "--clear", str(target)], target.parent, environment)
    run([str(target / "bin" / "pip"), "install", "-q", "--no-cache-dir", BORG_WANTED], target.parent, environment)


def system_mirror() -> str:
    """Ask the package tool which mirror of Debian this system uses."""
    answer = run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN) $(CODENAME) $(REPO_URI)"], Path("/"), dict(os.environ)
    )
    for line in answer.splitlines():
        origin, suite, mirror = (*line.split(), "", "", "")[:3]
        if origin == "Debian" and suite == system_suite():
            return mirror
    raise NotToBeHad("this is not a Debian system, or its package lists were never fetched")


def system_suite() -> str:
    """Name the suite of Debian that this system is."""
    found = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(), re.MULTILINE)
    if not found:
        raise NotToBeHad("this is not a Debian system")
    return found[1]


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """Run a tool in silence.

    Raises:
        NotToBeHad: the tool is not there, or failed; the text has the end of what it said.
    """
    try:
        answer = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise NotToBeHad(f"{command[0]}: {error.strerror}") from error
    if answer.returncode:
        said = (answer.stdout + answer.stderr).strip().splitlines()
        raise NotToBeHad(f"{Path(command[0]).name} failed: {' '.join(said[-2:])[-300:]}")
    return answer.stdout
