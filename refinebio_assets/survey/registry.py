"""The registry of what can be processed: instruments, arrays, reference strains, organisms to discover, runs to avoid.

One set of tables (``data/``) serves discovery and eligibility alike, so that nothing is discovered that the survey
then refuses for its platform, and the reverse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.domain.organisms import organism_key
from refinebio_assets.survey.blacklist import BLACKLIST_FILE, read_blacklisted_runs
from refinebio_assets.survey.microarray_platforms import (
    MICROARRAY_PLATFORMS_FILE,
    READABLE_NAMES_FILE,
    MicroarrayPlatform,
    platform_key,
    read_microarray_platforms,
)
from refinebio_assets.survey.table_files import refuse_duplicates, table_lines, table_rows

RNA_SEQ_PLATFORMS_FILE = "supported_rnaseq_platforms.txt"
STRAINS_FILE = "organism_strain_mapping.csv"
TAXON_IDS_FILE = "rna_seq_taxon_ids.txt"

DIVISIONS = (
    "EnsemblVertebrates",
    "EnsemblPlants",
    "EnsemblMetazoa",
    "EnsemblFungi",
    "EnsemblProtists",
    "EnsemblBacteria",
)
"""Ensembl's divisions by their full names."""

_STRAIN_COLUMNS = ("organism", "species_taxonomy_id", "ensembl_division", "strain", "assembly")
_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class StrainChoice:
    """The strain whose genome stands for a species in Ensembl; ``organism`` is the UPPER_SNAKE name."""

    organism: str
    species_taxonomy_id: int
    division: str
    strain: str
    assembly: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformRegistry:
    """Which platforms are supported, which strain stands for a species, which organisms discovery asks for.

    Attributes:
        rna_seq_platforms: Instrument names as listed.
        strains: UPPER_SNAKE organism -> its strain.
        taxon_ids: NCBI taxon ids, in the order of the table.
        blacklist_table: The list of runs that are never processed, see :attr:`blacklisted_runs`; no runs if None.
        microarray_platforms: :func:`~refinebio_assets.survey.microarray_platforms.platform_key` of a code, a GPL or an
            A-… accession -> the array.
    """

    rna_seq_platforms: tuple[str, ...]
    strains: Mapping[str, StrainChoice]
    taxon_ids: tuple[int, ...]
    microarray_platforms: Mapping[str, MicroarrayPlatform]
    blacklist_table: Traversable | None = None

    @classmethod
    def load(cls, directory: Traversable | None = None) -> PlatformRegistry:
        """Read and check the tables.

        Args:
            directory: A folder with the tables; the packaged ones if not given. A :class:`pathlib.Path` will do.

        Raises:
            MalformedFileError: A table is missing or empty, or has an empty line, a duplicate, or a value of the
                wrong form; the error names file and line.
        """
        folder = files("refinebio_assets.survey") / "data" if directory is None else directory
        return cls(
            rna_seq_platforms=_read_platforms(folder / RNA_SEQ_PLATFORMS_FILE),
            strains=MappingProxyType(_read_strains(folder / STRAINS_FILE)),
            taxon_ids=_read_taxon_ids(folder / TAXON_IDS_FILE),
            microarray_platforms=MappingProxyType(
                read_microarray_platforms(folder / MICROARRAY_PLATFORMS_FILE, folder / READABLE_NAMES_FILE)
            ),
            blacklist_table=folder / BLACKLIST_FILE,
        )

    @property
    def blacklisted_runs(self) -> frozenset[str]:
        """Run accessions that are never processed, whatever the archive says of them; read when first asked for.

        Raises:
            MalformedFileError: The list is missing or malformed.
        """
        return frozenset() if self.blacklist_table is None else read_blacklisted_runs(self.blacklist_table)

    def rna_seq_platform(self, instrument: str) -> str | None:
        """The listed name that covers an instrument, or None.

        A listed name covers an instrument of the same name, whatever its letter case and spaces
        (``IlluminaHiSeq2000``), and one whose name contains the listed one as whole words (``Illumina NovaSeq X
        Plus``, ``Illumina HiSeq 2000 (Mus musculus)``). The longest one is taken. refine.bio asks for a substring
        after removing the spaces, by which ``NextSeq 5000`` would pass for ``NextSeq 500``.
        """
        words = _words(instrument)
        covering = [name for name in self.rna_seq_platforms if _covers(_words(name), words)]
        return max(covering, key=len, default=None)

    def supports_rna_seq(self, instrument: str) -> bool:
        """Whether RNA-seq runs of an instrument are processed."""
        return self.rna_seq_platform(instrument) is not None

    def microarray_platform(self, accession: str) -> MicroarrayPlatform | None:
        """The supported array that a GPL, an A-… accession or the array's own code names, or None.

        Letter case does not matter; ``GPL570`` and ``A-GEOD-570`` are the same platform.
        """
        return self.microarray_platforms.get(platform_key(accession))

    def discovery_instruments(self) -> tuple[str, ...]:
        """Instrument names for the archive's query, as ENA spells them."""
        return self.rna_seq_platforms


@lru_cache(maxsize=4096)
def _words(name: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(name.lower()))


def _covers(listed: tuple[str, ...], words: tuple[str, ...]) -> bool:
    if "".join(listed) == "".join(words):
        return True
    return any(words[start : start + len(listed)] == listed for start in range(len(words) - len(listed) + 1))


def _whole_number(table: Traversable, line: int, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        message = f"{text!r} is not an NCBI taxon id."
        raise MalformedFileError(message, path=str(table), line=line)
    return int(text)


def _read_platforms(table: Traversable) -> tuple[str, ...]:
    names = table_lines(table)
    refuse_duplicates(table, ("".join(_words(name)) for name in names))
    return tuple(names)


def _read_taxon_ids(table: Traversable) -> tuple[int, ...]:
    ids = [_whole_number(table, number, line) for number, line in enumerate(table_lines(table), start=1)]
    refuse_duplicates(table, ids)
    return tuple(ids)


def _read_strains(table: Traversable) -> dict[str, StrainChoice]:
    rows = table_rows(table, _STRAIN_COLUMNS)
    refuse_duplicates(table, (row[0] for row in rows), first_line=2)
    choices = [_strain_choice(table, number, row) for number, row in enumerate(rows, start=2)]
    return {choice.organism: choice for choice in choices}


def _strain_choice(table: Traversable, line: int, row: list[str]) -> StrainChoice:
    organism, taxonomy_id, division, strain, assembly = row
    if organism != organism_key(organism):
        message = f"{organism!r} is not an organism in capitals joined with underscores, as in DANIO_RERIO."
        raise MalformedFileError(message, path=str(table), line=line)
    if division not in DIVISIONS:
        message = f"{division!r} is not an Ensembl division."
        raise MalformedFileError(message, path=str(table), line=line, remedy=f"Give one of {', '.join(DIVISIONS)}.")
    return StrainChoice(
        organism=organism,
        species_taxonomy_id=_whole_number(table, line, taxonomy_id),
        division=division,
        strain=strain,
        assembly=assembly,
    )
