"""Every record becomes a document in the chain of its writer.

What a store of the first revision holds is carried over and chained as it is found. Each such chain begins with a start
that says `carried`: nothing vouches for its records before this step; the first checkpoint after it vouches for them
from then on.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SEQ_BITS = 40

_APPEND_ONLY = {
    "sqlite": (
        "CREATE TRIGGER {table}_refuse_update BEFORE UPDATE ON {table} "
        "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
        "CREATE TRIGGER {table}_refuse_delete BEFORE DELETE ON {table} "
        "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
    ),
}
"""Statements per database that make a table append-only. A database without them cannot keep a ledger: KeyError."""

_NUMBER = f"place >> {_SEQ_BITS} AS writer, place & {(1 << _SEQ_BITS) - 1} AS seq"


def _fields(*names: str) -> str:
    """Columns of a view: `key` of the document, or `column=key` where the two differ."""
    pairs = [name.split("=") if "=" in name else (name, name) for name in names]
    return ", ".join(f"json_extract(document, '$.{key}') AS {column}" for column, key in pairs)


_ENTRIES = (
    _NUMBER,
    "request AS id",
    _fields("began"),
    "at AS settled",
    "coalesce(json_extract(document, '$.tenant'), 'default') AS tenant",
    _fields("outcome", "error", "team", "user_name=user", "key_name=key", "workload", "conversation"),
    _fields("dialect", "model", "labels", "goal", "offer", "offer_model", "side"),
    "coalesce(json_extract(document, '$.streamed'), 0) AS streamed",
    _fields("input_tokens=input"),
    # A count that is nought is left out of the document, as is one that is not known: the input tells which.
    *(
        f"iif(json_extract(document, '$.input') IS NULL, NULL, "
        f"coalesce(json_extract(document, '$.{key}'), 0)) AS {key}_tokens"
        for key in ("cached", "cache_written", "output", "reasoning")
    ),
    _fields("cost", "price_source"),
    "json_extract(document, '$.first_token_us') / 1e6 AS first_token",
    "json_extract(document, '$.total_us') / 1e6 AS total",
    _fields("attempts", "rejected", "catalog_version=catalog", "policy_version=policy", "crashed_writer"),
)
_GAPS = (_NUMBER, _fields("lost", "first", "last", "reason"), "at AS recorded")
_CROSSINGS = (_NUMBER, "request", _fields("offer", "labels", "lowered", "digest"), "at")

_VIEWS = {
    "sqlite": tuple(
        f"CREATE VIEW {name} AS SELECT {', '.join(columns)} FROM records WHERE kind = '{kind}'"  # noqa: S608
        for name, kind, columns in (
            ("entries", "entry", _ENTRIES),
            ("gaps", "gap", _GAPS),
            ("crossings", "crossing", _CROSSINGS),
        )
    ),
}


def upgrade() -> None:
    connection = op.get_bind()
    dialect = connection.dialect.name
    now = time.time_ns() // 1000
    _make_tables()
    for writer in connection.execute(sa.text("SELECT * FROM writers ORDER BY id")).all():
        _chain(connection, writer, now)
    _carry_in_flight(connection)
    for table in ("entries", "gaps"):
        op.drop_table(table)
    op.add_column("writers", sa.Column("sealed", sa.Boolean, nullable=False, server_default=sa.false()))
    for statement in _VIEWS[dialect]:
        op.execute(statement)
    for table in ("records", "checkpoints"):
        for statement in _APPEND_ONLY[dialect]:
            op.execute(statement.format(table=table))


def _make_tables() -> None:
    op.create_table(
        "records",
        sa.Column("place", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("request", sa.Text),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_records"),
    )
    for name, column, where in (
        ("ix_records_entry", "request", "kind = 'entry'"),
        ("ix_records_of_request", "request", "kind IN ('crossing', 'content')"),
        ("ix_records_settled", "at", "kind = 'entry'"),
        ("ix_records_gap", "at", "kind = 'gap'"),
    ):
        op.create_index(name, "records", [column], unique=name == "ix_records_entry", sqlite_where=sa.text(where))
    op.create_table(
        "checkpoints",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_checkpoints"),
    )
    op.create_table(
        "contents",
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("request", name="pk_contents"),
    )
    op.create_index("ix_contents_expires", "contents", ["expires"])


_records = sa.table("records", *map(sa.column, ("place", "kind", "request", "at", "document", "hash")))


def _chain(connection: sa.Connection, writer: sa.Row[Any], now: int) -> None:
    """Lay a chain over the records of a writer."""
    start = {
        "at": now,
        "carried": True,
        "format": 1,
        "host": writer.host,
        "kind": "start",
        "pid": writer.pid,
        "process": writer.process_started,
        "seq": 0,
        "writer": writer.id,
    }
    number = {"writer": writer.id}
    entries = connection.execute(sa.text("SELECT * FROM entries WHERE writer = :writer ORDER BY seq"), number)
    gaps = connection.execute(sa.text("SELECT * FROM gaps WHERE writer = :writer ORDER BY seq"), number)
    documents: Iterator[dict[str, Any]] = heapq.merge(
        map(_entry, entries), map(_gap, gaps), key=lambda document: document["seq"]
    )
    head = _add(connection, bytes(32), start, now)
    for document in documents:
        at = document["at"] if document["kind"] == "gap" else document["found"] or document["began"]
        head = _add(connection, head, document, at + (document.get("total_us") or 0))


def _add(connection: sa.Connection, previous: bytes, values: dict[str, Any], at: int) -> bytes:
    document = _canonical(values)
    head = hashlib.sha256(previous + document.encode()).digest()
    connection.execute(
        sa.insert(_records).values(
            place=values["writer"] << _SEQ_BITS | values["seq"],
            kind=values["kind"],
            request=values.get("id"),
            at=at,
            document=document,
            hash=head,
        )
    )
    return head


def _entry(row: sa.Row[Any]) -> dict[str, Any]:
    usage: dict[str, int | None] = {}
    if row.input_tokens is not None:
        usage = {
            "input": _whole(row.input_tokens),
            "cached": _whole(row.cached_tokens) or None,
            "cache_written": _whole(row.cache_written_tokens) or None,
            "output": _whole(row.output_tokens) or None,
            "reasoning": _whole(row.reasoning_tokens) or None,
        }
    return {
        **_asked(row),
        **usage,
        "attempts": [_attempt(one) for one in json.loads(row.attempts or "[]")] or None,
        "catalog": row.catalog_version,
        "cost": row.cost,
        "crashed_writer": row.crashed_writer,
        "error": row.error,
        "first_token_us": _microseconds(row.first_token),
        "goal": row.goal,
        "kind": "entry",
        "offer": row.offer,
        "offer_model": row.offer_model,
        "outcome": row.outcome,
        "price_source": row.price_source,
        "rejected": json.loads(row.rejected) if row.rejected else None,
        "found": row.settled if row.total is None else None,
        "seq": row.seq,
        "side": row.side,
        "streamed": True if row.streamed else None,
        "total_us": _microseconds(row.total),
        "writer": row.writer,
    }


def _asked(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "began": row.began,
        "conversation": row.conversation,
        "dialect": row.dialect,
        "id": row.id,
        "key": row.key_name,
        "labels": [_known(label) for label in json.loads(row.labels or "[]")] or None,
        "model": row.model,
        "team": row.team,
        "tenant": None if row.tenant == "default" else row.tenant,
        "user": row.user_name,
        "workload": row.workload,
    }


def _attempt(attempt: dict[str, Any]) -> dict[str, Any]:
    return _known(
        {
            "error": attempt.get("error"),
            "labels": attempt.get("labels") or None,
            "lowered": attempt.get("lowered") or None,
            "offer": attempt["offer"],
            "started_us": _microseconds(attempt["started"]),
            "status": attempt.get("status"),
            "took_us": _microseconds(attempt["seconds"]),
        }
    )


def _gap(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "at": row.recorded,
        "first": row.first,
        "kind": "gap",
        "last": row.last,
        "lost": row.lost,
        "reason": row.reason,
        "seq": row.seq,
        "writer": row.writer,
    }


def _carry_in_flight(connection: sa.Connection) -> None:
    noted = [
        {"id": row.id, "writer": row.writer, "document": _canonical(_asked(row))}
        for row in connection.execute(sa.text("SELECT * FROM in_flight ORDER BY id"))
    ]
    op.drop_table("in_flight")
    op.create_table(
        "in_flight",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("writer", sa.Integer, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_in_flight"),
        sa.ForeignKeyConstraint(["writer"], ["writers.id"], name="fk_in_flight_writer"),
    )
    if noted:
        in_flight = sa.table("in_flight", *map(sa.column, ("id", "writer", "document")))
        connection.execute(sa.insert(in_flight), noted)


def _canonical(values: dict[str, Any]) -> str:
    """Canonical JSON (RFC 8785): the keys are ASCII and of numbers there are only integers below 2⁵³."""
    return json.dumps(_known(values), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _microseconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1e6 + 0.5)


def _whole(count: int) -> int:
    return min(count, 2**53 - 1)
