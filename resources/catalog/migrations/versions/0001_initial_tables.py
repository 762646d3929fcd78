"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

TABLES = (
    "organisms",
    "platforms",
    "processors",
    "discovery_cursors",
    "catalog_properties",
    "experiments",
    "experiment_aliases",
    "samples",
    "sample_aliases",
    "experiment_samples",
    "sample_harmonized_values",
    "original_files",
    "original_file_samples",
    "computational_results",
    "computed_files",
    "transcriptome_indices",
    "qn_targets",
    "compendia",
    "datasets",
    "ledger",
    "ledger_history",
)


def upgrade() -> None:
    _create_vocabulary()
    _create_experiments()
    _create_samples()
    _create_sample_details()
    _create_original_files()
    _create_results()
    _create_transcriptome_indices()
    _create_organism_artefacts()
    _create_datasets()
    _create_ledger()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _create_vocabulary() -> None:
    """Organisms, platforms, processors, and facts about the catalog as a whole."""
    op.create_table(
        "organisms",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("scientific_name", sa.String(length=255), nullable=False),
        sa.Column("taxonomy_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_organisms"),
        sa.UniqueConstraint("name", name="uq_organisms_name"),
        sa.UniqueConstraint("taxonomy_id", name="uq_organisms_taxonomy_id"),
    )
    op.create_table(
        "platforms",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("accession", sa.String(length=255), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("manufacturer", sa.Text(), nullable=True),
        sa.Column("technology", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_platforms"),
        sa.UniqueConstraint("accession", name="uq_platforms_accession"),
    )
    op.create_table(
        "processors",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("environment", sa.JSON(), nullable=False),
        sa.Column("environment_sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_processors"),
    )
    op.create_index("uq_processors", "processors", ["name", "version", "environment_sha256"], unique=True)
    op.create_table(
        "discovery_cursors",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_discovery_cursors"),
    )
    op.create_table(
        "catalog_properties",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_catalog_properties"),
    )


def _create_experiments() -> None:
    """Experiments and their other accessions."""
    op.create_table(
        "experiments",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("accession", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("technology", sa.String(length=32), nullable=False),
        sa.Column("institution", sa.Text(), nullable=True),
        sa.Column("protocol", sa.Text(), nullable=True),
        sa.Column("pubmed_id", sa.Text(), nullable=True),
        sa.Column("publication_doi", sa.Text(), nullable=True),
        sa.Column("publication_title", sa.Text(), nullable=True),
        sa.Column("publication_authors", sa.JSON(), nullable=False),
        sa.Column("source_url", sa.Text(), nullable=True),
        sa.Column("first_published", sa.Date(), nullable=True),
        sa.Column("last_updated", sa.Date(), nullable=True),
        sa.Column("annotations", sa.JSON(), nullable=False),
        sa.Column("metadata_sha256", sa.String(length=64), nullable=True),
        sa.Column("coverage", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_experiments"),
        sa.UniqueConstraint("accession", name="uq_experiments_accession"),
    )
    op.create_index("ix_experiments_technology", "experiments", ["technology"])
    op.create_table(
        "experiment_aliases",
        sa.Column("experiment_id", BIG_ID, nullable=False),
        sa.Column("alias", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiments.id"],
            name="fk_experiment_aliases_experiment_id_experiments",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("experiment_id", "alias", name="pk_experiment_aliases"),
    )
    op.create_index("ix_experiment_aliases_alias", "experiment_aliases", ["alias"])


def _create_samples() -> None:
    """Samples."""
    op.create_table(
        "samples",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("accession", sa.String(length=255), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("organism_id", sa.Integer(), nullable=True),
        sa.Column("platform_id", sa.Integer(), nullable=True),
        sa.Column("technology", sa.String(length=32), nullable=False),
        sa.Column("run_accession", sa.String(length=255), nullable=True),
        sa.Column("experiment_accession", sa.String(length=255), nullable=True),
        sa.Column("secondary_sample_accession", sa.String(length=255), nullable=True),
        sa.Column("biosample_accession", sa.String(length=255), nullable=True),
        sa.Column("library_strategy", sa.Text(), nullable=True),
        sa.Column("library_source", sa.Text(), nullable=True),
        sa.Column("library_selection", sa.Text(), nullable=True),
        sa.Column("library_layout", sa.Text(), nullable=True),
        sa.Column("has_raw", sa.Boolean(), nullable=False),
        sa.Column("source_url", sa.Text(), nullable=True),
        sa.Column("annotations", sa.JSON(), nullable=False),
        sa.Column("owner_experiment_id", BIG_ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organism_id"], ["organisms.id"], name="fk_samples_organism_id_organisms"),
        sa.ForeignKeyConstraint(
            ["owner_experiment_id"], ["experiments.id"], name="fk_samples_owner_experiment_id_experiments"
        ),
        sa.ForeignKeyConstraint(["platform_id"], ["platforms.id"], name="fk_samples_platform_id_platforms"),
        sa.PrimaryKeyConstraint("id", name="pk_samples"),
        sa.UniqueConstraint("accession", name="uq_samples_accession"),
    )
    op.create_index("ix_samples_organism_id", "samples", ["organism_id"])
    op.create_index("ix_samples_organism_platform_id", "samples", ["organism_id", "platform_id", "id"])
    op.create_index("ix_samples_owner_experiment_id", "samples", ["owner_experiment_id"])
    op.create_index("ix_samples_platform_id", "samples", ["platform_id"])


def _create_sample_details() -> None:
    """What belongs to a sample: other accessions, membership, harmonised values."""
    op.create_table(
        "sample_aliases",
        sa.Column("sample_id", BIG_ID, nullable=False),
        sa.Column("alias", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["sample_id"], ["samples.id"], name="fk_sample_aliases_sample_id_samples", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sample_id", "alias", name="pk_sample_aliases"),
    )
    op.create_index("ix_sample_aliases_alias", "sample_aliases", ["alias"])
    op.create_table(
        "experiment_samples",
        sa.Column("experiment_id", BIG_ID, nullable=False),
        sa.Column("sample_id", BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiments.id"],
            name="fk_experiment_samples_experiment_id_experiments",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["sample_id"], ["samples.id"], name="fk_experiment_samples_sample_id_samples", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("experiment_id", "sample_id", name="pk_experiment_samples"),
    )
    op.create_index("ix_experiment_samples_sample_id", "experiment_samples", ["sample_id"])
    op.create_table(
        "sample_harmonized_values",
        sa.Column("sample_id", BIG_ID, nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column(
            "value_prefix", sa.String(length=255), sa.Computed("substr(value, 1, 255)", persisted=True), nullable=False
        ),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("ontology_term_id", sa.Text(), nullable=True),
        sa.Column("raw_key", sa.Text(), nullable=False),
        sa.Column("raw_value", sa.Text(), nullable=False),
        sa.Column("rule", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["sample_id"], ["samples.id"], name="fk_sample_harmonized_values_sample_id_samples", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sample_id", "field", name="pk_sample_harmonized_values"),
    )
    op.create_index(
        "ix_sample_harmonized_values_field_value_prefix", "sample_harmonized_values", ["field", "value_prefix"]
    )


def _create_original_files() -> None:
    """Files in the public archives."""
    op.create_table(
        "original_files",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("url", sa.String(length=2048), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("mate", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("md5", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_original_files"),
        sa.UniqueConstraint("url", name="uq_original_files_url"),
    )
    op.create_table(
        "original_file_samples",
        sa.Column("original_file_id", BIG_ID, nullable=False),
        sa.Column("sample_id", BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["original_file_id"],
            ["original_files.id"],
            name="fk_original_file_samples_original_file_id_original_files",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["sample_id"], ["samples.id"], name="fk_original_file_samples_sample_id_samples", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("original_file_id", "sample_id", name="pk_original_file_samples"),
    )
    op.create_index("ix_original_file_samples_sample_id", "original_file_samples", ["sample_id"])


def _create_results() -> None:
    """Results and the files they made."""
    op.create_table(
        "computational_results",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("processor_id", sa.Integer(), nullable=False),
        sa.Column("commands", sa.JSON(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("code_version", sa.String(length=64), nullable=True),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["processor_id"], ["processors.id"], name="fk_computational_results_processor_id_processors"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_computational_results"),
        sa.UniqueConstraint("fingerprint", name="uq_computational_results_fingerprint"),
    )
    op.create_index("ix_computational_results_processor_id", "computational_results", ["processor_id"])
    op.create_table(
        "computed_files",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("key", sa.String(length=1024), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("result_id", BIG_ID, nullable=True),
        sa.Column("sample_id", BIG_ID, nullable=True),
        sa.Column("experiment_id", BIG_ID, nullable=True),
        sa.Column("organism_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiments.id"],
            name="fk_computed_files_experiment_id_experiments",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["organism_id"], ["organisms.id"], name="fk_computed_files_organism_id_organisms"),
        sa.ForeignKeyConstraint(
            ["result_id"],
            ["computational_results.id"],
            name="fk_computed_files_result_id_computational_results",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["sample_id"], ["samples.id"], name="fk_computed_files_sample_id_samples", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_computed_files"),
        sa.UniqueConstraint("key", name="uq_computed_files_key"),
    )
    op.create_index("ix_computed_files_experiment_id", "computed_files", ["experiment_id"])
    op.create_index("ix_computed_files_kind", "computed_files", ["kind"])
    op.create_index("ix_computed_files_organism_id", "computed_files", ["organism_id"])
    op.create_index("ix_computed_files_result_id", "computed_files", ["result_id"])
    op.create_index("ix_computed_files_sample_id", "computed_files", ["sample_id"])


def _create_transcriptome_indices() -> None:
    """Transcriptome indices."""
    op.create_table(
        "transcriptome_indices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organism_id", sa.Integer(), nullable=False),
        sa.Column("length", sa.String(length=8), nullable=False),
        sa.Column("kmer", sa.Integer(), nullable=False),
        sa.Column("division", sa.String(length=64), nullable=False),
        sa.Column("release", sa.String(length=32), nullable=False),
        sa.Column("assembly", sa.String(length=255), nullable=False),
        sa.Column("salmon_version", sa.String(length=64), nullable=False),
        sa.Column("key_prefix", sa.String(length=1024), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("num_transcripts", sa.Integer(), nullable=False),
        sa.Column("num_genes", sa.Integer(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("result_id", BIG_ID, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organism_id"], ["organisms.id"], name="fk_transcriptome_indices_organism_id_organisms"
        ),
        sa.ForeignKeyConstraint(
            ["result_id"], ["computational_results.id"], name="fk_transcriptome_indices_result_id_computational_results"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_transcriptome_indices"),
    )
    op.create_index("ix_transcriptome_indices_organism_id", "transcriptome_indices", ["organism_id"])
    op.create_index(
        "uq_transcriptome_indices", "transcriptome_indices", ["organism_id", "length", "sha256"], unique=True
    )
    op.create_index(
        "uq_transcriptome_indices_current",
        "transcriptome_indices",
        ["organism_id", "length"],
        unique=True,
        sqlite_where=sa.text("is_current"),
        postgresql_where=sa.text("is_current"),
    )


def _create_organism_artefacts() -> None:
    """QN targets and compendia."""
    op.create_table(
        "qn_targets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organism_id", sa.Integer(), nullable=False),
        sa.Column("technology", sa.String(length=32), nullable=False),
        sa.Column("platform_id", sa.Integer(), nullable=True),
        sa.Column("num_samples", sa.Integer(), nullable=False),
        sa.Column("num_genes", sa.Integer(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("computed_file_id", BIG_ID, nullable=False),
        sa.Column("result_id", BIG_ID, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["computed_file_id"], ["computed_files.id"], name="fk_qn_targets_computed_file_id_computed_files"
        ),
        sa.ForeignKeyConstraint(["organism_id"], ["organisms.id"], name="fk_qn_targets_organism_id_organisms"),
        sa.ForeignKeyConstraint(["platform_id"], ["platforms.id"], name="fk_qn_targets_platform_id_platforms"),
        sa.ForeignKeyConstraint(
            ["result_id"], ["computational_results.id"], name="fk_qn_targets_result_id_computational_results"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_qn_targets"),
    )
    op.create_index("ix_qn_targets_organism_id", "qn_targets", ["organism_id"])
    op.create_table(
        "compendia",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organism_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("svd_algorithm", sa.String(length=16), nullable=True),
        sa.Column("num_samples", sa.Integer(), nullable=False),
        sa.Column("num_genes", sa.Integer(), nullable=False),
        sa.Column("computed_file_id", BIG_ID, nullable=False),
        sa.Column("result_id", BIG_ID, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["computed_file_id"], ["computed_files.id"], name="fk_compendia_computed_file_id_computed_files"
        ),
        sa.ForeignKeyConstraint(["organism_id"], ["organisms.id"], name="fk_compendia_organism_id_organisms"),
        sa.ForeignKeyConstraint(
            ["result_id"], ["computational_results.id"], name="fk_compendia_result_id_computational_results"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_compendia"),
    )
    op.create_index("ix_compendia_organism_id", "compendia", ["organism_id"])
    op.create_index("uq_compendia", "compendia", ["organism_id", "kind", "version"], unique=True)


def _create_datasets() -> None:
    """Datasets of users."""
    op.create_table(
        "datasets",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recipe", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("failure_reason", sa.Text(), nullable=True),
        sa.Column("computed_file_id", BIG_ID, nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["computed_file_id"], ["computed_files.id"], name="fk_datasets_computed_file_id_computed_files"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_datasets"),
    )
    op.create_index("ix_datasets_state", "datasets", ["state"])


def _create_ledger() -> None:
    """The ledger and its history."""
    op.create_table(
        "ledger",
        sa.Column("accession", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("experiment_accession", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("retryable", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("input_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("tool_versions", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("accession", name="pk_ledger"),
    )
    op.create_index("ix_ledger_experiment_kind_state", "ledger", ["experiment_accession", "kind", "state"])
    op.create_index("ix_ledger_state", "ledger", ["state"])
    op.create_table(
        "ledger_history",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("accession", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("tool_versions", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_history"),
    )
    op.create_index("ix_ledger_history_accession", "ledger_history", ["accession"])
