"""Assets of the survey: `source_metadata` and `samples`, one partition per experiment."""

from collections.abc import Collection, Mapping
from typing import Any

import dagster as dg

from io_managers import SourceMetadataIOManager
from refinebio_assets import __version__
from refinebio_assets.bundled_studies import refuse_whole_studies
from refinebio_assets.domain.accessions import mirrored_series, parse_accession
from refinebio_assets.domain.errors import (
    AccessControlledError,
    ArchiveNotFoundError,
    InputError,
    MalformedPayloadError,
    RefinebioError,
)
from refinebio_assets.domain.fingerprints import fingerprint_of
from refinebio_assets.domain.records import LedgerDecision, SurveyResult
from refinebio_assets.domain.vocabulary import ComputedFileKind, LedgerKind, SampleState
from refinebio_assets.partition_runs import AssetEvents, PartitionResult, each_partition
from refinebio_assets.partitions import add_experiments, add_organisms, experiments
from refinebio_assets.survey.fetch_run import fetch_source_metadata
from refinebio_assets.survey.harmonisation_rules import HARMONISATION_VERSION
from refinebio_assets.survey.harmonised_terms import survey_with_terms
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.reharmonise_run import field_terms
from refinebio_assets.survey.sources import payload_samples, survey_payload
from resources.catalog import Catalog, FileToRecord, ResultToRecord, StateChange
from resources.dagster_adapters import ArchivesResource, CatalogResource, SettingsResource
from resources.object_store import StoredObject
from resources.tools.environment import software_environment

GROUP = "survey"
OWNERS = ["team:data-engineering"]
LINKED_STUDIES = "linked_studies"
"""Metadata of `samples`: the sequencing studies that are followed."""
MOST_ROWS = 500
"""Rows of a table in metadata; the catalog has them all."""
BATCH = dg.BackfillPolicy.multi_run(50)


@dg.asset(
    partitions_def=experiments,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"json", "ena", "geo", "array_express"},
    code_version="2",
    io_manager_key="source_metadata_io",
    output_required=False,
    backfill_policy=BATCH,
    pool="archives",
)
def source_metadata(
    context: dg.AssetExecutionContext,
    archives: ArchivesResource,
    catalog: CatalogResource,
    settings: SettingsResource,
    source_metadata_io: dg.ResourceParam[SourceMetadataIOManager],
) -> AssetEvents:
    """Raw payloads of the public archives about an experiment, content-hashed and immutable.

    For a sequencing study: the ENA run and study rows, the EBI BioSamples of its samples and the publication. For a
    GEO series: what its family file says about series, platforms and samples. For an ArrayExpress study: BioStudies'
    documents, IDF and SDRF. The last two also name the sequencing studies that hold their reads.
    """

    def fetch(experiment: str) -> PartitionResult:
        records = catalog.connect()
        refuse_whole_studies(records, settings.get())
        _refuse_other_accession(experiment, None)
        try:
            with archives.open() as open_archives:
                payload = fetch_source_metadata(open_archives, experiment, scratch=settings.get().scratch)
        except RefinebioError as error:
            note_survey_failure(records, experiment, error, run_id=context.run.run_id)
            raise
        _refuse_other_accession(experiment, payload["accession"])
        return PartitionResult(value=payload, metadata={"source": payload["source"], **_sizes(payload)})

    yield from each_partition(context, fetch, saver=source_metadata_io)


@dg.asset(
    partitions_def=experiments,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"sqlalchemy"},
    code_version="2",
    output_required=False,
    io_manager_key="no_value_io",
    backfill_policy=BATCH,
    deps=[source_metadata],
    check_specs=[
        dg.AssetCheckSpec(
            "every_sample_has_a_state",
            asset="samples",
            blocking=True,
            description="Each sample has exactly one state in the ledger, and none of the payload is missing.",
        ),
        dg.AssetCheckSpec(
            "some_sample_is_eligible",
            asset="samples",
            description="At least one sample can be processed; the ledger says why the others cannot.",
        ),
    ],
)
def samples(
    context: dg.AssetExecutionContext,
    catalog: CatalogResource,
    settings: SettingsResource,
    source_metadata_io: dg.ResourceParam[SourceMetadataIOManager],
) -> AssetEvents:
    """Harmonised sample records with provenance, written to the catalog, and a ledger state for each of them.

    Sequencing studies that hold reads of its samples become partitions and ledger entries of their own.
    """
    records = catalog.connect()
    registry = PlatformRegistry.load()
    terms = field_terms(records)

    def survey(experiment: str) -> PartitionResult:
        payload = source_metadata_io.load(experiment)
        try:
            result = survey_payload(
                payload,
                registry,
                raw_data_source=settings.get().raw_data_source,
                blacklist=registry.blacklisted_runs,
            )
            result = survey_with_terms(result, terms)
            follow_linked_studies(context.instance, records, result)
        except RefinebioError as error:
            note_survey_failure(records, experiment, error, run_id=context.run.run_id)
            raise
        stored = source_metadata_io.current_object(experiment)
        outcome = records.record_survey(result, metadata_sha256=stored.sha256, run_id=context.run.run_id)
        _record_provenance(records, stored, experiment, context.run.run_id)
        add_organisms(context.instance, records.experiment_organisms(experiment))
        return PartitionResult(
            metadata=_survey_metadata(result, outcome.states),
            data_version=stored.sha256[:16],
            checks=_survey_checks(records, result, payload_samples(payload)),
        )

    yield from each_partition(context, survey)


def follow_linked_studies(instance: dg.DagsterInstance, records: Catalog, result: SurveyResult) -> list[str]:
    """Have the sequencing studies surveyed that hold reads of an experiment's samples.

    Done before the experiment is recorded: if the process is killed in between, the experiment is surveyed again.

    Returns:
        Those that nobody knew.
    """
    add_experiments(instance, result.linked_studies)
    return records.ledger.discover(
        result.linked_studies,
        source=result.experiment.source.value.lower(),
        message=f"It holds reads of {result.experiment.accession}; its samples are not known yet.",
    )


def _sizes(payload: Mapping[str, Any]) -> dict[str, int]:
    """How many entries each part of a payload has that is a list or an object."""
    return {name: len(part) for name, part in sorted(payload.items()) if isinstance(part, list | dict)}


def _refuse_other_accession(partition_key: str, canonical: str | None) -> None:
    """Partitions can be added by hand: one that is no experiment, or another name of one, would write about it.

    Raises:
        InputError: The partition is not the experiment's own accession.
    """
    if not parse_accession(partition_key).is_experiment:
        message = f"{partition_key} is not the accession of an experiment."
        raise InputError(
            message, remedy=f"Ask by command, which finds its experiment: refinebio survey {partition_key}"
        )
    canonical = canonical or mirrored_series(partition_key)
    if canonical not in {None, partition_key}:
        message = f"{partition_key} is another accession of {canonical}."
        raise InputError(message, remedy=f"Materialise the partition {canonical} instead.")


def _record_provenance(records: Catalog, stored: StoredObject, experiment: str, run_id: str) -> None:
    """Record the payload that a survey was made from, with the versions of the rules; earlier payloads stay."""
    payload = FileToRecord(
        key=stored.key,
        filename=f"{experiment}_source_metadata.json.gz",
        kind=ComputedFileKind.SOURCE_METADATA,
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        experiment=experiment,
    )
    records.record_result(
        ResultToRecord(
            processor="Survey",
            processor_version=HARMONISATION_VERSION,
            environment=software_environment(),
            fingerprint=fingerprint_of("survey", HARMONISATION_VERSION, experiment, stored.sha256),
            inputs={"source_metadata": stored.sha256},
            code_version=__version__,
            run_id=run_id,
            files=(payload,),
            replaces_kinds_of_sample=False,
        )
    )


def note_survey_failure(records: Catalog, experiment: str, error: RefinebioError, *, run_id: str) -> None:
    """Write to the ledger why an experiment could not be surveyed; transient trouble is marked as worth another try.

    A refusal (403) of metadata is taken for trouble with the archive, not with the study: metadata are always public.
    So is an answer that is cut short. An experiment that is not listed is withdrawn only after a second look. An
    accession that the archive does not have and nobody ever saw is no experiment: nothing is written about it.
    """
    known = records.ledger.entries([experiment]).get(experiment)
    if isinstance(error, ArchiveNotFoundError):
        if known is not None:
            records.discovery.note_missing(experiment, message=str(error), reason=error.code, run_id=run_id)
        return
    state = known.state if known is not None else SampleState.DISCOVERED
    records.ledger.set_states(
        [
            StateChange(
                accession=experiment,
                kind=LedgerKind.EXPERIMENT,
                experiment_accession=experiment,
                decision=LedgerDecision(state=state, reason=error.code, message=str(error)),
                retryable=error.retryable or isinstance(error, AccessControlledError | MalformedPayloadError),
                run_id=run_id,
                attempted=True,
            )
        ]
    )


def _survey_metadata(result: SurveyResult, states: Mapping[str, int]) -> dict[str, Any]:
    rows = [
        dg.TableRecord(
            {
                "sample": sample.record.accession,
                "title": sample.record.title,
                "organism": sample.record.organism or "",
                "platform": sample.record.platform_name or "",
                "state": sample.decision.state.value,
                "reason": sample.decision.reason,
            }
        )
        for sample in result.samples[:MOST_ROWS]
    ]
    ruled_out = {
        sample.record.accession: sample.decision.message
        for sample in result.samples
        if sample.decision.state is not SampleState.SURVEYED
    }
    metadata: dict[str, Any] = {
        "dagster/row_count": len(result.samples),
        "title": result.experiment.title,
        "aliases": ", ".join(result.experiment.aliases) or "none",
        LINKED_STUDIES: dg.MetadataValue.json(list(result.linked_studies)),
        "states": ", ".join(f"{count} {state}" for state, count in states.items()) or "no samples",
        "samples": dg.MetadataValue.table(rows) if rows else dg.MetadataValue.text("no samples"),
        "unmatched_metadata_keys": len(result.coverage),
    }
    if ruled_out:
        lines = [f"- **{accession}**: {message}" for accession, message in list(ruled_out.items())[:MOST_ROWS]]
        metadata["not_eligible"] = dg.MetadataValue.md("\n".join(lines))
    return metadata


def _survey_checks(records: Catalog, result: SurveyResult, in_payload: Collection[str]) -> list[dg.AssetCheckResult]:
    in_catalog, in_ledger = records.ledger_is_complete(result.experiment.accession)
    missing = sorted(set(in_payload) - records.ledger.entries(list(in_payload)).keys())
    seen = len(result.samples)
    eligible = sum(sample.decision.state is SampleState.SURVEYED for sample in result.samples)
    return [
        dg.AssetCheckResult(
            check_name="every_sample_has_a_state",
            passed=not missing and in_catalog == in_ledger and in_catalog >= seen == len(set(in_payload)),
            metadata={
                "in payload": len(set(in_payload)),
                "in catalog": in_catalog,
                "in ledger": in_ledger,
                "missing": ", ".join(missing[:MOST_ROWS]) or "none",
            },
        ),
        dg.AssetCheckResult(
            check_name="some_sample_is_eligible",
            passed=eligible > 0,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"eligible": eligible, "seen": seen},
        ),
    ]
