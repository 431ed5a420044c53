"""The hook by which the ledger lets somebody record its changes, in the same transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

T = TypeVar("T")

AuditHook = Callable[[Connection, T], None]
"""Called with the running transaction and what was done in it, before that is stored."""


def not_audited(_connection: Connection, _done: object) -> None:
    """Writes nothing down."""
