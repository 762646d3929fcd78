"""Finding genomes in Ensembl: division, species, release, files; of one organism or of a whole division.

Ensembl's REST service knows the current release only. The species of a pinned release come from its own table on the
file server, or, for releases from before there were such tables, from its folders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from refinebio_assets.domain.errors import ArchiveNotFoundError, InputError, RefinebioError
from refinebio_assets.domain.organisms import organism_key
from refinebio_assets.domain.records import GenomeSource
from refinebio_assets.survey.archive_rows import Row, text
from refinebio_assets.survey.ensembl import (
    EnsemblDivision,
    EnsemblSpecies,
    NoSuchReleaseError,
    OrganismQuery,
    all_species,
    assembly_of_annotation,
    find_species,
    locate_genome,
    parse_division,
    parse_organism_query,
    release_root,
    select_species,
    species_rows,
)
from refinebio_assets.survey.in_parallel import in_parallel
from refinebio_assets.survey.registry import PlatformRegistry, StrainChoice

DIVISIONS_WITH_COLLECTIONS = frozenset({EnsemblDivision.FUNGI, EnsemblDivision.PROTISTS, EnsemblDivision.BACTERIA})
"""Divisions in which many genomes share one database, so that their folder must be looked up."""

DIVISIONS_BY_STRAIN = frozenset({EnsemblDivision.FUNGI, EnsemblDivision.BACTERIA})
"""Divisions with many strains of a species: of the whole division only the organisms of the strain table are taken."""

GENOMES_RELEASES_BEHIND = 53
"""Ensembl Genomes 57 came with Ensembl 110, and so on: a release of the one names a release of the other."""


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

    def folders(self, url: str) -> list[str]:
        """Names of the folders in a folder."""
        ...

    def filenames(self, url: str) -> list[str]:
        """Names of the files in a folder."""
        ...


def find_genome(
    ensembl: EnsemblArchive, organism: str, *, division: str | None = None, release: str | None = None
) -> GenomeSource:
    """Where an organism's genome and annotation lie.

    Args:
        ensembl: Ensembl.
        organism: Scientific or UPPER_SNAKE name.
        division: Division to look in; all in a fixed order (vertebrates first) if None.
        release: Release to take, with the assembly it had; the current one if None. Of divisions of Ensembl Genomes,
            which count otherwise, also the number of the Ensembl release that came with theirs.

    Raises:
        NotFoundError: No division has the organism, or the release has no such files.
        InputError: The division is unknown, or the name fits several genomes.
        ArchiveError: Ensembl is unwell.
    """
    name = parse_organism_query(organism).organism
    asked = parse_division(division) if division else None
    registry = PlatformRegistry.load()
    catalogue = _Genomes(ensembl, release)

    def rows(of: EnsemblDivision) -> Sequence[Row]:
        return catalogue.rows(of, name or "")

    species = find_species(OrganismQuery(organism=name, division=asked), rows, registry.strains)
    return catalogue.locate(species)


def find_genomes(
    ensembl: EnsemblArchive, division: str, *, release: str | None = None, workers: int = 8
) -> Iterator[tuple[str, GenomeSource | RefinebioError]]:
    """The genomes of a whole division, one at a time by name, each found or with the reason why not.

    Of fungi and bacteria these are the organisms of the strain table, of the other divisions all species. Files are
    asked for in parallel, a few species ahead of the one that is given out.

    Args:
        ensembl: Ensembl; its client keeps the rate limits.
        division: Name of the division.
        release: As for :func:`find_genome`.
        workers: Species whose files are asked for at the same time.

    Returns:
        UPPER_SNAKE organism and its genome, or the error.

    Raises:
        NotFoundError: There is no such release.
        InputError: The division is unknown.
        ArchiveError: Ensembl does not tell which species there are.
    """
    asked = parse_division(division)
    strains = PlatformRegistry.load().strains
    catalogue = _Genomes(ensembl, release)
    finders = _finders(asked, catalogue, strains)
    catalogue.prepare(asked)  # before threads ask for the same table
    return in_parallel(finders, workers=workers)


def _finders(
    division: EnsemblDivision, catalogue: _Genomes, strains: Mapping[str, StrainChoice]
) -> list[tuple[str, Callable[[], GenomeSource]]]:
    rows = catalogue.rows(division)
    if division in DIVISIONS_BY_STRAIN:
        organisms = [choice.organism for choice in strains.values() if parse_division(choice.division) is division]
        return [(name, _finder_of_strain(division, rows, name, catalogue, strains)) for name in sorted(organisms)]
    by_organism: dict[str, list[EnsemblSpecies]] = {}
    for species in all_species(division, rows):
        by_organism.setdefault(species.organism, []).append(species)
    return [(organism, _finder_of_one(organism, found, catalogue)) for organism, found in by_organism.items()]


def _finder_of_strain(
    division: EnsemblDivision,
    rows: Sequence[Row],
    organism: str,
    catalogue: _Genomes,
    strains: Mapping[str, StrainChoice],
) -> Callable[[], GenomeSource]:
    return lambda: catalogue.locate(select_species(division, rows, organism, strains))


def _finder_of_one(organism: str, found: Sequence[EnsemblSpecies], catalogue: _Genomes) -> Callable[[], GenomeSource]:
    def find() -> GenomeSource:
        if len(found) > 1:
            assemblies = ", ".join(species.assembly for species in found)
            message = f"{found[0].division} has several genomes of {organism}: {assemblies}."
            raise InputError(message, remedy="Choose one of them in the strain mapping.")
        return catalogue.locate(found[0])

    return find


class _Genomes:
    """The genomes of one release: the pinned one, or each division's current one."""

    def __init__(self, ensembl: EnsemblArchive, pinned: str | None) -> None:
        self._ensembl = ensembl
        self._pinned = pinned
        self._releases: dict[EnsemblDivision, str] = {}
        self._tables: dict[EnsemblDivision, str | None] = {}

    def rows(self, division: EnsemblDivision, organism: str = "") -> Sequence[Row]:
        """The division's rows; of releases without a table only those that the organism's name begins."""
        if self._pinned is None:
            return self._ensembl.species(division.value)
        table = self._pinned_table(division)
        if table is not None:
            return species_rows(table)
        release = self._release(division)
        try:
            folders = self._ensembl.folders(f"{release_root(division, release)}/gtf/")
        except ArchiveNotFoundError as error:
            if release != self._current(division):
                raise NoSuchReleaseError(division.value, release) from error
            return self._ensembl.species(division.value)
        return self._rows_of_folders(division, release, organism, folders)

    def prepare(self, division: EnsemblDivision) -> None:
        """Ask for all that is the same for every genome of a division."""
        release = self._release(division)
        if division in DIVISIONS_WITH_COLLECTIONS:
            self._table(division, release)

    def locate(self, species: EnsemblSpecies) -> GenomeSource:
        """The genome's files."""
        release = self._release(species.division)
        table = self._table(species.division, release) if species.division in DIVISIONS_WITH_COLLECTIONS else None
        return locate_genome(species, release, self._ensembl.exists, table)

    def _release(self, division: EnsemblDivision) -> str:
        if division not in self._releases:
            self._releases[division] = self._pinned or self._ensembl.current_release(division.value)
        return self._releases[division]

    def _table(self, division: EnsemblDivision, release: str) -> str | None:
        if division not in self._tables:
            self._tables[division] = self._ensembl.species_table(division.value, release=release)
        return self._tables[division]

    def _pinned_table(self, division: EnsemblDivision) -> str | None:
        """The table of the pinned release; settles by which number the division knows it."""
        for release in _numbers(division, self._pinned or ""):
            try:
                self._tables[division] = self._ensembl.species_table(division.value, release=release)
            except ArchiveNotFoundError:
                continue
            self._releases[division] = release
            return self._tables[division]
        self._tables[division] = None
        return None

    def _current(self, division: EnsemblDivision) -> str | None:
        try:
            return self._ensembl.current_release(division.value)
        except ArchiveNotFoundError:
            return None

    def _rows_of_folders(
        self, division: EnsemblDivision, release: str, organism: str, folders: Sequence[str]
    ) -> list[Row]:
        root = f"{release_root(division, release)}/gtf"
        name = organism_key(organism).lower() if organism else ""
        names = [each for each in folders if not name or each == name or each.startswith(f"{name}_")]
        taxa = {text(row, "name"): row for row in self._ensembl.species(division.value)} if names else {}
        return [self._row_of_folder(f"{root}/{each}", each, release, taxa.get(each, {})) for each in names]

    def _row_of_folder(self, folder: str, name: str, release: str, today: Row) -> Row:
        """A genome as its folder tells it. The taxon is that of the genome's name today, 0 if Ensembl dropped it."""
        assembly = assembly_of_annotation(name, release, self._ensembl.filenames(folder))
        taxonomy_id = next((text(today, key) for key in ("species_taxonomy_id", "taxon_id") if text(today, key)), "0")
        # A folder that tells nothing may still hold the assembly of today; if not, the error names the files.
        later = text(today, "assembly_name") or text(today, "assembly") or "unknown"
        return {"name": name, "assembly": assembly or later, "taxonomy_id": taxonomy_id}


def _numbers(division: EnsemblDivision, pinned: str) -> tuple[str, ...]:
    """A pinned release as a division may count it."""
    if division is EnsemblDivision.VERTEBRATES or not (pinned.isascii() and pinned.isdigit()):
        return (pinned,)
    behind = int(pinned) - GENOMES_RELEASES_BEHIND
    return (pinned, str(behind)) if behind > 0 else (pinned,)
