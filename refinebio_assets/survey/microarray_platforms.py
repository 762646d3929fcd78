"""Supported microarray platforms: GEO's GPL and ArrayExpress' A-… accessions -> the array's own code and name.

The tables are those of refine.bio (``data/README.md``). A GPL and the A-GEOD design that mirrors it are twins: either
finds the platform, whichever of the two the table lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources.abc import Traversable

from refinebio_assets.domain.accessions import AccessionType
from refinebio_assets.domain.array_names import array_code
from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.survey.archive_rows import accession_of
from refinebio_assets.survey.table_files import refuse_duplicates, table_rows

MICROARRAY_PLATFORMS_FILE = "supported_microarray_platforms.csv"
READABLE_NAMES_FILE = "readable_affymetrix_names.csv"

AFFYMETRIX = "AFFYMETRIX"
ILLUMINA = "ILLUMINA"

_PLATFORM_COLUMNS = ("internal_accession", "external_accession", "is_brainarray")
_NAME_COLUMNS = ("human_readable_name", "expected_cel_header")
_DESIGNS = frozenset({AccessionType.GEO_PLATFORM, AccessionType.ARRAY_DESIGN})
_TWINS = (("GPL", "A-GEOD-"), ("A-GEOD-", "GPL"))
_CDF_VERSION = re.compile(r"stv[0-9]$")


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroarrayPlatform:
    """A supported array.

    Attributes:
        accession: The array's own code, as refine.bio files it: ``hgu133plus2``, ``Illumina_HumanHT-12_V4.0``.
        name: Its name in words; the code where there is none.
        manufacturer: ``AFFYMETRIX`` or ``ILLUMINA``.
        has_brainarray: Whether BrainArray publishes a gene-level chip definition for it.
        alternatives: Codes of other arrays that the archives file under the same accession, so that only the raw
            file's header tells which of them was used.
    """

    accession: str
    name: str
    manufacturer: str
    has_brainarray: bool
    alternatives: tuple[str, ...] = ()


def platform_key(accession: str) -> str:
    """What accessions are compared by: upper case, and Affymetrix' ``stv1`` is ``st`` (``hugene10stv1``)."""
    return _CDF_VERSION.sub("st", accession.strip().lower()).upper()


def read_microarray_platforms(platforms: Traversable, names: Traversable) -> Mapping[str, MicroarrayPlatform]:
    """Supported platforms by :func:`platform_key` of their codes, their accessions and the twins of these.

    Raises:
        MalformedFileError: A table is missing, has a duplicate, a value that is no array design or no y/n, a platform
            that is and is not in BrainArray, or a name for an array that is not supported.
    """
    rows = table_rows(platforms, _PLATFORM_COLUMNS)
    refuse_duplicates(platforms, (tuple(map(platform_key, row[:2])) for row in rows), first_line=2)
    by_code = _by_code(platforms, rows, _readable_names(names))
    _refuse_unknown_names(names, by_code)
    # As CEL headers have them, without punctuation: huex10st is filed as HuEx-1_0-st.
    found = {_name_key(code).upper(): platform for code, platform in by_code.items()}
    found |= {platform_key(code): platform for code, platform in by_code.items()}
    for key, codes in _codes_by_accession(rows).items():
        # refine.bio takes the last one of several
        found[key] = replace(by_code[codes[-1]], alternatives=tuple(codes[:-1]))
    return found


def _by_code(table: Traversable, rows: list[list[str]], names: Mapping[str, str]) -> dict[str, MicroarrayPlatform]:
    by_code: dict[str, MicroarrayPlatform] = {}
    for number, (code, design, brainarray) in enumerate(rows, start=2):
        if accession_of(design, _DESIGNS) is None:
            message = f"{design!r} is neither a GPL nor an A-… accession."
            raise MalformedFileError(message, path=str(table), line=number)
        if brainarray not in {"y", "n"}:
            message = f"is_brainarray must be y or n, not {brainarray!r}."
            raise MalformedFileError(message, path=str(table), line=number)
        platform = MicroarrayPlatform(
            accession=code,
            name=names.get(_name_key(code), code),
            manufacturer=ILLUMINA if code.upper().startswith(ILLUMINA) else AFFYMETRIX,
            has_brainarray=brainarray == "y",
        )
        if by_code.setdefault(code, platform) != platform:
            message = f"{code} is y in one line and n in another."
            raise MalformedFileError(message, path=str(table), line=number)
    return by_code


def _codes_by_accession(rows: list[list[str]]) -> dict[str, list[str]]:
    codes: dict[str, list[str]] = {}
    for code, design, _ in rows:
        for key in (platform_key(design), _twin(platform_key(design))):
            if key is not None and code not in codes.setdefault(key, []):
                codes[key].append(code)
    return codes


def _twin(key: str) -> str | None:
    return next((twin + key.removeprefix(start) for start, twin in _TWINS if key.startswith(start)), None)


def _readable_names(table: Traversable) -> dict[str, str]:
    rows = table_rows(table, _NAME_COLUMNS)
    refuse_duplicates(table, (_name_key(header) for _, header in rows), first_line=2)
    return {_name_key(header): name for name, header in rows}


def _refuse_unknown_names(table: Traversable, by_code: Mapping[str, MicroarrayPlatform]) -> None:
    codes = {_name_key(code) for code in by_code}
    for number, (_, header) in enumerate(table_rows(table, _NAME_COLUMNS), start=2):
        if _name_key(header) not in codes:
            message = f"{header!r} is not the code of a supported platform."
            raise MalformedFileError(message, path=str(table), line=number)


def _name_key(code: str) -> str:
    """The code without punctuation: ``HuEx-1_0-st-v2``, as a CEL header has it, and ``huex10st`` are one."""
    return array_code(code)
