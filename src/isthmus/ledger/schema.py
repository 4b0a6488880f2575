"""The tables of the store, as queries see them. The migrations make them; a test holds the two together.

Only types every SQL database has are used. Instants are whole microseconds since 1970-01-01 UTC, so that they compare,
subtract and group the same way everywhere; money is decimal text where the database has no exact decimal.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine
from typing_extensions import override

REVISION = "0006"
"""Revision of the newest migration: what a store must be at to be used."""

DAY_US = 86_400_000_000
"""Microseconds of a day."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(instant: datetime) -> int:
    """An aware instant as the store keeps it. Exact, unlike the way over `timestamp()` and its float."""
    return (instant - EPOCH) // _MICROSECOND


def to_instant(microseconds: int) -> datetime:
    """What the store keeps as an aware UTC instant."""
    return EPOCH + timedelta(microseconds=microseconds)


class Instant(TypeDecorator[datetime]):
    """An aware instant, kept as microseconds since 1970-01-01 UTC."""

    impl = BigInteger
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_microseconds(value)

    @override
    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else to_instant(value)


class ExactDecimal(TypeDecorator[Decimal]):
    """An exact decimal: NUMERIC without bounds, and text on SQLite, whose NUMERIC is a binary float."""

    impl = Numeric
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else Numeric())

    @override
    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | str | None:
        return decimal_text(value) if value is not None and dialect.name == "sqlite" else value

    @override
    def process_result_value(self, value: Decimal | str | None, dialect: Dialect) -> Decimal | None:
        return Decimal(value) if isinstance(value, str) else value


def decimal_text(value: Decimal) -> str:
    """A decimal without exponent, so that people and other programmes read it too."""
    text = str(value)
    return text if "E" not in text else format(value, "f")  # twice as fast as always formatting


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

tenants = Table("tenants", metadata, Column("name", Text, primary_key=True), Column("created", Instant, nullable=False))

teams = Table(
    "teams",
    metadata,
    Column("tenant", Text, ForeignKey("tenants.name"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("created", Instant, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("tenant", Text, ForeignKey("tenants.name"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("created", Instant, nullable=False),
)

keys = Table(
    "keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.name"), nullable=False),
    Column("name", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),  # SHA-256, 32 bytes
    Column("team", Text),
    Column("user_name", Text),
    Column("workload", Text),
    Column("labels", Text),  # JSON list of names; NULL: none
    Column("created", Instant, nullable=False),
    Column("expires", Instant),
    Column("revoked", Instant),
    Column("workloads", Text),  # JSON list of names, all it may ask for; NULL: no limit
    UniqueConstraint("tenant", "name"),
    UniqueConstraint("hash"),
    ForeignKeyConstraint(["tenant", "team"], ["teams.tenant", "teams.name"]),
    ForeignKeyConstraint(["tenant", "user_name"], ["users.tenant", "users.name"]),
)

versions = Table(
    "versions",  # counts changes of a table, so that a running server sees them without reading it all
    metadata,
    Column("subject", Text, primary_key=True),
    Column("number", Integer, nullable=False),
)

writers = Table(
    "writers",  # processes that have written; which of them still live decides what crashed
    metadata,
    Column("id", Integer, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_started", Text),
    Column("started", Instant, nullable=False),
    Column("ended", Instant),
    Column("crashed", Boolean, nullable=False),
    Column("sealed", Boolean, nullable=False),  # its last record is in a checkpoint; none will follow
)

in_flight = Table(
    "in_flight",  # scratch: requests begun and not yet settled when a group was written
    metadata,
    Column("id", Text, primary_key=True),
    Column("writer", Integer, ForeignKey("writers.id"), nullable=False),
    Column("document", Text, nullable=False),
)

records = Table(
    "records",  # append-only: triggers refuse UPDATE and DELETE. The chains of all writers
    metadata,
    Column("place", Integer, primary_key=True, autoincrement=False),  # writer and number, see `chain.place`
    Column("kind", Text, nullable=False),
    Column("request", Text),  # id; NULL: the record is of no one request
    Column("at", Instant, nullable=False),  # when it was settled, sent, found or begun
    Column("document", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index("ix_records_entry", "request", unique=True, sqlite_where=text("kind = 'entry'")),
    Index("ix_records_of_request", "request", sqlite_where=text("kind IN ('crossing', 'content')")),
    Index("ix_records_settled", "at", sqlite_where=text("kind = 'entry'")),
    Index("ix_records_gap", "at", sqlite_where=text("kind = 'gap'")),
)

checkpoints = Table(
    "checkpoints",  # append-only
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

contents = Table(
    "contents",  # what was said, sealed, until it expires; never part of the chain
    metadata,
    Column("request", Text, primary_key=True),
    Column("expires", Instant, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index(None, "expires"),
)

files = Table(
    "files",  # what clients handed over for batches, and what batches left; names and contents are sealed
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("created", Instant, nullable=False),
    Column("expires", Instant, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index(None, "tenant", "id"),
    Index(None, "expires"),
)

file_pieces = Table(
    "file_pieces",
    metadata,
    Column("file", Text, ForeignKey("files.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

batches = Table(
    "batches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("holder", Text),  # the process that works on it, as JSON; NULL: none
    Column("keep_until", Instant),  # NULL: it has not ended
    Column("sealed", LargeBinary, nullable=False),
    Index(None, "tenant", "kind", "id"),
    Index(None, "keep_until"),
    Index("ix_batches_open", "tenant", sqlite_where=text("open")),
)

batch_lines = Table(
    "batch_lines",
    metadata,
    Column("batch", Text, ForeignKey("batches.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("outcome", Text),  # NULL: it has not ended
    Column("request", LargeBinary),  # sealed; NULL once there is a result
    Column("result", LargeBinary),  # sealed; NULL: none, or it was never asked
    Column("input_tokens", BigInteger),  # NULL: the usage is not known
    Column("cached_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Index(None, "batch", "outcome"),
)

agent_events = Table(
    "agent_events",  # what happened in the agent's conversations; what was said and found in them is sealed
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("conversation", LargeBinary, nullable=False),  # keyed hash of its name
    Column("turn", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index(None, "conversation", "seq"),
    Index(None, "at"),
    sqlite_autoincrement=True,
)

agent_open = Table(
    "agent_open",  # turns that have not ended, and what is held back to be sent later
    metadata,
    Column("subject", Text, primary_key=True),  # id of the turn or of the call
    Column("tenant", Text, nullable=False),
    Column("conversation", LargeBinary, nullable=False),
    Column("holder", Text),  # the process that works on it, as JSON; NULL: none
    Column("sealed", LargeBinary, nullable=False),  # the name of the conversation
)

agent_marks = Table(
    "agent_marks",  # what bears which mark because the agent made it
    metadata,
    Column("thing", LargeBinary, primary_key=True),  # keyed hash of account, kind and id, or of its content
    Column("sealed", LargeBinary, nullable=False),
)

jobs = Table(
    "jobs",  # what is to be done when its time comes; what it says is sealed
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("next", Instant),  # NULL: never again
    Column("repeats", Boolean, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index(None, "tenant", "next"),
    Index(None, "next"),
)

job_runs = Table(
    "job_runs",  # what became of a job, each time that it was due
    metadata,
    Column("job", Text, ForeignKey("jobs.id"), primary_key=True),
    Column("due", Instant, primary_key=True),
    Column("outcome", Text),  # NULL: it is being done
    Column("holder", Text),  # the process that does it, as JSON; NULL: none
    Column("sealed", LargeBinary),  # the evidence; NULL: it is being done
    Index("ix_job_runs_open", "job", sqlite_where=text("outcome IS NULL")),
)

views = MetaData()
"""Records as tables, for queries; made by the migrations. Read from the documents, so that nothing stands twice."""

entries = Table(
    "entries",
    views,
    Column("writer", Integer),
    Column("seq", BigInteger),
    Column("id", Text),
    Column("began", Instant),
    Column("settled", Instant),
    Column("outcome", Text),
    Column("error", Text),
    Column("tenant", Text),
    Column("team", Text),
    Column("user_name", Text),
    Column("key_name", Text),
    Column("workload", Text),
    Column("conversation", Text),
    Column("dialect", Text),
    Column("model", Text),
    Column("labels", Text),
    Column("goal", Text),
    Column("offer", Text),
    Column("offer_model", Text),
    Column("side", Text),
    Column("streamed", Boolean),
    Column("input_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("cache_written_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("cost", ExactDecimal),
    Column("price_source", Text),
    Column("first_token", Double),
    Column("total", Double),
    Column("attempts", Text),
    Column("rejected", Text),
    Column("catalog_version", Text),
    Column("policy_version", Text),
    Column("crashed_writer", Integer),
)

gaps = Table(
    "gaps",
    views,
    Column("writer", Integer),
    Column("seq", BigInteger),
    Column("lost", BigInteger),
    Column("first", Instant),
    Column("last", Instant),
    Column("reason", Text),
    Column("recorded", Instant),
)

crossings = Table(
    "crossings",
    views,
    Column("writer", Integer),
    Column("seq", BigInteger),
    Column("request", Text),
    Column("offer", Text),
    Column("labels", Text),
    Column("lowered", Text),
    Column("digest", Text),
    Column("at", Instant),
)
