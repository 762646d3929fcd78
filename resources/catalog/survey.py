"""Recording a survey: one transaction, by accession; recording the same survey twice changes nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from refinebio_assets.domain.accessions import is_local, names_same_record
from refinebio_assets.domain.records import ExperimentRecord, LedgerDecision, SurveyedSample, SurveyResult
from refinebio_assets.domain.vocabulary import WRONG_CHIP, LedgerKind, SampleState, is_eligible
from resources.catalog.experiment_state import refresh_experiment_state
from resources.catalog.ledger_changes import LedgerRow, StateChange, apply_changes, read_entries
from resources.catalog.membership import hand_over, unlink
from resources.catalog.models import Experiment, ExperimentAlias, ExperimentSample, Sample, now
from resources.catalog.statements import chunks, plain_json, rows_where_in, storable_text, upsert
from resources.catalog.survey_samples import WrittenSamples, write_samples

_EXPERIMENT_TEXTS = (
    "title",
    "description",
    "institution",
    "protocol",
    "pubmed_id",
    "publication_doi",
    "publication_title",
    "source_url",
)


NOT_LISTED = "not_listed_any_more"
"""Ledger reason of samples that an archive no longer lists in their experiment, nor in any other known one."""

OTHER_ACCESSION = "known_as"
"""Ledger reason of names under which an experiment was discovered that was then surveyed under another."""

SURVEY_LOCK = 7_334_632_460
"""Key of the PostgreSQL advisory lock under which surveys are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyOutcome:
    """What recording a survey did: samples new, updated and unchanged, and the states they are in now."""

    experiment: str
    new: int
    updated: int
    unchanged: int
    states: Mapping[str, int]
    aliases: tuple[str, ...]


def record_survey(session: Session, result: SurveyResult, *, metadata_sha256: str, run_id: str | None) -> SurveyOutcome:
    """Write experiment, samples, files and ledger states; see :meth:`resources.catalog.Catalog.record_survey`."""
    experiment = result.experiment.accession
    _refuse_repeated_samples(result)
    wait_for_other_survey(session)
    experiment_id = _write_experiment(session, result, metadata_sha256)
    aliases = _write_aliases(session, experiment_id, result.experiment)
    written = write_samples(session, experiment_id, [sample.record for sample in result.samples])
    gone = _write_membership(session, experiment_id, written)
    # All entries are locked at once and in order: whoever else writes some of them waits, never in a circle.
    before = read_entries(session, [experiment, *aliases, *written.ids, *gone], lock=True)
    _take_over_moved(session, experiment_id, written, before)
    changes = [
        *_sample_changes(session, result.samples, written, before, run_id),
        *(_withdrawal(accession, experiment, run_id) for accession in gone),
        *(_supersession(before[alias], experiment, run_id) for alias in _discovered_names(experiment, aliases, before)),
    ]
    apply_changes(session, changes)
    refresh_experiment_state(
        session, experiment, run_id=run_id, forget_attempts=True, named_studies=result.linked_studies
    )
    states = read_entries(session, [*written.ids, *gone]).values()
    return SurveyOutcome(
        experiment=experiment,
        new=len(written.new),
        updated=len(written.updated),
        unchanged=len(result.samples) - len(written.new) - len(written.updated),
        states=dict(sorted(Counter(entry.state.value for entry in states).items())),
        aliases=aliases,
    )


def _refuse_repeated_samples(result: SurveyResult) -> None:
    counts = Counter(sample.record.accession for sample in result.samples)
    repeated = [accession for accession, count in counts.items() if count > 1]
    if repeated:
        message = f"The survey of {result.experiment.accession} lists samples more than once: {', '.join(repeated)}"
        raise ValueError(message)


def wait_for_other_survey(session: Session) -> None:
    """On PostgreSQL surveys are written one after another, as on SQLite.

    They share organisms, platforms, files and samples: two that lock some of these rows in different orders would
    wait for each other.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SURVEY_LOCK})


def _write_experiment(session: Session, result: SurveyResult, metadata_sha256: str) -> int:
    record = result.experiment
    columns: dict[str, Any] = {
        "source": record.source.value,
        "technology": record.technology.value,
        "publication_authors": plain_json(record.publication_authors),
        "first_published": record.first_published,
        "last_updated": record.last_updated,
        "annotations": plain_json(record.annotations),
        "coverage": plain_json(result.coverage),
        "metadata_sha256": metadata_sha256,
    }
    for name in _EXPERIMENT_TEXTS:
        value = getattr(record, name)
        columns[name] = None if value is None else storable_text(value)
    query = select(Experiment.id, *(getattr(Experiment, name) for name in columns))
    stored = session.execute(query.where(Experiment.accession == record.accession)).one_or_none()
    if stored is not None and all(getattr(stored, name) == value for name, value in columns.items()):
        return int(stored.id)
    moment = now()
    row = {"accession": record.accession, "created_at": moment, "updated_at": moment, **columns}
    (written,) = upsert(session, Experiment, [row], key=["accession"], returning=[Experiment.id])
    return int(written.id)


def _write_aliases(session: Session, experiment_id: int, record: ExperimentRecord) -> tuple[str, ...]:
    wanted = {storable_text(alias) for alias in record.aliases} - {record.accession}
    stored = set(session.scalars(select(ExperimentAlias.alias).where(ExperimentAlias.experiment_id == experiment_id)))
    for chunk in chunks(sorted(stored - wanted)):
        session.execute(
            delete(ExperimentAlias).where(
                ExperimentAlias.experiment_id == experiment_id, ExperimentAlias.alias.in_(chunk)
            )
        )
    rows = [{"experiment_id": experiment_id, "alias": alias} for alias in wanted - stored]
    upsert(session, ExperimentAlias, rows, key=["experiment_id", "alias"])
    return tuple(sorted(wanted))


def _write_membership(session: Session, experiment_id: int, written: WrittenSamples) -> list[str]:
    """Add missing members; gives back the accessions of owned samples that the archive no longer lists anywhere.

    A sample that left this experiment but belongs to another one is not withdrawn: it is only unlinked, and owned by
    that other one from now on.
    """
    members = session.execute(
        select(Sample.id, Sample.accession, Sample.owner_experiment_id)
        .join(ExperimentSample, ExperimentSample.sample_id == Sample.id)
        .where(ExperimentSample.experiment_id == experiment_id)
    ).all()
    present = {member.id for member in members}
    rows = [{"experiment_id": experiment_id, "sample_id": id_} for id_ in written.ids.values() if id_ not in present]
    upsert(session, ExperimentSample, rows, key=["experiment_id", "sample_id"])
    gone = {member.id: member for member in members if member.accession not in written.ids}
    elsewhere: dict[int, int] = {
        row.sample_id: row.other
        for row in rows_where_in(
            session,
            select(ExperimentSample.sample_id, func.min(ExperimentSample.experiment_id).label("other"))
            .where(ExperimentSample.experiment_id != experiment_id)
            .group_by(ExperimentSample.sample_id),
            ExperimentSample.sample_id,
            sorted(gone),
        )
    }
    unlink(session, experiment_id, sorted(elsewhere))
    for other_experiment_id in sorted(set(elsewhere.values())):
        owned = [
            gone[id_].accession
            for id_, other in elsewhere.items()
            if other == other_experiment_id and gone[id_].owner_experiment_id == experiment_id
        ]
        hand_over(session, owned, other_experiment_id)
    return sorted(member.accession for id_, member in gone.items() if id_ not in elsewhere)


def _take_over_moved(
    session: Session, experiment_id: int, written: WrittenSamples, before: Mapping[str, LedgerRow]
) -> None:
    """Samples that their owner's survey no longer found are this experiment's, not that one's, if they are here now."""
    left: dict[int, list[str]] = defaultdict(list)
    for accession in written.ids:
        entry, owner_id = before.get(accession), written.owner_ids[accession]
        if entry is not None and entry.reason == NOT_LISTED and owner_id != experiment_id:
            left[owner_id].append(accession)
    for owner_id, accessions in left.items():
        unlink(session, owner_id, sorted(written.ids[accession] for accession in accessions))
        hand_over(session, accessions, experiment_id)


def _sample_changes(
    session: Session,
    samples: Sequence[SurveyedSample],
    written: WrittenSamples,
    before: Mapping[str, LedgerRow],
    run_id: str | None,
) -> Iterable[StateChange]:
    owners = {
        row.id: row.accession
        for row in rows_where_in(
            session, select(Experiment.id, Experiment.accession), Experiment.id, sorted({*written.owner_ids.values()})
        )
    }
    for sample in samples:
        accession = sample.record.accession
        other_inputs = accession in written.with_other_inputs
        if _keeps_state(before.get(accession), sample.decision, other_inputs=other_inputs):
            continue
        yield StateChange(
            accession=accession,
            kind=LedgerKind.SAMPLE,
            experiment_accession=owners[written.owner_ids[accession]],
            decision=sample.decision,
            run_id=run_id,
            forget_attempts=other_inputs,
        )


def _keeps_state(before: LedgerRow | None, decision: LedgerDecision, *, other_inputs: bool) -> bool:
    """Whether a sample is further along than a survey can bring it, and the survey found nothing against that."""
    if before is None or before.state in {SampleState.DISCOVERED, SampleState.SURVEYED}:
        return False
    was_eligible = is_eligible(before.state, before.reason) or before.reason == WRONG_CHIP
    return was_eligible and is_eligible(decision.state, decision.reason) and not other_inputs


def _withdrawal(accession: str, experiment: str, run_id: str | None) -> StateChange:
    message = f"The archive no longer lists this sample in {experiment}."
    if is_local(experiment):
        message = f"The matrix that was last imported as {experiment} does not have this sample."
    decision = LedgerDecision(state=SampleState.WITHDRAWN_UPSTREAM, reason=NOT_LISTED, message=message)
    return StateChange(
        accession=accession,
        kind=LedgerKind.SAMPLE,
        experiment_accession=experiment,
        decision=decision,
        run_id=run_id,
    )


def _discovered_names(experiment: str, aliases: Iterable[str], before: Mapping[str, LedgerRow]) -> Iterable[str]:
    """Aliases under which the experiment itself was discovered; a GEO series of an SRA study awaits its own survey."""
    for alias in aliases:
        entry = before.get(alias)
        discovered = entry is not None and (entry.kind, entry.state) == (LedgerKind.EXPERIMENT, SampleState.DISCOVERED)
        if discovered and names_same_record(alias, experiment):
            yield alias


def _supersession(entry: LedgerRow, experiment: str, run_id: str | None) -> StateChange:
    """An experiment discovered under another accession is this one: it must not wait for a survey for ever."""
    decision = LedgerDecision(
        state=SampleState.SUPERSEDED, reason=OTHER_ACCESSION, message=f"This is another accession of {experiment}."
    )
    return StateChange(
        accession=entry.accession,
        kind=LedgerKind.EXPERIMENT,
        experiment_accession=experiment,
        decision=decision,
        run_id=run_id,
    )
