"""The agent's verbs: eleven, and there is no twelfth without a threat note (docs/security.md)."""

from __future__ import annotations

import enum

PREFIX = "/agent/v1"


class Endpoint(enum.StrEnum):
    """Path of each verb below `PREFIX`; all are POST."""

    ACTIVATE = "/activate"
    AUTHENTICATE = "/authenticate"
    ORDERS = "/orders"
    OPEN_SESSION = "/session/open"
    MISSING = "/session/missing"
    PUT = "/session/put"
    CHECKPOINT = "/session/checkpoint"
    COMMIT = "/session/commit"
    BASE_LISTING = "/session/base-listing"
    FETCH = "/fetch"
    REPORT = "/report"
