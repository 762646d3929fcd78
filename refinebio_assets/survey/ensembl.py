"""Where the genome of an organism lies in Ensembl's file tree; ``ensembl_species`` says which genome.

Sources: the layout of https://ftp.ensembl.org/pub/ and https://ftp.ensemblgenomes.ebi.ac.uk/pub/, and the tables
``species_{division}.txt`` there, which alone name the collection database of a genome.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from refinebio_assets.domain.errors import MalformedPayloadError, NotFoundError
from refinebio_assets.domain.records import GenomeSource, OriginalFile, OriginalFileKind
from refinebio_assets.survey.archive_rows import text
from refinebio_assets.survey.ensembl_species import (
    EnsemblDivision,
    EnsemblSpecies,
    NoSuchReleaseError,
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
    "NoSuchReleaseError",
    "OrganismQuery",
    "all_species",
    "assembly_of_annotation",
    "find_collection",
    "find_species",
    "genome_candidates",
    "locate_genome",
    "parse_division",
    "parse_organism_query",
    "release_root",
    "select_species",
    "species_rows",
]

ENSEMBL_FILES_URL = "https://ftp.ensembl.org/pub"
ENSEMBL_GENOMES_FILES_URL = "https://ftp.ensemblgenomes.ebi.ac.uk/pub"

_COLLECTION = re.compile(r"([a-z]+_.+_collection)_core_")
_PATCH = re.compile(r"\.p[0-9]+$")
_RENAMED_ASSEMBLIES: Mapping[tuple[str, str], str] = {("EnsemblFungi", "TIGR"): "CADRE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GenomeCandidates:
    """Addresses where a genome's files may lie, the preferred ones first."""

    genome_fasta: tuple[str, ...]
    gtf: tuple[str, ...]
    cdna_fasta: tuple[str, ...]


def genome_candidates(species: EnsemblSpecies, release: str, *, collection: str | None = None) -> GenomeCandidates:
    """Where the files of a genome may lie: primary assembly before toplevel, plain assembly name before ``assembly_``.

    The primary assembly leaves out haplotypes and patches, whose genes would be there twice. Ensembl makes it only
    where an assembly has such regions; otherwise toplevel is the same thing.

    Args:
        species: The genome.
        release: Release of Ensembl (``110``) or Ensembl Genomes (``57``), as the division counts.
        collection: Folder of the collection database the genome is in, if it is in one.
    """
    root = release_root(species.division, release)
    folder = "/".join(filter(None, (collection, species.name)))
    stems = [f"{species.name[0].upper()}{species.name[1:]}.{assembly}" for assembly in _assembly_spellings(species)]
    kinds = ("primary_assembly", "toplevel")
    # Until Ensembl 75 and Ensembl Genomes 31 the names of sequence files told the release, too.
    fasta_stems = [*stems, *(f"{stem}.{release}" for stem in stems)] if _names_told_release(species, release) else stems
    dna = f"{root}/fasta/{folder}/dna"
    return GenomeCandidates(
        genome_fasta=tuple(f"{dna}/{stem}.dna.{kind}.fa.gz" for stem in fasta_stems for kind in kinds),
        gtf=tuple(f"{root}/gtf/{folder}/{stem}.{release}.gtf.gz" for stem in stems),
        cdna_fasta=tuple(f"{root}/fasta/{folder}/cdna/{stem}.cdna.all.fa.gz" for stem in fasta_stems),
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
    named = [row for row in species_rows(species_table) if row.get("species") == species.name]
    same_assembly = [row for row in named if row.get("assembly") == species.assembly] or named
    match = _COLLECTION.match(text(same_assembly[0], "core_db")) if same_assembly else None
    return match.group(1) if match else None


def species_rows(species_table: str) -> list[dict[str, str]]:
    """The rows of a release's ``species_{division}.txt``, with the genome's name also under ``name``, as REST has it.

    The table's first column is the name for people. Its taxon is that of the strain.

    Raises:
        MalformedPayloadError: The text is no such table.
    """
    table = csv.DictReader(species_table.lstrip("#").splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    missing = {"species", "assembly", "taxonomy_id", "core_db"} - set(table.fieldnames or ())
    if missing:
        message = f"Ensembl's table of species has no column {', '.join(sorted(missing))}."
        raise MalformedPayloadError(message)
    # Lines end in a tab more than the header has columns.
    return [
        {key: value for key, value in row.items() if isinstance(key, str) and value is not None}
        | {"name": row["species"] or "", "display_name": row.get("name") or ""}
        for row in table
    ]


def assembly_of_annotation(name: str, release: str, filenames: Iterable[str]) -> str | None:
    """The assembly that the names of a genome's annotation files tell (``Danio_rerio.Zv9.75.gtf.gz``: Zv9)."""
    pattern = re.compile(rf"{re.escape(name)}\.(.+)\.{re.escape(release)}\.gtf\.gz", re.IGNORECASE)
    matches = (pattern.fullmatch(filename) for filename in filenames)
    return next((match.group(1) for match in matches if match is not None), None)


def release_root(division: EnsemblDivision, release: str) -> str:
    """Address of a release's folder; below it lie ``fasta/`` and ``gtf/``."""
    if division is EnsemblDivision.VERTEBRATES:
        return f"{ENSEMBL_FILES_URL}/release-{release}"
    return f"{ENSEMBL_GENOMES_FILES_URL}/release-{release}/{division.folder}"


def _names_told_release(species: EnsemblSpecies, release: str) -> bool:
    last = 75 if species.division is EnsemblDivision.VERTEBRATES else 31
    return release.isascii() and release.isdigit() and int(release) <= last


def _assembly_spellings(species: EnsemblSpecies) -> tuple[str, ...]:
    """How file names may spell an assembly.

    Without spaces, some with a trailing underscore, one under its later name, and without the number of the patch
    (``GRCh38.p14``), which only the tables of species tell.
    """
    plain = species.assembly.replace(" ", "_")
    renamed = _RENAMED_ASSEMBLIES.get((species.division.value, plain))
    unpatched = _PATCH.sub("", plain)
    spellings = dict.fromkeys(filter(None, (renamed, species.assembly_in_files, plain, unpatched)))
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
