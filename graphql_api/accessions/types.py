"""What an accession names."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from graphql_api.connections import PageRequest, connect, listed_page
from graphql_api.context import Info, reader_of
from graphql_api.siblings import Siblings

if TYPE_CHECKING:
    from graphql_api.experiments.types import Experiment
    from graphql_api.ledger.types import LedgerEntry
    from graphql_api.samples.types import SampleConnection


@strawberry.enum(description="How the resolution of an accession ended.")
class ResolutionOutcome(Enum):
    """How the resolution of an accession ended."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    AMBIGUOUS = strawberry.enum_value("ambiguous", description="It names several experiments.")
    UNSUPPORTED = strawberry.enum_value(
        "unsupported",
        description="It follows no accession grammar we know, or names neither experiment nor sample (a platform).",
    )


@strawberry.type(description="What one accession of the request names.")
class Resolution:
    """What one accession of the request names."""

    siblings: strawberry.Private[Siblings[Resolution]]
    query: str = strawberry.field(description="The text as it was asked.")
    outcome: ResolutionOutcome
    type: str | None = strawberry.field(description="What kind of accession it is (sra_study, geo_sample …).")
    experiment_accessions: list[str] = strawberry.field(
        description="Experiments that it names, or that have the samples it names."
    )
    sample_accessions: list[str] = strawberry.field(
        description="Samples that it names, or of the experiments it names."
    )
    aliases: list[str] = strawberry.field(description="Further accessions of what it names.")
    superseded_accessions: list[str] = strawberry.field(
        description="Experiments or samples of that accession that gave way to those it leads to: a series whose "
        "samples are processed from their reads leads to its sequencing studies."
    )
    message: str | None = strawberry.field(description="For people, if it was not found, is ambiguous or superseded.")

    @strawberry.field(description="The experiments that were surveyed.")
    def experiments(self, info: Info) -> list[Annotated[Experiment, strawberry.lazy("graphql_api.experiments.types")]]:
        """The experiments that were surveyed."""
        from graphql_api.experiments.loaders import experiments_by_accession

        found = self.siblings.load(
            "experiments",
            lambda all_: experiments_by_accession(
                reader_of(info), [name for one in all_ for name in one.experiment_accessions]
            ),
        )
        return [found[name] for name in self.experiment_accessions if name in found]

    @strawberry.field(description="The samples that were surveyed, one page at a time, by accession.")
    def samples(
        self, info: Info, first: int | None = 20, after: str | None = None
    ) -> Annotated[SampleConnection, strawberry.lazy("graphql_api.samples.types")]:
        """The samples that were surveyed, one page at a time."""
        from graphql_api.samples.loaders import fitting_accessions, samples_by_accession
        from graphql_api.samples.types import SampleConnection

        reader, page = reader_of(info), PageRequest.of(first, after)
        surveyed = self.siblings.load(
            "surveyed", lambda all_: set(fitting_accessions(reader, _sample_accessions(all_), None, None))
        )
        names = [name for name in self.sample_accessions if name in surveyed]
        nodes = self.siblings.load(
            ("samples", page),
            lambda all_: samples_by_accession(
                reader, _pages([[name for name in one.sample_accessions if name in surveyed] for one in all_], page)
            ),
        )
        listed = listed_page("resolution", names, page, lambda _: nodes)
        return connect(SampleConnection, listed.rows, listed, page=page, count=lambda: len(names))

    @strawberry.field(description="Ledger entries of what it names: experiments, or the samples if it names samples.")
    def ledger(self, info: Info) -> list[Annotated[LedgerEntry, strawberry.lazy("graphql_api.ledger.types")]]:
        """Ledger entries of what it names."""
        from graphql_api.accessions.loaders import names_experiments
        from graphql_api.ledger.loaders import entries_by_accession

        found = self.siblings.load(
            "ledger",
            lambda all_: entries_by_accession(
                reader_of(info), [name for one in all_ for name in (*one.experiment_accessions, *one.sample_accessions)]
            ),
        )
        named = self.experiment_accessions if names_experiments(self.type) else self.sample_accessions
        return [found[name] for name in named if name in found]


def _sample_accessions(resolutions: list[Resolution]) -> list[str]:
    return list(dict.fromkeys(name for one in resolutions for name in one.sample_accessions))


def _pages(lists: list[list[str]], page: PageRequest) -> list[str]:
    """The accessions on one page of each list."""
    names: list[str] = []
    for keys in lists:
        names += listed_page("resolution", keys, page, lambda chosen: {key: key for key in chosen}).rows
    return names
