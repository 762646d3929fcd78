"""Small surveys to record."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from refinebio_assets.domain.accessions import SourceArchive
from refinebio_assets.domain.records import (
    ExperimentRecord,
    HarmonizedValue,
    LedgerDecision,
    OriginalFile,
    SampleRecord,
    SurveyedSample,
    SurveyResult,
)
from refinebio_assets.domain.vocabulary import ComputedFileKind, LedgerKind, SampleState, Technology
from resources.catalog import FileToRecord, ResultToRecord, StateChange

SURVEYED = LedgerDecision(state=SampleState.SURVEYED, reason="eligible", message="Can be quantified.")
CONTROLLED = LedgerDecision(
    state=SampleState.CONTROLLED_ACCESS, reason="dbgap", message="The reads are behind an access committee."
)


def fastq(run: str, *, md5: str | None = None, mate: int = 0) -> OriginalFile:
    name = f"{run}{f'_{mate}' if mate else ''}.fastq.gz"
    return OriginalFile(
        url=f"https://ftp.sra.ebi.ac.uk/vol1/fastq/{run}/{name}",
        filename=name,
        kind="fastq",
        mate=mate,
        size_bytes=1000,
        md5=md5 or "0" * 32,
    )


def sample(accession: str, decision: LedgerDecision = SURVEYED, **changes: Any) -> SurveyedSample:
    number = accession[3:]
    values: dict[str, Any] = {
        "accession": accession,
        "source": SourceArchive.SRA,
        "title": f"larva {number}",
        "organism": "DANIO_RERIO",
        "taxonomy_id": 7955,
        "technology": Technology.RNA_SEQ,
        "platform_accession": "IlluminaHiSeq2500",
        "platform_name": "Illumina HiSeq 2500",
        "manufacturer": "ILLUMINA",
        "run_accession": accession,
        "experiment_accession": f"SRX{number}",
        "secondary_sample_accession": f"SRS{number}",
        "biosample_accession": f"SAMN{number}",
        "library_layout": "SINGLE",
        "harmonized": (
            HarmonizedValue(field="sex", value="female", raw_key="Sex", raw_value="F", rule="synonym:sex"),
            HarmonizedValue(field="age", value="5", unit="day", raw_key="age", raw_value="5 dpf", rule="number"),
        ),
        "annotations": {"read_run": {"run_accession": accession, "tags": ("a", "b")}, "biosample": {"n": 1.5}},
        "files": (fastq(accession),),
    }
    return SurveyedSample(record=SampleRecord(**(values | changes)), decision=decision)


def study(accession: str = "SRP000001", samples: Iterable[SurveyedSample] | int = 3, **changes: Any) -> SurveyResult:
    if isinstance(samples, int):
        samples = [sample(f"SRR{number:07d}") for number in range(1, samples + 1)]
    values: dict[str, Any] = {
        "accession": accession,
        "source": SourceArchive.SRA,
        "title": "Larvae in the cold",
        "technology": Technology.RNA_SEQ,
        "aliases": (f"PRJNA{accession[3:]}", f"GSE{accession[3:]}"),
        "publication_authors": ("Ada B",),
        "first_published": date(2020, 1, 2),
        "last_updated": date(2021, 1, 2),
        "annotations": {"study": [{"center_name": "University"}]},
    }
    return SurveyResult(
        experiment=ExperimentRecord(**(values | changes)), samples=tuple(samples), coverage={"strain": 2}
    )


def change(accession: str, state: SampleState, experiment: str | None = "SRP000001", **values: Any) -> StateChange:
    decision = LedgerDecision(
        state=state, reason=values.pop("reason", state.value), message=values.pop("message", f"It is {state.value}.")
    )
    return StateChange(
        accession=accession,
        kind=values.pop("kind", LedgerKind.SAMPLE),
        experiment_accession=experiment,
        decision=decision,
        **values,
    )


def quant_file(run: str, *, key: str | None = None, experiment: str = "SRP000001", **values: Any) -> FileToRecord:
    return FileToRecord(
        key=key or f"quant_files/{experiment}/{run}/quant.sf.gz",
        filename="quant.sf.gz",
        kind=values.pop("kind", ComputedFileKind.QUANT_SF),
        size_bytes=10,
        sha256=values.pop("sha256", "a" * 64),
        sample=run,
        **values,
    )


def quantification(*files: FileToRecord, fingerprint: str = "f1", **values: Any) -> ResultToRecord:
    return ResultToRecord(
        processor="salmon",
        processor_version=values.pop("processor_version", "1.10.3"),
        environment=values.pop("environment", {"salmon": "1.10.3"}),
        fingerprint=fingerprint,
        metrics=values.pop("metrics", {"percent_mapped": 81.5}),
        files=files,
        **values,
    )


SUPERSEDED = LedgerDecision(
    state=SampleState.SUPERSEDED, reason="processed_from_sra", message="It is processed from its reads."
)
BLACKLISTED = LedgerDecision(
    state=SampleState.FAILED_QC, reason="blacklisted_run", message="The run is on the list of runs known to be bad."
)


def array(accession: str, decision: LedgerDecision = SURVEYED, **changes: Any) -> SurveyedSample:
    """A sample of GEO: measured on an array, or sequenced if ``decision`` is :data:`SUPERSEDED`."""
    values: dict[str, Any] = {
        "source": SourceArchive.GEO,
        "technology": Technology.RNA_SEQ if decision is SUPERSEDED else Technology.MICROARRAY,
        "platform_accession": "GPL1319",
        "platform_name": "[Zebrafish] Affymetrix Zebrafish Genome Array",
        "manufacturer": "AFFYMETRIX",
        "run_accession": None,
        "experiment_accession": None,
        "secondary_sample_accession": None,
        "biosample_accession": None,
        "library_layout": None,
        "files": (),
    }
    return sample(accession, decision, **(values | changes))


def series(accession: str, samples: Iterable[SurveyedSample], **changes: Any) -> SurveyResult:
    """A series of GEO."""
    values: dict[str, Any] = {"source": SourceArchive.GEO, "technology": Technology.MICROARRAY, "aliases": ()}
    return study(accession, samples, **(values | changes))
