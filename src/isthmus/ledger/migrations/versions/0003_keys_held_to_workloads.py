"""A key may be held to workloads. Those made before are held to none in particular, as they were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("keys", sa.Column("workloads", sa.Text))
