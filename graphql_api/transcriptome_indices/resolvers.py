"""Root field for transcriptome indices."""

from __future__ import annotations

import strawberry

from graphql_api.context import Info, reader_of
from graphql_api.transcriptome_indices import loaders
from graphql_api.transcriptome_indices.filters import TranscriptomeIndexFilter
from graphql_api.transcriptome_indices.types import TranscriptomeIndex


@strawberry.type
class TranscriptomeIndexQueries:
    """Root field for transcriptome indices."""

    @strawberry.field(description="Transcriptome indices: by organism, current ones first, then the newest.")
    def transcriptome_indices(
        self,
        info: Info,
        filter: TranscriptomeIndexFilter | None = None,  # noqa: A002
    ) -> list[TranscriptomeIndex]:
        """Transcriptome indices."""
        return loaders.indices(reader_of(info), filter)
