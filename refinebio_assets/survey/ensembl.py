"""Where the genome of an organism lies in Ensembl's file tree; ``ensembl_species`` says which genome.

Sources: the layout of https://ftp.ensembl.org/pub/ and https://ftp.ensemblgenomes.ebi.ac.uk/pub/, and the tables
``species_{division}.txt`` there, which alone name the collection database of a genome.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from refinebio_assets.domain.errors import NotFoundError
from refinebio_assets.domain.records import GenomeSource, OriginalFile, OriginalFileKind
from refinebio_assets.survey.archive_rows import text
from refinebio_assets.survey.ensembl_species import (
    EnsemblDivision,
    EnsemblSpecies,
    OrganismQuery,
    all_species,
    find_species,
    parse_division,
    parse_organism_query,
    select_species,
)

__all__ = [
    "EnsemblDivision",
    "EnsemblSpecies",
    "GenomeCandidates",
    "OrganismQuery",
    "all_species",
    "find_collection",
    "find_species",
    "genome_candidates",
    "locate_genome",
    "parse_division",
    "parse_organism_query",
    "select_species",
]

ENSEMBL_FILES_URL = "https://ftp.ensembl.org/pub"
ENSEMBL_GENOMES_FILES_URL = "https://ftp.ensemblgenomes.ebi.ac.uk/pub"

_COLLECTION = re.compile(r"([a-z]+_.+_collection)_core_")
_RENAMED_ASSEMBLIES: Mapping[tuple[str, str], str] = {("EnsemblFungi", "TIGR"): "CADRE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GenomeCandidates:
    """Addresses where a genome's files may lie, the preferred ones first."""

    genome_fasta: tuple[str, ...]
    gtf: tuple[str, ...]
    cdna_fasta: tuple[str, ...]


def genome_candidates(species: EnsemblSpecies, release: str, *, collection: str | None = None) -> GenomeCandidates:
    """Where the files of a genome may lie: primary assembly before toplevel, plain assembly name before ``assembly_``.

    Args:
        species: The genome.
        release: Release of Ensembl (``110``) or Ensembl Genomes (``57``), as the division counts.
        collection: Folder of the collection database the genome is in, if it is in one.
    """
    root = _release_root(species.division, release)
    folder = "/".join(filter(None, (collection, species.name)))
    stems = [f"{species.name[0].upper()}{species.name[1:]}.{assembly}" for assembly in _assembly_spellings(species)]
    kinds = ("primary_assembly", "toplevel")
    return GenomeCandidates(
        genome_fasta=tuple(f"{root}/fasta/{folder}/dna/{stem}.dna.{kind}.fa.gz" for stem in stems for kind in kinds),
        gtf=tuple(f"{root}/gtf/{folder}/{stem}.{release}.gtf.gz" for stem in stems),
        cdna_fasta=tuple(f"{root}/fasta/{folder}/cdna/{stem}.cdna.all.fa.gz" for stem in stems),
    )


def locate_genome(
    species: EnsemblSpecies, release: str, exists: Callable[[str], bool], species_table: str | None = None
) -> GenomeSource:
    """The genome's files that exist.

    Args:
        species: The genome.
        release: As for :func:`genome_candidates`.
        exists: Asks whether a file is there.
        species_table: The division's ``species_{division}.txt``, which tells the collection; None for divisions
            without collections.

    Raises:
        NotFoundError: FASTA or GTF is at none of the addresses; the message names them.
    """
    collection = find_collection(species, species_table) if species_table is not None else None
    candidates = genome_candidates(species, release, collection=collection)
    cdna = next(filter(exists, candidates.cdna_fasta), None)
    return GenomeSource(
        organism=species.organism,
        taxonomy_id=species.taxonomy_id,
        division=species.division.value,
        release=release,
        assembly=species.assembly,
        genome_fasta=_genome_file(_first_existing(candidates.genome_fasta, exists, species), "genome_fasta"),
        gtf=_genome_file(_first_existing(candidates.gtf, exists, species), "gtf"),
        cdna_fasta=_genome_file(cdna, "genome_fasta") if cdna is not None else None,
        collection=collection,
        strain=species.strain,
    )


def find_collection(species: EnsemblSpecies, species_table: str) -> str | None:
    """The collection a genome is in (``fungi_ascomycota2_collection``), None if it has a database of its own."""
    rows = csv.DictReader(species_table.lstrip("#").splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    named = [row for row in rows if row.get("species") == species.name]
    same_assembly = [row for row in named if row.get("assembly") == species.assembly] or named
    match = _COLLECTION.match(text(same_assembly[0], "core_db")) if same_assembly else None
    return match.group(1) if match else None


def _release_root(division: EnsemblDivision, release: str) -> str:
    if division is EnsemblDivision.VERTEBRATES:
        return f"{ENSEMBL_FILES_URL}/release-{release}"
    return f"{ENSEMBL_GENOMES_FILES_URL}/release-{release}/{division.folder}"


def _assembly_spellings(species: EnsemblSpecies) -> tuple[str, ...]:
    """File names spell an assembly without spaces, some with a trailing underscore, one under its later name."""
    plain = species.assembly.replace(" ", "_")
    renamed = _RENAMED_ASSEMBLIES.get((species.division.value, plain))
    spellings = (renamed, plain) if renamed else (plain,)
    return (*spellings, *(f"{spelling}_" for spelling in spellings))


def _first_existing(urls: Sequence[str], exists: Callable[[str], bool], species: EnsemblSpecies) -> str:
    url = next(filter(exists, urls), None)
    if url is None:
        message = f"Ensembl has no such file of {species.name}: asked for {', '.join(urls)}."
        raise NotFoundError(
            message,
            remedy="Name another release, or build the index from your own --fasta and --gtf.",
        )
    return url


def _genome_file(url: str, kind: OriginalFileKind) -> OriginalFile:
    return OriginalFile(url=url, filename=url.rpartition("/")[2], kind=kind)
