"""Reading computed files: artefacts in the object store and the results that made them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from refinebio_assets.domain.vocabulary import ComputedFileKind
from resources.catalog.models import ComputationalResult, ComputedFile, Experiment
from resources.catalog.statements import rows_where_in


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputedFileInfo:
    """An artefact in the object store, with the fingerprint and metrics of the result that made it."""

    key: str
    filename: str
    kind: ComputedFileKind
    size_bytes: int
    sha256: str
    fingerprint: str | None
    metrics: Mapping[str, Any]


def quant_file_of_sample(session: Session, sample_ids: Iterable[int]) -> dict[int, ComputedFileInfo]:
    """The newest quant file of each sample, by sample id."""
    return newest_file_of_sample(session, sample_ids, ComputedFileKind.QUANT_SF)


def newest_file_of_sample(
    session: Session, sample_ids: Iterable[int], kind: ComputedFileKind
) -> dict[int, ComputedFileInfo]:
    """The newest file of a kind of each sample, by sample id."""
    query = _files().where(ComputedFile.kind == kind).order_by(ComputedFile.id)
    rows = rows_where_in(session, query, ComputedFile.sample_id, sample_ids)
    return {row.ComputedFile.sample_id: _file_info(row) for row in rows}


def experiment_files(session: Session, experiment: str) -> list[ComputedFileInfo]:
    """Files that belong to an experiment as a whole, by key."""
    query = (
        _files()
        .join(Experiment, Experiment.id == ComputedFile.experiment_id)
        .where(Experiment.accession == experiment, ComputedFile.sample_id.is_(None))
    )
    return sorted((_file_info(row) for row in session.execute(query)), key=lambda file: file.key)


def files_of_results(session: Session, result_ids: Iterable[int]) -> dict[int, tuple[ComputedFileInfo, ...]]:
    """All files of each result, by its id, in the order in which they were first recorded."""
    found: dict[int, list[Any]] = {}
    for row in rows_where_in(session, _files(), ComputedFile.result_id, sorted(set(result_ids))):
        found.setdefault(row.ComputedFile.result_id, []).append(row)
    return {
        result: tuple(_file_info(row) for row in sorted(rows, key=lambda row: row.ComputedFile.id))
        for result, rows in found.items()
    }


def _files() -> Select[*tuple[Any, ...]]:
    return select(ComputedFile, ComputationalResult.fingerprint, ComputationalResult.metrics).outerjoin(
        ComputationalResult, ComputationalResult.id == ComputedFile.result_id
    )


def _file_info(row: Any) -> ComputedFileInfo:
    file: ComputedFile = row.ComputedFile
    return ComputedFileInfo(
        key=file.key,
        filename=file.filename,
        kind=ComputedFileKind(file.kind),
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        fingerprint=row.fingerprint,
        metrics=row.metrics or {},
    )
