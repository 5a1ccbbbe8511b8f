"""The port to the threads in which verbs run; whoever opens the gateway provides them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

Result = TypeVar("Result")


class Threads(Protocol):
    """A bounded number of threads for synchronous work."""

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do `work` in a thread and return what it returns, or raise what it raises.

        A caller that is cancelled goes away at once; work that has begun ends by itself.
        """
