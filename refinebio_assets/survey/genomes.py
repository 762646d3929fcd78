"""Finding the genome of an organism in Ensembl: division, species, release, files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from refinebio_assets.domain.records import GenomeSource
from refinebio_assets.survey.ensembl import (
    EnsemblDivision,
    OrganismQuery,
    find_species,
    locate_genome,
    parse_division,
    parse_organism_query,
)
from refinebio_assets.survey.registry import PlatformRegistry

DIVISIONS_WITH_COLLECTIONS = frozenset({EnsemblDivision.FUNGI, EnsemblDivision.PROTISTS, EnsemblDivision.BACTERIA})
"""Divisions in which many genomes share one database, so that their folder must be looked up."""


class EnsemblArchive(Protocol):
    """Ensembl's REST service and file tree."""

    def species(self, division: str) -> list[dict[str, Any]]:
        """Rows of a division's genomes."""
        ...

    def current_release(self, division: str) -> str:
        """Number of the current release."""
        ...

    def exists(self, url: str) -> bool:
        """Whether a file is there."""
        ...

    def species_table(self, division: str, *, release: str | None = None) -> str:
        """The division's table of genomes and databases."""
        ...


def find_genome(
    ensembl: EnsemblArchive, organism: str, *, division: str | None = None, release: str | None = None
) -> GenomeSource:
    """Where an organism's genome and annotation lie.

    Args:
        ensembl: Ensembl.
        organism: Scientific or UPPER_SNAKE name.
        division: Division to look in; all in a fixed order (vertebrates first) if None.
        release: Release to take; the current one if None.

    Raises:
        NotFoundError: No division has the organism, or the release has no such files.
        InputError: The division is unknown, or the name fits several genomes.
        ArchiveError: Ensembl is unwell.
    """
    name = parse_organism_query(organism).organism
    asked = parse_division(division) if division else None
    registry = PlatformRegistry.load()

    def rows(of: EnsemblDivision) -> Sequence[dict[str, Any]]:
        return ensembl.species(of.value)

    species = find_species(OrganismQuery(organism=name, division=asked), rows, registry.strains)
    chosen = release or ensembl.current_release(species.division.value)
    table = None
    if species.division in DIVISIONS_WITH_COLLECTIONS:
        table = ensembl.species_table(species.division.value, release=chosen)
    return locate_genome(species, chosen, ensembl.exists, table)
