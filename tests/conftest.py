"""What every suite shares: how Hypothesis searches, and that nothing is skipped in silence.

Locally it explores anew each time.
Where CI is set it repeats the same examples, so that a red run is the change's doing.
No deadline: the machine may be busy with something else.
"""

import os

from hypothesis import HealthCheck, settings

from tests.skips import pytest_make_collect_report, pytest_runtest_makereport

__all__ = ["pytest_make_collect_report", "pytest_runtest_makereport"]

settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeat", parent=settings.get_profile("explore"), derandomize=True, print_blob=True)
settings.load_profile("repeat" if os.environ.get("CI") else "explore")
