"""Tables of the catalog (SQLAlchemy 2).

The catalog holds what the platform knows: experiments, samples, files, results, and the ledger. Large values live in
the object store; the catalog keeps their key, size and sha256. Every table works on SQLite and PostgreSQL alike. What
an archive writes freely is ``Text``: PostgreSQL enforces lengths, and one over-long value must not stop a survey.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Computed, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from resources.catalog.metadata_models import (
    Contribution,
    Ontology,
    OntologyTerm,
    OntologyTermName,
    OntologyTermParent,
    SampleAttribute,
    SampleKeyword,
)
from resources.catalog.model_base import Base, BigId, UtcDateTime, now
from resources.catalog.platform_models import DetectedPlatform, PlatformReference

__all__ = [
    "Base",
    "BigId",
    "CatalogProperty",
    "Compendium",
    "ComputationalResult",
    "ComputedFile",
    "Contribution",
    "Dataset",
    "DetectedPlatform",
    "DiscoveryCursor",
    "Experiment",
    "ExperimentAlias",
    "ExperimentSample",
    "ExpressionPart",
    "LedgerEntry",
    "LedgerHistory",
    "Ontology",
    "OntologyTerm",
    "OntologyTermName",
    "OntologyTermParent",
    "Organism",
    "OriginalFile",
    "OriginalFileSample",
    "Platform",
    "PlatformReference",
    "Processor",
    "QnTarget",
    "Sample",
    "SampleAlias",
    "SampleAttribute",
    "SampleHarmonizedValue",
    "SampleKeyword",
    "TranscriptomeIndex",
    "UtcDateTime",
    "now",
]


class Organism(Base):
    """An organism. ``name`` is the UPPER_SNAKE form used in paths and partition keys."""

    __tablename__ = "organisms"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    scientific_name: Mapped[str] = mapped_column(String(255))
    taxonomy_id: Mapped[int | None] = mapped_column(unique=True)


class Platform(Base):
    """A sequencing instrument or array design."""

    __tablename__ = "platforms"
    id: Mapped[int] = mapped_column(primary_key=True)
    accession: Mapped[str] = mapped_column(String(255), unique=True)
    name: Mapped[str] = mapped_column(Text)
    manufacturer: Mapped[str | None] = mapped_column(Text)
    technology: Mapped[str] = mapped_column(String(32))


class Experiment(Base):
    """A study or series. ``aliases`` holds its accessions in other archives."""

    __tablename__ = "experiments"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    accession: Mapped[str] = mapped_column(String(64), unique=True)
    source: Mapped[str] = mapped_column(String(32))
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, default="")
    technology: Mapped[str] = mapped_column(String(32), index=True)
    institution: Mapped[str | None] = mapped_column(Text)
    protocol: Mapped[str | None] = mapped_column(Text)
    pubmed_id: Mapped[str | None] = mapped_column(Text)
    publication_doi: Mapped[str | None] = mapped_column(Text)
    publication_title: Mapped[str | None] = mapped_column(Text)
    publication_authors: Mapped[list[Any]] = mapped_column(default=list)
    source_url: Mapped[str | None] = mapped_column(Text)
    first_published: Mapped[date | None]
    last_updated: Mapped[date | None]
    annotations: Mapped[dict[str, Any]] = mapped_column(default=dict)
    metadata_sha256: Mapped[str | None] = mapped_column(String(64))
    coverage: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    aliases: Mapped[list[ExperimentAlias]] = relationship(back_populates="experiment", cascade="all, delete-orphan")


class ExperimentAlias(Base):
    """Another accession of an experiment. One alias can name several experiments (a superseries)."""

    __tablename__ = "experiment_aliases"
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True)
    alias: Mapped[str] = mapped_column(String(255), primary_key=True, index=True)
    experiment: Mapped[Experiment] = relationship(back_populates="aliases")


class Sample(Base):
    """A sample: one run for sequencing, one GSM or assay for arrays.

    ``owner_experiment_id`` is the experiment whose partition processes the sample; others that share it read the
    result.
    """

    __tablename__ = "samples"
    __table_args__ = (Index("ix_samples_organism_platform_id", "organism_id", "platform_id", "id"),)
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    accession: Mapped[str] = mapped_column(String(255), unique=True)
    source: Mapped[str] = mapped_column(String(32))
    title: Mapped[str] = mapped_column(Text)
    organism_id: Mapped[int | None] = mapped_column(ForeignKey("organisms.id"), index=True)
    platform_id: Mapped[int | None] = mapped_column(ForeignKey("platforms.id"), index=True)
    technology: Mapped[str] = mapped_column(String(32))
    run_accession: Mapped[str | None] = mapped_column(String(255))
    experiment_accession: Mapped[str | None] = mapped_column(String(255))
    secondary_sample_accession: Mapped[str | None] = mapped_column(String(255))
    biosample_accession: Mapped[str | None] = mapped_column(String(255))
    library_strategy: Mapped[str | None] = mapped_column(Text)
    library_source: Mapped[str | None] = mapped_column(Text)
    library_selection: Mapped[str | None] = mapped_column(Text)
    library_layout: Mapped[str | None] = mapped_column(Text)
    has_raw: Mapped[bool] = mapped_column(default=True)
    source_url: Mapped[str | None] = mapped_column(Text)
    annotations: Mapped[dict[str, Any]] = mapped_column(default=dict)
    owner_experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class SampleAlias(Base):
    """Another accession of a sample (SRX, SRS, SAMN, GSM). One alias can name several samples (replicate runs)."""

    __tablename__ = "sample_aliases"
    sample_id: Mapped[int] = mapped_column(ForeignKey("samples.id", ondelete="CASCADE"), primary_key=True)
    alias: Mapped[str] = mapped_column(String(255), primary_key=True, index=True)


class ExperimentSample(Base):
    """Membership of a sample in an experiment."""

    __tablename__ = "experiment_samples"
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True)
    sample_id: Mapped[int] = mapped_column(ForeignKey("samples.id", ondelete="CASCADE"), primary_key=True, index=True)


class SampleHarmonizedValue(Base):
    """One harmonised metadata value of a sample with its provenance.

    ``value_prefix`` is what the index holds: whole protocols are submitted as values, longer than PostgreSQL allows an
    index entry (2,704 bytes). To find a value by index, compare both ``value_prefix`` and ``value``.
    """

    __tablename__ = "sample_harmonized_values"
    __table_args__ = (Index("ix_sample_harmonized_values_field_value_prefix", "field", "value_prefix"),)
    sample_id: Mapped[int] = mapped_column(ForeignKey("samples.id", ondelete="CASCADE"), primary_key=True)
    field: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    value_prefix: Mapped[str] = mapped_column(String(255), Computed("substr(value, 1, 255)", persisted=True))
    unit: Mapped[str | None] = mapped_column(Text)
    ontology_term_id: Mapped[str | None] = mapped_column(Text)
    raw_key: Mapped[str] = mapped_column(Text)
    raw_value: Mapped[str] = mapped_column(Text)
    rule: Mapped[str] = mapped_column(String(255))


class OriginalFile(Base):
    """A file in a public archive, as announced there."""

    __tablename__ = "original_files"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    url: Mapped[str] = mapped_column(String(2048), unique=True)
    filename: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(32))
    mate: Mapped[int] = mapped_column(default=0)
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    md5: Mapped[str | None] = mapped_column(String(32))


class OriginalFileSample(Base):
    """Which samples an original file belongs to."""

    __tablename__ = "original_file_samples"
    original_file_id: Mapped[int] = mapped_column(ForeignKey("original_files.id", ondelete="CASCADE"), primary_key=True)
    sample_id: Mapped[int] = mapped_column(ForeignKey("samples.id", ondelete="CASCADE"), primary_key=True, index=True)


class Processor(Base):
    """A method with its version and the software environment it ran in (hash in ``environment_sha256``)."""

    __tablename__ = "processors"
    __table_args__ = (Index("uq_processors", "name", "version", "environment_sha256", unique=True),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    version: Mapped[str] = mapped_column(String(64))
    environment: Mapped[dict[str, Any]] = mapped_column(default=dict)
    environment_sha256: Mapped[str] = mapped_column(String(64))


class ComputationalResult(Base):
    """One run of a processor: commands, parameters, input hashes.

    ``fingerprint`` identifies inputs, parameters and versions together: the same fingerprint is the same result, so a
    re-run replaces its row instead of adding one.
    """

    __tablename__ = "computational_results"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    processor_id: Mapped[int] = mapped_column(ForeignKey("processors.id"), index=True)
    commands: Mapped[list[Any]] = mapped_column(default=list)
    parameters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    inputs: Mapped[dict[str, Any]] = mapped_column(default=dict)
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    code_version: Mapped[str | None] = mapped_column(String(64))
    run_id: Mapped[str | None] = mapped_column(String(64))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime] = mapped_column(default=now)


class ComputedFile(Base):
    """An artefact in the object store. ``key`` is its place below the store's root."""

    __tablename__ = "computed_files"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(1024), unique=True)
    filename: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    result_id: Mapped[int | None] = mapped_column(
        ForeignKey("computational_results.id", ondelete="CASCADE"), index=True
    )
    sample_id: Mapped[int | None] = mapped_column(ForeignKey("samples.id", ondelete="CASCADE"), index=True)
    experiment_id: Mapped[int | None] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"), index=True)
    organism_id: Mapped[int | None] = mapped_column(ForeignKey("organisms.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class TranscriptomeIndex(Base):
    """A Salmon index of an organism, short (k=23) or long (k=31)."""

    __tablename__ = "transcriptome_indices"
    __table_args__ = (
        Index("uq_transcriptome_indices", "organism_id", "length", "sha256", unique=True),
        Index(
            "uq_transcriptome_indices_current",
            "organism_id",
            "length",
            unique=True,
            sqlite_where=text("is_current"),
            postgresql_where=text("is_current"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    organism_id: Mapped[int] = mapped_column(ForeignKey("organisms.id"), index=True)
    length: Mapped[str] = mapped_column(String(8))
    kmer: Mapped[int]
    division: Mapped[str] = mapped_column(String(64))
    release: Mapped[str] = mapped_column(String(32))
    assembly: Mapped[str] = mapped_column(String(255))
    salmon_version: Mapped[str] = mapped_column(String(64))
    key_prefix: Mapped[str] = mapped_column(String(1024))
    sha256: Mapped[str] = mapped_column(String(64))
    num_transcripts: Mapped[int]
    num_genes: Mapped[int]
    is_current: Mapped[bool] = mapped_column(default=True)
    result_id: Mapped[int | None] = mapped_column(ForeignKey("computational_results.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class ExpressionPart(Base):
    """Samples of an experiment in the expression store of an organism: one ``.npy`` file, genes x samples.

    ``samples``, ``platforms`` and ``digests`` are about its columns: names, where they were measured, what identifies
    their values. ``gene_space`` identifies its rows.
    """

    __tablename__ = "expression_parts"
    computed_file_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("computed_files.id", ondelete="CASCADE"), primary_key=True
    )
    technology: Mapped[str] = mapped_column(String(32))
    scale: Mapped[str] = mapped_column(String(16))
    gene_space: Mapped[str] = mapped_column(String(64))
    num_genes: Mapped[int]
    samples: Mapped[list[Any]] = mapped_column(default=list)
    platforms: Mapped[list[Any]] = mapped_column(default=list)
    digests: Mapped[list[Any]] = mapped_column(default=list)


class QnTarget(Base):
    """The reference distribution of an organism for quantile normalisation; at most one is current."""

    __tablename__ = "qn_targets"
    __table_args__ = (
        Index(
            "uq_qn_targets_current",
            "organism_id",
            unique=True,
            sqlite_where=text("is_current"),
            postgresql_where=text("is_current"),
        ),
        Index("uq_qn_targets_result_id", "result_id", unique=True),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    organism_id: Mapped[int] = mapped_column(ForeignKey("organisms.id"), index=True)
    technology: Mapped[str] = mapped_column(String(32))
    platform_id: Mapped[int | None] = mapped_column(ForeignKey("platforms.id"))
    num_samples: Mapped[int]
    num_genes: Mapped[int]
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    is_current: Mapped[bool] = mapped_column(default=True)
    computed_file_id: Mapped[int] = mapped_column(ForeignKey("computed_files.id"))
    result_id: Mapped[int | None] = mapped_column(ForeignKey("computational_results.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Compendium(Base):
    """An organism-wide artefact: a normalised compendium or a quantpendium."""

    __tablename__ = "compendia"
    __table_args__ = (Index("uq_compendia", "organism_id", "kind", "version", unique=True),)
    id: Mapped[int] = mapped_column(primary_key=True)
    organism_id: Mapped[int] = mapped_column(ForeignKey("organisms.id"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    version: Mapped[str] = mapped_column(String(64))
    svd_algorithm: Mapped[str | None] = mapped_column(String(16))
    num_samples: Mapped[int]
    num_genes: Mapped[int]
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    computed_file_id: Mapped[int] = mapped_column(ForeignKey("computed_files.id"))
    result_id: Mapped[int | None] = mapped_column(ForeignKey("computational_results.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Dataset(Base):
    """A user's selection and recipe, and how far its packaging is. ``id`` is the dataset's public UUID."""

    __tablename__ = "datasets"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    recipe: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[str] = mapped_column(String(32), index=True)
    failure_reason: Mapped[str | None] = mapped_column(Text)
    computed_file_id: Mapped[int | None] = mapped_column(ForeignKey("computed_files.id"))
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class LedgerEntry(Base):
    """The one present state of an accession.

    ``accession`` may be known before any experiment or sample row exists (state ``discovered``).
    ``experiment_accession`` is the experiment that owns it (itself for experiments). ``input_fingerprint`` is the
    fingerprint of the inputs, index and tool version that the state was reached with: another fingerprint means the
    sample must be done again.
    """

    __tablename__ = "ledger"
    __table_args__ = (
        Index("ix_ledger_experiment_kind_state", "experiment_accession", "kind", "state"),
        Index("ix_ledger_kind_state_reason", "kind", "state", "reason"),
    )
    accession: Mapped[str] = mapped_column(String(255), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    experiment_accession: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(32), index=True)
    reason: Mapped[str] = mapped_column(String(64))
    message: Mapped[str] = mapped_column(Text)
    retryable: Mapped[bool] = mapped_column(default=False)
    attempts: Mapped[int] = mapped_column(default=0)
    input_fingerprint: Mapped[str | None] = mapped_column(String(64))
    run_id: Mapped[str | None] = mapped_column(String(64))
    tool_versions: Mapped[dict[str, Any]] = mapped_column(default=dict)
    updated_at: Mapped[datetime] = mapped_column(default=now)


class LedgerHistory(Base):
    """Every state an accession has had, oldest first by ``id``."""

    __tablename__ = "ledger_history"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    accession: Mapped[str] = mapped_column(String(255), index=True)
    state: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(String(64))
    message: Mapped[str] = mapped_column(Text)
    run_id: Mapped[str | None] = mapped_column(String(64))
    tool_versions: Mapped[dict[str, Any]] = mapped_column(default=dict)
    at: Mapped[datetime] = mapped_column(default=now)


class DiscoveryCursor(Base):
    """How far a discovery source has been read."""

    __tablename__ = "discovery_cursors"
    source: Mapped[str] = mapped_column(String(64), primary_key=True)
    cursor: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class CatalogProperty(Base):
    """A fact about the catalog as a whole (which archive fills it, the id of the installation)."""

    __tablename__ = "catalog_properties"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
