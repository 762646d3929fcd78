"""Forgetting an experiment: what only it has goes, what others have too stays."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from refinebio_assets.domain.errors import NotFoundError
from refinebio_assets.domain.vocabulary import LedgerKind
from resources.catalog.linked_studies import linked_studies
from resources.catalog.membership import hand_over, unlink
from resources.catalog.models import (
    Compendium,
    ComputationalResult,
    ComputedFile,
    Dataset,
    Experiment,
    ExperimentAlias,
    ExperimentSample,
    LedgerEntry,
    LedgerHistory,
    OriginalFile,
    OriginalFileSample,
    QnTarget,
    Sample,
)
from resources.catalog.results import delete_unused_results
from resources.catalog.statements import VALUES_PER_STATEMENT, is_one_of, rows_where_in
from resources.catalog.survey import OTHER_ACCESSION, wait_for_other_survey
from resources.catalog.upstream import forget


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What forgetting an experiment takes along, or took.

    Args:
        experiment: Its accession.
        title: None if it was never surveyed.
        samples: Samples that no other experiment has; they go.
        shared: Samples that stay because other experiments have them, each with the experiment that owns it then.
        ledger: Accessions whose ledger entry and history go: its own, its samples', and names under which it was
            discovered.
        history: How many states these have had.
        results: Computational results that go; those with files that stay are kept.
        files: Keys of computed files that go.
        original_files: Files in public archives that no sample that stays has.
        linked_studies: Sequencing studies with reads of its samples: they are experiments of their own, and stay.
    """

    experiment: str
    title: str | None
    samples: tuple[str, ...]
    shared: Mapping[str, str]
    ledger: tuple[str, ...]
    history: int
    results: int
    files: tuple[str, ...]
    original_files: int
    linked_studies: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """The keys of what goes and changes."""

    experiment_id: int | None = None
    samples: Mapping[int, str] = field(default_factory=dict)
    shared_ids: Sequence[int] = ()
    heirs: Mapping[int, list[str]] = field(default_factory=dict)
    """Samples that another experiment owns from now on, by its id."""
    file_ids: Sequence[int] = ()
    result_ids: Sequence[int] = ()
    original_file_ids: Sequence[int] = ()


def plan_removal(session: Session, experiment: str, *, after: Iterable[str] = ()) -> Removal:
    """What forgetting an experiment would take along.

    Args:
        session: Where to read.
        experiment: Its accession.
        after: Experiments that will have been forgotten before it: what only they have too goes with this one.

    Raises:
        NotFoundError: Neither catalog nor ledger knows it.
    """
    return _plan(session, experiment, after=after)[0]


def remove_experiment(session: Session, experiment: str) -> Removal:
    """Forget an experiment. Surveys wait meanwhile; what is removed is locked in the order in which others write it.

    Raises:
        NotFoundError: Neither catalog nor ledger knows it.
    """
    wait_for_other_survey(session)
    removal, rows = _plan(session, experiment, lock=True)
    unlink(session, rows.experiment_id or 0, rows.shared_ids)
    for heir, samples in rows.heirs.items():
        hand_over(session, samples, heir)
    _delete(session, ComputedFile.id, rows.file_ids)
    _detach_files(session, rows)
    delete_unused_results(session, rows.result_ids)
    _delete(session, Sample.id, list(rows.samples))
    _delete(session, OriginalFile.id, rows.original_file_ids)
    _delete(session, LedgerHistory.accession, removal.ledger)
    _delete(session, LedgerEntry.accession, removal.ledger)
    _delete(session, Experiment.accession, [experiment])
    forget(session, experiment)
    return removal


def recorded_keys(session: Session, keys: Iterable[str]) -> set[str]:
    """Those of the object store's keys that the catalog has a file under."""
    return {key for (key,) in rows_where_in(session, select(ComputedFile.key), ComputedFile.key, keys)}


def _plan(session: Session, experiment: str, *, after: Iterable[str] = (), lock: bool = False) -> tuple[Removal, _Rows]:
    row = session.execute(select(Experiment.id, Experiment.title).where(Experiment.accession == experiment)).first()
    known = session.scalar(select(LedgerEntry.kind).where(LedgerEntry.accession == experiment))
    if row is None and known != LedgerKind.EXPERIMENT:
        message = f"Experiment {experiment} is not in the catalog."
        raise NotFoundError(message, remedy=f"See what is there: refinebio resolve {experiment}")
    forgotten = rows_where_in(session, select(Experiment.id), Experiment.accession, sorted(after))
    rows = _rows(session, row.id, {id_ for (id_,) in forgotten}, lock=lock) if row is not None else _Rows()
    ledger = _ledger_entries(session, experiment, rows, lock=lock)
    history = select(func.count()).select_from(LedgerHistory)
    owned_by = select(Experiment.id, Experiment.accession)
    owners = {row.id: row.accession for row in rows_where_in(session, owned_by, Experiment.id, sorted(rows.heirs))}
    heirs = {sample: owners[heir] for heir, samples in rows.heirs.items() for sample in samples}
    removal = Removal(
        experiment=experiment,
        title=None if row is None else row.title,
        samples=tuple(sorted(rows.samples.values())),
        shared=_shared(session, rows, heirs),
        ledger=tuple(ledger),
        history=sum(count for (count,) in rows_where_in(session, history, LedgerHistory.accession, ledger)),
        results=len(rows.result_ids),
        files=tuple(
            sorted(key for (key,) in rows_where_in(session, select(ComputedFile.key), ComputedFile.id, rows.file_ids))
        ),
        original_files=len(rows.original_file_ids),
        linked_studies=tuple(linked_studies(session, experiment)),
    )
    return removal, rows


def _shared(session: Session, rows: _Rows, heirs: Mapping[str, str]) -> dict[str, str]:
    query = select(Sample.accession, Experiment.accession).join(Experiment, Experiment.id == Sample.owner_experiment_id)
    found = rows_where_in(session, query, Sample.id, rows.shared_ids)
    return {sample: heirs.get(sample, owner) for sample, owner in sorted(map(tuple, found))}


def _rows(session: Session, experiment_id: int, forgotten: Collection[int], *, lock: bool) -> _Rows:
    """What goes and changes once the experiments ``forgotten`` have handed their samples over."""
    leaving = is_one_of(session, ExperimentSample.experiment_id, sorted({*forgotten, experiment_id}))
    other = (
        select(func.min(ExperimentSample.experiment_id))
        .where(ExperimentSample.sample_id == Sample.id, ~leaving)
        .scalar_subquery()
    )
    members = select(ExperimentSample.sample_id).where(ExperimentSample.experiment_id == experiment_id)
    query = select(Sample.id, Sample.accession, Sample.owner_experiment_id, other.label("other")).where(
        or_(Sample.owner_experiment_id == experiment_id, Sample.id.in_(members))
    )
    samples: dict[int, str] = {}
    heirs: dict[int, list[str]] = {}
    shared: list[int] = []
    for row in session.execute(query):
        heir = min(experiment_id, experiment_id if row.other is None else row.other)
        owner = heir if row.owner_experiment_id in forgotten else row.owner_experiment_id
        owned = owner == experiment_id
        if owned and row.other is None:
            samples[row.id] = row.accession
            continue
        shared.append(row.id)
        if owned or row.owner_experiment_id in forgotten:
            heirs.setdefault(row.other, []).append(row.accession)
    file_ids, result_ids = _files(session, experiment_id, sorted(samples), lock=lock)
    return _Rows(
        experiment_id=experiment_id,
        samples=samples,
        shared_ids=sorted(shared),
        heirs=dict(sorted(heirs.items())),
        file_ids=file_ids,
        result_ids=result_ids,
        original_file_ids=_original_files(session, samples),
    )


def _files(session: Session, experiment_id: int, samples: Sequence[int], *, lock: bool) -> tuple[list[int], list[int]]:
    """Files of the samples, and of the experiment as a whole, without those of artefacts of many experiments; results.

    With ``lock`` first results, then files are locked: the order in which results are recorded.
    """
    of_samples = rows_where_in(
        session, select(ComputedFile.id, ComputedFile.result_id), ComputedFile.sample_id, samples
    )
    of_experiment = session.execute(
        select(ComputedFile.id, ComputedFile.result_id).where(
            ComputedFile.experiment_id == experiment_id, ComputedFile.sample_id.is_(None)
        )
    )
    found = {row.id: row.result_id for row in (*of_samples, *of_experiment)}
    for model in (QnTarget, Compendium, Dataset):
        column: InstrumentedAttribute[Any] = model.computed_file_id
        for (used,) in rows_where_in(session, select(column), column, sorted(found)):
            found.pop(used, None)
    results = sorted({result for result in found.values() if result is not None})
    siblings = rows_where_in(session, select(ComputedFile.id, ComputedFile.result_id), ComputedFile.result_id, results)
    kept = {row.result_id for row in siblings if row.id not in found}
    going = [result for result in results if result not in kept]
    if lock:
        for key, values in ((ComputationalResult.id, going), (ComputedFile.id, sorted(found))):
            rows_where_in(session, select(key).order_by(key).with_for_update(), key, values)
    return sorted(found), going


def _original_files(session: Session, samples: Mapping[int, str]) -> list[int]:
    link = OriginalFileSample
    files = {file for (file,) in rows_where_in(session, select(link.original_file_id), link.sample_id, sorted(samples))}
    everyone = rows_where_in(
        session, select(link.original_file_id, link.sample_id), link.original_file_id, sorted(files)
    )
    return sorted(files - {file for file, sample in everyone if sample not in samples})


def _ledger_entries(session: Session, experiment: str, rows: _Rows, *, lock: bool) -> list[str]:
    """Accessions of the entries that go, sorted: those of shared samples stay, also those that it owned."""
    own = select(LedgerEntry.accession).where(LedgerEntry.experiment_accession == experiment)
    shared = {name for (name,) in rows_where_in(session, select(Sample.accession), Sample.id, rows.shared_ids)}
    names = {experiment, *rows.samples.values(), *session.scalars(own), *_other_names(session, experiment)} - shared
    query = select(LedgerEntry.accession).order_by(LedgerEntry.accession)
    if lock:
        query = query.with_for_update()
    return [name for (name,) in rows_where_in(session, query, LedgerEntry.accession, sorted(names))]


def _other_names(session: Session, experiment: str) -> list[str]:
    """Names under which the experiment was discovered and that no other experiment has."""
    alias = ExperimentAlias
    own = select(alias.alias).join(Experiment).where(Experiment.accession == experiment)
    names = sorted(session.scalars(own))
    discovered = select(LedgerEntry.accession, LedgerEntry.reason)
    carried = select(alias.alias, Experiment.accession).join_from(alias, Experiment)
    elsewhere = {
        row.alias for row in rows_where_in(session, carried, alias.alias, names) if row.accession != experiment
    }
    records = {name for (name,) in rows_where_in(session, select(Experiment.accession), Experiment.accession, names)}
    entries = rows_where_in(session, discovered, LedgerEntry.accession, names)
    found = {entry.accession for entry in entries if entry.reason == OTHER_ACCESSION}
    return sorted(found - elsewhere - records)


def _detach_files(session: Session, rows: _Rows) -> None:
    """Files that stay belong to it no longer: deleting it would take them along."""
    for column, values in (
        (ComputedFile.experiment_id, [rows.experiment_id] if rows.experiment_id else []),
        (ComputedFile.sample_id, list(rows.samples)),
    ):
        for chunk in _chunks(values):
            session.execute(
                update(ComputedFile)
                .where(is_one_of(session, column, chunk))
                .values({column: None})
                .execution_options(synchronize_session=False)
            )


def _delete(session: Session, column: InstrumentedAttribute[Any], values: Sequence[Any]) -> None:
    """Delete the rows of the column's table that have one of the values."""
    for chunk in _chunks(values):
        session.execute(
            delete(column.class_).where(is_one_of(session, column, chunk)).execution_options(synchronize_session=False)
        )


def _chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[start : start + VALUES_PER_STATEMENT] for start in range(0, len(values), VALUES_PER_STATEMENT))
