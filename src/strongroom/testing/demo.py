"""The demonstration behind `./dev demo`: a server, an agent, two real backups, a restore, compared.

Everything runs as real processes in one temporary folder; nothing outside it is changed, and with `--keep` it is left
running for a look at the console.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from strongroom import clock
from strongroom.cli.output import size
from strongroom.errors import StrongroomError
from strongroom.testing.loopback import HOST, Loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DEFAULT_FOLDER = Path("/usr/share/doc")
COMPARER = Path(__file__).resolve().parents[3] / "tests" / "compare_trees.py"
EXAMPLE = "changed by the demonstration\n"

console = Console(highlight=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; return 0 when what came back is identical."""
    options = _parse(arguments)
    if not options.folder.is_dir():
        console.print(f"{options.folder} is not a folder. Name one: ./dev demo FOLDER", markup=False)
        return 2
    work = Path(tempfile.mkdtemp(prefix="strongroom-demo-"))
    loop = Loopback(work / "run")
    try:
        identical = _demonstrate(loop, options.folder.resolve(), work)
        if options.keep:
            _leave_running(loop, work)
    except StrongroomError as error:
        console.print(f"The demonstration failed: {error.text}", markup=False)
        return 3
    finally:
        loop.stop()
        shutil.rmtree(work, ignore_errors=True)
    return 0 if identical else 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./dev demo", description="Back up, change, back up, restore, compare.")
    parser.add_argument("folder", nargs="?", type=Path, default=DEFAULT_FOLDER, help="a folder of yours to back up")
    parser.add_argument("--keep", action="store_true", help="leave server, agent and console running until Ctrl-C")
    return parser.parse_args(arguments)


def _demonstrate(loop: Loopback, folder: Path, work: Path) -> bool:
    """Tell and do the whole story; return whether the restored files are identical."""
    source = work / "files"
    _step(f"Copying {folder} to work on, so that nothing of yours is changed", lambda: _copy(folder, source))
    _step("Starting a server and an agent, and registering the agent with a token", loop.start)
    made = loop.cli("set", "create", "demo", "--host", HOST, "--include", str(source))
    console.print(f"  Backup set {made['name']} protects the copy.", markup=False)
    _show(_step("First backup: the set has none yet, so it is full", lambda: _backup(loop)))
    changed = _change(source)
    console.print(f"  One file changed, one added: {changed.relative_to(source)}, new-file.txt", markup=False)
    second = _step("Second backup: incremental, only what changed is read and sent", lambda: _backup(loop))
    _show(second)
    target = work / "restored"
    restore = ("restore", second["snapshot_id"], str(source), "--to", str(target), "--wait")
    restored = _step("Restoring the second snapshot to an empty folder", lambda: loop.cli(*restore, expect=(0, 1)))
    console.print(f"  Job {restored['id']}: {restored['state']}. {restored['reason']['text']}", markup=False)
    return _compare(source, target / source.name)


def _step(text: str, action: Callable[[], Any]) -> Any:  # noqa: ANN401  (whatever the action gives)
    """Show what is going on while it goes on, and how long it took."""
    began = clock.monotonic_s()
    with console.status(text):
        outcome = action()
    console.print(f"[bold]{text}[/bold]  ({clock.monotonic_s() - began:.1f} s)")
    return outcome


def _copy(folder: Path, target: Path) -> None:
    """Copy what can be read of a folder, links as links."""

    def copy_one(source: str, copy: str) -> None:
        try:
            shutil.copy2(source, copy, follow_symlinks=False)
        except OSError as error:
            console.print(f"  left out: {source}: {error.strerror}", markup=False)

    shutil.copytree(folder, target, symlinks=True, copy_function=copy_one)


def _backup(loop: Loopback) -> dict[str, Any]:
    """Back up the set; a backup that missed some files is still one."""
    job: dict[str, Any] = loop.cli("backup", "demo", "--wait", expect=(0, 1))
    return job


def _show(job: dict[str, Any]) -> None:
    """Print what a backup counted."""
    estimate, transfer = job["estimate"], job["transfer"]
    console.print(
        f"  Job {job['id']}: {job['state']}, {job['kind']}. {estimate['files_scanned']} files scanned "
        f"({size(estimate['source_bytes'])}), {estimate['files_added']} added, {estimate['files_changed']} changed; "
        f"{size(transfer['bytes_read'])} read, {size(transfer['bytes_sent'])} sent. Snapshot {job['snapshot_id'][:12]}",
        markup=False,
    )


def _change(source: Path) -> Path:
    """Change one file and add one; return the changed one."""
    (source / "new-file.txt").write_text(EXAMPLE)
    changed = next(path for path in sorted(source.rglob("*")) if path.is_file() and not path.is_symlink())
    with changed.open("a") as file:
        file.write(EXAMPLE)
    return changed


def _compare(source: Path, copy: Path) -> bool:
    """Compare source and copy with the independent comparer and print what it says."""
    console.print("[bold]Comparing every file with a program that shares no code with Strongroom[/bold]")
    answer = subprocess.run(  # noqa: S603  (our own program)
        [sys.executable, str(COMPARER), str(source), str(copy)], capture_output=True, text=True, check=False
    )
    for line in (answer.stdout + answer.stderr).strip().splitlines()[:20]:
        console.print(f"  {line}", markup=False)
    identical = answer.returncode == 0
    console.print("[bold green]Identical.[/bold green]" if identical else "[bold red]Different.[/bold red]")
    return identical


def _leave_running(loop: Loopback, work: Path) -> None:
    """Leave everything running for the user until Ctrl-C."""
    password = loop.password()
    console.print(f"\nConsole: {loop.url}/   user admin, password {password}", markup=False)
    console.print(f"Command line: STRONGROOM_DATA={loop.data} .venv/bin/strongroom job list", markup=False)
    console.print(f"All of it is in {work} and is removed at the end. Ctrl-C ends it.", markup=False)
    try:
        while True:
            clock.wait_s(1)
    except KeyboardInterrupt:
        console.print("Ending.")


if __name__ == "__main__":
    sys.exit(main())
