"""Merges the rows of one source into the ledger, set by set in the database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from ajpes_reporting.ledger.contradictions import Restated
    from ajpes_reporting.ledger.findings import Found
    from ajpes_reporting.ledger.restatement import Restatement


class Merge(ABC):
    """One source on its way into the ledger.

    `staged` are the temporary tables in which its rows wait, `into` those of the ledger that they are
    added to. What is wrong is told through `found`; the whole source is refused then. With a `restatement`
    the rows of accounts and of their months take the place of those they contradict: so many are
    `rows_restated`, and `restated` are the first of their fields.
    """

    staged: ClassVar[tuple[Table, ...]]
    into: ClassVar[tuple[Table, ...]]
    renamed = 0
    """How many facts were given another name."""

    def __init__(self, connection: Connection, provider: str, found: Found) -> None:
        self._connection = connection
        self._provider = provider
        self._found = found
        self.restatement: Restatement | None = None
        self.rows_restated = 0
        self.restated: tuple[Restated, ...] = ()

    def take(self, rows: int) -> None:  # noqa: B027 - most leave the rows where they are
        """Some more rows, so many, have been staged. They may be taken in already, and removed from there."""

    @abstractmethod
    def finish(self, rows: int) -> int:
        """All rows, so many, have been staged; says how many of them are new.

        Raises LedgerRefused, through `found`, for what contradicts the ledger or another row.
        """
