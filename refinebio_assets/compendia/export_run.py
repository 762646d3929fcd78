"""Genes of the samples that a person selects, with what must be known of these samples to use the values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from refinebio_assets.compendia.expression_store import Floats
from refinebio_assets.compendia.gene_slices import LOG2, FoundGene, GeneSpace
from refinebio_assets.compendia.slice_run import GeneSlices, SampleValues
from refinebio_assets.domain.errors import InputError, NotFoundError
from refinebio_assets.domain.organisms import organism_key
from refinebio_assets.domain.vocabulary import Technology
from resources.catalog import Catalog, CompendiumSample, ExpressionPartInfo, Resolution

ORGANISMS_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which samples are wanted; all conditions must hold, and of several values one is enough.

    Attributes:
        organisms: Name, UPPER_SNAKE name or NCBI taxonomy id.
        experiments: Any accession.
        samples: Any accession.
        technologies: How they were measured.
        platforms: Accessions.
    """

    organisms: tuple[str, ...] = ()
    experiments: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()
    technologies: tuple[Technology, ...] = ()
    platforms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedSample:
    """A row of an export; ``experiment`` is the one whose expression it is taken from."""

    accession: str
    experiment: str
    organism: str
    technology: Technology
    platform: str
    scale: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneExport:
    """Genes x selected samples.

    Attributes:
        genes: What each id of the request names.
        samples: Sorted by organism and accession.
        matrix: samples x found genes, float32, NaN where missing.
        unresolved: Accessions of the selection that name nothing, with the reason.
        without_expression: Selected processed samples that the expression store does not have.
    """

    genes: tuple[FoundGene, ...]
    samples: tuple[ExportedSample, ...]
    matrix: Floats
    unresolved: tuple[Resolution, ...]
    without_expression: tuple[str, ...]

    @property
    def found(self) -> list[str]:
        """The genes of the columns."""
        return [one.gene for one in self.genes if one.gene is not None]

    @property
    def not_found(self) -> list[str]:
        """Ids that no gene has."""
        return [one.query for one in self.genes if one.gene is None]


def export_genes(
    catalog: Catalog,
    slices: GeneSlices,
    queries: Sequence[str],
    selection: Selection,
    *,
    log2: bool = False,
    before_each: Callable[[], None] = lambda: None,
) -> GeneExport:
    """Genes of the selected samples.

    Without organisms, experiments and samples in the selection, every organism that has one of the genes is read.

    Args:
        catalog: Knows the samples.
        slices: Reads their values.
        queries: Gene ids, with or without version.
        selection: Which samples.
        log2: Give linear values as log2(x + 1).
        before_each: Called before a part of the expression store is read.

    Raises:
        InputError: No id names a gene of their expression.
        NotFoundError: There are no such samples, or none of them has expression.
    """
    samples, unresolved = _samples(catalog, selection)
    parts = _parts(catalog, samples, everywhere=not (selection.experiments or selection.samples))
    technologies = {sample.technology for sample in samples}
    spaces = {GeneSpace(part.organism, part.gene_space) for part in parts if part.technology in technologies}
    if not spaces:
        message = f"{len(samples)} processed samples fit, but the expression store has none of them."
        raise NotFoundError(message, remedy="Make their expression again: refinebio tximport, or refinebio ingest.")
    genes = slices.find(queries, spaces)
    if not any(one.gene for one in genes):
        raise _no_gene(genes, spaces, slices)
    if not (selection.organisms or selection.experiments or selection.samples):
        organisms = frozenset[str]().union(*(one.organisms for one in genes))
        samples = [sample for sample in samples if sample.organism in organisms]
        parts = [part for part in parts if part.organism in organisms]
    named = {name for one in _resolved(catalog, selection.experiments) for name in one.experiments}
    preferred = {sample.accession: _preferred(sample, named) for sample in samples}
    found = [one.gene for one in genes if one.gene is not None]
    read = slices.read(found, parts, preferred, log2=log2, before_each=before_each)
    return _export(genes, samples, read, unresolved, log2=log2)


def _samples(catalog: Catalog, selection: Selection) -> tuple[list[CompendiumSample], list[Resolution]]:
    """The processed samples that fit, and the accessions that name none."""
    organisms = _organisms(catalog, selection.organisms)
    unresolved: list[Resolution] = []
    accessions: set[str] | None = None
    for queries in (selection.experiments, selection.samples):
        if queries:
            resolved = _resolved(catalog, queries)
            unresolved += [one for one in resolved if not one.samples]
            members = {sample for one in resolved for sample in one.samples}
            accessions = members if accessions is None else accessions & members
    if accessions is None and organisms is None:
        organisms = [one.organism for one in catalog.compendia.organisms()]
    listed = None if accessions is None else sorted(accessions)
    platforms = {platform.upper() for platform in selection.platforms}
    samples = [
        sample
        for sample in catalog.compendia.samples(organisms, accessions=listed)
        if (not selection.technologies or sample.technology in selection.technologies)
        and (not platforms or (sample.platform or "").upper() in platforms)
    ]
    if not samples:
        raise _no_samples(unresolved)
    return samples, unresolved


def _resolved(catalog: Catalog, queries: Sequence[str]) -> list[Resolution]:
    return list(catalog.resolve(list(queries))) if queries else []


def _organisms(catalog: Catalog, names: Sequence[str]) -> list[str] | None:
    """UPPER_SNAKE names; None if no organism is named.

    Raises:
        NotFoundError: An organism has no processed sample.
    """
    if not names:
        return None
    known = catalog.compendia.organisms()
    by_name = {one.organism: one.organism for one in known}
    by_name |= {str(one.taxonomy_id): one.organism for one in known if one.taxonomy_id is not None}
    found = []
    for name in names:
        usable = any(letter.isascii() and letter.isalnum() for letter in name)
        organism = by_name.get(organism_key(name)) if usable else None
        if organism is None:
            message = f"No processed sample is of the organism {name!r}."
            shown = ", ".join(one.scientific_name for one in known[:ORGANISMS_SHOWN])
            more = ", …" if len(known) > ORGANISMS_SHOWN else ""
            raise NotFoundError(message, remedy=f"There are: {shown}{more}." if known else None)
        found.append(organism)
    return found


def _parts(catalog: Catalog, samples: Sequence[CompendiumSample], *, everywhere: bool) -> list[ExpressionPartInfo]:
    """Parts in which the samples can be: of their organisms, or of their experiments only."""
    organisms = sorted({sample.organism for sample in samples})
    if everywhere:
        return catalog.compendia.expression_parts(organisms)
    experiments = sorted({experiment for sample in samples for experiment in sample.experiments})
    return catalog.compendia.expression_parts(organisms, experiments=experiments)


def _preferred(sample: CompendiumSample, named: set[str]) -> str:
    """The experiment that the sample is taken from if it can be: one that was named, else its owner."""
    return next((experiment for experiment in sample.experiments if experiment in named), sample.experiments[0])


def _export(
    genes: Sequence[FoundGene],
    samples: Sequence[CompendiumSample],
    read: dict[str, SampleValues],
    unresolved: Sequence[Resolution],
    *,
    log2: bool,
) -> GeneExport:
    there = sorted(
        (sample for sample in samples if sample.accession in read),
        key=lambda sample: (sample.organism, sample.accession),
    )
    if not there:
        message = f"{len(samples)} processed samples fit, but the expression store has none of them."
        raise NotFoundError(message, remedy="Make their expression again: refinebio tximport, or refinebio ingest.")
    parts = [read[sample.accession].part for sample in there]
    return GeneExport(
        genes=tuple(genes),
        samples=tuple(
            ExportedSample(
                accession=sample.accession,
                experiment=part.experiment,
                organism=sample.organism,
                technology=part.technology,
                platform=sample.platform or "",
                scale=LOG2 if log2 else part.scale,
            )
            for sample, part in zip(there, parts, strict=True)
        ),
        matrix=np.stack([read[sample.accession].values for sample in there]),
        unresolved=tuple(unresolved),
        without_expression=tuple(sample.accession for sample in samples if sample.accession not in read),
    )


def _no_samples(unresolved: Sequence[Resolution]) -> NotFoundError:
    if unresolved:
        reasons = "; ".join(one.message or f"{one.query} names no sample" for one in unresolved[:3])
        return NotFoundError(f"There are no such samples. {reasons}")
    message = "No processed sample fits all of what was asked for."
    return NotFoundError(message, remedy="Ask with fewer conditions; refinebio status --summary shows what there is.")


def _no_gene(genes: Sequence[FoundGene], spaces: set[GeneSpace], slices: GeneSlices) -> InputError:
    organisms = sorted({space.organism for space in spaces})
    examples = ", ".join(sorted({slices.example(space) for space in sorted(spaces)[:3]}))
    queries = ", ".join(one.query for one in genes[:5])
    more = f" and {len(genes) - 5} more" if len(genes) > 5 else ""
    message = f"None of the genes is in the expression of {', '.join(organisms[:3])}: {queries}{more}."
    return InputError(message, remedy=f"Give Ensembl gene ids, such as {examples}.")
