"""The ledger entry of an experiment follows from those of its samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from refinebio_assets.domain.errors import NotFoundError
from refinebio_assets.domain.records import LedgerDecision
from refinebio_assets.domain.vocabulary import (
    BLACKLISTED_RUN,
    FAILURE_STATES,
    INELIGIBLE_STATES,
    LedgerKind,
    SampleState,
    Technology,
)
from resources.catalog.ledger import accessions_of_experiment
from resources.catalog.ledger_changes import LedgerRow, StateChange, apply_changes, ledger_row, read_entries
from resources.catalog.linked_studies import linked_studies
from resources.catalog.models import Experiment, LedgerEntry, Sample
from resources.catalog.statements import rows_where_in

DONE_STATES = frozenset({SampleState.QUANTIFIED, SampleState.PROCESSED})
"""States of samples whose expression is measured."""

_WORDS: Mapping[SampleState, str] = {
    SampleState.CORRUPT_FILE: "with a corrupt file",
    SampleState.FAILED_QC: "failed quality control",
    SampleState.FAILED_PROCESSING: "failed in processing",
    SampleState.UNSUPPORTED_PLATFORM: "of an unsupported platform",
    SampleState.WRONG_LIBRARY_STRATEGY: "of another library strategy",
    SampleState.CONTROLLED_ACCESS: "under controlled access",
    SampleState.NO_RAW_FILE: "without a raw file",
    SampleState.WITHDRAWN_UPSTREAM: "withdrawn from the archive",
    SampleState.SUPERSEDED: "superseded",
}
"""What a message says after the number of samples that are out, by state."""


def refresh_experiment_state(
    session: Session,
    experiment: str,
    *,
    processed: bool = False,
    run_id: str | None = None,
    forget_attempts: bool = False,
    named_studies: Sequence[str] = (),
) -> LedgerRow:
    """Derive the experiment's entry from its samples.

    ``superseded`` if all of them are, apart from withdrawn ones: their data is in the studies that the message names
    (``named_studies``, and those that the catalog knows to be linked). ``processed`` if the caller says that its
    expression was just made (and, of a study of arrays and reads, that of the others was, too), or if it was and no
    sample has been quantified, has failed, or was withdrawn or ruled out since; else ``quantified`` if all eligible
    samples are; else ``surveyed``.

    Raises:
        NotFoundError: The catalog has no such experiment.
    """
    if session.scalar(select(Experiment.id).where(Experiment.accession == experiment)) is None:
        message = f"Experiment {experiment} is not in the catalog."
        raise NotFoundError(message, remedy=f"Survey it first: refinebio survey {experiment}")
    before = read_entries(session, [experiment]).get(experiment)
    accessions = accessions_of_experiment(experiment).subquery()
    samples = [
        ledger_row(entry)
        for entry in session.scalars(
            select(LedgerEntry).join(accessions, accessions.c.accession == LedgerEntry.accession)
        )
    ]
    expressed = (processed and _is_whole(session, samples)) or _still_processed(before, samples)
    decision = _supersession(session, experiment, samples, named_studies) or experiment_decision(
        samples, processed=expressed
    )
    change = StateChange(
        accession=experiment,
        kind=LedgerKind.EXPERIMENT,
        experiment_accession=experiment,
        decision=decision,
        run_id=run_id,
        forget_attempts=forget_attempts,
    )
    apply_changes(session, [change])
    return read_entries(session, [experiment])[experiment]


def _is_whole(session: Session, samples: Sequence[LedgerRow]) -> bool:
    """Whether each technology of the samples that can still be processed has some in an expression.

    A study of arrays and reads has an expression of each; the one that was just made is not all of it.
    """
    open_ = [one for one in samples if one.state not in INELIGIBLE_STATES | FAILURE_STATES]
    query = select(Sample.accession, Sample.technology)
    found = rows_where_in(session, query, Sample.accession, [one.accession for one in open_])
    technology = {row.accession: row.technology == Technology.RNA_SEQ for row in found}
    processed = {technology.get(one.accession) for one in open_ if one.state is SampleState.PROCESSED}
    return set(technology.values()) <= processed


def _supersession(
    session: Session, experiment: str, samples: Sequence[LedgerRow], named: Sequence[str]
) -> LedgerDecision | None:
    """The decision for an experiment whose samples are all processed elsewhere; None for others."""
    present = [sample for sample in samples if sample.state is not SampleState.WITHDRAWN_UPSTREAM]
    if not present or any(sample.state is not SampleState.SUPERSEDED for sample in present):
        return None
    studies = sorted({*named, *linked_studies(session, experiment)})
    where = ", ".join(studies) or "a study of the sequence archives that is not known yet"
    message = f"All {len(present)} samples are processed from their reads in the sequence archives: {where}."
    return LedgerDecision(state=SampleState.SUPERSEDED, reason="all_samples_superseded", message=message)


def _still_processed(before: LedgerRow | None, samples: Sequence[LedgerRow]) -> bool:
    if before is None or before.state is not SampleState.PROCESSED:
        return False
    outdating = INELIGIBLE_STATES | FAILURE_STATES | {SampleState.QUANTIFIED}
    return not any(sample.state in outdating and sample.updated_at > before.updated_at for sample in samples)


def experiment_decision(samples: Sequence[LedgerRow], *, processed: bool) -> LedgerDecision:
    """State, reason and message of an experiment with these samples."""
    blacklisted = sum(sample.reason == BLACKLISTED_RUN for sample in samples)
    counts = Counter(sample.state for sample in samples if sample.reason != BLACKLISTED_RUN)
    eligible = sum(count for state, count in counts.items() if state not in INELIGIBLE_STATES)
    done = sum(counts[state] for state in DONE_STATES)
    others = "".join(f"; {counts[state]} {words}" for state, words in _WORDS.items() if counts[state])
    others += f"; {blacklisted} on the list of runs known to be bad" if blacklisted else ""
    if processed:
        message = f"Expression of {done} of {eligible} eligible samples is ready{others}."
        return LedgerDecision(state=SampleState.PROCESSED, reason="expression_ready", message=message)
    if not eligible:
        message = f"None of {len(samples)} samples is eligible{others}."
        return LedgerDecision(state=SampleState.SURVEYED, reason="no_eligible_samples", message=message)
    message = f"{done} of {eligible} eligible samples quantified{others}."
    if done == eligible:
        return LedgerDecision(state=SampleState.QUANTIFIED, reason="all_samples_quantified", message=message)
    return LedgerDecision(state=SampleState.SURVEYED, reason="samples_not_quantified", message=message)
