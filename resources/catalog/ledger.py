"""The ledger: why is my sample (not) there? Every accession ever seen has exactly one state, a reason and a message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CompoundSelect, func, or_, select
from sqlalchemy.orm import Session, aliased

from refinebio_assets.domain.accessions import mirrored_series, names_same_record
from refinebio_assets.domain.discovery import WAITING_FOR_QUOTA
from refinebio_assets.domain.records import LedgerDecision
from refinebio_assets.domain.vocabulary import BLACKLISTED_RUN, NO_INDEX, LedgerKind, SampleState, Technology
from resources.catalog.engine import Database
from resources.catalog.ledger_changes import (
    LedgerRow,
    StateChange,
    apply_changes,
    discover_experiments,
    ledger_row,
    read_entries,
)
from resources.catalog.models import (
    Experiment,
    ExperimentAlias,
    ExperimentSample,
    LedgerEntry,
    LedgerHistory,
    Organism,
    Sample,
)
from resources.catalog.statements import rows_where_in


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHistoryRow:
    """A state that an accession had."""

    accession: str
    state: SampleState
    reason: str
    message: str
    run_id: str | None
    tool_versions: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonCount:
    """How many samples are in a state for a reason."""

    state: SampleState
    reason: str
    count: int


class Ledger:
    """Reads and writes the ledger, each call in one transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def discover(
        self,
        experiments: Iterable[str],
        *,
        source: str,
        message: str = "Seen in {source}; its samples are not known yet.",
    ) -> list[str]:
        """Add experiments seen upstream in state ``discovered``.

        Experiments that the ledger or the catalog knows, also under another accession, are left as they are. A GEO
        series and the SRA study with its reads are two experiments, although each is an alias of the other;
        ArrayExpress' mirror of a series (E-GEOD-5) is that series (GSE5).

        Args:
            experiments: Their accessions.
            source: Where they were seen.
            message: For people; ``{source}`` is filled in.

        Returns:
            The new ones, in the order given.
        """
        decision = LedgerDecision(
            state=SampleState.DISCOVERED, reason="discovered", message=message.replace("{source}", source)
        )
        wanted = list(dict.fromkeys(mirrored_series(one) or one for one in experiments))
        query = select(ExperimentAlias.alias, Experiment.accession).join_from(ExperimentAlias, Experiment)
        with self._database.session() as session:
            aliases = rows_where_in(session, query, ExperimentAlias.alias, wanted)
            known = {alias for alias, accession in aliases if names_same_record(alias, accession)}
            return discover_experiments(session, (one for one in wanted if one not in known), decision)

    def set_states(self, changes: Sequence[StateChange]) -> None:
        """Write state changes: the entries, and one history row for each that changes something."""
        if not changes:
            return
        with self._database.session() as session:
            apply_changes(session, changes)

    def entries(self, accessions: Sequence[str]) -> dict[str, LedgerRow]:
        """Present states by accession; unknown accessions are absent."""
        with self._database.reading() as session:
            return read_entries(session, accessions)

    def of_experiment(self, experiment: str) -> list[LedgerRow]:
        """Entries of all samples of an experiment: owned, shared, and those known to the ledger alone, by accession."""
        with self._database.reading() as session:
            accessions = accessions_of_experiment(experiment).subquery()
            entries = session.scalars(
                select(LedgerEntry).join(accessions, accessions.c.accession == LedgerEntry.accession)
            )
            return sorted((ledger_row(entry) for entry in entries), key=lambda row: row.accession)

    def history(self, accession: str) -> list[LedgerHistoryRow]:
        """Every state an accession has had, oldest first."""
        with self._database.reading() as session:
            rows = session.scalars(
                select(LedgerHistory).where(LedgerHistory.accession == accession).order_by(LedgerHistory.id)
            )
            return [
                LedgerHistoryRow(
                    accession=row.accession,
                    state=SampleState(row.state),
                    reason=row.reason,
                    message=row.message,
                    run_id=row.run_id,
                    tool_versions=row.tool_versions,
                    at=row.at,
                )
                for row in rows
            ]

    def counts(self, experiment: str | None = None) -> dict[str, int]:
        """Samples by state, of one experiment or of all; states without samples are absent."""
        query = select(LedgerEntry.state, func.count()).group_by(LedgerEntry.state)
        if experiment is None:
            return self._counts(query.where(LedgerEntry.kind == LedgerKind.SAMPLE))
        accessions = accessions_of_experiment(experiment).subquery()
        return self._counts(query.join(accessions, accessions.c.accession == LedgerEntry.accession))

    def experiment_counts(self) -> dict[str, int]:
        """Experiments by state."""
        query = select(LedgerEntry.state, func.count()).group_by(LedgerEntry.state)
        return self._counts(query.where(LedgerEntry.kind == LedgerKind.EXPERIMENT))

    def _counts(self, query: Any) -> dict[str, int]:
        with self._database.reading() as session:
            return dict(sorted((SampleState(state).value, count) for state, count in session.execute(query)))

    def reasons(self, *, limit: int) -> list[ReasonCount]:
        """The most frequent reasons over all samples, most frequent first."""
        with self._database.reading() as session:
            return most_frequent_reasons(session, limit=limit)

    def experiments_in_state(self, state: SampleState, *, limit: int) -> list[str]:
        """Experiments in a state, those longest in it first."""
        query = (
            select(LedgerEntry.accession)
            .where(LedgerEntry.kind == LedgerKind.EXPERIMENT, LedgerEntry.state == state)
            .order_by(LedgerEntry.updated_at, LedgerEntry.accession)
            .limit(limit)
        )
        with self._database.reading() as session:
            return list(session.scalars(query))

    def retryable(self, *, max_attempts: int) -> list[LedgerRow]:
        """Entries that trying again can help and that were tried less often than this, oldest first."""
        query = (
            select(LedgerEntry)
            .where(
                LedgerEntry.retryable,
                LedgerEntry.attempts < max_attempts,
                LedgerEntry.reason != BLACKLISTED_RUN,
            )
            .order_by(LedgerEntry.updated_at, LedgerEntry.accession)
        )
        with self._database.reading() as session:
            return [ledger_row(entry) for entry in session.scalars(query)]

    def experiments_to_survey(self, *, limit: int) -> list[str]:
        """Experiments that were discovered and never tried to survey, longest waiting first.

        Those that wait for the daily quota are not among them: see
        :meth:`resources.catalog.discovery_records.DiscoveryRecords.admit`.
        """
        query = (
            select(LedgerEntry.accession)
            .where(
                LedgerEntry.kind == LedgerKind.EXPERIMENT,
                LedgerEntry.state == SampleState.DISCOVERED,
                LedgerEntry.attempts == 0,
                LedgerEntry.reason != WAITING_FOR_QUOTA,
            )
            .order_by(LedgerEntry.updated_at, LedgerEntry.accession)
            .limit(limit)
        )
        with self._database.reading() as session:
            return list(session.scalars(query))

    def failed_with_index(self, organism: str) -> list[LedgerRow]:
        """Entries of an organism's (UPPER_SNAKE) samples that another transcriptome index may help, by accession.

        They had none, or failed with the present one; runs that the survey ruled out are not among them.
        """
        failed = LedgerEntry.state.in_([SampleState.FAILED_QC, SampleState.FAILED_PROCESSING])
        query = (
            select(LedgerEntry)
            .join(Sample, Sample.accession == LedgerEntry.accession)
            .join(Organism, Organism.id == Sample.organism_id)
            .where(
                Organism.name == organism,
                Sample.technology == Technology.RNA_SEQ,
                LedgerEntry.attempts > 0,
                LedgerEntry.reason != BLACKLISTED_RUN,
                or_(failed, LedgerEntry.reason == NO_INDEX),
            )
            .order_by(LedgerEntry.accession)
        )
        with self._database.reading() as session:
            return [ledger_row(entry) for entry in session.scalars(query)]

    def version_of_experiment(self, experiment: str) -> int:
        """A number that grows with every change of the experiment's entry or of one of its samples; 0 if unknown."""
        samples = accessions_of_experiment(experiment).subquery()
        newest = select(func.max(LedgerHistory.id))
        queries = (
            newest.where(LedgerHistory.accession == experiment),
            newest.join(samples, samples.c.accession == LedgerHistory.accession),
        )
        with self._database.reading() as session:
            return max(session.scalar(query) or 0 for query in queries)

    def experiments_to_import(self, *, limit: int) -> list[str]:
        """Experiments with quantified RNA-seq samples that are not in their expression yet, longest waiting first.

        Also those without any expression whose samples are in that of another experiment.
        """
        own = aliased(LedgerEntry)
        query = (
            select(Experiment.accession)
            .join(ExperimentSample, ExperimentSample.experiment_id == Experiment.id)
            .join(Sample, Sample.id == ExperimentSample.sample_id)
            .join(LedgerEntry, LedgerEntry.accession == Sample.accession)
            .join(own, own.accession == Experiment.accession)
            .where(
                Sample.technology == Technology.RNA_SEQ,
                LedgerEntry.state.in_([SampleState.QUANTIFIED, SampleState.PROCESSED]),
                or_(LedgerEntry.state == SampleState.QUANTIFIED, own.state != SampleState.PROCESSED),
            )
            .group_by(Experiment.accession)
            .order_by(func.min(LedgerEntry.updated_at), Experiment.accession)
            .limit(limit)
        )
        with self._database.reading() as session:
            return list(session.scalars(query))

    def experiments_to_quantify(self, *, limit: int) -> list[str]:
        """Experiments that own RNA-seq samples in ``surveyed`` or ``downloaded``, longest waiting first.

        Samples that were tried and failed for a passing reason are left to the retry loop, see :meth:`retryable`.
        """
        query = (
            select(Experiment.accession)
            .join(Sample, Sample.owner_experiment_id == Experiment.id)
            .join(LedgerEntry, LedgerEntry.accession == Sample.accession)
            .where(
                LedgerEntry.state.in_([SampleState.SURVEYED, SampleState.DOWNLOADED]),
                Sample.technology == Technology.RNA_SEQ,
                ~LedgerEntry.retryable,
            )
            .group_by(Experiment.accession)
            .order_by(func.min(LedgerEntry.updated_at), Experiment.accession)
            .limit(limit)
        )
        with self._database.reading() as session:
            return list(session.scalars(query))


def most_frequent_reasons(session: Session, *, limit: int) -> list[ReasonCount]:
    """The most frequent reasons over all samples, most frequent first."""
    number = func.count().label("number")
    query = (
        select(LedgerEntry.state, LedgerEntry.reason, number)
        .where(LedgerEntry.kind == LedgerKind.SAMPLE)
        .group_by(LedgerEntry.state, LedgerEntry.reason)
        .order_by(number.desc(), LedgerEntry.state, LedgerEntry.reason)
        .limit(limit)
    )
    return [
        ReasonCount(state=SampleState(state), reason=reason, count=count)
        for state, reason, count in session.execute(query)
    ]


def accessions_of_experiment(experiment: str) -> CompoundSelect[Any]:
    """A query for the accessions of all samples of an experiment: its members, and those only the ledger knows."""
    members = (
        select(Sample.accession)
        .join(ExperimentSample, ExperimentSample.sample_id == Sample.id)
        .join(Experiment, Experiment.id == ExperimentSample.experiment_id)
        .where(Experiment.accession == experiment)
    )
    in_ledger = select(LedgerEntry.accession).where(
        LedgerEntry.experiment_accession == experiment, LedgerEntry.kind == LedgerKind.SAMPLE
    )
    return members.union(in_ledger)
