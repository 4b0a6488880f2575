"""Jobs of the agent, and what became of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("next", sa.BigInteger),
        sa.Column("repeats", sa.Boolean, nullable=False),
        sa.Column("cancelled", sa.Boolean, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_tenant_next", "jobs", ["tenant", "next"])
    op.create_index("ix_jobs_next", "jobs", ["next"])
    op.create_table(
        "job_runs",
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("holder", sa.Text),
        sa.Column("sealed", sa.LargeBinary),
        sa.PrimaryKeyConstraint("job", "due", name="pk_job_runs"),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], name="fk_job_runs_job_jobs"),
    )
    op.create_index("ix_job_runs_open", "job_runs", ["job"], sqlite_where=sa.text("outcome IS NULL"))
