"""References of array platforms, the arrays that raw files show, and an index for the figures over the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_references()
    _create_detected_platforms()
    op.create_index("ix_ledger_kind_state_reason", "ledger", ["kind", "state", "reason"])


def downgrade() -> None:
    op.drop_index("ix_ledger_kind_state_reason", "ledger")
    op.drop_table("detected_platforms")
    op.drop_table("platform_references")


def _create_references() -> None:
    op.create_table(
        "platform_references",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("platform_id", sa.Integer(), nullable=False),
        sa.Column("organism_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=1024), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("num_probes", sa.Integer(), nullable=False),
        sa.Column("num_genes", sa.Integer(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["platform_id"], ["platforms.id"], name=op.f("fk_platform_references_platform_id_platforms")
        ),
        sa.ForeignKeyConstraint(
            ["organism_id"], ["organisms.id"], name=op.f("fk_platform_references_organism_id_organisms")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_platform_references")),
    )
    op.create_index(op.f("ix_platform_references_platform_id"), "platform_references", ["platform_id"])
    op.create_index(op.f("ix_platform_references_organism_id"), "platform_references", ["organism_id"])
    op.create_index("uq_platform_references", "platform_references", ["platform_id", "kind", "sha256"], unique=True)
    op.create_index(
        "uq_platform_references_current",
        "platform_references",
        ["platform_id", "kind"],
        unique=True,
        sqlite_where=sa.text("is_current"),
        postgresql_where=sa.text("is_current"),
    )


def _create_detected_platforms() -> None:
    op.create_table(
        "detected_platforms",
        sa.Column("sample_id", BIG_ID, nullable=False),
        sa.Column("platform_id", sa.Integer(), nullable=True),
        sa.Column("named", sa.Text(), nullable=False),
        sa.Column("evidence", sa.String(length=32), nullable=False),
        sa.Column("share", sa.Double(), nullable=True),
        sa.Column("detected_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["sample_id"], ["samples.id"], name=op.f("fk_detected_platforms_sample_id_samples"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["platform_id"], ["platforms.id"], name=op.f("fk_detected_platforms_platform_id_platforms")
        ),
        sa.PrimaryKeyConstraint("sample_id", name=op.f("pk_detected_platforms")),
    )
    op.create_index(op.f("ix_detected_platforms_platform_id"), "detected_platforms", ["platform_id"])
