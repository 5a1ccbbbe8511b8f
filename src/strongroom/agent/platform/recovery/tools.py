"""Programs of the file systems' own, run without a shell and never for ever."""

from __future__ import annotations

import errno
import shutil
import subprocess
from typing import Final

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PATIENCE_S: Final = 120.0
_SAID: Final = 300


class Tools:
    """Runs programs found on a fixed search path, in the C locale."""

    def __init__(self, path: str = PATH) -> None:
        self._environment = {"PATH": path, "LC_ALL": "C", "HOME": "/"}

    def run(self, program: str, *arguments: str | bytes) -> bytes:
        """Run a program and return what it printed.

        Raises:
            OSError: it is not installed, did not end in time, or failed; the text is its last line.
        """
        found = shutil.which(program, path=self._environment["PATH"])
        if found is None:
            raise FileNotFoundError(errno.ENOENT, f"{program} is not installed")
        try:
            done = subprocess.run(  # noqa: S603 -- the words are ours, and no shell reads them
                [found, *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=_PATIENCE_S,
            )
        except subprocess.TimeoutExpired as error:
            raise OSError(f"{program} did not answer within {_PATIENCE_S:.0f} s") from error
        if done.returncode:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise OSError(lines[-1].strip()[:_SAID] if lines else f"{program} failed with code {done.returncode}")
        return done.stdout
