"""Transcriptome indices in the catalog: at most one of an organism and length is current."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from refinebio_assets.domain.vocabulary import IndexLength
from resources.catalog.models import ComputationalResult, Organism, TranscriptomeIndex, now
from resources.catalog.results import ResultToRecord, record_result
from resources.catalog.statements import upsert
from resources.catalog.vocabulary_rows import OrganismName, organism_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptomeIndexInfo:
    """A Salmon index of an organism (UPPER_SNAKE name) and where it lies in the object store."""

    organism: str
    length: IndexLength
    kmer: int
    division: str
    release: str
    assembly: str
    salmon_version: str
    key_prefix: str
    sha256: str
    num_transcripts: int
    num_genes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptomeIndexToRecord(TranscriptomeIndexInfo):
    """A new index; taxonomy id and scientific name are kept with the organism if it had none yet."""

    taxonomy_id: int | None = None
    scientific_name: str | None = None


_COLUMNS = tuple(name for name in TranscriptomeIndexInfo.__slots__ if name not in {"organism", "length"})


def record_transcriptome_index(session: Session, index: TranscriptomeIndexToRecord, result: ResultToRecord) -> int:
    """Write an index as the current one of its organism and length; earlier ones stay, no longer current.

    Returns:
        The index's row id.
    """
    organism = OrganismName(name=index.organism, taxonomy_id=index.taxonomy_id, scientific_name=index.scientific_name)
    organism_id = organism_ids(session, [organism])[organism]
    # Two builds for one organism are recorded one after the other: each would make its own index the current one.
    session.execute(select(Organism.id).where(Organism.id == organism_id).with_for_update())
    recorded = record_result(session, result)
    session.execute(
        update(TranscriptomeIndex)
        .where(
            TranscriptomeIndex.organism_id == organism_id,
            TranscriptomeIndex.length == index.length,
            TranscriptomeIndex.sha256 != index.sha256,
            TranscriptomeIndex.is_current,
        )
        .values(is_current=False)
        .execution_options(synchronize_session=False)
    )
    row = {
        "organism_id": organism_id,
        "length": index.length.value,
        **{name: getattr(index, name) for name in _COLUMNS},
        "is_current": True,
        "result_id": recorded.result_id,
        "created_at": now(),
    }
    (written,) = upsert(
        session,
        TranscriptomeIndex,
        [row],
        key=["organism_id", "length", "sha256"],
        returning=[TranscriptomeIndex.id],
    )
    return int(written.id)


def current_transcriptome_index(session: Session, organism: str, length: IndexLength) -> TranscriptomeIndexInfo | None:
    """The index that new quantifications of an organism use, None if there is none yet."""
    query = (
        select(TranscriptomeIndex)
        .join(Organism, Organism.id == TranscriptomeIndex.organism_id)
        .where(Organism.name == organism, TranscriptomeIndex.length == length, TranscriptomeIndex.is_current)
    )
    row = session.scalar(query)
    if row is None:
        return None
    return TranscriptomeIndexInfo(organism=organism, length=length, **{name: getattr(row, name) for name in _COLUMNS})


def current_index_fingerprint(session: Session, organism: str, length: IndexLength) -> str | None:
    """Fingerprint of the result that made the current index; None without one."""
    query = (
        select(ComputationalResult.fingerprint)
        .join(TranscriptomeIndex, TranscriptomeIndex.result_id == ComputationalResult.id)
        .join(Organism, Organism.id == TranscriptomeIndex.organism_id)
        .where(Organism.name == organism, TranscriptomeIndex.length == length, TranscriptomeIndex.is_current)
    )
    return session.scalar(query)
