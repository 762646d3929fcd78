"""Asset of the array path: `array_expression`, one partition per experiment."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg

from refinebio_assets.microarray.array_quality import LEAST_CORRELATION
from refinebio_assets.microarray.expression_run import ArrayRun, express_arrays
from refinebio_assets.microarray.run_environment import ArrayEnvironment
from refinebio_assets.partition_runs import AssetEvents, PartitionResult, each_partition
from refinebio_assets.partitions import experiments
from refinebio_assets.survey.assets import BATCH, OWNERS, samples

GROUP = "microarray"
ENVIRONMENT = {"archives", "catalog", "object_store", "settings"}
"""Resources of an :class:`ArrayEnvironment`."""
NOTHING_TO_DO = "No array of this experiment has values: the ledger says why for each."


@contextmanager
def array_environment(context: dg.AssetExecutionContext) -> Iterator[ArrayEnvironment]:
    """What a run works with, from Dagster's resources; the archive clients are closed at the end."""
    resources = context.resources
    with resources.archives.open() as archives:
        yield ArrayEnvironment(
            archives=archives,
            catalog=resources.catalog.connect(),
            store=resources.object_store.store(),
            settings=resources.settings.get(),
            run_id=context.run.run_id,
            log=context.log,
        )


@dg.multi_asset(
    name="array_expression",
    outs={
        "array_expression": dg.AssetOut(
            group_name=GROUP,
            owners=OWNERS,
            kinds={"numpy", "anndata"},
            code_version="1",
            io_manager_key="array_expression_io",
            is_required=False,
        )
    },
    partitions_def=experiments,
    backfill_policy=BATCH,
    pool="arrays",
    # As in `rna_seq_expression`: an experiment without any values has neither value nor checks.
    can_subset=True,
    deps=[samples],
    required_resource_keys=ENVIRONMENT | {"array_expression_io"},
    check_specs=[
        dg.AssetCheckSpec(
            "all_eligible_arrays_processed",
            asset="array_expression",
            description="No eligible array is left out; the ledger says why if one is.",
        ),
        dg.AssetCheckSpec(
            "no_empty_or_repeated_array",
            asset="array_expression",
            description="No array is without spread, and none was submitted twice.",
        ),
        dg.AssetCheckSpec(
            "arrays_agree",
            asset="array_expression",
            description="Every array correlates with the median array of its experiment.",
        ),
    ],
)
def array_expression(context: dg.AssetExecutionContext) -> AssetEvents:
    """Gene expression of an experiment's arrays: every array normalised on its own, one matrix per organism.

    Only arrays whose files, platform reference or method changed are processed again. The array's platform is what its
    CEL file (or its probes) show; what the submitter says is kept beside it.
    """

    def make(experiment: str) -> PartitionResult:
        with array_environment(context) as environment:
            run = express_arrays(experiment, environment)
        if run.value is None:
            return PartitionResult(skipped=NOTHING_TO_DO)
        return PartitionResult(
            value=run.value,
            data_version=run.data_version,
            commit=run.commit,
            metadata=_metadata(run),
            checks=_checks(run),
        )

    yield from each_partition(context, make, saver=context.resources.array_expression_io)


def _metadata(run: ArrayRun) -> dict[str, Any]:
    """What the run did; the IO manager adds what was stored."""
    return {
        "arrays_processed": run.processed,
        "arrays_kept": run.kept,
        "left_out": _list_of(run.left_out),
        "density": dg.MetadataValue.md(run.plot()),
        "ma_plots": dg.MetadataValue.md(run.ma_plot()),
    }


def _list_of(reasons: Mapping[str, str]) -> dg.MetadataValue[Any]:
    """Samples and why they are not there."""
    if not reasons:
        return dg.MetadataValue.text("none")
    return dg.MetadataValue.md("\n".join(f"- **{sample}**: {reason}" for sample, reason in reasons.items()))


def _checks(run: ArrayRun) -> list[dg.AssetCheckResult]:
    number = sum(matrix.n_obs for matrix in (run.value or {}).values())
    empty = run.suspicious_samples
    return [
        dg.AssetCheckResult(
            check_name="all_eligible_arrays_processed",
            passed=not run.left_out,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"left out": len(run.left_out), "in the matrix": number},
        ),
        dg.AssetCheckResult(
            check_name="no_empty_or_repeated_array",
            passed=not empty and not run.copies,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"empty": ", ".join(empty), "repeated": ", ".join(run.copies)},
        ),
        dg.AssetCheckResult(
            check_name="arrays_agree",
            passed=not run.unlike,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"samples": ", ".join(run.unlike), "least correlation": LEAST_CORRELATION},
        ),
    ]
