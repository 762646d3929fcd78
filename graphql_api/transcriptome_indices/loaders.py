"""Transcriptome indices from the catalog."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import select

from graphql_api.context import AnyRow, Reader, Statement, values_of
from graphql_api.nodes import global_id
from graphql_api.siblings import Siblings
from graphql_api.transcriptome_indices.filters import TranscriptomeIndexFilter, conditions
from graphql_api.vocabulary import IndexLength
from resources.catalog import models
from resources.catalog.models import TranscriptomeIndex

if TYPE_CHECKING:
    from graphql_api.transcriptome_indices import types

INDICES: Statement = (
    select(
        TranscriptomeIndex.id.label("key"),
        TranscriptomeIndex.organism_id.label("organism_key"),
        TranscriptomeIndex.result_id.label("result_key"),
        TranscriptomeIndex.length,
        TranscriptomeIndex.kmer,
        TranscriptomeIndex.division,
        TranscriptomeIndex.release,
        TranscriptomeIndex.assembly,
        TranscriptomeIndex.salmon_version,
        TranscriptomeIndex.key_prefix,
        TranscriptomeIndex.sha256,
        TranscriptomeIndex.num_transcripts,
        TranscriptomeIndex.num_genes,
        TranscriptomeIndex.is_current,
        TranscriptomeIndex.created_at,
    )
    .join(models.Organism, models.Organism.id == TranscriptomeIndex.organism_id)
    .order_by(
        models.Organism.name,
        TranscriptomeIndex.is_current.desc(),
        TranscriptomeIndex.created_at.desc(),
        TranscriptomeIndex.id.desc(),
    )
)


def make_indices(rows: Iterable[AnyRow]) -> list[types.TranscriptomeIndex]:
    """Rows of ``INDICES`` as siblings."""
    from graphql_api.transcriptome_indices.types import TranscriptomeIndex

    siblings: Siblings[TranscriptomeIndex] = Siblings()
    siblings.nodes = [
        TranscriptomeIndex(
            id=global_id("TranscriptomeIndex", row.key),
            siblings=siblings,
            **{**values_of(row), "length": IndexLength(row.length)},
        )
        for row in rows
    ]
    return siblings.nodes


def indices(reader: Reader, wanted: TranscriptomeIndexFilter | None) -> list[types.TranscriptomeIndex]:
    """Indices that fit a filter: by organism, current ones first, then the newest."""
    return make_indices(reader.rows(INDICES.where(*conditions(wanted))))


def indices_by_key(reader: Reader, keys: Iterable[int | None]) -> dict[int, types.TranscriptomeIndex]:
    """Indices by their key."""
    rows = reader.rows_by_keys(keys, lambda chunk: INDICES.where(TranscriptomeIndex.id.in_(chunk)))
    return {index.key: index for index in make_indices(rows)}


def indices_of_organisms(reader: Reader, organisms: Sequence[int]) -> dict[int, list[types.TranscriptomeIndex]]:
    """Indices of each organism, by the organism's key."""
    rows = reader.rows_by_keys(organisms, lambda chunk: INDICES.where(TranscriptomeIndex.organism_id.in_(chunk)))
    found: dict[int, list[types.TranscriptomeIndex]] = defaultdict(list)
    for index in make_indices(rows):
        found[index.organism_key].append(index)
    return found


def indices_of_results(reader: Reader, results: Sequence[int]) -> dict[int, list[types.TranscriptomeIndex]]:
    """Indices that each computational result made, by the result's key."""
    rows = reader.rows_by_keys(results, lambda chunk: INDICES.where(TranscriptomeIndex.result_id.in_(chunk)))
    found: dict[int, list[types.TranscriptomeIndex]] = defaultdict(list)
    for index in make_indices(rows):
        if index.result_key is not None:
            found[index.result_key].append(index)
    return found
