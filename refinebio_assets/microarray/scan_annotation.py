"""What SCAN needs to know of a chip: its probes' cells and sequences, and the probe sets or genes that they belong to.

Made of one table of the chip's own probes and, to get genes, a second one of a custom annotation (Brainarray: Dai et
al. 2005, doi:10.1093/nar/gni179). Made once, shared by all arrays of the chip.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.array_names import array_code
from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray.compressed_bytes import Source, path_of
from refinebio_assets.microarray.probe_tables import ProbeTable, read_probe_table
from refinebio_assets.microarray.scan_design import ProbeDesign

CONTROL_PREFIX = "AFFX"
"""Probe sets of spiked-in bacterial transcripts and of hybridisation controls."""
CUSTOM_SUFFIX = "_at"
LEAST_MATCHED_SHARE = 0.5
_COLUMN_BITS = 16
_REMEDY_TABLE = "Give the table of the chip's own probes, with sequences, such as HG-U133_Plus_2_probe_tab.gz."


@dataclass(frozen=True, kw_only=True)
class AnnotationCounts:
    """What became of the tables' rows.

    Attributes:
        probes: Cells that are modelled.
        not_25mers: Cells left out because their sequence is unknown or has not 25 letters of A, C, G, T.
        repeated_rows: Rows that name a probe of a probe set a second time; counted once.
        unmatched_rows: Rows of the summary table whose cell is not modelled.
        control_sets: Probe sets whose name begins with ``AFFX``.
        empty_sets: Probe sets without any modelled probe.
    """

    probes: int
    not_25mers: int
    repeated_rows: int
    unmatched_rows: int
    control_sets: int
    empty_sets: int


@dataclass(frozen=True, eq=False)
class ArrayAnnotation:
    """Probes of a chip in the order of their cells, and its probe sets or genes.

    Attributes:
        x: Columns of the modelled cells, int32.
        y: Their rows, int32.
        design: Their sequences.
        ids: Probe sets or genes, sorted.
        members: Places in ``x``, probe set after probe set, int32.
        starts: Where each of ``ids`` starts in ``members``, and the end, int64.
        are_genes: ``ids`` come from a summary table: control sets are left out, Brainarray's ``_at`` is taken off.
        counts: What was left out.
        code: Of the chip that arrays must be of (``hgu133plus2``); empty if any that fits will do.
    """

    x: NDArray[np.int32]
    y: NDArray[np.int32]
    design: ProbeDesign
    ids: tuple[str, ...]
    members: NDArray[np.int32]
    starts: NDArray[np.int64]
    are_genes: bool
    counts: AnnotationCounts
    code: str = ""

    @cached_property
    def gc_counts(self) -> NDArray[np.int64]:
        """G and C per probe."""
        return self.design.gc_counts()

    @cached_property
    def least_size(self) -> tuple[int, int]:
        """Rows and columns that a chip with these cells has at least."""
        return int(self.y.max()) + 1, int(self.x.max()) + 1

    @classmethod
    def read(cls, probe_table: Source, summary: Source | None = None, *, chip: str = "") -> ArrayAnnotation:
        """Read the tables.

        Args:
            probe_table: The chip's own probes with sequences.
            summary: Probes with the genes they belong to; without it the chip's own probe sets are summed up.
            chip: Chip type or code that CEL files must have.

        Raises:
            InputError: A file is missing, or the tables do not belong together.
            MalformedFileError: A file is damaged, or is no probe table.
        """
        paths = (path_of(probe_table), path_of(summary) if summary is not None else None)
        genes = read_probe_table(summary) if summary is not None else None
        return cls.build(read_probe_table(probe_table), genes, chip=chip, paths=paths)

    @classmethod
    def build(
        cls,
        probes: ProbeTable,
        summary: ProbeTable | None = None,
        *,
        chip: str = "",
        paths: tuple[Path | None, Path | None] = (None, None),
    ) -> ArrayAnnotation:
        """Put tables together.

        Cells are unique in the model, in the order ``y``, ``x``. A cell may belong to several probe sets.

        Raises:
            InputError: The table has no sequences, two for one cell, or shares less than half of the summary's cells.
        """
        if probes.sequence is None:
            message = "The probe table has no sequences."
            raise InputError(message, path=paths[0], remedy=_REMEDY_TABLE)
        cells, rows, cell_of_row = np.unique(_cells(probes), return_index=True, return_inverse=True)
        _refuse_contradictions(probes, rows, cell_of_row, paths[0])
        design, usable = ProbeDesign.of_25mers(probes.sequence[rows])
        if not usable.any():
            message = "The probe table has no sequence of 25 letters."
            raise InputError(message, path=paths[0], remedy=_REMEDY_TABLE)
        place_of_cell = np.where(usable, np.cumsum(usable) - 1, -1)
        if summary is None:
            places, unmatched = place_of_cell[cell_of_row], 0
        else:
            places = _places(_cells(summary), cells, place_of_cell)
            unmatched = int((places < 0).sum())
            if unmatched > (1.0 - LEAST_MATCHED_SHARE) * len(places):
                message = f"{unmatched} of {len(places)} probes of the summary table are not in the probe table."
                raise InputError(message, path=paths[1], remedy="Give two tables of the same chip.")
        sets = _ProbeSets.of(summary or probes, places, len(design), are_genes=summary is not None)
        counts = AnnotationCounts(
            probes=len(design),
            not_25mers=int((~usable).sum()),
            repeated_rows=sets.repeated,
            unmatched_rows=unmatched,
            control_sets=sets.controls,
            empty_sets=sets.empty,
        )
        x, y = (coordinate[rows][usable] for coordinate in (probes.x, probes.y))
        code = array_code(chip)
        return cls(x, y, design, sets.ids, sets.members, sets.starts, summary is not None, counts, code)


@dataclass(frozen=True, eq=False)
class _ProbeSets:
    ids: tuple[str, ...]
    members: NDArray[np.int32]
    starts: NDArray[np.int64]
    repeated: int
    controls: int
    empty: int

    @classmethod
    def of(cls, table: ProbeTable, places: NDArray[Any], probes: int, *, are_genes: bool) -> _ProbeSets:
        """Members of each probe set, each once, in the order of their cells; sets sorted by name."""
        names = gene_names(table.probe_sets) if are_genes else table.probe_sets
        controls = [name.startswith(CONTROL_PREFIX) for name in table.probe_sets]
        kept = [code for code in range(len(names)) if not (are_genes and controls[code])]
        kept.sort(key=lambda code: names[code])
        rank = np.full(len(names), -1, np.int64)
        rank[kept] = np.arange(len(kept))
        row_rank = rank[table.probe_set]
        wanted = (places >= 0) & (row_rank >= 0)
        pairs = np.sort(row_rank[wanted] * probes + places[wanted])
        once = np.ones(len(pairs), np.bool_)
        once[1:] = pairs[1:] != pairs[:-1]
        set_of_member, members = np.divmod(pairs[once], probes)
        sizes = np.bincount(set_of_member, minlength=len(kept))
        return cls(
            ids=tuple(names[code] for code, size in zip(kept, sizes.tolist(), strict=True) if size),
            members=members.astype(np.int32),
            starts=np.concatenate([[0], np.cumsum(sizes[sizes > 0])]).astype(np.int64),
            repeated=int((~once).sum()),
            controls=sum(controls),
            empty=int((sizes == 0).sum()),
        )


def gene_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Gene ids of a custom annotation, without the ``_at`` that Brainarray puts behind every one of them.

    Names of Affymetrix' own probe sets, among which there are always some with another ending (``_s_at``, ``_x_at`` …),
    stay as they are: there ``_at`` is a part of the name.
    """
    genes = [name for name in names if not name.startswith(CONTROL_PREFIX)]
    bare = [name.removesuffix(CUSTOM_SUFFIX) for name in genes]
    is_custom = all(name.endswith(CUSTOM_SUFFIX) for name in genes) and not any(
        len(name) > 2 and name[-2] == "_" for name in bare
    )
    if not is_custom:
        return names
    return tuple(name if name.startswith(CONTROL_PREFIX) else name.removesuffix(CUSTOM_SUFFIX) for name in names)


def _cells(table: ProbeTable) -> NDArray[np.int64]:
    """One number per row that sorts as cells do, whatever the chip's number of columns."""
    return (table.y.astype(np.int64) << _COLUMN_BITS) + table.x


def _refuse_contradictions(
    probes: ProbeTable, rows: NDArray[Any], cell_of_row: NDArray[Any], path: Path | None
) -> None:
    if probes.sequence is None or len(rows) == len(probes):
        return
    differing = np.flatnonzero(probes.sequence != probes.sequence[rows][cell_of_row])
    if len(differing):
        first = int(differing[0])
        message = f"Cell x={probes.x[first]}, y={probes.y[first]} has two sequences."
        raise InputError(message, path=path, remedy="Give a table of one chip.")


def _places(wanted: NDArray[np.int64], cells: NDArray[np.int64], place_of_cell: NDArray[np.int64]) -> NDArray[np.int64]:
    """The modelled probe in each wanted cell, -1 where there is none."""
    found = np.minimum(np.searchsorted(cells, wanted), len(cells) - 1)
    return np.where(cells[found] == wanted, place_of_cell[found], -1)
