"""Rows for a catalog: zebrafish and thale cress studies with everything the API shows."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta

from sqlalchemy.orm import Session

from refinebio_assets.domain.vocabulary import SampleState
from resources.catalog.models import (
    Base,
    ComputationalResult,
    ComputedFile,
    Experiment,
    ExperimentAlias,
    ExperimentSample,
    LedgerEntry,
    LedgerHistory,
    Organism,
    OriginalFile,
    OriginalFileSample,
    Platform,
    Processor,
    Sample,
    SampleAlias,
    SampleHarmonizedValue,
    TranscriptomeIndex,
)

MOMENT = datetime(2026, 11, 1, 12, tzinfo=UTC)
STATES = (SampleState.PROCESSED, SampleState.PROCESSED, SampleState.FAILED_QC, SampleState.CONTROLLED_ACCESS)


def experiment_accession(number: int) -> str:
    return f"SRP{number:06}"


def sample_accession(experiment: int, number: int) -> str:
    return f"SRR{experiment:03}{number:05}"


def quant_text(accession: str) -> bytes:
    return (
        f"Name\tLength\tEffectiveLength\tTPM\tNumReads\nENSDART00000000001\t100\t80.0\t1.0\t{len(accession)}\n".encode()
    )


def quant_key(experiment: int, number: int) -> str:
    return f"quant_files/{experiment_accession(experiment)}/{sample_accession(experiment, number)}/quant.sf.gz"


class Rows:
    """Rows by table, so that each table is filled at once and after those it refers to."""

    def __init__(self) -> None:
        self._by_table: dict[str, list[Base]] = {}
        self.files = 0
        self.entries: dict[str, LedgerEntry] = {}

    def add(self, *rows: Base) -> None:
        for row in rows:
            self._by_table.setdefault(row.__tablename__, []).append(row)

    def write(self, session: Session) -> None:
        for table in Base.metadata.sorted_tables:
            session.add_all(self._by_table.get(table.name, []))
            session.flush()


def fill(session: Session, *, experiments: int, samples: int) -> None:
    """``experiments`` studies of ``samples`` runs each; study 1 and 2 share a title."""
    rows = Rows()
    rows.add(
        Organism(id=1, name="DANIO_RERIO", scientific_name="Danio rerio", taxonomy_id=7955),
        Organism(id=2, name="ARABIDOPSIS_THALIANA", scientific_name="Arabidopsis thaliana", taxonomy_id=3702),
        Platform(
            id=1,
            accession="IlluminaHiSeq2000",
            name="Illumina HiSeq 2000",
            manufacturer="ILLUMINA",
            technology="RNA_SEQ",
        ),
        Platform(
            id=2,
            accession="zebrafish",
            name="[Zebrafish] Affymetrix",
            manufacturer="AFFYMETRIX",
            technology="MICROARRAY",
        ),
        Processor(
            id=1, name="salmon quant", version="1.10.3", environment={"salmon": "1.10.3"}, environment_sha256="e" * 64
        ),
    )
    _add_index(rows)
    for number in range(1, experiments + 1):
        _add_experiment(rows, number)
        for sample in range(1, samples + 1):
            _add_sample(rows, number, sample, key=(number - 1) * samples + sample)
    _change(rows, "SRP999999", "experiment", "SRP999999", SampleState.DISCOVERED, "new_upstream")
    rows.add(*rows.entries.values())
    rows.write(session)


def _add_index(rows: Rows) -> None:
    result = ComputationalResult(
        id=100_000, fingerprint="i" * 64, processor_id=1, commands=["salmon index -k 31"], finished_at=MOMENT
    )
    rows.add(result)
    rows.add(
        *[
            TranscriptomeIndex(
                id=key,
                organism_id=1,
                length=length,
                kmer=kmer,
                division="EnsemblVertebrates",
                release="113",
                assembly="GRCz11",
                salmon_version="1.10.3",
                key_prefix=f"transcriptome_index/DANIO_RERIO/{length}/x",
                sha256=length.ljust(64, "0"),
                num_transcripts=100,
                num_genes=50,
                result_id=result.id,
                created_at=MOMENT,
            )
            for key, length, kmer in ((1, "short", 23), (2, "long", 31))
        ]
    )


def _add_experiment(rows: Rows, number: int) -> None:
    accession = experiment_accession(number)
    rows.add(
        Experiment(
            id=number,
            accession=accession,
            source="SRA",
            title="Same title" if number < 3 else f"Study {number}",
            description=f"Fin regeneration {number}",
            technology="RNA_SEQ",
            institution="Example Institute",
            pubmed_id="123" if number % 2 else None,
            publication_authors=["A. Author", "B. Author"],
            first_published=None if number == 3 else date(2020, 1, 1) + timedelta(days=max(number, 2) - 1),
            annotations={"study_type": "Transcriptome"},
            coverage={"tank": 2},
            created_at=MOMENT + timedelta(seconds=number),
            updated_at=MOMENT,
        )
    )
    rows.add(ExperimentAlias(experiment_id=number, alias=f"GSE{number}"))
    _change(rows, accession, "experiment", accession, SampleState.PROCESSED, "expression_available")
    _add_file(
        rows, f"rna_seq_expression/{accession}/{accession}.h5ad", "expression_anndata", b"h5ad", experiment_id=number
    )


def _add_sample(rows: Rows, experiment: int, number: int, *, key: int) -> None:
    accession = sample_accession(experiment, number)
    rows.add(
        Sample(
            id=key,
            accession=accession,
            source="SRA",
            title=f"Fin {number % 2}",
            organism_id=1 if experiment % 2 else 2,
            platform_id=1,
            technology="RNA_SEQ",
            run_accession=accession,
            library_strategy="RNA-Seq",
            library_layout="PAIRED",
            annotations={"characteristics": {"tissue": "fin"}},
            owner_experiment_id=experiment,
            created_at=MOMENT,
            updated_at=MOMENT,
        )
    )
    rows.add(
        *[
            SampleAlias(sample_id=key, alias=f"SAMN{key:08}"),
            ExperimentSample(experiment_id=experiment, sample_id=key),
            SampleHarmonizedValue(
                sample_id=key,
                field="specimen_part",
                value="fin" if number % 2 else "heart",
                raw_key="tissue",
                raw_value="Fin",
                rule="tissue",
            ),
            OriginalFile(
                id=key,
                url=f"https://example.org/{accession}.fastq.gz",
                filename=f"{accession}.fastq.gz",
                kind="fastq",
                size_bytes=2**33,
            ),
        ]
    )
    rows.add(OriginalFileSample(original_file_id=key, sample_id=key))
    state = STATES[(number - 1) % len(STATES)]
    _change(rows, accession, "sample", experiment_accession(experiment), SampleState.SURVEYED, "eligible")
    _change(rows, accession, "sample", experiment_accession(experiment), state, f"because_{state}")
    if state is SampleState.PROCESSED:
        _add_file(rows, quant_key(experiment, number), "quant_sf", quant_text(accession), sample_id=key)


def _add_file(rows: Rows, key: str, kind: str, content: bytes, **owner: int) -> None:
    digest = hashlib.sha256(key.encode()).hexdigest()
    rows.files += 1
    result = ComputationalResult(
        id=rows.files,
        fingerprint=digest,
        processor_id=1,
        commands=["salmon quant"],
        parameters={"libType": "A"},
        inputs={"fastq": "md5"},
        metrics={"percent_mapped": 87.5},
        run_id="run-1",
        finished_at=MOMENT,
    )
    rows.add(result)
    sha256 = hashlib.sha256(content).hexdigest()
    rows.add(
        ComputedFile(
            id=rows.files,
            key=key,
            filename=key.rsplit("/", 1)[-1],
            kind=kind,
            size_bytes=len(content),
            sha256=sha256,
            result_id=result.id,
            created_at=MOMENT,
            **owner,
        )
    )


def _change(rows: Rows, accession: str, kind: str, experiment: str, state: SampleState, reason: str) -> None:
    rows.entries[accession] = LedgerEntry(
        accession=accession,
        kind=kind,
        experiment_accession=experiment,
        state=state.value,
        reason=reason,
        message=f"{accession}: {reason}",
        tool_versions={"salmon": "1.10.3"},
        updated_at=MOMENT,
    )
    rows.add(LedgerHistory(accession=accession, state=state.value, reason=reason, message=reason, at=MOMENT))
