"""Automation at experiment level: a discovered experiment is carried through to expression by what the ledger says.

Dagster's own automation conditions would evaluate every partition at every tick (35 s for 60,000); the ledger
answers with indexed queries. It also knows what no run is about any more: an experiment whose run was killed is asked
for again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg

from refinebio_assets.dagster_instance import close_runs, dead_runs
from refinebio_assets.domain.vocabulary import IndexLength
from refinebio_assets.partitions import add_experiments, add_organisms, index_partition
from refinebio_assets.rna_seq.expression_run import expression_decision
from refinebio_assets.rna_seq.index_run import known_trouble
from resources.catalog import Catalog
from resources.dagster_adapters import CatalogResource, SettingsResource
from resources.settings import Settings
from sensors.discovery import admit_waiting
from sensors.jobs import ARRAY_CHAIN, EXPRESSION_CHAIN, SURVEY_CHAIN, build_transcriptome_index, process_experiment
from sensors.requests import SUBJECT_TAG, chain_request, first_of_each, hour_of, under_way

REQUESTS_PER_TICK = 50
LOOK_AHEAD = 500
"""Experiments looked at in one tick: most of them may be under way or wait for something else."""
ORGANISM_TAG = "refinebio/organism"


def build_experiment_automation(settings: Settings) -> dg.SensorDefinition:
    """The sensor that carries experiments to expression; runs unless it is stopped."""

    @dg.sensor(
        name="experiment_automation",
        jobs=[process_experiment, build_transcriptome_index],
        minimum_interval_seconds=settings.automation_interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Carries experiments to expression, as the ledger says: takes in what waits for today's quotas, surveys "
            "what was discovered or changed upstream, builds the transcriptome indices that are needed, quantifies, "
            "makes expression; normalises arrays whose platform has a reference."
        ),
    )
    def experiment_automation(
        context: dg.SensorEvaluationContext, catalog: CatalogResource, settings: SettingsResource
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        records, moment = catalog.connect(), datetime.now(UTC)
        admit_waiting(records, settings.get(), today=moment.date())
        close_runs(context.instance, dead_runs(context.instance))  # or their experiments would count as under way
        wanted = list(automation_requests(records, settings.get(), moment=moment))
        busy = under_way(context.instance)
        requests = list(first_of_each(wanted, busy=busy, most=REQUESTS_PER_TICK))
        add_experiments(context.instance, (one.tags[SUBJECT_TAG] for one in requests if ORGANISM_TAG not in one.tags))
        add_organisms(context.instance, (one.tags[ORGANISM_TAG] for one in requests if ORGANISM_TAG in one.tags))
        if not requests:
            yield dg.SkipReason(f"{len(wanted)} are under way already." if wanted else "No experiment waits.")
        yield from requests

    return experiment_automation


def automation_requests(catalog: Catalog, settings: Settings, *, moment: datetime) -> Iterator[dg.RunRequest]:
    """All that could be run now: surveys of what changed upstream before it is processed, then the most advanced."""
    for experiment in catalog.discovery.changed_experiments(limit=LOOK_AHEAD):
        version = catalog.ledger.version_of_experiment(experiment)
        yield chain_request(experiment, SURVEY_CHAIN, run_key=f"changed:{experiment}:{version}:{hour_of(moment)}")
    yield from import_requests(catalog, settings, moment=moment)
    yield from expression_requests(catalog, catalog.ledger.experiments_to_quantify(limit=LOOK_AHEAD), moment=moment)
    yield from array_requests(catalog, catalog.experiments_to_process_arrays(limit=LOOK_AHEAD), moment=moment)
    for experiment in catalog.ledger.experiments_to_survey(limit=LOOK_AHEAD):
        version = catalog.ledger.version_of_experiment(experiment)
        yield chain_request(experiment, SURVEY_CHAIN, run_key=f"survey:{experiment}:{version}:{hour_of(moment)}")


def import_requests(catalog: Catalog, settings: Settings, *, moment: datetime) -> Iterator[dg.RunRequest]:
    """Runs for experiments whose samples are all quantified, but whose expression was not made since.

    A run was killed between the two, or another experiment quantified a sample that they share.
    """
    for experiment in catalog.ledger.experiments_to_import(limit=LOOK_AHEAD):
        if expression_decision(experiment, catalog, settings, early=False).run:
            version = catalog.ledger.version_of_experiment(experiment)
            key = f"import:{experiment}:{version}:{hour_of(moment)}"
            yield chain_request(experiment, EXPRESSION_CHAIN, run_key=key)


def expression_requests(catalog: Catalog, experiments: Sequence[str], *, moment: datetime) -> Iterator[dg.RunRequest]:
    """Runs for experiments with samples to quantify: their chain, or the indices they need first.

    The run key holds the experiment's ledger version and the hour: a run that ended without moving the ledger is
    asked for again, but at most once an hour. An index that cannot be built (Ensembl does not have the organism) is
    not waited for: its samples are accounted for, the others processed.
    """
    hour = hour_of(moment)
    missing = _MissingIndices(catalog, moment)
    for experiment in experiments:
        needed = missing.of_experiment(experiment)
        if not needed:
            version = catalog.ledger.version_of_experiment(experiment)
            yield chain_request(experiment, EXPRESSION_CHAIN, run_key=f"{experiment}:{version}:{hour}")
        for organism, length in needed:
            yield dg.RunRequest(
                run_key=f"index:{organism}:{length.value}:{hour}",
                job_name=build_transcriptome_index.name,
                partition_key=index_partition(organism, length),
                asset_selection=[dg.AssetKey("transcriptome_index")],
                tags={SUBJECT_TAG: f"{organism}|{length.value}", ORGANISM_TAG: organism},
            )


def array_requests(catalog: Catalog, experiments: Sequence[str], *, moment: datetime) -> Iterator[dg.RunRequest]:
    """Runs for experiments with arrays to process. Arrays whose platform has no reference wait: importing it asks."""
    for experiment in experiments:
        version = catalog.ledger.version_of_experiment(experiment)
        yield chain_request(experiment, ARRAY_CHAIN, run_key=f"arrays:{experiment}:{version}:{hour_of(moment)}")


class _MissingIndices:
    """Which indices are missing, asked once per organism."""

    def __init__(self, catalog: Catalog, moment: datetime) -> None:
        self._catalog = catalog
        self._moment = moment
        self._known: dict[str, list[IndexLength]] = {}

    def of_experiment(self, experiment: str) -> list[tuple[str, IndexLength]]:
        return [
            (organism, length)
            for organism in self._catalog.experiment_organisms(experiment)
            for length in self._of_organism(organism)
        ]

    def _of_organism(self, organism: str) -> list[IndexLength]:
        if organism not in self._known:
            hopeless = known_trouble(self._catalog, organism, moment=self._moment) is not None
            self._known[organism] = [
                length
                for length in IndexLength
                if not hopeless and self._catalog.current_transcriptome_index(organism, length) is None
            ]
        return self._known[organism]
