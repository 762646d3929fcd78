"""Expression that is in the catalog and the store without anything having been processed: inputs of compendia."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia.store_run import expression_parts_of, part_files
from refinebio_assets.domain.accessions import SourceArchive
from refinebio_assets.domain.records import ExperimentRecord, LedgerDecision, SampleRecord, SurveyedSample, SurveyResult
from refinebio_assets.domain.vocabulary import LedgerKind, SampleState, Technology
from resources.catalog import Catalog, ResultToRecord, StateChange
from resources.object_store import ObjectStore

TAXONOMY_IDS = {"HOMO_SAPIENS": 9606, "MUS_MUSCULUS": 10090, "DANIO_RERIO": 7955}
PLATFORMS = {
    Technology.MICROARRAY: ("hgu95av2", "[HG_U95Av2] Affymetrix Human Genome U95 Version 2 Array", "AFFYMETRIX"),
    Technology.RNA_SEQ: ("IlluminaHiSeq2500", "Illumina HiSeq 2500", "ILLUMINA"),
}


def record_expression(
    catalog: Catalog,
    store: ObjectStore,
    values: NDArray[np.floating[Any]],
    *,
    experiment: str,
    samples: Sequence[str],
    genes: Sequence[str],
    organism: str = "HOMO_SAPIENS",
    technology: Technology = Technology.MICROARRAY,
    platform: tuple[str, str, str] | None = None,
    has_raw: bool = True,
) -> None:
    """Record an experiment whose samples are all processed, with its parts.

    Args:
        catalog: To record in.
        store: For the parts.
        values: samples x genes; log2 for arrays, linear for RNA-seq.
        experiment: Its accession.
        samples: Names of the rows.
        genes: Names of the columns.
        organism: UPPER_SNAKE.
        technology: Of all samples.
        platform: Accession, name, manufacturer; a usual one of the technology if None.
        has_raw: Whether the samples count as made from raw data.
    """
    code, name, manufacturer = platform or PLATFORMS[technology]
    surveyed = LedgerDecision(state=SampleState.SURVEYED, reason="eligible", message="Can be processed.")
    records = [
        SampleRecord(
            accession=sample,
            source=SourceArchive.SRA if technology is Technology.RNA_SEQ else SourceArchive.GEO,
            title=f"sample {sample}",
            organism=organism,
            taxonomy_id=TAXONOMY_IDS.get(organism),
            technology=technology,
            platform_accession=code,
            platform_name=name,
            manufacturer=manufacturer,
            has_raw=has_raw,
        )
        for sample in samples
    ]
    study = SurveyResult(
        experiment=ExperimentRecord(
            accession=experiment,
            source=SourceArchive.SRA if technology is Technology.RNA_SEQ else SourceArchive.GEO,
            title=f"study {experiment}",
            technology=technology,
            first_published=date(2020, 1, 2),
            last_updated=date(2021, 1, 2),
        ),
        samples=tuple(SurveyedSample(record=record, decision=surveyed) for record in records),
    )
    catalog.record_survey(study, metadata_sha256="a" * 64)
    parts = expression_parts_of(
        values,
        experiment=experiment,
        technology=technology,
        genes=genes,
        samples=samples,
        organisms=[organism] * len(samples),
        platforms=[code] * len(samples),
    )
    catalog.record_result(
        ResultToRecord(
            processor="Test expression",
            processor_version="1",
            fingerprint=f"expression of {experiment} {len(samples)}"[:64],
            files=tuple(part_files(store, parts)),
        )
    )
    processed = LedgerDecision(state=SampleState.PROCESSED, reason="processed", message="It is there.")
    catalog.ledger.set_states(
        [
            StateChange(accession=one, kind=LedgerKind.SAMPLE, experiment_accession=experiment, decision=processed)
            for one in samples
        ]
    )
    catalog.refresh_experiment_state(experiment)
