"""Dagster's records in a database server: blanking texts there, as `traces.py` does in files.

What belongs here: any database that SQLAlchemy reaches. What doesn't: knowing where it is.
"""

from __future__ import annotations

from collections.abc import Collection

from ldt_pipeline.erasing.traces import BLANK, forms_of


def blank_database(address: str, texts: Collection[str]) -> int:
    """Put a blank in the place of texts in every column of text; gives how many values changed.

    Tables that changed are written anew, so that no page of them has the old bytes. A server's log of
    changes, and its backups, are not reached.

    Args:
        address: SQLAlchemy's address of a Postgres database, with its password.
        texts: What must not stay.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: The database can't be reached, or doesn't let us.
    """
    # Dagster brings it, and nobody without such a database has to wait for it.
    import sqlalchemy as sa  # noqa: PLC0415

    forms = forms_of(texts)
    if not forms:
        return 0
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    changed: dict[str, int] = {}
    with engine.begin() as connection:
        inspector = sa.inspect(connection)
        for name in inspector.get_table_names():
            for described in inspector.get_columns(name):
                if not isinstance(described["type"], sa.String):
                    continue
                column = sa.column(described["name"], sa.String)
                table = sa.table(name, column)
                for form in forms:
                    done = connection.execute(
                        sa.update(table)
                        .where(sa.func.strpos(column, form) > 0)
                        .values({column.name: sa.func.replace(column, form, BLANK)})
                    )
                    if done.rowcount:
                        changed[name] = changed.get(name, 0) + done.rowcount
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for name in changed:
            quoted = engine.dialect.identifier_preparer.quote(name)
            connection.execute(sa.text(f"VACUUM FULL {quoted}"))
    return sum(changed.values())
