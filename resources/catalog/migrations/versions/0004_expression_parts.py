"""Parts of the expression store; what is said of QN targets and compendia; one current target of an organism."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "expression_parts",
        sa.Column("computed_file_id", BIG_ID, nullable=False),
        sa.Column("technology", sa.String(length=32), nullable=False),
        sa.Column("scale", sa.String(length=16), nullable=False),
        sa.Column("gene_space", sa.String(length=64), nullable=False),
        sa.Column("num_genes", sa.Integer(), nullable=False),
        sa.Column("samples", sa.JSON(), nullable=False),
        sa.Column("platforms", sa.JSON(), nullable=False),
        sa.Column("digests", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["computed_file_id"],
            ["computed_files.id"],
            name=op.f("fk_expression_parts_computed_file_id_computed_files"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("computed_file_id", name=op.f("pk_expression_parts")),
    )
    for table in ("qn_targets", "compendia"):
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("details", sa.JSON(), nullable=False, server_default=sa.text("'{}'")))
        with op.batch_alter_table(table) as batch:
            batch.alter_column("details", server_default=None)
    op.create_index(
        "uq_qn_targets_current",
        "qn_targets",
        ["organism_id"],
        unique=True,
        sqlite_where=sa.text("is_current"),
        postgresql_where=sa.text("is_current"),
    )
    op.create_index("uq_qn_targets_result_id", "qn_targets", ["result_id"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_qn_targets_result_id", "qn_targets")
    op.drop_index("uq_qn_targets_current", "qn_targets")
    for table in ("compendia", "qn_targets"):
        op.drop_column(table, "details")
    op.drop_table("expression_parts")
