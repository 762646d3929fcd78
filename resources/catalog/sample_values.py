"""Reading values of many samples at once: organism and harmonised metadata."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from resources.catalog.models import Organism, Platform, Sample, SampleHarmonizedValue
from resources.catalog.statements import rows_where_in


def sample_organisms(session: Session, accessions: Sequence[str]) -> dict[str, str]:
    """UPPER_SNAKE organism by sample; samples without one are absent."""
    query = select(Sample.accession, Organism.name).join_from(Sample, Organism, Organism.id == Sample.organism_id)
    return {row.accession: row.name for row in rows_where_in(session, query, Sample.accession, accessions)}


def sample_platforms(session: Session, accessions: Sequence[str]) -> dict[str, str]:
    """Platform accession by sample; samples without one are absent."""
    query = select(Sample.accession, Platform.accession.label("platform")).join_from(Sample, Platform)
    return {row.accession: row.platform for row in rows_where_in(session, query, Sample.accession, accessions)}


def harmonized_values(session: Session, accessions: Sequence[str]) -> dict[str, dict[str, str]]:
    """Harmonised values by sample and field, with their unit: ``{"SRR…": {"age": "3 year"}}``."""
    row = SampleHarmonizedValue
    query = select(Sample.accession, row.field, row.value, row.unit).join_from(Sample, row, row.sample_id == Sample.id)
    values: dict[str, dict[str, str]] = defaultdict(dict)
    for accession, field, value, unit in rows_where_in(session, query, Sample.accession, accessions):
        values[accession][field] = f"{value} {unit}" if unit else value
    return dict(values)
