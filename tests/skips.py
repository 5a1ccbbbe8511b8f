"""Where CI is set, a test that was skipped has failed, unless the reason is one of these.

A gate that skips is open, and nobody reads the reasons of a green run. What a test needs is installed by `./dev test`;
what remains is that some things only root can do, and some only others.
"""

import os

import pytest

ROOT_CAN_DO_MORE = "root reads everything"
OTHERS_CAN_DO_LESS = "only root "


def is_allowed(reason):
    """Tell whether a reason may stand on this machine."""
    return reason == ROOT_CAN_DO_MORE if os.geteuid() == 0 else reason.startswith(OTHERS_CAN_DO_LESS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Judge what one test, or what it is built on, came to."""
    return judged((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Judge what the search for tests in one file came to."""
    return judged((yield))


def judged(report):
    """Make a failure of a skip that nobody allowed."""
    if os.environ.get("CI") and report.skipped:
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if not is_allowed(reason):
            report.outcome, report.longrepr = "failed", f"skipped in CI, where it has to run: {reason}"
    return report
