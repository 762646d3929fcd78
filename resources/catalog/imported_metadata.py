"""Attributes and keywords that contributions give to samples: written in batches, counted, never twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from refinebio_assets.domain.imported_metadata import AttributeEntry, MetadataEntry, stored_value
from resources.catalog.models import Contribution, Sample, SampleAlias, SampleAttribute, SampleKeyword, now
from resources.catalog.statements import rows_where_in, storable_text, upsert

_Key = tuple[int, int, str]
_KEY = ("sample_id", "contribution_id", "term_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataImport:
    """What a batch of entries did; one entry of several samples counts once for each of them.

    Args:
        added: New attributes or keywords of samples.
        changed: Attributes whose value, unit or probability is another now.
        unchanged: What was there already.
        samples: Accessions of the samples that the entries name.
        unknown: Entries of samples that the catalog does not have.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    samples: frozenset[str] = frozenset()
    unknown: tuple[MetadataEntry, ...] = field(default=())


def contribution_id(session: Session, source_name: str, methods_url: str) -> int:
    """Row id of a contribution; a new one is added, another address of its methods replaces the old one."""
    row = {
        "source_name": storable_text(source_name),
        "methods_url": storable_text(methods_url),
        "updated_at": now(),
    }
    returned = upsert(session, Contribution, [row], key=["source_name"], returning=[Contribution.id])
    return int(returned[0].id)


def known_contribution_id(session: Session, source_name: str) -> int | None:
    """Row id of a contribution that was imported before."""
    return session.scalar(select(Contribution.id).where(Contribution.source_name == storable_text(source_name)))


def record_entries(
    session: Session, entries: Sequence[MetadataEntry], *, contribution: int | None, dry_run: bool = False
) -> MetadataImport:
    """Write what a contribution says; the same entries again change nothing.

    Of two entries of the same sample and term the later one counts.

    Args:
        session: The transaction.
        entries: At most a few thousand.
        contribution: Row id of the contribution; None if it is new and this is a dry run.
        dry_run: Only count.
    """
    samples = _samples_named(session, {entry.sample for entry in entries})
    attributes: dict[_Key, dict[str, Any]] = {}
    keywords: dict[_Key, dict[str, Any]] = {}
    for entry in entries:
        for sample_id, _ in samples.get(entry.sample, ()):
            key = (sample_id, contribution or 0, entry.term_id)
            row = dict(zip(_KEY, key, strict=True))
            if isinstance(entry, AttributeEntry):
                attributes[key] = row | _attribute_values(entry)
            else:
                keywords[key] = row
    counts = [
        _write(session, SampleAttribute, attributes, dry_run=dry_run),
        _write(session, SampleKeyword, keywords, dry_run=dry_run),
    ]
    added, changed, unchanged = (sum(column) for column in zip(*counts, strict=True))
    return MetadataImport(
        added=added,
        changed=changed,
        unchanged=unchanged,
        samples=frozenset(accession for found in samples.values() for _, accession in found),
        unknown=tuple(entry for entry in entries if entry.sample not in samples),
    )


def _attribute_values(entry: AttributeEntry) -> dict[str, Any]:
    return {
        "value_type": entry.value_type,
        "value": storable_text(stored_value(entry.value)),
        "unit_id": entry.unit_id,
        "probability": entry.probability,
    }


def _samples_named(session: Session, names: Iterable[str]) -> dict[str, list[tuple[int, str]]]:
    """Row id and accession of the samples of each name: the one called so, else those it is another name of."""
    spelled = {name: storable_text(name.strip()) for name in names}
    wanted = sorted({form for text in spelled.values() for form in (text, text.upper())})
    own = select(Sample.accession.label("name"), Sample.id, Sample.accession)
    aliased = select(SampleAlias.alias.label("name"), Sample.id, Sample.accession).join_from(SampleAlias, Sample)
    by_alias: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name, key, accession in rows_where_in(session, aliased, SampleAlias.alias, wanted):
        by_alias[name].append((key, accession))
    by_accession = {
        name: [(key, accession)] for name, key, accession in rows_where_in(session, own, Sample.accession, wanted)
    }
    known = by_alias | by_accession
    found = {name: known.get(text) or known.get(text.upper()) for name, text in spelled.items()}
    return {name: samples for name, samples in found.items() if samples}


def _write(
    session: Session,
    model: type[SampleAttribute | SampleKeyword],
    rows: Mapping[_Key, Mapping[str, Any]],
    *,
    dry_run: bool,
) -> tuple[int, int, int]:
    """Added, changed and unchanged rows."""
    contributions = {contribution for _, contribution, _ in rows}
    query = select(*model.__table__.columns).where(model.contribution_id.in_(contributions))
    known = {
        (row.sample_id, row.contribution_id, row.term_id): row._asdict()
        for row in rows_where_in(session, query, model.sample_id, sorted({sample for sample, _, _ in rows}))
    }
    different = [row for key, row in rows.items() if known.get(key) != row]
    if not dry_run:
        upsert(session, model, different, key=_KEY)
    added = sum(key not in known for key in rows)
    return added, len(different) - added, len(rows) - len(different)
