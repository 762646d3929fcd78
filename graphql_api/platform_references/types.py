"""References of array platforms, and the arrays that raw files show."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from graphql_api.context import Info, reader_of
from graphql_api.organisms.loaders import organisms_by_key, platforms_by_key
from graphql_api.scalars import BigInt
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import PlatformReferenceKind

if TYPE_CHECKING:
    from graphql_api.organisms.types import Organism, Platform


@strawberry.type(
    description="What the probes or identifiers of an array platform measure, by whom and in which release."
)
class PlatformReference:
    """A reference of an array platform."""

    key: strawberry.Private[int]
    siblings: strawberry.Private[Siblings[PlatformReference]]
    platform_key: strawberry.Private[int]
    organism_key: strawberry.Private[int | None]
    kind: PlatformReferenceKind
    source: str = strawberry.field(description="Who made it: brainarray, ensembl …")
    version: str = strawberry.field(description="Its release.")
    sha256: str = strawberry.field(description="Identity of the stored file; provenance of values names it.")
    object_key: str = strawberry.field(description="Place below the object store's root.")
    filename: str
    size_bytes: BigInt
    num_probes: int
    num_genes: int
    is_current: bool = strawberry.field(description="Whether samples are processed with it now.")
    created_at: datetime

    @strawberry.field(description="Address to download it from, valid for a limited time; no token is needed.")
    def download_url(self, info: Info) -> str:
        """Address to download it from."""
        return info.context.downloads.url(self.object_key, self.filename, base_url=info.context.base_url)

    @strawberry.field(description="The organism whose genes it names, if of one.")
    def organism(self, info: Info) -> Annotated[Organism, strawberry.lazy("graphql_api.organisms.types")] | None:
        """The organism whose genes it names."""
        found = self.siblings.load(
            "organism", lambda all_: organisms_by_key(reader_of(info), [one.organism_key for one in all_])
        )
        return None if self.organism_key is None else found.get(self.organism_key)


@strawberry.type(description="The array that a sample's raw file shows, beside the one that its submitter names.")
class DetectedPlatform:
    """The array that a sample's raw file shows."""

    siblings: strawberry.Private[Siblings[DetectedPlatform]]
    platform_key: strawberry.Private[int | None]
    named: str = strawberry.field(description="What the file says, in its own words: the chip type of a CEL header.")
    evidence: str = strawberry.field(description="cel_header, probe_overlap")
    share: float | None = strawberry.field(description="Share of the file's probes that the array has.")

    @strawberry.field(description="The array; null if it is not a supported one.")
    def platform(self, info: Info) -> Annotated[Platform, strawberry.lazy("graphql_api.organisms.types")] | None:
        """The array."""
        found = self.siblings.load(
            "platform", lambda all_: platforms_by_key(reader_of(info), [one.platform_key for one in all_])
        )
        return None if self.platform_key is None else found.get(self.platform_key)
