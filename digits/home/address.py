"""The address of a home in PostgreSQL: what it says, and connections to it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from digits.durable import DatabaseError
from digits.home.schema import WAIT

# How long a server is waited for that does not answer: s until a connection, then ms.
SILENCE = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5}
SILENCE |= {"keepalives_count": 3, "tcp_user_timeout": 25_000}
# Of the server, while this one is connected: how long others' changes are waited for; and that the
# locks of a host that lost its power, which says no farewell, are free after some 25 s.
OPTIONS = (
    f"-c lock_timeout={WAIT}s -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 "
    "-c tcp_keepalives_count=3"
)


def parse(address: str) -> sa.URL:
    """Return what an address says. Raises DatabaseError, without its password, if it is none."""
    try:
        url = sa.make_url(address)
        if url.get_backend_name() == "postgresql" and "password" not in url.query:
            return url.set(drivername="postgresql+psycopg")
    except (SQLAlchemyError, ValueError):
        pass
    raise DatabaseError(
        "DIGITS_HOME or --root is no address of a PostgreSQL database: it begins with "
        "postgresql+psycopg:// and goes on with user:password@host:port/name."
    )


def engine(url: sa.URL, **pool: Any) -> sa.Engine:
    """Return what connects to a database, pooled as SQLAlchemy's options say."""
    options = f"{url.query.get('options', '')} {OPTIONS}"
    return sa.create_engine(
        url,
        isolation_level="READ COMMITTED",  # each statement sees what others did by then
        connect_args=SILENCE | {"options": options},
        **pool,
    )
