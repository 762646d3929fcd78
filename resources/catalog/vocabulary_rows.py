"""Organisms and platforms: rows that many samples refer to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from refinebio_assets.domain.organisms import scientific_name as scientific_name_of_key
from refinebio_assets.domain.records import SampleRecord
from resources.catalog.models import Organism, Platform
from resources.catalog.statements import rows_where_in, storable_text, upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganismName:
    """An organism as an archive names it: UPPER_SNAKE name and, if known, NCBI taxonomy id and scientific name."""

    name: str
    taxonomy_id: int | None = None
    scientific_name: str | None = None


def organism_ids(session: Session, organisms: Iterable[OrganismName]) -> dict[OrganismName, int]:
    """Row ids of organisms; those not known yet are added.

    A taxonomy id identifies an organism: one that comes under a new name (NCBI renames some every year) keeps the row
    and the name that paths and partition keys already use.
    """
    wanted = sorted(set(organisms), key=lambda one: (one.name, one.taxonomy_id or 0, one.scientific_name or ""))
    by_name, by_taxonomy_id = _known_organisms(session, wanted)
    rows: dict[str, dict[str, str | int | None]] = {}
    for one in wanted:
        if one.taxonomy_id in by_taxonomy_id or one.name in rows:
            continue
        known = by_name.get(one.name)
        if known is None or (known.taxonomy_id is None and one.taxonomy_id is not None):
            rows[one.name] = {
                "name": one.name,
                "scientific_name": one.scientific_name or scientific_name_of_key(one.name),
                "taxonomy_id": one.taxonomy_id,
            }
    if rows:
        upsert(session, Organism, list(_one_row_per_taxonomy_id(rows.values())), key=["name"])
        by_name, by_taxonomy_id = _known_organisms(session, wanted)
    return {
        one: (by_taxonomy_id[one.taxonomy_id] if one.taxonomy_id in by_taxonomy_id else by_name[one.name]).id
        for one in wanted
    }


def _one_row_per_taxonomy_id(rows: Iterable[dict[str, str | int | None]]) -> Iterable[dict[str, str | int | None]]:
    seen: set[str | int | None] = set()
    for row in rows:
        if row["taxonomy_id"] is None or row["taxonomy_id"] not in seen:
            seen.add(row["taxonomy_id"])
            yield row


def _known_organisms(
    session: Session, wanted: Iterable[OrganismName]
) -> tuple[dict[str, Organism], dict[int | None, Organism]]:
    names = [one.name for one in wanted]
    taxonomy_ids = [one.taxonomy_id for one in wanted if one.taxonomy_id is not None]
    query = select(Organism).execution_options(populate_existing=True)
    found = session.scalars(query.where(or_(Organism.name.in_(names), Organism.taxonomy_id.in_(taxonomy_ids)))).all()
    by_taxonomy_id: dict[int | None, Organism] = {one.taxonomy_id: one for one in found if one.taxonomy_id is not None}
    return {one.name: one for one in found}, by_taxonomy_id


def platform_ids(session: Session, samples: Iterable[SampleRecord]) -> dict[str, int]:
    """Row ids of the samples' platforms by accession; new platforms are added, changed ones updated."""
    wanted = {
        sample.platform_accession: {
            "accession": sample.platform_accession,
            "name": storable_text(sample.platform_name or sample.platform_accession),
            "manufacturer": None if sample.manufacturer is None else storable_text(sample.manufacturer),
            "technology": sample.technology.value,
        }
        for sample in samples
        if sample.platform_accession
    }
    query = select(Platform.id, Platform.accession, Platform.name, Platform.manufacturer, Platform.technology)
    known = {row.accession: row for row in rows_where_in(session, query, Platform.accession, sorted(wanted))}
    ids = {accession: row.id for accession, row in known.items()}
    changed = [
        row
        for accession, row in wanted.items()
        if accession not in known or any(getattr(known[accession], name) != value for name, value in row.items())
    ]
    ids.update(
        (row.accession, row.id)
        for row in upsert(session, Platform, changed, key=["accession"], returning=[Platform.accession, Platform.id])
    )
    return ids
