"""How migrations run, whichever service they belong to and whoever runs them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context
from alembic.util import CommandError

from common.store.engines import engine_of_url
from common.store.schema import metadata_of


def run_migrations() -> None:
    """Migrate the database of the connection handed over by the caller, or of `-x url=…` on the command line."""
    connection = context.config.attributes.get("connection")
    if connection is not None:
        _run_on(connection)
        return
    url = context.get_x_argument(as_dictionary=True).get("url")
    if url is None:
        raise CommandError("which database? give -x url=…")
    with engine_of_url(url).connect() as opened:
        _run_on(opened)


def _run_on(connection: sa.Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata_of(connection.dialect.name),
        render_as_batch=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()
