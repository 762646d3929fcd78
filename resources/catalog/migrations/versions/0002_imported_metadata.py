"""Imported metadata: ontologies, and what contributions say of samples."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

TABLES = (
    "ontologies",
    "ontology_terms",
    "ontology_term_names",
    "ontology_term_parents",
    "contributions",
    "sample_attributes",
    "sample_keywords",
)


def upgrade() -> None:
    _create_ontologies()
    _create_contributions()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _create_ontologies() -> None:
    op.create_table(
        "ontologies",
        sa.Column("prefix", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_sha256", sa.String(length=64), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name=op.f("pk_ontologies")),
    )
    op.create_table(
        "ontology_terms",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("prefix", sa.String(length=64), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("is_obsolete", sa.Boolean(), nullable=False),
        sa.Column("replaced_by", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(
            ["prefix"], ["ontologies.prefix"], name=op.f("fk_ontology_terms_prefix_ontologies"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ontology_terms")),
    )
    op.create_index(op.f("ix_ontology_terms_prefix"), "ontology_terms", ["prefix"])
    op.create_table(
        "ontology_term_names",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("term_id", sa.String(length=255), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["term_id"],
            ["ontology_terms.id"],
            name=op.f("fk_ontology_term_names_term_id_ontology_terms"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ontology_term_names")),
    )
    op.create_index("ix_ontology_term_names_name_key_scope", "ontology_term_names", ["name_key", "scope"])
    op.create_index(op.f("ix_ontology_term_names_term_id"), "ontology_term_names", ["term_id"])
    op.create_table(
        "ontology_term_parents",
        sa.Column("term_id", sa.String(length=255), nullable=False),
        sa.Column("relation", sa.String(length=32), nullable=False),
        sa.Column("parent_id", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["term_id"],
            ["ontology_terms.id"],
            name=op.f("fk_ontology_term_parents_term_id_ontology_terms"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("term_id", "relation", "parent_id", name=op.f("pk_ontology_term_parents")),
    )
    op.create_index(op.f("ix_ontology_term_parents_parent_id"), "ontology_term_parents", ["parent_id"])


def _create_contributions() -> None:
    op.create_table(
        "contributions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source_name", sa.String(length=255), nullable=False),
        sa.Column("methods_url", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contributions")),
        sa.UniqueConstraint("source_name", name=op.f("uq_contributions_source_name")),
    )
    op.create_table(
        "sample_attributes",
        sa.Column("sample_id", BIG_ID, nullable=False),
        sa.Column("contribution_id", sa.Integer(), nullable=False),
        sa.Column("term_id", sa.String(length=255), nullable=False),
        sa.Column("value_type", sa.String(length=8), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.String(length=255), nullable=True),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["contribution_id"], ["contributions.id"], name=op.f("fk_sample_attributes_contribution_id_contributions")
        ),
        sa.ForeignKeyConstraint(
            ["sample_id"], ["samples.id"], name=op.f("fk_sample_attributes_sample_id_samples"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sample_id", "contribution_id", "term_id", name=op.f("pk_sample_attributes")),
    )
    op.create_index("ix_sample_attributes_term_id_sample_id", "sample_attributes", ["term_id", "sample_id"])
    op.create_table(
        "sample_keywords",
        sa.Column("sample_id", BIG_ID, nullable=False),
        sa.Column("contribution_id", sa.Integer(), nullable=False),
        sa.Column("term_id", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["contribution_id"], ["contributions.id"], name=op.f("fk_sample_keywords_contribution_id_contributions")
        ),
        sa.ForeignKeyConstraint(
            ["sample_id"], ["samples.id"], name=op.f("fk_sample_keywords_sample_id_samples"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sample_id", "contribution_id", "term_id", name=op.f("pk_sample_keywords")),
    )
    op.create_index("ix_sample_keywords_term_id_sample_id", "sample_keywords", ["term_id", "sample_id"])
