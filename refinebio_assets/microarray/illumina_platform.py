"""Probes of a BeadArray platform: sequence, quality and genes; and which platform a table was measured on.

A platform table is text with one line per probe, or per probe and gene. Its columns are told by their names:

============  ==========================================================================================
probe         ``probe_id``, ``ID``, ``Probe_Id``, ``IlluminaID`` …
gene          ``ensembl_id``, ``ENSEMBL``, ``EnsemblReannotated``; several in a cell divided by ``///``
quality       ``quality``, ``PROBEQUALITY``, ``ProbeQuality``: ``Perfect``, ``Good``, ``Bad``, ``No match`` …
sequence      ``sequence``, ``PROBESEQUENCE``, ``Probe_Sequence``
address       ``array_address``, ``Array_Address_Id``: the number that BeadStudio writes instead of the probe's name
nuID          ``nuID``
============  ==========================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.microarray.compressed_bytes import Source, path_of
from refinebio_assets.microarray.probe_identifiers import nuid_sequence
from refinebio_assets.microarray.table_text import MISSING, read_lines, split_line

LEAST_OF_DATA = 75.0
"""More than this percentage of a table's identifiers must be probes of the platform (refine.bio's rule)."""

LEAST_OF_PLATFORM = 75.0
"""Or else more than this of the platform's probes must be in the table: then the platform's table is only a part."""

GOOD_QUALITIES = ("good", "perfect")
"""Words of usable probes; a quality such as ``Good***`` has one in it."""

_NOT_LETTER = re.compile(r"[^a-z]+")
_SEVERAL = re.compile(r"\s*(?:///|[;,|])\s*|\s+")
_GENE = re.compile(r"[A-Za-z][\w.-]*")
_VERSION = re.compile(r"^(ENS[A-Z]*G\d{11})\.\d+$")
_NAMES = {
    "probe": ("probeid", "id", "ilmnprobeid", "illuminaid", "illuminaprobeid", "probe", "idref", "probes", "ilmnid"),
    "gene": ("ensemblid", "ensembl", "ensemblreannotated", "ensemblgeneid", "ensemblgene", "geneid", "gene"),
    "quality": ("quality", "probequality"),
    "sequence": ("sequence", "probesequence"),
    "address": ("arrayaddress", "arrayaddressid", "address"),
    "nuid": ("nuid",),
}
_DELIMITERS = ("\t", ",", ";")
_REMEDY = "Expected a header with probe_id, and any of ensembl_id, quality, sequence, array_address, nuID."


@dataclass(frozen=True, kw_only=True, eq=False)
class BeadPlatform:
    """The probes of a platform.

    Attributes:
        name: ``illuminaHumanv4``.
        probes: Their identifiers, distinct, in the order of the table.
        sequences: One per probe; empty where unknown. None if the table has none.
        qualities: One per probe; empty where unknown. None if the table has none.
        genes: One tuple per probe: its Ensembl genes, none, one or several. None if the table has none.
        addresses: Array address -> place of the probe.
        nuids: nuID -> place of the probe.
    """

    name: str
    probes: tuple[str, ...] = field(repr=False)
    sequences: tuple[str, ...] | None = field(default=None, repr=False)
    qualities: tuple[str, ...] | None = field(default=None, repr=False)
    genes: tuple[tuple[str, ...], ...] | None = field(default=None, repr=False)
    addresses: Mapping[str, int] = field(default_factory=dict, repr=False)
    nuids: Mapping[str, int] = field(default_factory=dict, repr=False)

    @cached_property
    def place_of(self) -> dict[str, int]:
        """Probe -> its place."""
        return {probe: at for at, probe in enumerate(self.probes)}

    @cached_property
    def _by_sequence(self) -> dict[str, int]:
        return {sequence: at for at, sequence in enumerate(self.sequences or ()) if sequence}

    def places(self, identifiers: Sequence[str]) -> NDArray[np.int64]:
        """The probe of each identifier, -1 for what is none.

        An identifier is looked up as it stands; if that finds few, as array address, as nuID, and by the sequence that
        a nuID spells.
        """
        ways = (self.place_of.get, self._address, self.nuids.get, self._spelt)
        best = np.full(len(identifiers), -1, dtype=np.int64)
        for way in ways:
            found = np.array([-1 if (at := way(one)) is None else at for one in identifiers], dtype=np.int64)
            if (found >= 0).sum() > (best >= 0).sum():
                best = found
            if (best >= 0).mean() > 0.5:
                break
        return best

    def _address(self, identifier: str) -> int | None:
        return self.addresses.get(identifier.lstrip("0"))

    def _spelt(self, identifier: str) -> int | None:
        sequence = nuid_sequence(identifier)
        return None if sequence is None else self._by_sequence.get(sequence)

    def is_good(self) -> NDArray[np.bool_]:
        """Which probes match their transcript well; all if the table says nothing of it."""
        if self.qualities is None:
            return np.ones(len(self.probes), dtype=np.bool_)
        return np.array([any(word in one.lower() for word in GOOD_QUALITIES) for one in self.qualities], dtype=np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformOverlap:
    """What a table and a platform have in common.

    Attributes:
        platform: Its name.
        of_platform: Percent of the platform's probes that are in the table.
        of_data: Percent of the table's distinct identifiers that are probes of the platform.
        shared: How many.
    """

    platform: str
    of_platform: float
    of_data: float
    shared: int

    @property
    def is_part(self) -> bool:
        """Many of the table's identifiers are no probes of the platform."""
        return not self.of_data > LEAST_OF_DATA


def read_platform_table(source: Source, *, name: str = "") -> BeadPlatform:
    """Read a platform's table.

    Args:
        source: A file or its bytes; plain, gzip, bzip2 or xz; separated by tabs, commas or semicolons.
        name: Of the platform; that of the file up to its first dot if not given.

    Raises:
        InputError: There is no such file.
        MalformedFileError: It has no header with a column of probes, or a line has too few cells.
    """
    path = path_of(source)
    lines = read_lines(source).lines
    start = next((at for at, line in enumerate(lines) if line.strip() and not line.startswith(("#", "!", "^"))), None)
    if start is None:
        message = "The table has no lines."
        raise MalformedFileError(message, path=path, line=1, remedy=_REMEDY)
    delimiter = max(_DELIMITERS, key=lines[start].count)
    header = [_NOT_LETTER.sub("", cell.lower()) for cell in split_line(lines[start], delimiter)]
    columns = {kind: at for kind, names in _NAMES.items() for at in [_column(header, names)] if at is not None}
    if "probe" not in columns or len(columns) < 2:
        message = "The header names no column of probes with something about them."
        raise MalformedFileError(message, path=path, line=start + 1, remedy=_REMEDY)
    rows: list[dict[str, str]] = []
    for at in range(start + 1, len(lines)):
        if not lines[at].strip() or lines[at].startswith(("!", "^")):
            continue
        cells = split_line(lines[at], delimiter)
        if len(cells) <= columns["probe"]:
            message = f"The line has {len(cells)} cells, too few for a probe."
            raise MalformedFileError(message, path=path, line=at + 1, remedy=_REMEDY)
        rows.append({kind: _cell(cells, place) for kind, place in columns.items()})
    if not name:
        name = "" if path is None else path.name.partition(".")[0]
    return _platform(name, [row for row in rows if row["probe"]], columns)


def _column(header: Sequence[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _cell(cells: Sequence[str], place: int) -> str:
    text = cells[place] if place < len(cells) else ""
    return "" if text.lower() in MISSING else text


def _platform(name: str, rows: Sequence[Mapping[str, str]], columns: Mapping[str, int]) -> BeadPlatform:
    """Lines of one probe are one probe; its genes are those of all of them."""
    place: dict[str, int] = {}
    first: list[Mapping[str, str]] = []
    genes: list[dict[str, None]] = []
    for row in rows:
        at = place.setdefault(row["probe"], len(first))
        if at == len(first):
            first.append(row)
            genes.append({})
        genes[at].update(dict.fromkeys(_genes(row.get("gene", ""))))

    def values(kind: str) -> tuple[str, ...] | None:
        return tuple(row[kind] for row in first) if kind in columns else None

    sequences = values("sequence")
    if sequences is None and "nuid" in columns:
        sequences = tuple(nuid_sequence(row["nuid"]) or "" for row in first)
    return BeadPlatform(
        name=name,
        probes=tuple(place),
        sequences=sequences if sequences is None else tuple(map(str.upper, sequences)),
        qualities=values("quality"),
        genes=tuple(map(tuple, genes)) if "gene" in columns else None,
        addresses={row["address"].lstrip("0"): at for at, row in enumerate(first) if row.get("address")},
        nuids={row["nuid"]: at for at, row in enumerate(first) if row.get("nuid")},
    )


def _genes(cell: str) -> list[str]:
    found = [_VERSION.sub(r"\1", one) for one in _SEVERAL.split(cell) if one]
    return [one.removesuffix("_at") for one in found if _GENE.fullmatch(one)]


def read_probe_map(source: Source) -> dict[str, str]:
    """Read which gene was chosen for each probe (refine.bio's ``illumina_probe_maps``: ``probe_id``, ``ensembl_id``).

    Raises:
        InputError: There is no such file.
        MalformedFileError: It has no such columns, or a probe has two genes.
    """
    platform = read_platform_table(source)
    if platform.genes is None:
        message = "The header names no column of genes."
        raise MalformedFileError(message, path=path_of(source), line=1, remedy="Expected probe_id and ensembl_id.")
    chosen = dict(zip(platform.probes, platform.genes, strict=True))
    several = next((probe for probe, genes in chosen.items() if len(genes) > 1), None)
    if several is not None:
        message = f"Probe {several} has several genes."
        raise MalformedFileError(message, path=path_of(source), remedy="Choose one gene per probe.")
    return {probe: genes[0] for probe, genes in chosen.items() if genes}


def overlaps(identifiers: Sequence[str], platforms: Sequence[BeadPlatform]) -> list[PlatformOverlap]:
    """What a table has in common with each platform, in the order of the platforms."""
    distinct = list(dict.fromkeys(one for one in identifiers if one))
    return [_overlap(distinct, platform) for platform in platforms]


def _overlap(distinct: Sequence[str], platform: BeadPlatform) -> PlatformOverlap:
    places = platform.places(distinct)
    shared = len(np.unique(places[places >= 0]))
    return PlatformOverlap(
        platform=platform.name,
        of_platform=100.0 * shared / max(1, len(platform.probes)),
        of_data=100.0 * float((places >= 0).sum()) / max(1, len(distinct)),
        shared=shared,
    )


def detect_platform(
    identifiers: Sequence[str], platforms: Sequence[BeadPlatform]
) -> tuple[BeadPlatform, list[PlatformOverlap]]:
    """The platform that a table was measured on.

    Of the platforms that have more than 75 % of the table's identifiers it is the one whose probes the table has most
    of. If none has, it is the one whose probes the table has most of, provided that these are more than 75 %: a part of
    a platform (:attr:`PlatformOverlap.is_part`).

    Returns:
        The platform, and the overlap with each, in the order given.

    Raises:
        InputError: No platform is given, or none of them fits.
    """
    found = overlaps(identifiers, platforms)
    if not found:
        message = "No platform is given."
        raise InputError(message, remedy="Give the platform's table.")
    best = max(range(len(found)), key=lambda at: (not found[at].is_part, found[at].of_platform, found[at].of_data))
    if found[best].is_part and not found[best].of_platform > LEAST_OF_PLATFORM:
        shares = ", ".join(f"{one.platform} {one.of_data:.1f} %" for one in found)
        message = f"The table is of none of the platforms: of its identifiers are probes of {shares}."
        remedy = f"More than {LEAST_OF_DATA:g} % are needed. Give the table of the platform that the arrays are of."
        raise InputError(message, remedy=remedy)
    return platforms[best], found
