"""How much metadata is harmonised: samples by field, and the submitters' keys that no rule takes or can read."""

from __future__ import annotations

import strawberry

from graphql_api.vocabulary import SourceArchive
from refinebio_assets.domain.errors import InputError
from resources.catalog import summary


@strawberry.type(description="How many samples have a value of a harmonised field.")
class FieldCoverage:
    """How many samples have a value of a harmonised field."""

    field: str
    num_samples: int
    share: float = strawberry.field(description="Of all samples, between 0 and 1.")


@strawberry.type(description="A metadata key of submitters that no harmonisation rule takes.")
class UnmatchedKey:
    """A metadata key of submitters that no harmonisation rule takes."""

    key: str
    num_samples: int = strawberry.field(description="Samples that have it.")


@strawberry.type(description="How much of the metadata of some samples is harmonised.")
class MetadataCoverage:
    """How much of the metadata of some samples is harmonised."""

    found: strawberry.Private[summary.MetadataCoverage]

    @strawberry.field(description="Number of samples.")
    def num_samples(self) -> int:
        """Number of samples."""
        return self.found.samples

    @strawberry.field(description="Harmonised fields that at least one sample has, most frequent first.")
    def fields(self) -> list[FieldCoverage]:
        """Harmonised fields that at least one sample has."""
        return [FieldCoverage(field=one.field, num_samples=one.samples, share=one.share) for one in self.found.fields]

    @strawberry.field(description="Keys that no rule takes or can read, most frequent first.")
    def unmatched_keys(self, first: int = 20) -> list[UnmatchedKey]:
        """Keys that no rule takes or can read."""
        return [UnmatchedKey(key=one.key, num_samples=one.samples) for one in self.found.unmatched[: at_most(first)]]


@strawberry.type(description="How much of an archive's metadata is harmonised.")
class SourceCoverage:
    """How much of an archive's metadata is harmonised."""

    source: SourceArchive
    coverage: MetadataCoverage


def at_most(first: int) -> int:
    """The argument ``first`` of a list without cursors, at most as many as are kept.

    Raises:
        InputError: It is less than 1.
    """
    if first < 1:
        message = f"`first` is {first}; it must be at least 1."
        raise InputError(message)
    return min(first, summary.UNMATCHED_KEYS)
