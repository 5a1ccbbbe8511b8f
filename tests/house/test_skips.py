"""A gate that skips is open: in CI only what a reason in tests/skips.py allows may go without running."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WAYS = {
    "in the test": "import pytest\ndef test_it(): pytest.skip({reason!r})",
    "on the test": "import pytest\n@pytest.mark.skipif(True, reason={reason!r})\ndef test_it(): pass",
    "in a fixture": "import pytest\n@pytest.fixture\ndef one(): pytest.skip({reason!r})\ndef test_it(one): pass",
    "in the module": "import pytest\npytest.skip({reason!r}, allow_module_level=True)\ndef test_it(): pass",
}
ALLOWED = "root reads everything" if os.geteuid() == 0 else "only root can do this"


def run(folder, way, reason, *, ci):
    (folder / "conftest.py").write_text((ROOT / "tests" / "skips.py").read_text())
    (folder / "test_it.py").write_text(WAYS[way].format(reason=reason))
    environment = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={folder}", str(folder)],
        env={**environment, **({"CI": "1"} if ci else {})},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("way", WAYS)
def test_in_ci_a_skip_is_a_failure_and_says_why(tmp_path, way):
    code, said = run(tmp_path, way, "no browser here", ci=True)
    assert code in {1, 2}
    assert "skipped in CI, where it has to run: no browser here" in said


def test_a_reason_that_is_listed_may_stand(tmp_path):
    code, said = run(tmp_path, "on the test", ALLOWED, ci=True)
    assert (code, "1 skipped" in said) == (0, True)


def test_elsewhere_a_skip_is_a_skip(tmp_path):
    code, said = run(tmp_path, "in the test", "no browser here", ci=False)
    assert (code, "1 skipped" in said) == (0, True)
