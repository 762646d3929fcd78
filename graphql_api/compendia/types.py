"""Organism-wide artefacts: QN targets and compendia."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry.scalars import JSON

from graphql_api.compendia import loaders
from graphql_api.context import Info, reader_of
from graphql_api.files.loaders import computed_by_key, computed_by_owner
from graphql_api.files.types import ComputedFile
from graphql_api.nodes import Node
from graphql_api.organisms.loaders import organisms_by_key, organisms_by_name, platforms_by_key
from graphql_api.organisms.types import Organism, Platform
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import ComputedFileKind, Technology

if TYPE_CHECKING:
    from graphql_api.provenance.types import ComputationalResult

FORMATS = {
    ComputedFileKind.COMPENDIUM_ANNDATA: "h5ad",
    ComputedFileKind.COMPENDIUM_ZARR: "zarr",
    ComputedFileKind.COMPENDIUM_PARQUET: "parquet",
    ComputedFileKind.COMPENDIUM_TSV: "tsv",
    ComputedFileKind.COMPENDIUM_ARCHIVE: "zip",
    ComputedFileKind.QUANTPENDIUM_ARCHIVE: "zip",
}


@strawberry.type(description="Samples that are not in an artefact, and why.")
class LeftOutSamples:
    """Samples that are not in an artefact, and why."""

    reason: str
    num_samples: int


@strawberry.type(description="How alike two QN targets are, by a two-sample Kolmogorov-Smirnov test.")
class TargetAgreement:
    """How alike two QN targets are."""

    statistic: float = strawberry.field(description="Largest distance of the distribution functions, 0 to 1.")
    p_value: float


@strawberry.type(description="One statement that was checked of a compendium.")
class CompendiumCheck:
    """One statement that was checked of a compendium."""

    name: str
    passed: bool
    blocking: bool = strawberry.field(description="Whether it would not be published if it did not hold.")
    description: str
    metadata: JSON


def _left_out(details: Mapping[str, Any]) -> list[LeftOutSamples]:
    counts: Mapping[str, int] = details.get("left_out") or {}
    return [LeftOutSamples(reason=reason, num_samples=count) for reason, count in sorted(counts.items())]


@strawberry.type(description="The reference distribution of an organism for quantile normalisation.")
class QnTarget(Node):
    """The reference distribution of an organism for quantile normalisation."""

    key: strawberry.Private[int]
    siblings: strawberry.Private[Siblings[QnTarget]]
    organism_key: strawberry.Private[int]
    platform_key: strawberry.Private[int | None]
    file_key: strawberry.Private[int]
    technology: Technology
    num_samples: int
    num_genes: int
    is_current: bool = strawberry.field(description="Whether it is the one that compendia and datasets use now.")
    created_at: datetime

    @strawberry.field(description="The organism.")
    def organism(self, info: Info) -> Organism | None:
        """The organism."""
        keys = [target.organism_key for target in self.siblings.nodes]
        return self.siblings.load("organism", lambda _: organisms_by_key(reader_of(info), keys)).get(self.organism_key)

    @strawberry.field(description="The array platform whose samples made it; none if sequenced samples did.")
    def platform(self, info: Info) -> Platform | None:
        """The array platform whose samples made it."""
        keys = [target.platform_key for target in self.siblings.nodes]
        found = self.siblings.load("platform", lambda _: platforms_by_key(reader_of(info), keys))
        return None if self.platform_key is None else found.get(self.platform_key)

    @strawberry.field(description="The distribution's file.")
    def computed_file(self, info: Info) -> ComputedFile | None:
        """The distribution's file."""
        keys = [target.file_key for target in self.siblings.nodes]
        return self.siblings.load("file", lambda _: computed_by_key(reader_of(info), keys)).get(self.file_key)

    @strawberry.field(description="Twelve hexadecimal digits that name it: of everything that decides its values.")
    def version(self, info: Info) -> str | None:
        """What names it."""
        version: str | None = self._details(info).get("version")
        return version

    @strawberry.field(description="How alike it is to the target before it; null if it was the first.")
    def agreement(self, info: Info) -> TargetAgreement | None:
        """How alike it is to the target before it."""
        found = self._details(info).get("agreement")
        return None if not found else TargetAgreement(statistic=found["statistic"], p_value=found["p_value"])

    @strawberry.field(description="Other processed samples of its technology, by the reason why they are not in it.")
    def left_out(self, info: Info) -> list[LeftOutSamples]:
        """Other processed samples of its technology."""
        return _left_out(self._details(info))

    @strawberry.field(description="Everything that was noted when it was made.")
    def details(self, info: Info) -> JSON:
        """Everything that was noted when it was made."""
        return JSON(self._details(info))

    def _details(self, info: Info) -> Mapping[str, Any]:
        return self.siblings.load("details", lambda all_: loaders.target_details(reader_of(info), _keys(all_)))[
            self.key
        ]


@strawberry.type(description="An organism-wide artefact: a normalised compendium or a quantpendium.")
class Compendium(Node):
    """An organism-wide artefact."""

    key: strawberry.Private[int]
    siblings: strawberry.Private[Siblings[Compendium]]
    organism_key: strawberry.Private[int]
    file_key: strawberry.Private[int]
    result_key: strawberry.Private[int | None]
    kind: str = strawberry.field(description="compendium or quantpendium.")
    version: str = strawberry.field(description="Twelve hexadecimal digits: of everything that decides its bytes.")
    svd_algorithm: str | None
    num_samples: int
    num_genes: int
    is_current: bool = strawberry.field(description="Whether none of its organism and kind was made later.")
    created_at: datetime

    @strawberry.field(description="The organism; of several in it the one with most samples.")
    def organism(self, info: Info) -> Organism | None:
        """The organism."""
        keys = [compendium.organism_key for compendium in self.siblings.nodes]
        return self.siblings.load("organism", lambda _: organisms_by_key(reader_of(info), keys)).get(self.organism_key)

    @strawberry.field(description="All organisms in it: species of one genus that share a platform are put together.")
    def organisms(self, info: Info) -> list[Organism]:
        """All organisms in it."""

        def load(_all: list[Compendium]) -> dict[str, Organism]:
            every = self._all_details(info).values()
            return organisms_by_name(reader_of(info), [name for one in every for name in one.get("organisms") or ()])

        names: list[str] = self._details(info).get("organisms") or []
        own = self.organism(info) if not names else None
        found = self.siblings.load("organisms", load)
        return [found[name] for name in names if name in found] if own is None else [own]

    @strawberry.field(description="The artefact's main file.")
    def computed_file(self, info: Info) -> ComputedFile | None:
        """The artefact's main file."""
        keys = [compendium.file_key for compendium in self.siblings.nodes]
        return self.siblings.load("file", lambda _: computed_by_key(reader_of(info), keys)).get(self.file_key)

    @strawberry.field(description="All its files: every format, the report, metadata, the model.")
    def files(self, info: Info) -> list[ComputedFile]:
        """All its files."""
        keys = [one.result_key for one in self.siblings.nodes if one.result_key is not None]
        found = self.siblings.load("files", lambda _: computed_by_owner(reader_of(info), "result_id", keys))
        return [] if self.result_key is None else found.get(self.result_key, [])

    @strawberry.field(description="Formats in which its values can be downloaded: h5ad, zarr, parquet, tsv, zip.")
    def formats(self, info: Info) -> list[str]:
        """Formats in which its values can be downloaded."""
        kinds = {file.kind for file in self.files(info)}
        return list(dict.fromkeys(name for kind, name in FORMATS.items() if kind in kinds))

    @strawberry.field(description="The run that made it: parameters, inputs, versions.")
    def result(
        self, info: Info
    ) -> Annotated[ComputationalResult, strawberry.lazy("graphql_api.provenance.types")] | None:
        """The run that made it."""
        from graphql_api.provenance.loaders import results_by_key

        keys = [one.result_key for one in self.siblings.nodes]
        found = self.siblings.load("result", lambda _: results_by_key(reader_of(info), keys))
        return None if self.result_key is None else found.get(self.result_key)

    @strawberry.field(description="Version of the method: refinebio-2, or refinebio-1 as in refine.bio's program.")
    def method(self, info: Info) -> str | None:
        """Version of the method."""
        method: str | None = self._details(info).get("method")
        return method

    @strawberry.field(description="Share of cells that were imputed, 0 to 1.")
    def share_imputed(self, info: Info) -> float | None:
        """Share of cells that were imputed."""
        share: float | None = self._summary(info).get("share_imputed")
        return share

    @strawberry.field(description="Iterations of the imputation.")
    def iterations(self, info: Info) -> int | None:
        """Iterations of the imputation."""
        iterations: int | None = self._summary(info).get("iterations")
        return iterations

    @strawberry.field(description="Whether the imputation ended by its own rule, not by the largest number of passes.")
    def converged(self, info: Info) -> bool | None:
        """Whether the imputation ended by its own rule."""
        converged: bool | None = self._summary(info).get("converged")
        return converged

    @strawberry.field(description="Whether its samples were quantile-normalised to the organism's QN target.")
    def quantile_normalized(self, info: Info) -> bool | None:
        """Whether its samples were quantile-normalised."""
        normalized: bool | None = self._summary(info).get("quantile_normalized")
        return normalized

    @strawberry.field(description="Samples with expression that are not in it.")
    def num_samples_filtered(self, info: Info) -> int:
        """Samples with expression that are not in it."""
        return sum(one.num_samples for one in _left_out(self._details(info)))

    @strawberry.field(description="Samples with expression that are not in it, by reason.")
    def left_out(self, info: Info) -> list[LeftOutSamples]:
        """Samples with expression that are not in it, by reason."""
        return _left_out(self._details(info))

    @strawberry.field(description="The version that it extends by new samples; null if it was built from the start.")
    def extends(self, info: Info) -> str | None:
        """The version that it extends."""
        extends: str | None = self._details(info).get("extends")
        return extends

    @strawberry.field(description="What was checked of it before it was published.")
    def checks(self, info: Info) -> list[CompendiumCheck]:
        """What was checked of it."""
        names = ("name", "passed", "blocking", "description", "metadata")
        return [
            CompendiumCheck(**{name: check[name] for name in names})
            for check in self._details(info).get("checks") or ()
        ]

    @strawberry.field(description="Everything that was noted when it was made: filters, imputation, quality.")
    def details(self, info: Info) -> JSON:
        """Everything that was noted when it was made."""
        return JSON(self._details(info))

    def _all_details(self, info: Info) -> Mapping[int, Mapping[str, Any]]:
        return self.siblings.load("details", lambda all_: loaders.compendium_details(reader_of(info), _keys(all_)))

    def _details(self, info: Info) -> Mapping[str, Any]:
        return self._all_details(info)[self.key]

    def _summary(self, info: Info) -> Mapping[str, Any]:
        return self._details(info).get("summary") or {}


def _keys(nodes: list[QnTarget] | list[Compendium]) -> list[int]:
    return [node.key for node in nodes]
