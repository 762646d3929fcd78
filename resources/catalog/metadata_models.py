"""Tables of imported metadata: ontologies, and what contributions say of samples.

Ids of ontology terms are texts everywhere: a sample may have terms of an ontology that was not imported (yet).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from resources.catalog.model_base import Base, BigId, now


class Ontology(Base):
    """An ontology as it was imported last. ``prefix`` is that of its term ids (``UBERON``)."""

    __tablename__ = "ontologies"
    prefix: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    source_sha256: Mapped[str] = mapped_column(String(64))
    imported_at: Mapped[datetime] = mapped_column(default=now)


class OntologyTerm(Base):
    """A term of an ontology; one that a later version no longer has is kept as obsolete."""

    __tablename__ = "ontology_terms"
    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    prefix: Mapped[str] = mapped_column(ForeignKey("ontologies.prefix", ondelete="CASCADE"), index=True)
    label: Mapped[str | None] = mapped_column(Text)
    is_obsolete: Mapped[bool] = mapped_column(default=False)
    replaced_by: Mapped[str | None] = mapped_column(String(255))


class OntologyTermName(Base):
    """A label or synonym of a term.

    ``name_key`` is what names are found by: lower case, single blanks, at most 255 characters of it.
    """

    __tablename__ = "ontology_term_names"
    __table_args__ = (Index("ix_ontology_term_names_name_key_scope", "name_key", "scope"),)
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    term_id: Mapped[str] = mapped_column(ForeignKey("ontology_terms.id", ondelete="CASCADE"), index=True)
    scope: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str] = mapped_column(String(255))


class OntologyTermParent(Base):
    """A term directly above another. The parent may belong to an ontology that was not imported."""

    __tablename__ = "ontology_term_parents"
    term_id: Mapped[str] = mapped_column(ForeignKey("ontology_terms.id", ondelete="CASCADE"), primary_key=True)
    relation: Mapped[str] = mapped_column(String(32), primary_key=True)
    parent_id: Mapped[str] = mapped_column(String(255), primary_key=True, index=True)


class Contribution(Base):
    """Somebody's metadata of our samples (MetaSRA, a curation project) and the page that says how they were made."""

    __tablename__ = "contributions"
    id: Mapped[int] = mapped_column(primary_key=True)
    source_name: Mapped[str] = mapped_column(String(255), unique=True)
    methods_url: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class SampleAttribute(Base):
    """A contributed value of a sample. Terms need not be imported: ids are texts, not foreign keys.

    ``value`` is text whatever ``value_type`` says: ``true``/``false``, a number as JSON writes it, a term id, or text.
    """

    __tablename__ = "sample_attributes"
    __table_args__ = (Index("ix_sample_attributes_term_id_sample_id", "term_id", "sample_id"),)
    sample_id: Mapped[int] = mapped_column(ForeignKey("samples.id", ondelete="CASCADE"), primary_key=True)
    contribution_id: Mapped[int] = mapped_column(ForeignKey("contributions.id"), primary_key=True)
    term_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    value_type: Mapped[str] = mapped_column(String(8))
    value: Mapped[str] = mapped_column(Text)
    unit_id: Mapped[str | None] = mapped_column(String(255))
    probability: Mapped[float | None]


class SampleKeyword(Base):
    """An ontology term that a contribution says of a sample."""

    __tablename__ = "sample_keywords"
    __table_args__ = (Index("ix_sample_keywords_term_id_sample_id", "term_id", "sample_id"),)
    sample_id: Mapped[int] = mapped_column(ForeignKey("samples.id", ondelete="CASCADE"), primary_key=True)
    contribution_id: Mapped[int] = mapped_column(ForeignKey("contributions.id"), primary_key=True)
    term_id: Mapped[str] = mapped_column(String(255), primary_key=True)
