"""Files, batches and their lines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "files",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_files"),
    )
    op.create_index("ix_files_tenant_id", "files", ["tenant", "id"])
    op.create_index("ix_files_expires", "files", ["expires"])
    op.create_table(
        "file_pieces",
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("file", "number", name="pk_file_pieces"),
        sa.ForeignKeyConstraint(["file"], ["files.id"], name="fk_file_pieces_file_files"),
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("holder", sa.Text),
        sa.Column("keep_until", sa.BigInteger),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
    )
    op.create_index("ix_batches_tenant_kind_id", "batches", ["tenant", "kind", "id"])
    op.create_index("ix_batches_keep_until", "batches", ["keep_until"])
    op.create_index("ix_batches_open", "batches", ["tenant"], sqlite_where=sa.text("open"))
    op.create_table(
        "batch_lines",
        sa.Column("batch", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("request", sa.LargeBinary),
        sa.Column("result", sa.LargeBinary),
        sa.Column("input_tokens", sa.BigInteger),
        sa.Column("cached_tokens", sa.BigInteger),
        sa.Column("output_tokens", sa.BigInteger),
        sa.Column("reasoning_tokens", sa.BigInteger),
        sa.PrimaryKeyConstraint("batch", "number", name="pk_batch_lines"),
        sa.ForeignKeyConstraint(["batch"], ["batches.id"], name="fk_batch_lines_batch_batches"),
    )
    op.create_index("ix_batch_lines_batch_outcome", "batch_lines", ["batch", "outcome"])
