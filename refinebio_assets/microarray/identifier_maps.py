"""Mapping tables: which Ensembl gene the identifiers of a platform or of another database stand for."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.microarray.gene_identifiers import VERSIONED_TYPES, IdentifierType, bare_identifier, is_control

Names = NDArray[np.object_]

SEPARATOR = "///"
"""Between several identifiers of one cell, as GEO and Affymetrix write them."""

COLUMN_NAMES = {
    IdentifierType.PROBE: "PROBEID",
    IdentifierType.ENSEMBL_GENE: "ENSEMBL",
    IdentifierType.SYMBOL: "SYMBOL",
    IdentifierType.ENTREZ: "ENTREZID",
    IdentifierType.UNIGENE: "UNIGENE",
    IdentifierType.REFSEQ: "REFSEQ",
    IdentifierType.GENBANK: "GENBANK",
    IdentifierType.ENSEMBL_TRANSCRIPT: "ENSEMBLTRANS",
}
"""Names in stored tables: those of refine.bio and Bioconductor's annotation packages."""

VERSION_COLUMN = "ENSEMBL_VERSION"
_FORMAT = "refinebio identifier map 1"
_METADATA_KEY = b"refinebio"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOrigin:
    """Where a mapping table comes from.

    Attributes:
        format: Which reader read it: ``refine.bio``, ``GEO platform``, ``Brainarray``, ``GTF``, ``table``.
        source: Name of the file; several, joined by `` + ``, for tables that were put together.
        version: sha256 of the uncompressed content: the same table has the same version, however it is packed.
        organism: Scientific name, empty if unknown.
        platform: Accession or code of the platform whose probes it has, empty for tables of an organism.
        release: Release of Ensembl or date of the annotation, empty if unknown.
    """

    format: str
    source: str
    version: str
    organism: str = ""
    platform: str = ""
    release: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What data and one column of a mapping table have in common.

    Attributes:
        of_data: Part of the distinct identifiers of the data that the column has, 0 to 1.
        of_map: Part of the distinct identifiers of the column that the data have, 0 to 1.
        shared: Distinct identifiers in both.
    """

    of_data: float
    of_map: float
    shared: int


@dataclass(frozen=True, kw_only=True, eq=False)
class IdentifierMap:
    """A mapping table: each row is a probe, transcript or gene with its names.

    Attributes:
        columns: Equally long arrays of text (dtype object); an empty cell is an unknown name, several names in a cell
            are separated by ``///``. Ensembl ids are without version and without ``_at``.
        versions: Version of the Ensembl gene of each row, empty text where unknown; None if unknown for all.
        origin: Where the table comes from.
        ignored: Columns of the source that were not understood, by name.
        notes: What was decided while it was read, for people.
    """

    columns: Mapping[IdentifierType, Names] = field(repr=False)
    origin: MapOrigin
    versions: Names | None = field(default=None, repr=False)
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows the table has."""
        return len(next(iter(self.columns.values()), ()))

    @cached_property
    def version_of(self) -> dict[str, str]:
        """The version of each Ensembl gene that has a known one."""
        if self.versions is None:
            return {}
        genes = self.columns[IdentifierType.ENSEMBL_GENE].tolist()
        pairs = zip(genes, self.versions.tolist(), strict=True)
        return {gene: version for gene, version in pairs if version and SEPARATOR not in gene}

    def identifiers(self, kind: IdentifierType) -> set[str]:
        """The distinct identifiers of a column; kept for the next sample of a platform."""
        if kind not in self._identifiers:
            self._identifiers[kind] = {name for cell in self.columns[kind].tolist() for name in names_in(cell)}
        return self._identifiers[kind]

    @cached_property
    def _identifiers(self) -> dict[IdentifierType, set[str]]:
        return {}

    @cached_property
    def _targets(self) -> dict[tuple[IdentifierType, IdentifierType], dict[str, tuple[str, ...]]]:
        return {}

    def overlap(self, identifiers: Iterable[str], *, with_controls: bool = False) -> dict[IdentifierType, Overlap]:
        """What the data's identifiers have in common with each column.

        An identifier counts as found as it stands or, where its type has versions, without its version. Controls are
        left out, or else count as not found.
        """
        distinct = {name for name in identifiers if name and (with_controls or not is_control(name))}
        return {kind: _overlap(distinct, self.identifiers(kind), kind) for kind in self.columns}

    def targets(
        self, kind: IdentifierType, to: IdentifierType = IdentifierType.ENSEMBL_GENE
    ) -> dict[str, tuple[str, ...]]:
        """For each identifier of a column the distinct names of its rows in another one, sorted; kept, too.

        Raises:
            InputError: The table lacks a column.
        """
        for wanted in (kind, to):
            if wanted not in self.columns:
                raise self.lacks(wanted)
        if (kind, to) not in self._targets:
            self._targets[kind, to] = _relation(self.columns[kind].tolist(), self.columns[to].tolist())
        return self._targets[kind, to]

    def lacks(self, kind: IdentifierType) -> InputError:
        """The error for a column that the table does not have."""
        has = ", ".join(COLUMN_NAMES[known] for known in self.columns)
        message = f"The mapping table {self.origin.source} has no column {COLUMN_NAMES[kind]}; it has {has}."
        remedy = "Give a table with Ensembl genes, or a second one (such as the organism's GTF) that leads to them."
        return InputError(message, remedy=remedy)

    def to_bytes(self) -> bytes:
        """The table as Parquet; the same table gives the same bytes."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        named = {COLUMN_NAMES[kind]: pa.array(column, pa.string()) for kind, column in self.columns.items()}
        if self.versions is not None:
            named[VERSION_COLUMN] = pa.array(self.versions, pa.string())
        about = {
            "format": _FORMAT,
            "origin": {name: getattr(self.origin, name) for name in MapOrigin.__slots__},
            "ignored": list(self.ignored),
            "notes": list(self.notes),
        }
        table = pa.table(named).replace_schema_metadata({_METADATA_KEY: json.dumps(about, sort_keys=True)})
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes, path: Path | None = None) -> IdentifierMap:
        """What :meth:`to_bytes` wrote.

        Raises:
            MalformedFileError: It is something else, or damaged.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        remedy = "Make it anew from the platform's or organism's table."
        try:
            table = pq.read_table(io.BytesIO(content), page_checksum_verification=True)
            about = json.loads((table.schema.metadata or {})[_METADATA_KEY])
            kinds = {name: kind for kind, name in COLUMN_NAMES.items()}
            columns = {kinds[name]: _text_column(table, name) for name in table.column_names if name in kinds}
            versions = _text_column(table, VERSION_COLUMN) if VERSION_COLUMN in table.column_names else None
            origin = MapOrigin(**about["origin"])
            ignored, notes = tuple(about["ignored"]), tuple(about["notes"])
        except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
            message = f"This is no stored mapping table of refinebio, or it is damaged ({error})."
            raise MalformedFileError(message[:300], path=path, remedy=remedy) from error
        if not columns:
            message = "The stored mapping table has no columns."
            raise MalformedFileError(message, path=path, remedy=remedy)
        return cls(columns=columns, versions=versions, origin=origin, ignored=ignored, notes=notes)

    def completed_by(self, other: IdentifierMap) -> IdentifierMap:
        """This table with the Ensembl genes of ``other``, through the type of names that leads most rows there.

        A platform's table of GEO names symbols and Entrez genes; the organism's GTF says which Ensembl genes they are.
        A row whose name stands for several genes gets all of them.

        Raises:
            InputError: The tables have no type of names in common, or no name.
        """
        through = [kind for kind in self.columns if kind in other.columns and kind is not IdentifierType.ENSEMBL_GENE]
        found = {kind: _genes_of(self.columns[kind], other.targets(kind)) for kind in through}
        reached = {kind: sum(map(bool, genes)) for kind, genes in found.items()}
        best = max(reached, key=lambda kind: reached[kind], default=None)
        if best is None or not reached[best]:
            message = f"Nothing leads from {self.origin.source} to {other.origin.source}: they have no names in common."
            raise InputError(message, remedy="Give the table of the same organism.")
        genes = found[best]
        note = f"{reached[best]} of {self.rows} rows reach Ensembl genes through {COLUMN_NAMES[best]}."
        return IdentifierMap(
            columns={**self.columns, IdentifierType.ENSEMBL_GENE: np.array(genes, dtype=object)},
            versions=None if not other.version_of else _versions_of(genes, other.version_of),
            origin=MapOrigin(
                format=f"{self.origin.format} + {other.origin.format}",
                source=f"{self.origin.source} + {other.origin.source}",
                version=f"{self.origin.version}+{other.origin.version}",
                organism=self.origin.organism or other.origin.organism,
                platform=self.origin.platform,
                release=" + ".join(filter(None, (self.origin.release, other.origin.release))),
            ),
            ignored=self.ignored + other.ignored,
            notes=(*self.notes, *other.notes, note),
        )


def names_in(cell: str) -> Sequence[str]:
    """The names in a cell, empty ones left out."""
    if SEPARATOR not in cell:
        return (cell,) if cell else ()
    return tuple(name for name in map(str.strip, cell.split(SEPARATOR)) if name)


def _relation(cells: Sequence[str], targets: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for cell, target in zip(cells, targets, strict=True):
        if cell and target:
            names = names_in(target)
            for name in names_in(cell):
                found.setdefault(name, set()).update(names)
    return {name: tuple(sorted(names)) for name, names in found.items()}


def _overlap(data: set[str], column: set[str], kind: IdentifierType) -> Overlap:
    found = data & column
    hits = len(found)
    if kind in VERSIONED_TYPES:
        without = [bare for name in data - found if (bare := bare_identifier(name, kind)) in column]
        hits += len(without)
        found |= set(without)
    return Overlap(
        of_data=hits / len(data) if data else 0.0,
        of_map=len(found) / len(column) if column else 0.0,
        shared=len(found),
    )


def _genes_of(column: Names, genes: Mapping[str, tuple[str, ...]]) -> list[str]:
    """For each cell the genes of its names, as a cell."""
    reached = []
    for cell in column.tolist():
        found = {gene for name in names_in(cell) for gene in genes.get(name, ())}
        reached.append(SEPARATOR.join(sorted(found)))
    return reached


def _versions_of(genes: Sequence[str], version_of: Mapping[str, str]) -> Names:
    """Versions of cells with one gene; those of several are not told apart in one cell."""
    return np.array([version_of.get(gene, "") for gene in genes], dtype=object)


def _text_column(table: Any, name: str) -> Names:
    import pyarrow as pa

    column = table.column(name)
    if not pa.types.is_string(column.type):
        message = f"column {name} is no text"
        raise TypeError(message)
    values: Names = column.fill_null("").to_numpy()
    return values
