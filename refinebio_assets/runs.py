"""Materialising assets from the command line.

The same assets, instance and ledger as the Dagster UI and the sensors use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from refinebio_assets.dagster_instance import PROCESS_TAG, close_runs, dead_runs, open_instance, this_process
from refinebio_assets.definitions import build_defs
from refinebio_assets.domain.accessions import AccessionType, parse_accession
from refinebio_assets.domain.errors import NotFoundError, RefinebioError, UnsupportedAccessionError
from refinebio_assets.domain.vocabulary import IndexLength
from refinebio_assets.leftovers import remove_leftovers
from refinebio_assets.partition_runs import EXIT_STATUS
from refinebio_assets.partitions import add_experiments, add_organisms, index_partition
from resources.archives import Archives, canonical_study
from resources.catalog import Catalog
from resources.dagster_adapters import shared_catalog
from resources.object_store import ObjectStore
from resources.settings import Settings

SURVEY = ("source_metadata", "samples")
EXPRESSION = ("quant_files", "rna_seq_expression")


@dataclass(frozen=True, slots=True)
class RunFailure:
    """A run that failed, with the reason of its first failed step.

    ``exit_status`` is what a command ends with because of it.
    """

    assets: tuple[str, ...]
    partition: str
    message: str
    exit_status: int = 1

    def __str__(self) -> str:
        return f"{self.partition}: {self.message}"


@dataclass(slots=True)
class Session:
    """An open Dagster instance and catalog for one command.

    Args:
        settings: Settings of this process.
        verbose: Whether Dagster's own log lines are shown on standard error.
    """

    settings: Settings
    instance: dg.DagsterInstance
    catalog: Catalog
    verbose: bool = False
    defs: dg.Definitions = field(default_factory=build_defs)

    def materialize(
        self, assets: Sequence[str], partition_key: str, *, run_config: Mapping[str, Any] | None = None
    ) -> RunFailure | None:
        """Materialise assets for one partition in this process.

        Returns:
            None if all went well, else what failed. Errors of single samples are no failure: the ledger has them.
        """
        job = self.defs.resolve_implicit_global_asset_job_def()
        config: dict[str, Any] = dict(run_config or {})
        level = "INFO" if self.verbose else "CRITICAL"
        config["loggers"] = {"console": {"config": {"log_level": level}}}
        result = job.execute_in_process(
            run_config=config,
            instance=self.instance,
            partition_key=partition_key,
            raise_on_error=False,
            asset_selection=[dg.AssetKey(name) for name in assets],
            tags={PROCESS_TAG: this_process(), "refinebio/subject": str(partition_key)},
        )
        if result.success:
            return None
        message, exit_status = _first_failure(result)
        key = str(partition_key)
        return RunFailure(tuple(assets), key, message.removeprefix(f"{key}: "), exit_status)

    def survey(self, experiment: str) -> RunFailure | None:
        """Survey an experiment: fetch its metadata, record its samples."""
        add_experiments(self.instance, [experiment])
        return self.materialize(SURVEY, experiment)

    def build_index(
        self, organism: str, length: IndexLength, *, run_config: Mapping[str, Any] | None = None
    ) -> RunFailure | None:
        """Build (or find up to date) an organism's transcriptome index."""
        add_organisms(self.instance, [organism])
        return self.materialize(["transcriptome_index"], index_partition(organism, length), run_config=run_config)

    def index_was_kept(self) -> bool:
        """Whether the last `transcriptome_index` run found its index up to date."""
        event = self.instance.get_latest_materialization_event(dg.AssetKey("transcriptome_index"))
        made = event.asset_materialization if event is not None else None
        return made is not None and bool(made.metadata["reused"].value)

    def express(self, experiment: str, *, early: bool = False) -> RunFailure | None:
        """Quantify an experiment's samples and make its gene expression."""
        return self.materialize(EXPRESSION, experiment, run_config=expression_config(early=early))

    def missing_indices(self, experiment: str) -> list[tuple[str, IndexLength]]:
        """The transcriptome indices an experiment needs that are not there."""
        return [
            (organism, length)
            for organism in self.catalog.experiment_organisms(experiment)
            for length in IndexLength
            if self.catalog.current_transcriptome_index(organism, length) is None
        ]


def expression_config(*, early: bool) -> dict[str, Any]:
    """Run configuration of the expression chain: whether the early tximport rule may be used."""
    return {"ops": {"rna_seq_expression": {"config": {"early": early}}}}


@contextmanager
def open_session(settings: Settings, *, verbose: bool = False) -> Iterator[Session]:
    """Open instance and catalog; first what killed processes left is removed and their runs are closed."""
    with open_instance(settings) as instance:
        catalog = shared_catalog(settings.catalog_url)
        tidy_up_after_the_dead(settings, instance, catalog)
        yield Session(settings, instance, catalog, verbose)


def tidy_up_after_the_dead(settings: Settings, instance: dg.DagsterInstance, catalog: Catalog) -> int:
    """Mark runs as failed whose process on this machine is gone, and remove what it left; returns how many."""
    dead = dead_runs(instance)
    if dead:
        # Before the runs are closed: a process that is killed while it tidies up leaves them to the next.
        store = ObjectStore.from_url(settings.store_url, endpoint_url=settings.s3_endpoint_url)
        remove_leftovers(settings, catalog, store)
    close_runs(instance, dead)
    return len(dead)


def _first_failure(result: dg.ExecuteInProcessResult) -> tuple[str, int]:
    for event in result.all_events:
        if event.is_step_failure:
            said = event.step_failure_data.user_failure_data
            if said is not None and said.description:
                status = said.metadata.get(EXIT_STATUS)
                return str(said.description), int(str(status.value)) if status is not None else 1
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            return (str(error.message).strip() if error is not None else "step failed"), 1
    for event in result.all_events:
        if event.is_job_failure and event.message:
            return str(event.message), 1
    return "the run failed", 1


@dataclass(frozen=True, slots=True)
class Target:
    """What a query stands for: an experiment to ingest, or why it is none."""

    query: str
    experiment: str | None
    error: RefinebioError | None = None


def find_experiments(queries: Sequence[str], catalog: Catalog, archives: Archives) -> list[Target]:
    """The experiment behind each accession: from the catalog if known, else from the archives.

    A run, sample or project stands for the SRA study it belongs to. Answers are in input order; an accession that
    nobody knows carries its error instead of stopping the others.
    """
    known = {item.query: item for item in catalog.resolve(list(queries))}
    targets = []
    for query in queries:
        experiments = known[query].experiments if query in known else []
        if len(experiments) == 1:
            targets.append(Target(query, experiments[0]))
            continue
        try:
            targets.append(Target(query, _ask_archives(query, archives)))
        except RefinebioError as error:
            targets.append(Target(query, None, error))
    return targets


def _ask_archives(query: str, archives: Archives) -> str:
    accession = parse_accession(query)
    if accession.type not in SEQUENCED:
        kind = accession.type.value.replace("_", " ")
        message = f"{accession} ({kind}) is no accession of the sequence archives, from which experiments are ingested."
        remedy = "Give its sequencing study, project, sample or run (SRP…, PRJ…, SRS…, SAMN…, SRX…, SRR…)."
        raise UnsupportedAccessionError(message, remedy=remedy)
    experiment = canonical_study(archives, accession.value)
    if experiment is None:
        message = f"No SRA/ENA study is known under {accession}."
        raise NotFoundError(message, remedy="Check the accession; ENA lists what it holds at the ENA browser.")
    return experiment


SEQUENCED = frozenset(
    {
        AccessionType.SRA_STUDY,
        AccessionType.BIOPROJECT,
        AccessionType.SRA_EXPERIMENT,
        AccessionType.SRA_SAMPLE,
        AccessionType.BIOSAMPLE,
        AccessionType.SRA_RUN,
    }
)
"""What an unknown accession may name to be looked up at ENA."""

Report = Callable[[str], None]


def ingest_experiment(session: Session, experiment: str, *, early: bool, report: Report) -> list[RunFailure]:
    """Survey, build the indices needed, quantify and make gene expression.

    Args:
        session: Open session.
        experiment: Experiment accession.
        early: Whether tximport may run with >= 25 samples of which >= 80 % are quantified.
        report: Told what is being done.

    Returns:
        What failed on the way; empty if the experiment reached expression or has nothing to process.
    """
    report(f"{experiment}: asking the archives")
    failed = session.survey(experiment)
    if failed is not None:
        return [failed]
    failures = []
    for organism, length in session.missing_indices(experiment):
        report(f"{experiment}: {length.value} transcriptome index of {organism}")
        failed = session.build_index(organism, length)
        if failed is not None:
            failures.append(failed)
    if not session.catalog.samples_to_quantify(experiment) and not session.catalog.quant_files(experiment):
        return failures
    report(f"{experiment}: quantifying")
    failed = session.express(experiment, early=early)
    return [*failures, *([failed] if failed is not None else [])]
