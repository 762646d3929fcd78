"""The jobs that sensors launch: a run covers assets of one kind of partition only."""

from __future__ import annotations

import dagster as dg

SURVEY_CHAIN = ("source_metadata", "samples")
EXPRESSION_CHAIN = ("quant_files", "rna_seq_expression")
ARRAY_CHAIN = ("array_expression",)

process_experiment = dg.define_asset_job(
    "process_experiment",
    selection=dg.AssetSelection.assets(*SURVEY_CHAIN, *EXPRESSION_CHAIN, *ARRAY_CHAIN),
    description="An experiment, or a part of its way from the archives to gene expression.",
)
build_transcriptome_index = dg.define_asset_job(
    "build_transcriptome_index",
    selection=dg.AssetSelection.assets("transcriptome_index"),
    description="The transcriptome index of an organism, for short or long reads.",
)
build_qn_target = dg.define_asset_job(
    "build_qn_target",
    selection=dg.AssetSelection.assets("qn_target"),
    description="The distribution that an organism's samples are normalised to.",
)
build_compendium = dg.define_asset_job(
    "build_compendium",
    selection=dg.AssetSelection.assets("compendium"),
    description="All samples of an organism in one normalised matrix.",
)
build_quantpendium = dg.define_asset_job(
    "build_quantpendium",
    selection=dg.AssetSelection.assets("quantpendium"),
    description="The quant files of all RNA-seq samples of an organism in one archive.",
)
