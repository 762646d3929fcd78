"""The domain's closed vocabularies as GraphQL enums."""

from __future__ import annotations

import strawberry

from refinebio_assets.domain.accessions import SourceArchive
from refinebio_assets.domain.vocabulary import (
    ComputedFileKind,
    IndexLength,
    LedgerKind,
    PlatformReferenceKind,
    SampleState,
    Technology,
)

strawberry.enum(SampleState, description="The one state every accession has in the ledger.")
strawberry.enum(Technology, description="How expression was measured.")
strawberry.enum(SourceArchive, description="The archive a record comes from.")
strawberry.enum(LedgerKind, description="What a ledger entry is about.")
strawberry.enum(ComputedFileKind, description="What a computed file holds.")
strawberry.enum(PlatformReferenceKind, description="What a reference says of an array platform.")
strawberry.enum(
    IndexLength, description="Reads longer than 75 bases use the long index (k=31), others the short one (k=23)."
)

__all__ = [
    "ComputedFileKind",
    "IndexLength",
    "LedgerKind",
    "PlatformReferenceKind",
    "SampleState",
    "SourceArchive",
    "Technology",
]
