"""How many processed samples of each organism were measured on each platform."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from refinebio_assets.domain.vocabulary import LedgerKind, SampleState, Technology
from resources.catalog.models import LedgerEntry, Organism, Platform, Sample
from resources.catalog.platform_models import DetectedPlatform


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformCounts:
    """Processed samples of an organism on one platform: the one that their raw files show, else the claimed one.

    ``with_raw`` are those processed from raw data.
    """

    organism: str
    technology: Technology
    platform: str | None
    manufacturer: str | None
    processed: int
    with_raw: int


def platform_counts(session: Session) -> list[PlatformCounts]:
    """Of all organisms, by organism, technology and platform; one statement."""
    query = (
        select(
            Organism.name.label("organism"),
            Sample.technology,
            Platform.accession.label("platform"),
            Platform.manufacturer,
            func.count().label("processed"),
            func.sum(case((Sample.has_raw, 1), else_=0)).label("with_raw"),
        )
        .select_from(Sample)
        .join(LedgerEntry, LedgerEntry.accession == Sample.accession)
        .join(Organism, Organism.id == Sample.organism_id)
        .outerjoin(DetectedPlatform, DetectedPlatform.sample_id == Sample.id)
        .outerjoin(Platform, Platform.id == func.coalesce(DetectedPlatform.platform_id, Sample.platform_id))
        .where(LedgerEntry.state == SampleState.PROCESSED, LedgerEntry.kind == LedgerKind.SAMPLE)
        .group_by(Organism.name, Sample.technology, Platform.accession, Platform.manufacturer)
    )
    counts = [
        PlatformCounts(
            organism=row.organism,
            technology=Technology(row.technology),
            platform=row.platform,
            manufacturer=row.manufacturer,
            processed=int(row.processed),
            with_raw=int(row.with_raw),
        )
        for row in session.execute(query)
    ]
    return sorted(counts, key=lambda one: (one.organism, one.technology, one.platform or ""))
