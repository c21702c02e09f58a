"""The tables of a home in PostgreSQL, and how those of earlier releases become today's."""

from __future__ import annotations

from itertools import chain

import sqlalchemy as sa

from digits.durable import DatabaseError

WAIT = 30  # s for the changes of others, each of which takes milliseconds
TABLES, RUN, IMPORT = 1_684_629_357, 1_684_629_358, 1_684_629_359  # advisory locks: digits' own
HOME: sa.ColumnElement = sa.literal_column(
    "'digits_state'::regclass::oid::int"
)  # tells homes apart

metadata = sa.MetaData()
state = sa.Table(  # one row; whoever changes anything holds it
    "digits_state",
    metadata,
    sa.Column("version", sa.Integer, nullable=False),  # how many of MIGRATIONS were made
    sa.Column("identity", sa.Text, nullable=False),  # random: tells it from all other databases
    sa.Column("changed", sa.BigInteger, nullable=False),  # the number of the last piece
)
pieces = sa.Table(
    "digits_pieces",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, nullable=False),  # of its file, relative to the home
    sa.Column("start", sa.BigInteger, nullable=False),  # the byte of its file that it begins at
    sa.Column("data", sa.LargeBinary),  # NULL: the file was removed
    sa.Column("written", sa.DateTime(timezone=True), nullable=False),
)


# Each made once, one after another; a later release adds at the end what changes these tables.
MIGRATIONS: list[tuple[str, ...]] = [
    (
        """CREATE TABLE digits_state
        (version integer NOT NULL, identity text NOT NULL, changed bigint NOT NULL)""",
        """CREATE TABLE digits_pieces
        (id bigint PRIMARY KEY, name text NOT NULL, start bigint NOT NULL, data bytea,
        written timestamptz NOT NULL)""",
        "CREATE INDEX digits_pieces_of_file ON digits_pieces (name, id)",
        "INSERT INTO digits_state VALUES (0, gen_random_uuid(), 0)",
    )
]


def migrate(connection: sa.Connection) -> None:
    """Make what the tables lack. Raises DatabaseError for those of a later release."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(TABLES)))
    known = 0
    if sa.inspect(connection).has_table(state.name):
        known = connection.scalar(sa.select(state.c.version)) or 0
    if known > len(MIGRATIONS):
        raise DatabaseError(
            f"The database's tables are of version {known}, and this program knows "
            f"{len(MIGRATIONS)}: update the program on this host."
        )
    for statement in chain.from_iterable(MIGRATIONS[known:]):
        connection.execute(sa.text(statement))
    if known < len(MIGRATIONS):
        connection.execute(sa.update(state).values(version=len(MIGRATIONS)))
