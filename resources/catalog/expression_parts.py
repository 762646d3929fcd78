"""The parts of the expression store: which samples and genes each file holds, and where it lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from refinebio_assets.domain.vocabulary import Technology
from resources.catalog.models import ComputedFile, Experiment, ExpressionPart, Organism
from resources.catalog.statements import rows_where_in, upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class PartContent:
    """What a part holds.

    Attributes:
        technology: All its samples share it.
        scale: ``linear`` or ``log2``.
        gene_space: Identifies its genes, in their order.
        num_genes: How many these are.
        samples: Accessions of its columns.
        platforms: Platform accession of each column, empty where none is known.
        digests: What identifies the values of each column.
    """

    technology: Technology
    scale: str
    gene_space: str
    num_genes: int
    samples: tuple[str, ...]
    platforms: tuple[str, ...]
    digests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpressionPartInfo(PartContent):
    """A part and where it lies in the object store."""

    key: str
    sha256: str
    size_bytes: int
    experiment: str
    organism: str


_COLUMNS = tuple(PartContent.__slots__)


def record_parts(session: Session, parts: Mapping[str, PartContent]) -> None:
    """Write what parts hold, by the key of their computed file, which is recorded already."""
    rows = rows_where_in(session, select(ComputedFile.key, ComputedFile.id), ComputedFile.key, sorted(parts))
    values = [
        {
            "computed_file_id": row.id,
            "technology": parts[row.key].technology.value,
            "scale": parts[row.key].scale,
            "gene_space": parts[row.key].gene_space,
            "num_genes": parts[row.key].num_genes,
            "samples": list(parts[row.key].samples),
            "platforms": list(parts[row.key].platforms),
            "digests": list(parts[row.key].digests),
        }
        for row in rows
    ]
    upsert(session, ExpressionPart, values, key=["computed_file_id"])


def expression_parts(
    session: Session, organisms: Sequence[str], *, experiments: Sequence[str] | None = None
) -> list[ExpressionPartInfo]:
    """Parts of organisms (of these experiments only, if they are named), by organism, experiment and key."""
    query = _parts().where(Organism.name.in_(sorted(set(organisms))))
    if experiments is None:
        rows: Iterator[Any] = iter(session.execute(query))
    else:
        rows = iter(rows_where_in(session, query, Experiment.accession, sorted(set(experiments))))
    return sorted((_info(row) for row in rows), key=lambda part: (part.organism, part.experiment, part.key))


def _parts() -> Select[*tuple[Any, ...]]:
    return (
        select(
            ComputedFile.key,
            ComputedFile.sha256,
            ComputedFile.size_bytes,
            Experiment.accession.label("experiment"),
            Organism.name.label("organism"),
            *(getattr(ExpressionPart, name) for name in _COLUMNS),
        )
        .join_from(ExpressionPart, ComputedFile, ComputedFile.id == ExpressionPart.computed_file_id)
        .join(Experiment, Experiment.id == ComputedFile.experiment_id)
        .join(Organism, Organism.id == ComputedFile.organism_id)
    )


def _info(row: Any) -> ExpressionPartInfo:
    return ExpressionPartInfo(
        key=row.key,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        experiment=row.experiment,
        organism=row.organism,
        technology=Technology(row.technology),
        scale=row.scale,
        gene_space=row.gene_space,
        num_genes=row.num_genes,
        samples=tuple(row.samples),
        platforms=tuple(row.platforms),
        digests=tuple(row.digests),
    )
