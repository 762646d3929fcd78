"""Recording an imported matrix: its samples, states, parts and provenance in one transaction, or nothing of it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from refinebio_assets.domain.errors import InputError
from refinebio_assets.domain.records import SurveyResult
from refinebio_assets.domain.vocabulary import Technology
from resources.catalog import upstream
from resources.catalog.experiment_state import refresh_experiment_state
from resources.catalog.models import Experiment, ExperimentSample, Sample, now
from resources.catalog.results import ResultToRecord, record_result
from resources.catalog.statements import rows_where_in
from resources.catalog.survey import SurveyOutcome, record_survey, wait_for_other_survey


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedImport:
    """What recording an import did to its samples, and the keys of files that it superseded."""

    outcome: SurveyOutcome
    superseded_keys: list[str]


def refuse_conflicts(session: Session, result: SurveyResult) -> None:
    """Refuse an import whose samples are another experiment's, or that changes the technology of an earlier one.

    Raises:
        InputError: It would take over what is not its own.
    """
    experiment = result.experiment
    members = (
        select(Sample.accession, Experiment.accession)
        .join(ExperimentSample, ExperimentSample.sample_id == Sample.id)
        .join(Experiment, Experiment.id == ExperimentSample.experiment_id)
        .where(Experiment.accession != experiment.accession)
    )
    names = [sample.record.accession for sample in result.samples]
    strangers = sorted(map(tuple, rows_where_in(session, members, Sample.accession, names)))
    if strangers:
        sample, owner = strangers[0]
        message = f"{len(strangers)} samples are in other experiments already, the first is {sample} in {owner}."
        raise InputError(message, remedy="Give the samples names of their own with --sample-prefix.")
    before = session.scalar(select(Experiment.technology).where(Experiment.accession == experiment.accession))
    if before is not None and Technology(before) is not experiment.technology:
        message = f"{experiment.accession} was imported as {before}, not {experiment.technology.value}."
        raise InputError(message, remedy=f"Remove it first: refinebio unsurvey {experiment.accession}")


def record_import(
    session: Session, result: SurveyResult, computed: ResultToRecord, *, metadata_sha256: str
) -> RecordedImport:
    """Write experiment, samples, ledger and result; the experiment is processed afterwards.

    Args:
        session: A transaction that writes.
        result: The records of the matrix.
        computed: Where its values came from, with the parts that hold them.
        metadata_sha256: Hash of the payload that the records were made from.

    Raises:
        InputError: As :func:`refuse_conflicts`.
    """
    wait_for_other_survey(session)
    refuse_conflicts(session, result)
    accession = result.experiment.accession
    outcome = record_survey(session, result, metadata_sha256=metadata_sha256, run_id=computed.run_id)
    upstream.note_surveyed(session, accession, moment=now())
    recorded = record_result(session, computed)
    refresh_experiment_state(session, accession, processed=True, run_id=computed.run_id)
    return RecordedImport(outcome=outcome, superseded_keys=recorded.superseded_keys)
