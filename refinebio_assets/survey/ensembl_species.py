"""Which genome of Ensembl stands for an organism.

Sources: Ensembl's REST end points ``info/species`` (vertebrates) and ``info/genomes/division`` (the other divisions),
which know the current release, and the tables ``species_{division}.txt`` of any release on the file servers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum

from refinebio_assets.domain.errors import InputError, NotFoundError
from refinebio_assets.domain.organisms import organism_key, scientific_name
from refinebio_assets.survey.archive_rows import Row, as_rows, text, whole_number
from refinebio_assets.survey.registry import StrainChoice

_MOST_SUGGESTIONS = 10


class EnsemblDivision(StrEnum):
    """The divisions of Ensembl, in the order in which they are asked when none is named."""

    VERTEBRATES = "EnsemblVertebrates"
    PLANTS = "EnsemblPlants"
    METAZOA = "EnsemblMetazoa"
    FUNGI = "EnsemblFungi"
    PROTISTS = "EnsemblProtists"
    BACTERIA = "EnsemblBacteria"

    @property
    def folder(self) -> str:
        """The division's folder below a release of Ensembl Genomes: ``plants``."""
        return self.value.removeprefix("Ensembl").lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganismQuery:
    """What was asked for; ``organism`` None means a whole division, ``division`` None any division."""

    organism: str | None
    division: EnsemblDivision | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsemblSpecies:
    """A genome of Ensembl.

    Attributes:
        name: Ensembl's name, which is also its folder (``candida_albicans_sc5314_gca_000784635``).
        organism: UPPER_SNAKE name of the species it stands for.
        taxonomy_id: NCBI taxon of the species (not of the strain).
        strain: The strain, where one was chosen to stand for the species.
        assembly_in_files: How file names spell the assembly, where Ensembl says so.
    """

    name: str
    organism: str
    taxonomy_id: int
    division: EnsemblDivision
    assembly: str
    strain: str | None = None
    assembly_in_files: str | None = None


class NoSuchReleaseError(NotFoundError):
    """A division has no release of that number."""

    def __init__(self, division: str, release: str) -> None:
        super().__init__(
            f"{division} has no release-{release} on the file server.",
            remedy="Name another release, or build the index from your own --fasta and --gtf.",
        )
        self.release = release


def parse_division(name: str) -> EnsemblDivision:
    """``EnsemblPlants`` or ``plants``, in any letter case; ``Ensembl`` is the vertebrates.

    Raises:
        InputError: No division has that name.
    """
    wanted = name.strip().lower().removeprefix("ensembl") or "vertebrates"
    for division in EnsemblDivision:
        if division.folder == wanted:
            return division
    message = f"{name.strip()!r} is not an Ensembl division."
    raise InputError(
        message,
        remedy=f"Give one of {', '.join(EnsemblDivision)} (or Ensembl).",
    )


def parse_organism_query(query: str) -> OrganismQuery:
    """Read ``Danio rerio``, ``Caenorhabditis elegans, EnsemblMetazoa`` or ``, EnsemblPlants`` (a whole division).

    Raises:
        InputError: There is neither organism nor division, the division is unknown, or the organism is one word only
            (which is no scientific name of a species, and may be an accession).
    """
    name, comma, division = query.partition(",")
    organism = " ".join(name.replace("_", " ").split())
    if not organism and not division.strip():
        message = "The organism is empty."
        raise InputError(message, remedy='Give a scientific name such as "Danio rerio".')
    if organism and (" " not in organism or not any(letter.isascii() and letter.isalpha() for letter in organism)):
        message = f"{organism!r} is not the scientific name of a species."
        raise InputError(
            message,
            remedy='Give genus and species, as in "Danio rerio".',
        )
    parsed_division = parse_division(division) if comma and division.strip() else None
    return OrganismQuery(organism=organism or None, division=parsed_division)


def select_species(
    division: str, species_rows: Sequence[Row], organism: str, strain_mapping: Mapping[str, StrainChoice]
) -> EnsemblSpecies:
    """The genome that stands for an organism in a division.

    An organism of the strain mapping is found by the mapped assembly, any other by Ensembl's name.

    Args:
        division: The division the rows are from.
        species_rows: Ensembl's own objects: ``name, assembly, taxon_id`` or ``name, assembly_name,
            species_taxonomy_id``.
        organism: Scientific or UPPER_SNAKE name.
        strain_mapping: UPPER_SNAKE organism -> its strain (``PlatformRegistry.strains``).

    Raises:
        NotFoundError: The division has no such genome; the message names similar ones.
        InputError: Several genomes fit.
        MalformedPayloadError: A row is not an object.
    """
    asked = parse_division(division)
    species = all_species(asked, species_rows)
    key = organism_key(organism)
    choice = strain_mapping.get(key)
    if choice is not None and parse_division(choice.division) is asked:
        return _species_of_strain(species, choice)
    return _species_by_name(species, key, asked)


def all_species(division: str, species_rows: Sequence[Row]) -> tuple[EnsemblSpecies, ...]:
    """All genomes of a division that have a name, an assembly and a taxon, by name.

    Raises:
        MalformedPayloadError: The rows are not a list of objects.
    """
    asked = parse_division(division)
    rows = as_rows(species_rows, "species")
    species = (_species(asked, row) for row in rows)
    return tuple(sorted((each for each in species if each is not None), key=lambda each: (each.name, each.assembly)))


def find_species(
    query: OrganismQuery,
    species_rows_of: Callable[[EnsemblDivision], Sequence[Row]],
    strain_mapping: Mapping[str, StrainChoice],
) -> EnsemblSpecies:
    """Look an organism up in the named division, or in all of them in their order, the mapped strain's division first.

    Args:
        query: What was asked for; must name an organism.
        species_rows_of: Gives the rows of a division; asked only as far as needed.
        strain_mapping: As for :func:`select_species`.

    Raises:
        NotFoundError: No division has the organism.
        InputError: The query names no organism, or several genomes fit.
    """
    if query.organism is None:
        message = "The query names no organism."
        raise InputError(message, remedy='Give a scientific name such as "Danio rerio".')
    divisions = [query.division] if query.division is not None else _division_order(query.organism, strain_mapping)
    missing: list[NotFoundError] = []
    for division in divisions:
        try:
            return select_species(division, species_rows_of(division), query.organism, strain_mapping)
        except NotFoundError as error:
            missing.append(error)
    if len(missing) == 1 or all(isinstance(error, NoSuchReleaseError) for error in missing):
        raise missing[0]
    message = f"No Ensembl division has a genome of {query.organism} (asked: {', '.join(divisions)})."
    raise NotFoundError(
        message,
        remedy="Check the spelling of the scientific name, or build the index from your own --fasta and --gtf.",
    )


def _division_order(organism: str, strain_mapping: Mapping[str, StrainChoice]) -> list[EnsemblDivision]:
    choice = strain_mapping.get(organism_key(organism))
    preferred = parse_division(choice.division) if choice is not None else None
    return sorted(EnsemblDivision, key=lambda division: division is not preferred)


def _species(division: EnsemblDivision, row: Row) -> EnsemblSpecies | None:
    name, assembly = text(row, "name"), text(row, "assembly_name") or text(row, "assembly")
    ids = (whole_number(text(row, column)) for column in ("species_taxonomy_id", "taxonomy_id", "taxon_id"))
    taxonomy_id = next((found for found in ids if found is not None), None)
    if not assembly or taxonomy_id is None or re.fullmatch(r"[a-z0-9_]*[a-z0-9][a-z0-9_]*", name) is None:
        return None
    return EnsemblSpecies(
        name=name,
        organism=organism_key(name),
        taxonomy_id=taxonomy_id,
        division=division,
        assembly=assembly,
        assembly_in_files=text(row, "assembly_default") or None,
    )


def _species_of_strain(species: Sequence[EnsemblSpecies], choice: StrainChoice) -> EnsemblSpecies:
    wanted = choice.assembly.replace("_", " ")
    fitting = [each for each in species if each.assembly.replace("_", " ") == wanted]
    if not fitting:
        strain = f"{scientific_name(choice.organism)} {choice.strain}"
        message = f"{choice.division} has no assembly {choice.assembly} of {strain}."
        raise NotFoundError(
            message,
            remedy="Ensembl may have replaced it: "
            + _listed(each.assembly for each in species if each.name.startswith(choice.organism.lower())),
        )
    if len(fitting) > 1:
        message = (
            f"{choice.division} has several genomes with the assembly {choice.assembly}: "
            f"{_listed(each.name for each in fitting)}"
        )
        raise InputError(
            message,
            remedy="Choose one of them in the strain mapping.",
        )
    return replace(fitting[0], organism=choice.organism, taxonomy_id=choice.species_taxonomy_id, strain=choice.strain)


def _species_by_name(species: Sequence[EnsemblSpecies], key: str, division: EnsemblDivision) -> EnsemblSpecies:
    fitting = [each for each in species if each.name == key.lower()]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        assemblies = _listed(each.assembly for each in fitting)
        message = f"{division} has several genomes named {key.lower()}: {assemblies}"
        raise InputError(message)
    strains = [each.name for each in species if each.name.startswith(f"{key.lower()}_")]
    if strains:
        message = (
            f"{division} has several strains of {scientific_name(key)} and none that stands for the species: "
            f"{_listed(strains)}"
        )
        raise InputError(
            message,
            remedy="Name one of them, or add the organism to the strain mapping.",
        )
    similar = get_close_matches(key.lower(), [each.name for each in species], n=_MOST_SUGGESTIONS, cutoff=0.75)
    message = f"{division} has no genome named {key.lower()}."
    raise NotFoundError(
        message,
        remedy=f"Did you mean {_listed(similar)}" if similar else "Check the spelling, or name another division.",
    )


def _listed(names: Iterable[str]) -> str:
    shown = list(dict.fromkeys(names))
    more = f" and {len(shown) - _MOST_SUGGESTIONS} more" if len(shown) > _MOST_SUGGESTIONS else ""
    return (", ".join(shown[:_MOST_SUGGESTIONS]) or "nothing") + more + "."
