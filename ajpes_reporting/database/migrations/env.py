"""Alembic's entry: runs the revisions on the connection that `upgrade.py` hands over.

It is not told about tables.py: a revision means the same however the tables go on to change.
"""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
