"""Automation at experiment level: a surveyed experiment is carried through to expression by what the ledger says.

Dagster's own automation conditions would evaluate every partition at every tick (35 s for 60,000); the ledger
answers with one indexed query.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg

from refinebio_assets.domain.vocabulary import IndexLength
from refinebio_assets.partitions import add_organisms, index_partition
from resources.catalog import Catalog
from resources.dagster_adapters import CatalogResource

EXPERIMENTS_PER_TICK = 50
EXPRESSION_CHAIN = ("quant_files", "rna_seq_expression")
SUBJECT_TAG = "refinebio/subject"
ORGANISM_TAG = "refinebio/organism"
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dg.sensor(
    name="experiment_automation",
    target=dg.AssetSelection.assets("transcriptome_index", *EXPRESSION_CHAIN),
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Carries surveyed experiments to expression: first the transcriptome indices, then the samples.",
)
def experiment_automation(
    context: dg.SensorEvaluationContext, catalog: CatalogResource
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Request the index runs and expression runs that surveyed experiments wait for."""
    records = catalog.connect()
    waiting = records.ledger.experiments_to_quantify(limit=EXPERIMENTS_PER_TICK)
    wanted = list(expression_requests(records, waiting, hour=datetime.now(UTC)))
    busy = _unfinished(context.instance)
    requests = [request for request in wanted if request.tags[SUBJECT_TAG] not in busy]
    add_organisms(
        context.instance, {request.tags[ORGANISM_TAG] for request in requests if ORGANISM_TAG in request.tags}
    )
    if not requests:
        yield dg.SkipReason(f"Nothing to request ({len(wanted)} under way)." if wanted else "No experiment waits.")
    yield from requests


def expression_requests(records: Catalog, experiments: Sequence[str], *, hour: datetime) -> Iterator[dg.RunRequest]:
    """Run requests for experiments with samples to quantify: their chain, or the indices they need first.

    The run key holds the experiment's ledger version and the hour: a run that ended without moving the ledger is
    asked for again, but at most once an hour.
    """
    bucket = hour.strftime("%Y%m%d%H")
    wanted: set[tuple[str, IndexLength]] = set()
    for experiment in experiments:
        missing = [
            (organism, length)
            for organism in records.experiment_organisms(experiment)
            for length in IndexLength
            if records.current_transcriptome_index(organism, length) is None
        ]
        wanted.update(missing)
        if not missing:
            yield dg.RunRequest(
                run_key=f"{experiment}:{records.ledger.version_of_experiment(experiment)}:{bucket}",
                partition_key=experiment,
                asset_selection=[dg.AssetKey(name) for name in EXPRESSION_CHAIN],
                tags={SUBJECT_TAG: experiment},
            )
    for organism, length in sorted(wanted):
        yield dg.RunRequest(
            run_key=f"index:{organism}:{length.value}:{bucket}",
            partition_key=index_partition(organism, length),
            asset_selection=[dg.AssetKey("transcriptome_index")],
            tags={SUBJECT_TAG: f"{organism}|{length.value}", ORGANISM_TAG: organism},
        )


def _unfinished(instance: dg.DagsterInstance) -> set[str]:
    """What runs that have not finished are about."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED), limit=1000)
    return {run.tags[SUBJECT_TAG] for run in runs if SUBJECT_TAG in run.tags}
