"""Rows that come in a stream, and what is said if the database does not take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import DBAPIError

from ajpes_reporting.cli.errors import in_words
from ajpes_reporting.database.bulk import add_rows
from ajpes_reporting.database.engine import writing
from ajpes_reporting.database.tables import debtors

if TYPE_CHECKING:
    from sqlalchemy import Engine


def test_a_failure_within_a_stream_is_told_without_the_row(engine: Engine) -> None:
    """An operator reads what is wrong; whose record it was stays in the database."""
    columns = ("provider", "name", "tax_number")
    with pytest.raises(DBAPIError) as failed, writing(engine) as connection:
        add_rows(connection, debtors, columns, [("5860571000", "ANA NOVAK", None)])
    told = in_words(failed.value)
    assert told is not None
    assert "tax_number" in told.message
    assert "NOVAK" not in told.message
