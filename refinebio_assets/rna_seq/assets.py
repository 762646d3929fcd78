"""Assets of the RNA-seq path: `transcriptome_index`, `quant_files`, `rna_seq_expression`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg

from refinebio_assets.domain.vocabulary import IndexLength
from refinebio_assets.partition_runs import AssetEvents, PartitionResult, each_partition
from refinebio_assets.partitions import experiments, organism_indices
from refinebio_assets.rna_seq.expression_run import ExpressionRun, express
from refinebio_assets.rna_seq.index_run import GenomeRequest, build_transcriptome_index
from refinebio_assets.rna_seq.quantification_run import QuantificationRun, quantify_experiment
from refinebio_assets.rna_seq.run_environment import RunEnvironment
from refinebio_assets.survey.assets import BATCH, OWNERS, samples

GROUP = "rna_seq"
ENVIRONMENT = {"archives", "catalog", "object_store", "settings", "tools", "transcriptome_index_io"}
"""Resources of a :class:`RunEnvironment`."""


@contextmanager
def run_environment(context: dg.AssetExecutionContext) -> Iterator[RunEnvironment]:
    """What a run works with, from Dagster's resources; the archive clients are closed at the end."""
    resources = context.resources
    with resources.archives.open() as archives:
        yield RunEnvironment(
            archives=archives,
            catalog=resources.catalog.connect(),
            store=resources.object_store.store(),
            salmon=resources.tools.salmon(),
            sra_toolkit=resources.tools.sra_toolkit(),
            indices=resources.transcriptome_index_io,
            settings=resources.settings.get(),
            run_id=context.run.run_id,
            log=context.log,
        )


class TranscriptomeIndexConfig(dg.Config):
    """Which genome to index; without anything, the current one of Ensembl.

    Attributes:
        division: Ensembl division (``EnsemblPlants`` …); all are asked if None.
        release: Ensembl (Genomes) release; the current one if None.
        fasta: Local genome FASTA to use instead of Ensembl's; then ``gtf`` is needed too.
        gtf: Local annotation.
    """

    division: str | None = None
    release: str | None = None
    fasta: str | None = None
    gtf: str | None = None


class ExpressionConfig(dg.Config):
    """When to make expression.

    Attributes:
        early: Whether 80 % of at least 25 samples suffice.
    """

    early: bool = False


@dg.asset(
    partitions_def=organism_indices,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"salmon", "ensembl"},
    code_version="1",
    io_manager_key="transcriptome_index_io",
    output_required=False,
    pool="transcriptome_index",
    required_resource_keys=ENVIRONMENT,
    check_specs=[
        dg.AssetCheckSpec(
            "every_transcript_has_a_gene",
            asset="transcriptome_index",
            blocking=True,
            description="Every transcript of the index is in the gene-to-transcript map.",
        )
    ],
)
def transcriptome_index(
    context: dg.AssetExecutionContext,
    config: TranscriptomeIndexConfig,
) -> AssetEvents:
    """Salmon index and gene-to-transcript map of an organism, for short (k=23) and long (k=31) reads.

    Genome and annotation come from Ensembl; lines that mention a pseudogene are dropped, transcripts are cut out of
    the genome.
    """
    io = context.resources.transcriptome_index_io

    def build(key: str) -> PartitionResult:
        organism, length = key.rsplit("|", 1)
        request = GenomeRequest(organism, config.division, config.release, config.fasta, config.gtf)
        with run_environment(context) as environment:
            built = build_transcriptome_index(request, IndexLength(length), environment)
        info = built.files.info
        return PartitionResult(
            value=built.files,
            data_version=info["sha256"][:16],
            commit=built.commit,
            metadata={name: info[name] for name in ("organism", "division", "release", "assembly", "kmer")}
            | {"transcripts": info["num_transcripts"], "genes": info["num_genes"], "reused": built.reused},
            checks=[
                dg.AssetCheckResult(
                    check_name="every_transcript_has_a_gene",
                    passed=info["num_transcripts_without_gene"] == 0,
                    metadata={"transcripts without a gene": info["num_transcripts_without_gene"]},
                )
            ],
        )

    yield from each_partition(context, build, saver=io)


@dg.asset(
    partitions_def=experiments,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"salmon"},
    code_version="1",
    io_manager_key="quant_files_io",
    output_required=False,
    backfill_policy=BATCH,
    pool="quantification",
    deps=[samples, dg.AssetDep(transcriptome_index, partition_mapping=dg.AllPartitionMapping())],
    required_resource_keys=ENVIRONMENT | {"quant_files_io"},
    check_specs=[
        dg.AssetCheckSpec(
            "all_eligible_samples_quantified",
            asset="quant_files",
            description="No eligible sample is left out; the ledger says why if one is.",
        ),
        dg.AssetCheckSpec(
            "mapping_rates",
            asset="quant_files",
            description="Every quantified sample maps at least the required share of its reads.",
        ),
    ],
)
def quant_files(
    context: dg.AssetExecutionContext,
) -> AssetEvents:
    """One quant.sf per sample; only samples whose files, index or Salmon version changed are quantified again."""
    io = context.resources.quant_files_io

    def quantify(experiment: str) -> PartitionResult:
        with run_environment(context) as environment:
            run = quantify_experiment(experiment, environment)
        return PartitionResult(
            value=run.manifest,
            data_version=run.data_version,
            metadata=_quantification_metadata(run),
            checks=_quantification_checks(run),
        )

    yield from each_partition(context, quantify, saver=io)


@dg.multi_asset(
    name="rna_seq_expression",
    outs={
        "rna_seq_expression": dg.AssetOut(
            group_name=GROUP,
            owners=OWNERS,
            kinds={"numpy", "anndata"},
            code_version="1",
            io_manager_key="expression_io",
            is_required=False,
        )
    },
    partitions_def=experiments,
    backfill_policy=BATCH,
    # Checks of an @asset must always be evaluated; those of a multi-asset that can be subset need not: an experiment
    # that waits for samples has neither value nor checks.
    can_subset=True,
    deps=[quant_files],
    required_resource_keys=ENVIRONMENT | {"expression_io"},
    check_specs=[
        dg.AssetCheckSpec(
            "counts_preserved",
            asset="rna_seq_expression",
            description="lengthScaledTPM keeps each sample's total count.",
        ),
        dg.AssetCheckSpec(
            "no_empty_or_repeated_sample",
            asset="rna_seq_expression",
            description="No sample is all zero, and no two samples are the same numbers.",
        ),
    ],
)
def rna_seq_expression(
    context: dg.AssetExecutionContext,
    config: ExpressionConfig,
) -> AssetEvents:
    """Gene expression of an experiment by tximport: counts, abundance (TPM), length, lengthScaledTPM, scaledTPM.

    Made when all samples that can be quantified are; with ``early`` also from 80 % of at least 25.
    """

    def make(experiment: str) -> PartitionResult:
        with run_environment(context) as environment:
            run = express(experiment, environment, early=config.early)
        if run.value is None:
            return PartitionResult(skipped=run.decision.reason)
        return PartitionResult(
            value=run.value,
            data_version=run.data_version,
            commit=run.commit,
            metadata=_expression_metadata(run),
            checks=_expression_checks(run),
        )

    yield from each_partition(context, make, saver=context.resources.expression_io)


def _quantification_metadata(run: QuantificationRun) -> dict[str, Any]:
    """What the run did; the IO manager adds a table of the samples."""
    metadata: dict[str, Any] = {
        "samples_quantified": run.quantified,
        "samples_kept": run.kept,
        "samples_failed": len(run.failed),
    }
    if run.manifest.files:
        metadata["mapping_rates"] = dg.MetadataValue.md(run.plot())
    if run.failed:
        metadata["not_quantified"] = _list_of(run.failed)
    return metadata


def _list_of(reasons: Mapping[str, str]) -> dg.MetadataValue[Any]:
    """Samples and why they are not there."""
    if not reasons:
        return dg.MetadataValue.text("none")
    return dg.MetadataValue.md("\n".join(f"- **{sample}**: {reason}" for sample, reason in reasons.items()))


def _quantification_checks(run: QuantificationRun) -> list[dg.AssetCheckResult]:
    rates = [file.percent_mapped or 0.0 for file in run.manifest.files]
    return [
        dg.AssetCheckResult(
            check_name="all_eligible_samples_quantified",
            passed=not run.failed,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"not quantified": len(run.failed), "quantified": len(run.manifest.files)},
        ),
        dg.AssetCheckResult(
            check_name="mapping_rates",
            passed=all(rate >= run.min_mapping_rate for rate in rates),
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"lowest %": min(rates, default=0.0), "required %": run.min_mapping_rate},
        ),
    ]


def _expression_metadata(run: ExpressionRun) -> dict[str, Any]:
    """How it was made; the IO manager adds what was stored."""
    return {
        "transcripts_without_gene": run.dropped_transcripts,
        "rule": run.decision.reason,
        "left_out": _list_of(run.left_out),
        "density": dg.MetadataValue.md(run.plot()),
    }


def _expression_checks(run: ExpressionRun) -> list[dg.AssetCheckResult]:
    return [
        dg.AssetCheckResult(
            check_name="counts_preserved",
            passed=run.largest_count_difference <= 1e-6,
            metadata={"largest relative difference": run.largest_count_difference},
        ),
        dg.AssetCheckResult(
            check_name="no_empty_or_repeated_sample",
            passed=not run.suspicious_samples,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"samples": ", ".join(run.suspicious_samples)},
        ),
    ]
