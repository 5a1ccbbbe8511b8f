"""What all views share: their type, and how long a page is."""

from __future__ import annotations

from typing import Any, Final

MOST: Final = 1000
"""The longest page."""

View = dict[str, Any]


def page_size(limit: int) -> int:
    """Return how many rows to read; callers ask for one more than they show, to see whether the list goes on."""
    return min(max(limit, 1), MOST + 1)
