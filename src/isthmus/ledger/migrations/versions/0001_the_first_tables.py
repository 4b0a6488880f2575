"""The first tables.

Written out rather than made from `schema.metadata`, which will have moved on when this step runs on a new store.
"""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_EXACT = sa.Numeric().with_variant(sa.Text(), "sqlite")

_APPEND_ONLY = {
    "sqlite": (
        "CREATE TRIGGER {table}_refuse_update BEFORE UPDATE ON {table} "
        "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
        "CREATE TRIGGER {table}_refuse_delete BEFORE DELETE ON {table} "
        "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
    ),
}
"""Statements per database that make a table append-only. A database without them cannot keep a ledger: KeyError."""


def upgrade() -> None:
    op.create_table(
        "tenants",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_tenants"),
    )
    for table in ("teams", "users"):
        op.create_table(
            table,
            sa.Column("tenant", sa.Text, nullable=False),
            sa.Column("name", sa.Text, nullable=False),
            sa.Column("created", sa.BigInteger, nullable=False),
            sa.PrimaryKeyConstraint("tenant", "name", name=f"pk_{table}"),
            sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=f"fk_{table}_tenant"),
        )
    op.create_table(
        "keys",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("team", sa.Text),
        sa.Column("user_name", sa.Text),
        sa.Column("workload", sa.Text),
        sa.Column("labels", sa.Text),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger),
        sa.Column("revoked", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
        sa.UniqueConstraint("tenant", "name", name="uq_keys_tenant_name"),
        sa.UniqueConstraint("hash", name="uq_keys_hash"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name="fk_keys_tenant"),
        sa.ForeignKeyConstraint(["tenant", "team"], ["teams.tenant", "teams.name"], name="fk_keys_tenant_team"),
        sa.ForeignKeyConstraint(
            ["tenant", "user_name"], ["users.tenant", "users.name"], name="fk_keys_tenant_user_name"
        ),
    )
    op.create_table(
        "versions",
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_versions"),
    )
    op.create_table(
        "writers",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("process_started", sa.Text),
        sa.Column("started", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger),
        sa.Column("crashed", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_writers"),
    )
    op.create_table(
        "in_flight",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("writer", sa.Integer, nullable=False),
        sa.Column("began", sa.BigInteger, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("team", sa.Text),
        sa.Column("user_name", sa.Text),
        sa.Column("key_name", sa.Text),
        sa.Column("workload", sa.Text),
        sa.Column("conversation", sa.Text),
        sa.Column("dialect", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("labels", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_in_flight"),
        sa.ForeignKeyConstraint(["writer"], ["writers.id"], name="fk_in_flight_writer"),
    )
    op.create_table(
        "entries",
        sa.Column("writer", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("began", sa.BigInteger, nullable=False),
        sa.Column("settled", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("team", sa.Text),
        sa.Column("user_name", sa.Text),
        sa.Column("key_name", sa.Text),
        sa.Column("workload", sa.Text),
        sa.Column("conversation", sa.Text),
        sa.Column("dialect", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("labels", sa.Text),
        sa.Column("goal", sa.Text),
        sa.Column("offer", sa.Text),
        sa.Column("offer_model", sa.Text),
        sa.Column("side", sa.Text),
        sa.Column("streamed", sa.Boolean, nullable=False),
        sa.Column("input_tokens", sa.BigInteger),
        sa.Column("cached_tokens", sa.BigInteger),
        sa.Column("cache_written_tokens", sa.BigInteger),
        sa.Column("output_tokens", sa.BigInteger),
        sa.Column("reasoning_tokens", sa.BigInteger),
        sa.Column("cost", _EXACT),
        sa.Column("price_source", sa.Text),
        sa.Column("first_token", sa.Double),
        sa.Column("total", sa.Double),
        sa.Column("attempts", sa.Text),
        sa.Column("rejected", sa.Text),
        sa.Column("catalog_version", sa.Text),
        sa.Column("crashed_writer", sa.Integer),
        sa.PrimaryKeyConstraint("writer", "seq", name="pk_entries"),
        sa.UniqueConstraint("id", name="uq_entries_id"),
        sa.ForeignKeyConstraint(["writer"], ["writers.id"], name="fk_entries_writer"),
        sa.ForeignKeyConstraint(["crashed_writer"], ["writers.id"], name="fk_entries_crashed_writer"),
    )
    op.create_index("ix_entries_settled", "entries", ["settled"])
    op.create_table(
        "gaps",
        sa.Column("writer", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("lost", sa.BigInteger, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("recorded", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("writer", "seq", name="pk_gaps"),
        sa.ForeignKeyConstraint(["writer"], ["writers.id"], name="fk_gaps_writer"),
    )
    for table in ("entries", "gaps"):
        for statement in _APPEND_ONLY[op.get_bind().dialect.name]:
            op.execute(statement.format(table=table))

    tenants = sa.table("tenants", sa.column("name"), sa.column("created"))
    op.execute(sa.insert(tenants).values(name="default", created=time.time_ns() // 1000))
    versions = sa.table("versions", sa.column("subject"), sa.column("number"))
    op.execute(sa.insert(versions).values(subject="keys", number=0))
