"""Which transcriptome indices are wanted."""

from __future__ import annotations

import strawberry
from sqlalchemy import ColumnElement

from graphql_api.organisms.filters import organism_ids
from graphql_api.vocabulary import IndexLength
from resources.catalog.models import TranscriptomeIndex


@strawberry.input(description="All conditions must hold; within a list one is enough.")
class TranscriptomeIndexFilter:
    """Conditions on transcriptome indices."""

    organisms: list[str] | None = strawberry.field(
        default=None, description="Name, UPPER_SNAKE name or NCBI taxonomy id."
    )
    length: IndexLength | None = None
    releases: list[str] | None = None
    salmon_versions: list[str] | None = None
    is_current: bool | None = None


def conditions(wanted: TranscriptomeIndexFilter | None) -> list[ColumnElement[bool]]:
    """SQL conditions on ``TranscriptomeIndex``."""
    if wanted is None:
        return []
    found: list[ColumnElement[bool]] = []
    if wanted.organisms is not None:
        found.append(TranscriptomeIndex.organism_id.in_(organism_ids(wanted.organisms)))
    if wanted.length is not None:
        found.append(TranscriptomeIndex.length == wanted.length.value)
    if wanted.releases is not None:
        found.append(TranscriptomeIndex.release.in_(wanted.releases))
    if wanted.salmon_versions is not None:
        found.append(TranscriptomeIndex.salmon_version.in_(wanted.salmon_versions))
    if wanted.is_current is not None:
        found.append(TranscriptomeIndex.is_current.is_(wanted.is_current))
    return found
