"""Events of the agent's conversations, and the marks of what it made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agent_events",
        sa.Column("seq", sa.Integer, nullable=False, autoincrement=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("conversation", sa.LargeBinary, nullable=False),
        sa.Column("turn", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_agent_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_agent_events_conversation_seq", "agent_events", ["conversation", "seq"])
    op.create_index("ix_agent_events_at", "agent_events", ["at"])
    op.create_table(
        "agent_open",
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("conversation", sa.LargeBinary, nullable=False),
        sa.Column("holder", sa.Text),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_agent_open"),
    )
    op.create_table(
        "agent_marks",
        sa.Column("thing", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("thing", name="pk_agent_marks"),
    )
