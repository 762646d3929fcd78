"""Recording what was computed: results with their provenance, and the files they made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, or_, select, tuple_
from sqlalchemy.orm import Session

from refinebio_assets.domain.errors import NotFoundError
from refinebio_assets.domain.vocabulary import ComputedFileKind
from resources.catalog.expression_parts import PartContent, record_parts
from resources.catalog.models import (
    Compendium,
    ComputationalResult,
    ComputedFile,
    Experiment,
    Processor,
    QnTarget,
    Sample,
    TranscriptomeIndex,
    now,
)
from resources.catalog.statements import chunks, plain_json, rows_where_in, upsert
from resources.catalog.vocabulary_rows import OrganismName, organism_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class FileToRecord:
    """A file in the object store and what it is about: a sample, an experiment or an organism (or several of them).

    ``organism`` is the UPPER_SNAKE name; it is added to the catalog if it is new. ``part`` says what a part of the
    expression store holds.
    """

    key: str
    filename: str
    kind: ComputedFileKind
    size_bytes: int
    sha256: str
    sample: str | None = None
    experiment: str | None = None
    organism: str | None = None
    part: PartContent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultToRecord:
    """One run of a processor (a method with its version and software environment) and the files it made.

    Args:
        processor: Name of the method.
        processor_version: Its version.
        environment: Versions of the software it ran with.
        fingerprint: Identifies inputs, parameters and versions together, at most 64 characters.
        commands: Command lines of external programs.
        parameters: Parameters of the method.
        inputs: Input names and their hashes.
        metrics: Numbers about the run.
        code_version: Version of refinebio.
        run_id: The Dagster run.
        started_at: When it began, with a time zone.
        finished_at: When it ended, with a time zone; the present moment if None.
        files: What it made.
        replaces_kinds_of_sample: Whether older files of the same kind of the same sample (or the same experiment) are
            superseded by these.
    """

    processor: str
    processor_version: str
    fingerprint: str
    environment: Mapping[str, Any] = field(default_factory=dict)
    commands: Sequence[Any] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    code_version: str | None = None
    run_id: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    files: tuple[FileToRecord, ...] = ()
    replaces_kinds_of_sample: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedResult:
    """The row of a result, and the store keys of files that it superseded: nothing refers to them any more."""

    result_id: int
    superseded_keys: list[str]


def has_result(session: Session, fingerprint: str) -> bool:
    """Whether a result with this fingerprint is recorded."""
    query = select(ComputationalResult.id).where(ComputationalResult.fingerprint == fingerprint)
    return session.scalar(query) is not None


def record_result(session: Session, result: ResultToRecord) -> RecordedResult:
    """Write a result and its files; see :meth:`resources.catalog.Catalog.record_result`."""
    result_id = _write_result(session, result)
    files = _file_rows(session, result.files, result_id)
    keys = [file.key for file in result.files]
    earlier = rows_where_in(
        session, select(ComputedFile.result_id).where(ComputedFile.result_id.is_not(None)), ComputedFile.key, keys
    )
    touched = {row.result_id for row in earlier}
    upsert(session, ComputedFile, files, key=["key"])
    record_parts(session, {file.key: file.part for file in result.files if file.part is not None})
    superseded = _superseded_files(session, files, result_id, touched) if result.replaces_kinds_of_sample else []
    for chunk in chunks([id_ for id_, _, _ in superseded]):
        session.execute(delete(ComputedFile).where(ComputedFile.id.in_(chunk)))
    touched.update(other for _, _, other in superseded if other is not None)
    delete_unused_results(session, touched - {result_id})
    return RecordedResult(result_id=result_id, superseded_keys=sorted(key for _, key, _ in superseded))


def _write_result(session: Session, result: ResultToRecord) -> int:
    row = {
        "fingerprint": result.fingerprint,
        "processor_id": _processor_id(session, result),
        "commands": plain_json(result.commands),
        "parameters": plain_json(result.parameters),
        "inputs": plain_json(result.inputs),
        "metrics": plain_json(result.metrics),
        "code_version": result.code_version,
        "run_id": result.run_id,
        "started_at": result.started_at,
        "finished_at": result.finished_at or now(),
    }
    (written,) = upsert(session, ComputationalResult, [row], key=["fingerprint"], returning=[ComputationalResult.id])
    return int(written.id)


def _processor_id(session: Session, result: ResultToRecord) -> int:
    environment = plain_json(result.environment)
    canonical = json.dumps(environment, sort_keys=True, separators=(",", ":"))
    row = {
        "name": result.processor,
        "version": result.processor_version,
        "environment_sha256": hashlib.sha256(canonical.encode()).hexdigest(),
        "environment": environment,
    }
    key = ("name", "version", "environment_sha256")
    query = select(Processor.id).where(*(getattr(Processor, name) == row[name] for name in key))
    known = session.scalar(query)
    if known is not None:
        return known
    (written,) = upsert(session, Processor, [row], key=key, returning=[Processor.id])
    return int(written.id)


def _file_rows(session: Session, files: Sequence[FileToRecord], result_id: int) -> list[dict[str, Any]]:
    samples = _ids(session, Sample, {file.sample for file in files if file.sample})
    experiments = _ids(session, Experiment, {file.experiment for file in files if file.experiment})
    organisms = organism_ids(session, (OrganismName(name=file.organism) for file in files if file.organism))
    moment = now()
    return [
        {
            "key": file.key,
            "filename": file.filename,
            "kind": file.kind.value,
            "size_bytes": file.size_bytes,
            "sha256": file.sha256,
            "result_id": result_id,
            "sample_id": samples[file.sample] if file.sample else None,
            "experiment_id": experiments[file.experiment] if file.experiment else None,
            "organism_id": organisms[OrganismName(name=file.organism)] if file.organism else None,
            "created_at": moment,
        }
        for file in files
    ]


def _ids(session: Session, model: type[Sample | Experiment], accessions: set[str]) -> dict[str, int]:
    rows = rows_where_in(session, select(model.accession, model.id), model.accession, sorted(accessions))
    ids = {row.accession: row.id for row in rows}
    unknown = sorted(accessions - ids.keys())
    if unknown:
        message = f"A file is recorded for {', '.join(unknown)}, which the catalog does not have."
        raise NotFoundError(message, remedy="Survey the experiment before its files are recorded.")
    return ids


def _superseded_files(
    session: Session, files: Sequence[Mapping[str, Any]], result_id: int, replaced: Iterable[int]
) -> list[tuple[int, str, int | None]]:
    """Id, key and result of older files of the same kind and subject, and of files this result no longer has.

    Files of an experiment also go with the ``replaced`` results they came with: an expression made again without R has
    no RDS file, and that of the expression before must not stay beside it.
    """
    keys = {file["key"] for file in files}
    query = select(ComputedFile.id, ComputedFile.key, ComputedFile.result_id)
    of_samples = {(file["kind"], file["sample_id"]) for file in files if file["sample_id"]}
    of_experiments = {
        (file["kind"], file["experiment_id"]) for file in files if file["experiment_id"] and not file["sample_id"]
    }
    experiments = sorted({experiment for _, experiment in of_experiments})
    came_along = (
        ComputedFile.result_id.in_(sorted(replaced))
        & ComputedFile.experiment_id.in_(experiments)
        & ComputedFile.sample_id.is_(None)
    )
    conditions: list[ColumnElement[bool]] = [ComputedFile.result_id == result_id, came_along]
    conditions += [tuple_(ComputedFile.kind, ComputedFile.sample_id).in_(chunk) for chunk in chunks(sorted(of_samples))]
    conditions += [
        tuple_(ComputedFile.kind, ComputedFile.experiment_id).in_(chunk) & ComputedFile.sample_id.is_(None)
        for chunk in chunks(sorted(of_experiments))
    ]
    found = {row.id: row for condition in conditions for row in session.execute(query.where(condition))}
    return [(row.id, row.key, row.result_id) for row in found.values() if row.key not in keys]


def delete_unused_results(session: Session, result_ids: Iterable[int]) -> None:
    """Delete results that no file and no artefact refers to."""
    used = [
        select(model.result_id).where(model.result_id == ComputationalResult.id).exists()
        for model in (ComputedFile, TranscriptomeIndex, QnTarget, Compendium)
    ]
    for chunk in chunks(sorted(result_ids)):
        session.execute(
            delete(ComputationalResult)
            .where(ComputationalResult.id.in_(chunk), ~or_(*used))
            .execution_options(synchronize_session=False)
        )
