"""Assets of whole organisms: `qn_target`, `compendium`, `quantpendium`, one partition per organism."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from refinebio_assets.compendia.asset_reports import (
    ProgressLog,
    checks_table,
    counts_table,
    density_plot,
    reasons_list,
)
from refinebio_assets.compendia.compendium_result_run import CompendiumRun
from refinebio_assets.compendia.compendium_run import build_compendium
from refinebio_assets.compendia.qn_target_run import QnTargetRun, make_qn_target
from refinebio_assets.compendia.quality_checks import CHECK_NAMES
from refinebio_assets.compendia.quantpendium_run import QuantpendiumRun, build_quantpendium
from refinebio_assets.compendia.run_environment import CompendiumEnvironment
from refinebio_assets.compendia.watching import watcher
from refinebio_assets.partition_runs import AssetEvents, PartitionResult, each_partition
from refinebio_assets.partitions import organisms
from refinebio_assets.rna_seq.assets import quant_files, rna_seq_expression
from refinebio_assets.survey.assets import OWNERS

GROUP = "compendia"
ENVIRONMENT = {"catalog", "object_store", "settings"}
"""Resources of a :class:`CompendiumEnvironment`."""
ONE_AT_A_TIME = dg.BackfillPolicy.multi_run(1)
"""Organisms are large and have nothing in common: each is a run of its own."""
EVERY_EXPERIMENT = dg.AllPartitionMapping()
"""Lineage only: which experiments an organism has says the catalog."""
BLOCKING = frozenset(CHECK_NAMES) - {
    "copies_across_experiments",
    "distributions_agree",
    "imputation_converged",
    "imputation_beats_gene_means",
}
"""What every result of a check says decides whether a compendium is refused; these names tell Dagster's pages."""
CHECK_DESCRIPTIONS = {
    "empty_samples": "No sample is without any measured value.",
    "constant_samples": "No sample has one and the same value in all genes.",
    "duplicated_samples": "No sample is there twice, and no two of one experiment are equal to the last digit.",
    "copies_across_experiments": "No sample is a copy of another experiment's; blocks if more than 1 % are.",
    "duplicated_genes": "No gene is there twice.",
    "unmapped_genes": "Every gene has an Ensembl stable id; blocks if more than 5 % have none.",
    "finite_values": "Every value is a number.",
    "observed_values_untouched": "Imputation filled gaps and changed nothing else.",
    "quantile_normalization_deterministic": "The check of distributions gives the same answer when it is repeated.",
    "distributions_agree": "All samples share one distribution, as refine.bio tests it.",
    "imputation_converged": "The imputation came to its end by itself.",
    "imputation_beats_gene_means": "Values that were hidden and imputed are closer to the truth than gene means.",
}


def compendium_environment(context: dg.AssetExecutionContext) -> CompendiumEnvironment:
    """What a run works with, from Dagster's resources."""
    resources = context.resources
    return CompendiumEnvironment(
        catalog=resources.catalog.connect(),
        store=resources.object_store.store(),
        settings=resources.settings.get(),
        run_id=context.run.run_id,
        log=context.log,
    )


def _out(name: str, kinds: set[str]) -> dict[str, dg.AssetOut]:
    return {
        name: dg.AssetOut(
            group_name=GROUP,
            owners=OWNERS,
            kinds=kinds,
            code_version="1",
            io_manager_key=f"{name}_io",
            is_required=False,
        )
    }


@dg.multi_asset(
    name="qn_target",
    outs=_out("qn_target", {"numpy"}),
    partitions_def=organisms,
    backfill_policy=ONE_AT_A_TIME,
    pool="compendia",
    can_subset=True,  # an organism with too few samples has neither value nor checks
    deps=[
        dg.AssetDep(rna_seq_expression, partition_mapping=EVERY_EXPERIMENT),
        dg.AssetDep(dg.AssetKey("array_expression"), partition_mapping=EVERY_EXPERIMENT),
    ],
    required_resource_keys=ENVIRONMENT | {"qn_target_io"},
    check_specs=[
        dg.AssetCheckSpec(
            "agrees_with_the_target_before",
            asset="qn_target",
            description="The distribution is close to that of the target before it (Kolmogorov-Smirnov).",
        )
    ],
)
def qn_target(context: dg.AssetExecutionContext) -> AssetEvents:
    """The distribution that all samples of an organism are given.

    The mean of the sorted values of its arrays on the most common Affymetrix platform, or of its RNA-seq samples where
    there are too few arrays. New samples are added to what was summed before.
    """

    def make(organism: str) -> PartitionResult:
        run = make_qn_target(organism, compendium_environment(context))
        if run.value is None:
            return PartitionResult(skipped=run.skipped)
        if run.commit is not None:
            run.commit()  # stores the target with its sums; the IO manager gives it out
        return PartitionResult(
            value=run.value, data_version=run.data_version, metadata=_target_metadata(run), checks=[_target_check(run)]
        )

    yield from each_partition(context, make, saver=context.resources.qn_target_io)


LARGEST_DRIFT = 0.05
"""Kolmogorov-Smirnov statistic between successive targets above which a person should look."""


def _target_metadata(run: QnTargetRun) -> dict[str, Any]:
    return {
        "version": run.version,
        "technology": run.technology.value if run.technology is not None else "",
        "platform": run.platform or "",
        "samples": run.num_samples,
        "genes": run.num_genes,
        "samples_reused": run.reused,
        "kept": run.kept,
        "left_out": dg.MetadataValue.md(reasons_list(run.summary()["left_out"])),
    }


def _target_check(run: QnTargetRun) -> dg.AssetCheckResult:
    figures = dict(run.agreement._asdict()) if run.agreement is not None else {}
    return dg.AssetCheckResult(
        check_name="agrees_with_the_target_before",
        passed=run.agreement is None or run.agreement.statistic <= LARGEST_DRIFT,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={**figures, "largest statistic": LARGEST_DRIFT},
    )


class CompendiumConfig(dg.Config):
    """How to make a compendium; what is not given is as the settings say.

    Attributes:
        svd_algorithm: ``arpack``, ``randomized`` or ``none``.
        memory: How much it may take, as in ``8GiB``.
        method: ``refinebio-2`` or ``refinebio-1``.
        extend: Whether to go on from the newest compendium, whose samples keep their values.
    """

    svd_algorithm: str | None = None
    memory: str | None = None
    method: str | None = None
    extend: bool = False


@dg.multi_asset(
    name="compendium",
    outs=_out("compendium", {"anndata"}),
    partitions_def=organisms,
    backfill_policy=ONE_AT_A_TIME,
    pool="compendia",
    can_subset=True,  # as above; and what is refused has checks, but no value
    deps=[
        dg.AssetDep(dg.AssetKey("qn_target")),
        dg.AssetDep(rna_seq_expression, partition_mapping=EVERY_EXPERIMENT),
        dg.AssetDep(dg.AssetKey("array_expression"), partition_mapping=EVERY_EXPERIMENT),
    ],
    required_resource_keys=ENVIRONMENT | {"compendium_io"},
    check_specs=[
        *(
            dg.AssetCheckSpec(name, asset="compendium", blocking=name in BLOCKING, description=CHECK_DESCRIPTIONS[name])
            for name in CHECK_NAMES
        ),
        dg.AssetCheckSpec(
            "every_sample_accounted_for",
            asset="compendium",
            description="Every sample of the organism with expression is in the compendium or left out with a reason.",
        ),
    ],
)
def compendium(context: dg.AssetExecutionContext, config: CompendiumConfig) -> AssetEvents:
    """All samples of an organism, arrays and RNA-seq, in one matrix: filtered, imputed, quantile-normalised.

    Out of core, in bounded memory. A version is a hash of all that decides its bytes: the same inputs give the same
    version, which is then not built again. A compendium that fails a blocking check is not stored; the one before stays
    the current one.
    """

    def make(organism: str) -> PartitionResult:
        run = build_compendium(
            organism,
            compendium_environment(context),
            svd_algorithm=config.svd_algorithm,
            memory=config.memory,
            method=config.method,
            extend=config.extend,
            report=ProgressLog(organism, context.log),
        )
        watcher().finished(organism, run.outcome())
        if run.skipped is not None:
            return PartitionResult(skipped=run.skipped)
        return PartitionResult(
            value=run.files,
            data_version=run.version,
            commit=run.commit,
            metadata=_compendium_metadata(run),
            checks=_compendium_checks(run),
            refused=run.refused,
        )

    yield from each_partition(context, make, saver=context.resources.compendium_io)


def _compendium_metadata(run: CompendiumRun) -> dict[str, Any]:
    """What was made and how; the IO manager adds where it is."""
    if run.refused is not None:
        return {}
    summary = run.summary
    densities = {} if not run.densities else {"densities": dg.MetadataValue.md(density_plot(run.densities))}
    return densities | {
        "samples": run.samples,
        "genes": run.genes,
        "reused": run.reused,
        "extends": run.extends or "",
        "not_extended_because": run.full_because or "",
        "share_imputed": float(summary["share_imputed"]),
        "iterations": int(summary["iterations"]),
        "counts": dg.MetadataValue.md(counts_table(summary["filters"])),
        "left_out": dg.MetadataValue.md(reasons_list(run.left_out)),
        "checks": dg.MetadataValue.md(checks_table(run.checks)),
    }


def _compendium_checks(run: CompendiumRun) -> list[dg.AssetCheckResult]:
    results = [
        dg.AssetCheckResult(
            check_name=str(check["name"]),
            passed=bool(check["passed"]),
            severity=dg.AssetCheckSeverity.ERROR if check["blocking"] else dg.AssetCheckSeverity.WARN,
            description=str(check["description"]),
            metadata=_figures(check["metadata"]),
        )
        for check in run.checks
    ]
    return [*results, _accounted(run.samples, run.left_out, run.unaccounted)]


def _figures(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures of a check as Dagster shows them."""
    return {
        name: dg.MetadataValue.json(value) if isinstance(value, list | dict) else "" if value is None else value
        for name, value in figures.items()
    }


def _accounted(samples: int, left_out: Mapping[str, int], unaccounted: Sequence[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name="every_sample_accounted_for",
        passed=not unaccounted,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"in it": samples, "left out": sum(left_out.values()), "unaccounted": ", ".join(unaccounted)},
    )


@dg.multi_asset(
    name="quantpendium",
    outs=_out("quantpendium", {"salmon"}),
    partitions_def=organisms,
    backfill_policy=ONE_AT_A_TIME,
    pool="compendia",
    can_subset=True,
    deps=[dg.AssetDep(quant_files, partition_mapping=EVERY_EXPERIMENT)],
    required_resource_keys=ENVIRONMENT | {"quantpendium_io"},
    check_specs=[
        dg.AssetCheckSpec(
            "every_quant_file_accounted_for",
            asset="quantpendium",
            description="Every quantified sample of the organism is in the archive or left out with a reason.",
        )
    ],
)
def quantpendium(context: dg.AssetExecutionContext) -> AssetEvents:
    """The quant files of all RNA-seq samples of an organism in one archive, with their metadata.

    refine.bio's RNA-seq sample compendium. Files that are missing or damaged are left out, with the reason.
    """

    def make(organism: str) -> PartitionResult:
        report = ProgressLog(organism, context.log)
        run = build_quantpendium(organism, compendium_environment(context), report=report)
        watcher().finished(organism, run.outcome())
        if run.skipped is not None:
            return PartitionResult(skipped=run.skipped)
        return PartitionResult(
            value=run.files,
            data_version=run.version,
            commit=run.commit,
            metadata=_quantpendium_metadata(run),
            checks=[_quant_files_accounted(run)],
        )

    yield from each_partition(context, make, saver=context.resources.quantpendium_io)


def _quantpendium_metadata(run: QuantpendiumRun) -> dict[str, Any]:
    return {
        "samples": run.samples,
        "experiments": run.experiments,
        "reused": run.reused,
        "left_out": dg.MetadataValue.md(reasons_list(run.left_out)),
    }


def _quant_files_accounted(run: QuantpendiumRun) -> dg.AssetCheckResult:
    result = _accounted(run.samples, run.left_out, run.unaccounted)
    return result._replace(check_name="every_quant_file_accounted_for")
