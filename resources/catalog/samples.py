"""Reading the samples of an experiment: what to quantify, what is quantified, and what to tell people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from refinebio_assets.domain.records import OriginalFile, OriginalFileKind
from refinebio_assets.domain.vocabulary import (
    BLACKLISTED_RUN,
    IMPORTED,
    INELIGIBLE_STATES,
    LedgerKind,
    SampleState,
    Technology,
)
from resources.catalog.computed_files import ComputedFileInfo, quant_file_of_sample
from resources.catalog.models import (
    Experiment,
    ExperimentSample,
    LedgerEntry,
    Organism,
    OriginalFileSample,
    Platform,
    Sample,
)
from resources.catalog.models import OriginalFile as OriginalFileRow
from resources.catalog.statements import rows_where_in


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleToProcess:
    """An eligible sample with its raw files and, if it was quantified before, that quant file."""

    accession: str
    organism: str | None
    library_layout: str | None
    files: tuple[OriginalFile, ...]
    state: SampleState
    input_fingerprint: str | None
    quant: ComputedFileInfo | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantFileInfo:
    """Where the quant file of an eligible sample lies.

    ``key`` can be that of an earlier quantification: it counts only in states ``quantified`` and ``processed``.
    """

    sample: str
    state: SampleState
    key: str | None
    sha256: str | None
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleStatus:
    """A sample's ledger entry with what people know it by; names are None while only the ledger knows the sample."""

    accession: str
    title: str | None
    organism: str | None
    platform: str | None
    state: SampleState
    reason: str
    message: str
    updated_at: datetime
    run_id: str | None
    tool_versions: Mapping[str, Any]


def samples_to_quantify(session: Session, experiment: str, sample: str | None = None) -> list[SampleToProcess]:
    """Eligible RNA-seq samples that the experiment owns (or the one that is named, if it is such), by accession."""
    query = _eligible(
        select(Sample.id, Sample.accession, Sample.library_layout, Organism.name, LedgerEntry.state)
        .add_columns(LedgerEntry.input_fingerprint)
        .outerjoin(Organism, Organism.id == Sample.organism_id)
        .join(Experiment, Experiment.id == Sample.owner_experiment_id),
        experiment,
    )
    if sample is not None:
        query = query.where(Sample.accession == sample)
    rows = session.execute(query).all()
    files = original_files(session, [row.id for row in rows])
    quants = quant_file_of_sample(session, [row.id for row in rows])
    return sorted(
        (
            SampleToProcess(
                accession=row.accession,
                organism=row.name,
                library_layout=row.library_layout,
                files=tuple(files[row.id]),
                state=SampleState(row.state),
                input_fingerprint=row.input_fingerprint,
                quant=quants.get(row.id),
            )
            for row in rows
        ),
        key=lambda sample: sample.accession,
    )


def quant_files(session: Session, experiment: str) -> list[QuantFileInfo]:
    """Quant files of all eligible RNA-seq samples of the experiment, owned or shared, by accession."""
    query = _eligible(_members(select(Sample.id, Sample.accession, LedgerEntry.state)), experiment)
    rows = session.execute(query).all()
    quants = quant_file_of_sample(session, [row.id for row in rows])
    return sorted(
        (_quant_file_info(row.accession, SampleState(row.state), quants.get(row.id)) for row in rows),
        key=lambda info: info.sample,
    )


def _quant_file_info(sample: str, state: SampleState, quant: ComputedFileInfo | None) -> QuantFileInfo:
    if quant is None:
        return QuantFileInfo(sample=sample, state=state, key=None, sha256=None, metrics={})
    return QuantFileInfo(sample=sample, state=state, key=quant.key, sha256=quant.sha256, metrics=quant.metrics)


def experiment_organisms(session: Session, experiment: str) -> list[str]:
    """UPPER_SNAKE names of the organisms of the experiment's eligible RNA-seq samples, sorted."""
    query = _eligible(
        _members(select(Organism.name).select_from(Sample)).join(Organism, Organism.id == Sample.organism_id),
        experiment,
    )
    return sorted(session.scalars(query.distinct()))


def ledger_completeness(session: Session, experiment: str) -> tuple[int, int]:
    """Samples of the experiment in the catalog, and how many of them have a state in the ledger."""
    query = (
        select(func.count(Sample.id), func.count(LedgerEntry.accession))
        .join(ExperimentSample, ExperimentSample.sample_id == Sample.id)
        .join(Experiment, Experiment.id == ExperimentSample.experiment_id)
        .outerjoin(LedgerEntry, LedgerEntry.accession == Sample.accession)
        .where(Experiment.accession == experiment)
    )
    samples, with_state = session.execute(query).one()
    return samples, with_state


def sample_statuses(session: Session, accessions: Sequence[str]) -> dict[str, SampleStatus]:
    """Statuses by accession; accessions that the ledger does not know as samples are absent."""
    query = (
        select(
            LedgerEntry,
            Sample.title,
            Organism.name.label("organism"),
            Platform.name.label("platform"),
        )
        .outerjoin(Sample, Sample.accession == LedgerEntry.accession)
        .outerjoin(Organism, Organism.id == Sample.organism_id)
        .outerjoin(Platform, Platform.id == Sample.platform_id)
        .where(LedgerEntry.kind == LedgerKind.SAMPLE)
    )
    rows = rows_where_in(session, query, LedgerEntry.accession, sorted(set(accessions)))
    return {entry.accession: _status(entry, *names) for entry, *names in rows}


def _status(entry: LedgerEntry, title: str | None, organism: str | None, platform: str | None) -> SampleStatus:
    return SampleStatus(
        accession=entry.accession,
        title=title,
        organism=organism,
        platform=platform,
        state=SampleState(entry.state),
        reason=entry.reason,
        message=entry.message,
        updated_at=entry.updated_at,
        run_id=entry.run_id,
        tool_versions=entry.tool_versions,
    )


def _members(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return query.join(ExperimentSample, ExperimentSample.sample_id == Sample.id).join(
        Experiment, Experiment.id == ExperimentSample.experiment_id
    )


def _eligible(query: Select[*tuple[Any, ...]], experiment: str) -> Select[*tuple[Any, ...]]:
    return query.join(LedgerEntry, LedgerEntry.accession == Sample.accession).where(
        Experiment.accession == experiment,
        Sample.technology == Technology.RNA_SEQ,
        LedgerEntry.state.not_in(sorted(INELIGIBLE_STATES)),
        LedgerEntry.reason.not_in((BLACKLISTED_RUN, IMPORTED)),
    )


def original_files(session: Session, sample_ids: Iterable[int]) -> dict[int, list[OriginalFile]]:
    """Files of samples by sample id, in order; samples without any are absent, or give an empty list."""
    query = select(OriginalFileSample.sample_id, OriginalFileRow).join_from(OriginalFileSample, OriginalFileRow)
    files: dict[int, list[OriginalFile]] = defaultdict(list)
    for sample_id, row in rows_where_in(session, query, OriginalFileSample.sample_id, sample_ids):
        files[sample_id].append(
            OriginalFile(
                url=row.url,
                filename=row.filename,
                kind=cast("OriginalFileKind", row.kind),
                mate=row.mate,
                size_bytes=row.size_bytes,
                md5=row.md5,
            )
        )
    for of_sample in files.values():
        of_sample.sort(key=lambda file: (file.mate, file.filename, file.url))
    return files


def titles(session: Session, accessions: Sequence[str]) -> dict[str, str]:
    """Titles of experiments and samples by accession; unknown accessions are absent."""
    wanted = sorted(set(accessions))
    return {
        row.accession: row.title
        for model in (Experiment, Sample)
        for row in rows_where_in(session, select(model.accession, model.title), model.accession, wanted)
    }
