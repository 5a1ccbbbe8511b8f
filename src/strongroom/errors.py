"""The error families: every failure that Strongroom reports on purpose.

Why: a caller (API route, CLI, agent) must know what to do with an error without reading its text.
Promises: each error has a stable `code`, a sentence for a person, an optional hint what to do, and says whether
trying again may help.
Does not: name the concrete errors; those live beside the code that raises them.
"""

from __future__ import annotations


class StrongroomError(Exception):
    """Root of all errors raised on purpose.

    Args:
        text: one sentence: what was wrong, and where.
        code: stable machine-readable word; defaults to the class's own.
        hint: one sentence: what to do about it; may be empty.
    """

    code = "error"
    retryable = False
    exit_code = 3
    http_status = 500

    def __init__(self, text: str, *, code: str | None = None, hint: str = "") -> None:
        """Keep the sentence, the code and the hint."""
        super().__init__(text)
        self.text = text
        self.hint = hint
        if code is not None:
            self.code = code


class Mistake(StrongroomError):
    """The caller asked for something that cannot be: wrong value, wrong use."""

    code = "mistake"
    exit_code = 2
    http_status = 400


class NotFound(Mistake):
    """The thing that was named does not exist (or is not the caller's to see)."""

    code = "not_found"
    http_status = 404


class Refused(StrongroomError):
    """The caller is not allowed to do this."""

    code = "refused"
    http_status = 403


class Unauthenticated(Refused):
    """The caller did not prove who it is, or the proof has run out."""

    code = "unauthenticated"
    http_status = 401


class Conflict(StrongroomError):
    """The thing is in a state in which this cannot be done now."""

    code = "conflict"
    http_status = 409


class Unavailable(StrongroomError):
    """Something needed cannot be reached now; trying again may help."""

    code = "unavailable"
    retryable = True
    http_status = 503


class Damaged(StrongroomError):
    """Stored or received bytes are not what they must be. Never swallowed."""

    code = "damaged"
    http_status = 500
