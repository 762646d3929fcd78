"""Samples: one run for sequencing, one GSM or assay for arrays."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from graphql_api.connections import Connection
from graphql_api.context import Info, reader_of
from graphql_api.files import loaders as files
from graphql_api.files.types import ComputedFile, OriginalFile
from graphql_api.ledger import loaders as ledger
from graphql_api.ledger.types import LedgerChange, LedgerEntry
from graphql_api.metadata import loaders as metadata
from graphql_api.metadata.types import SampleAttribute, SampleKeyword
from graphql_api.nodes import Node
from graphql_api.organisms.loaders import organisms_by_key, platforms_by_key
from graphql_api.organisms.types import Organism, Platform
from graphql_api.platform_references import loaders as references
from graphql_api.platform_references.types import DetectedPlatform
from graphql_api.samples import loaders
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import SampleState, SourceArchive, Technology

if TYPE_CHECKING:
    from graphql_api.experiments.types import Experiment


@strawberry.type(description="One harmonised metadata value and where it came from.")
class HarmonizedValue:
    """One harmonised metadata value and where it came from."""

    field: str = strawberry.field(description="sex, age, specimen_part, disease, treatment …")
    value: str
    unit: str | None
    ontology_term_id: str | None
    raw_key: str = strawberry.field(description="Name of the submitter's field.")
    raw_value: str = strawberry.field(description="What the submitter wrote.")
    rule: str = strawberry.field(description="The harmonisation rule that took it.")


@strawberry.type(description="A sample: one run for sequencing, one GSM or assay for arrays.")
class Sample(Node):
    """A sample."""

    key: strawberry.Private[int]
    siblings: strawberry.Private[Siblings[Sample]]
    organism_key: strawberry.Private[int | None]
    platform_key: strawberry.Private[int | None]
    accession: str
    source: SourceArchive
    title: str
    technology: Technology
    run_accession: str | None
    archive_experiment_accession: str | None = strawberry.field(
        description="Accession of the sequencing experiment (SRX, ERX, DRX), which is the library, not the study."
    )
    secondary_sample_accession: str | None
    biosample_accession: str | None
    library_strategy: str | None
    library_source: str | None
    library_selection: str | None
    library_layout: str | None
    has_raw: bool
    source_url: str | None
    created_at: datetime
    updated_at: datetime
    state: SampleState | None = strawberry.field(description="State in the ledger.")
    reason: str | None = strawberry.field(description="Why it is in that state, for machines.")
    message: str | None = strawberry.field(description="Why it is in that state, for people.")

    @strawberry.field(description="Other accessions of the same sample.")
    def aliases(self, info: Info) -> list[str]:
        """Other accessions of the same sample."""
        return self.siblings.load("aliases", lambda all_: loaders.aliases_of_samples(reader_of(info), _keys(all_))).get(
            self.key, []
        )

    @strawberry.field(description="The organism, if the archive names one.")
    def organism(self, info: Info) -> Organism | None:
        """The organism."""
        found = self.siblings.load(
            "organism", lambda all_: organisms_by_key(reader_of(info), [sample.organism_key for sample in all_])
        )
        return None if self.organism_key is None else found.get(self.organism_key)

    @strawberry.field(description="The instrument or array design, as submitted.")
    def platform(self, info: Info) -> Platform | None:
        """The instrument or array design."""
        found = self.siblings.load(
            "platform", lambda all_: platforms_by_key(reader_of(info), [sample.platform_key for sample in all_])
        )
        return None if self.platform_key is None else found.get(self.platform_key)

    @strawberry.field(description="The array that its raw file shows, once it was read; sequenced samples have none.")
    def detected_platform(self, info: Info) -> DetectedPlatform | None:
        """The array that its raw file shows."""
        found = self.siblings.load(
            "detected_platform", lambda all_: references.detected_of_samples(reader_of(info), _keys(all_))
        )
        return found.get(self.key)

    @strawberry.field(description="Harmonised metadata with provenance.")
    def harmonized(self, info: Info) -> list[HarmonizedValue]:
        """Harmonised metadata with provenance."""
        found = self.siblings.load(
            "harmonized", lambda all_: loaders.harmonized_of_samples(reader_of(info), _keys(all_))
        )
        return found.get(self.key, [])

    @strawberry.field(description="Values that contributions (MetaSRA, curators) give it.")
    def attributes(self, info: Info) -> list[SampleAttribute]:
        """Values that contributions give it."""
        found = self.siblings.load(
            "attributes", lambda all_: metadata.attributes_of_samples(reader_of(info), _keys(all_))
        )
        return found.get(self.key, [])

    @strawberry.field(description="Ontology terms that contributions (MetaSRA, curators) say of it.")
    def keywords(self, info: Info) -> list[SampleKeyword]:
        """Ontology terms that contributions say of it."""
        found = self.siblings.load("keywords", lambda all_: metadata.keywords_of_samples(reader_of(info), _keys(all_)))
        return found.get(self.key, [])

    @strawberry.field(description="Metadata as the archives give it.")
    def annotations(self, info: Info) -> JSON:
        """Metadata as the archives give it."""
        found = self.siblings.load(
            "annotations", lambda all_: loaders.annotations_of_samples(reader_of(info), _keys(all_))
        )
        return JSON(found.get(self.key, {}))

    @strawberry.field(description="Experiments that the sample belongs to.")
    def experiments(self, info: Info) -> list[Annotated[Experiment, strawberry.lazy("graphql_api.experiments.types")]]:
        """Experiments that the sample belongs to."""
        from graphql_api.experiments.loaders import experiments_of_samples

        found = self.siblings.load("experiments", lambda all_: experiments_of_samples(reader_of(info), _keys(all_)))
        return found.get(self.key, [])

    @strawberry.field(description="Its files in the public archives.")
    def original_files(self, info: Info) -> list[OriginalFile]:
        """Its files in the public archives."""
        found = self.siblings.load(
            "original_files", lambda all_: files.originals_of_samples(reader_of(info), _keys(all_))
        )
        return found.get(self.key, [])

    @strawberry.field(description="What was computed from it.")
    def computed_files(self, info: Info) -> list[ComputedFile]:
        """What was computed from it."""
        found = self.siblings.load(
            "computed_files", lambda all_: files.computed_by_owner(reader_of(info), "sample_id", _keys(all_))
        )
        return found.get(self.key, [])

    @strawberry.field(description="Its entry in the ledger.")
    def ledger(self, info: Info) -> LedgerEntry | None:
        """Its entry in the ledger."""
        found = self.siblings.load(
            "ledger", lambda all_: ledger.entries_by_accession(reader_of(info), _accessions(all_))
        )
        return found.get(self.accession)

    @strawberry.field(description="Every state it has had, oldest first.")
    def history(self, info: Info) -> list[LedgerChange]:
        """Every state it has had, oldest first."""
        found = self.siblings.load(
            "history", lambda all_: ledger.history_by_accession(reader_of(info), _accessions(all_))
        )
        return found.get(self.accession, [])


@strawberry.type(description="One page of samples.")
class SampleConnection(Connection[Sample]):
    """One page of samples."""


def _keys(samples: list[Sample]) -> list[int]:
    return [sample.key for sample in samples]


def _accessions(samples: list[Sample]) -> list[str]:
    return [sample.accession for sample in samples]
