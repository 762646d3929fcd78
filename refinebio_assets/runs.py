"""Materialising assets from the command line.

The same assets, instance and ledger as the Dagster UI and the sensors use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from io_managers import SourceMetadataIOManager
from refinebio_assets.dagster_instance import PROCESS_TAG, close_runs, dead_runs, open_instance, this_process
from refinebio_assets.definitions import build_defs, build_resources
from refinebio_assets.domain.errors import ArchiveError, ArchiveNotFoundError, NotFoundError, ObjectStoreError
from refinebio_assets.domain.vocabulary import IndexLength
from refinebio_assets.leftovers import remove_leftovers
from refinebio_assets.partition_runs import ERROR_CODE, EXIT_STATUS
from refinebio_assets.partitions import EXPERIMENTS, add_experiments, add_organisms, index_partition
from refinebio_assets.survey.assets import LINKED_STUDIES
from refinebio_assets.survey.fetch_run import is_unchanged
from refinebio_assets.targets import Target, find_experiments, find_targets
from resources.archives import Archives
from resources.catalog import Catalog
from resources.dagster_adapters import shared_catalog
from resources.object_store import ObjectStore
from resources.settings import Settings

__all__ = [
    "RunFailure",
    "Session",
    "Target",
    "find_experiments",
    "find_targets",
    "ingest_experiment",
    "open_session",
    "process_experiment",
    "survey_experiment",
    "tidy_up_after_the_dead",
]

SURVEY = ("source_metadata", "samples")
EXPRESSION = ("quant_files", "rna_seq_expression")
ARRAYS = ("array_expression",)


@dataclass(frozen=True, slots=True)
class RunFailure:
    """A run that failed, with the reason of its first failed step.

    ``exit_status`` is what a command ends with because of it, ``code`` that of the error if it is one of ours.
    """

    assets: tuple[str, ...]
    partition: str
    message: str
    exit_status: int = 1
    code: str | None = None

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
        message, exit_status, code = _first_failure(result)
        key = str(partition_key)
        return RunFailure(tuple(assets), key, message.removeprefix(f"{key}: "), exit_status, code)

    def survey(self, experiment: str) -> RunFailure | None:
        """Survey an experiment: fetch its metadata, record its samples."""
        add_experiments(self.instance, [experiment])
        return self.materialize(SURVEY, experiment)

    def linked_studies(self, experiment: str) -> list[str]:
        """Sequencing studies that hold reads of an experiment's samples, as its last survey found them."""
        last = self.instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey("samples"), asset_partitions=[experiment]), limit=1
        ).records
        made = last[0].asset_materialization if last else None
        named = made.metadata.get(LINKED_STUDIES) if made is not None else None
        studies = named.value if isinstance(named, dg.JsonMetadataValue) else []
        return [str(study) for study in studies] if isinstance(studies, list) else []

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

    def express_arrays(self, experiment: str) -> RunFailure | None:
        """Normalise an experiment's arrays and make their gene expression."""
        return self.materialize(ARRAYS, experiment)

    def qn_target(self, organism: str) -> RunFailure | None:
        """Make an organism's QN target, or find it up to date."""
        return self._materialize_organism("qn_target", organism)

    def compendium(
        self,
        organism: str,
        *,
        svd_algorithm: str | None = None,
        memory: str | None = None,
        method: str | None = None,
        extend: bool = False,
    ) -> RunFailure | None:
        """Build an organism's compendium; what is not given is as the settings say."""
        given = {"svd_algorithm": svd_algorithm, "memory": memory, "method": method}
        config = {name: value for name, value in given.items() if value is not None} | {"extend": extend}
        return self._materialize_organism("compendium", organism, {"ops": {"compendium": {"config": config}}})

    def quantpendium(self, organism: str) -> RunFailure | None:
        """Pack the quant files of an organism."""
        return self._materialize_organism("quantpendium", organism)

    def _materialize_organism(
        self, asset: str, organism: str, run_config: Mapping[str, Any] | None = None
    ) -> RunFailure | None:
        add_organisms(self.instance, [organism])
        return self.materialize([asset], organism, run_config=run_config)

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


def _first_failure(result: dg.ExecuteInProcessResult) -> tuple[str, int, str | None]:
    """Message, exit status and code of the first failure."""
    for event in result.all_events:
        if event.is_step_failure:
            said = event.step_failure_data.user_failure_data
            if said is not None and said.description:
                status, code = said.metadata.get(EXIT_STATUS), said.metadata.get(ERROR_CODE)
                exit_status = int(str(status.value)) if status is not None else 1
                return str(said.description), exit_status, str(code.value) if code is not None else None
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            return (str(error.message).strip() if error is not None else "step failed"), 1, None
    for event in result.all_events:
        if event.is_job_failure and event.message:
            return str(event.message), 1, None
    return "the run failed", 1, None


Report = Callable[[str], None]


def survey_experiment(
    session: Session, experiment: str, *, refresh: bool = True, archives: Archives | None = None
) -> RunFailure | None:
    """Survey an experiment; one that the archive does not have and nobody ever saw leaves no trace.

    Args:
        session: Open session.
        experiment: Its own accession.
        refresh: Whether its metadata are fetched even if a cheap look shows that they have not changed. Either way they
            are recorded anew, by the rules of today.
        archives: Asked for the cheap look; without them there is none.
    """
    known = bool(session.catalog.ledger.entries([experiment]))
    if not refresh and known and archives is not None and _is_unchanged(session, experiment, archives):
        return session.materialize(["samples"], experiment)
    failed = session.survey(experiment)
    if failed is not None and failed.code == ArchiveNotFoundError.code and not known:
        session.instance.delete_dynamic_partition(EXPERIMENTS, experiment)
    return failed


def _is_unchanged(session: Session, experiment: str, archives: Archives) -> bool:
    stored: SourceMetadataIOManager = build_resources(session.settings)["source_metadata_io"]
    try:
        return is_unchanged(archives, stored.load(experiment))
    except (NotFoundError, ObjectStoreError, ArchiveError):
        return False  # whatever is wrong, fetching it meets it again and tells


def ingest_experiment(session: Session, experiment: str, *, early: bool, report: Report) -> list[RunFailure]:
    """Ingest an experiment and the sequencing studies that hold reads of its samples.

    Args:
        session: Open session.
        experiment: Experiment accession.
        early: Whether tximport may run with >= 25 samples of which >= 80 % are quantified.
        report: Told what is being done.

    Returns:
        What failed on the way; empty if the experiments reached expression or have nothing to process.
    """
    failures: list[RunFailure] = []
    done: set[str] = set()
    waiting = [experiment]
    while waiting:
        one = waiting.pop(0)
        done.add(one)
        failures += process_experiment(session, one, early=early, report=report)
        waiting += [study for study in session.linked_studies(one) if study not in (*done, *waiting)]
    return failures


def process_experiment(session: Session, experiment: str, *, early: bool, report: Report) -> list[RunFailure]:
    """Survey one experiment, build the indices needed, quantify, normalise arrays, and make gene expression.

    Arrays whose platform has no reference wait for it. Arguments and result as :func:`ingest_experiment`.
    """
    report(f"{experiment}: asking the archives")
    failed = survey_experiment(session, experiment)
    if failed is not None:
        return [failed]
    failures = []
    for organism, length in session.missing_indices(experiment):
        report(f"{experiment}: {length.value} transcriptome index of {organism}")
        failed = session.build_index(organism, length)
        if failed is not None:
            failures.append(failed)
    if session.catalog.samples_to_quantify(experiment) or session.catalog.quant_files(experiment):
        report(f"{experiment}: quantifying")
        failed = session.express(experiment, early=early)
        failures += [failed] if failed is not None else []
    if session.catalog.array_files(experiment):
        report(f"{experiment}: normalising arrays")
        failed = session.express_arrays(experiment)
        failures += [failed] if failed is not None else []
    return failures
