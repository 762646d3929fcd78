"""Studies made up for tests: ENA-shaped rows and FASTQ files, written as a study folder in moments.

    study = SyntheticStudy("SRP900001")
    study.add_run(fastq=simulated_reads(transcripts, pairs=500), strategy="RNA-Seq")
    study.add_run(strategy="ChIP-Seq")
    study.write(tmp_path)               # -> tmp_path/SRP900001, ready for LocalArchive(tmp_path)

The accessions lie outside the numbers the archives have given out: runs get nine digits (``SRR9``, the last four digits
of the study, the number of the run), and studies should be named ``SRP9…``.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

from examples.synthetic_files import gzipped, pubmed_record, write_json

Layout = Literal["SINGLE", "PAIRED", "PAIRED_WITH_UNMATED"]

FASTQ_HOST = "ftp.sra.ebi.ac.uk"

ONE_READ = b"@read.1\nACGTACGTACGTACGTACGTACGTACGTACGTACGTACGTACGTACGTACGT\n+\n" + b"I" * 52 + b"\n"
"""FASTQ of runs whose reads do not matter."""

_SUFFIXES: dict[Layout, tuple[str, ...]] = {
    "SINGLE": ("",),
    "PAIRED": ("_1", "_2"),
    "PAIRED_WITH_UNMATED": ("", "_1", "_2"),
}
_COMPLEMENT = str.maketrans("ACGTN", "TGCAN")


@dataclass(slots=True, kw_only=True)
class SyntheticRun:
    """A run: its ENA columns, its files, and what BioSamples says about its sample (None: no record there)."""

    accession: str
    columns: dict[str, str]
    files: dict[str, bytes]
    biosample: dict[str, Any] | None
    sra: bytes | None = None


@dataclass(slots=True)
class SyntheticStudy:
    """Builds a study folder for the local archive.

    Args:
        accession: ``secondary_study_accession``; several joined by ``;`` as ENA does.
        organism: Scientific name.
        taxonomy_id: NCBI taxonomy id.
        title: Study title.
        first_public: Day of publication.
        last_updated: Day of the last change.
        pubmed_id: A publication to link.
        columns: Further columns of the study row.
    """

    accession: str
    organism: str = "Arabidopsis thaliana"
    taxonomy_id: int = 3702
    title: str = "A study made up for a test"
    first_public: date = date(2020, 1, 1)
    last_updated: date = date(2020, 1, 2)
    pubmed_id: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    runs: list[SyntheticRun] = field(default_factory=list)

    @property
    def number(self) -> int:
        """Number in the study's accession; runs without an accession are numbered from it."""
        return int("".join(filter(str.isdigit, self.accession.split(";")[0])))

    @property
    def project(self) -> str:
        """``study_accession`` of the study."""
        return f"PRJNA9{self.number:09d}"

    def add_run(
        self,
        accession: str | None = None,
        *,
        fastq: Sequence[bytes] | None = None,
        layout: Layout | None = None,
        strategy: str = "RNA-Seq",
        source: str = "TRANSCRIPTOMIC",
        controlled_access: bool = False,
        attributes: Mapping[str, str] | None = None,
        **columns: str,
    ) -> SyntheticRun:
        """Add a run.

        Args:
            accession: Run accession; one after the other if None.
            fastq: Content of each file, plain or gzipped; one read each if None.
            layout: By the number of files (1 single, 2 paired, 3 unmated reads first) if None.
            strategy: ``library_strategy``.
            source: ``library_source``.
            controlled_access: No FASTQ columns, and "dbGaP" in the titles.
            attributes: BioSample characteristics; ``{}`` for a record without any, None for no record.
            **columns: ENA columns that differ from the defaults (``instrument_model``, ``scientific_name`` …).

        Returns:
            The run, to be changed further if need be.
        """
        layout = layout or ("SINGLE", "PAIRED", "PAIRED_WITH_UNMATED")[len(fastq or (b"",)) - 1]
        contents = list(fastq) if fastq is not None else [ONE_READ] * len(_SUFFIXES[layout])
        run = accession or f"SRR9{self.number % 10_000:04d}{len(self.runs):04d}"
        files = {
            f"{run}{suffix}.fastq.gz": gzipped(content)
            for suffix, content in zip(_SUFFIXES[layout], contents, strict=True)
        }
        if controlled_access:
            files = {}
        row = self._row(run, layout, strategy=strategy, source=source) | file_columns(run, files)
        if controlled_access:
            row |= {"study_title": f"dbGaP: {self.title}", "experiment_title": "Access by dbGaP approval only"}
        row |= columns
        biosample = None if attributes is None else self._biosample(row["sample_accession"], attributes)
        added = SyntheticRun(accession=run, columns=row, files=files, biosample=biosample)
        self.runs.append(added)
        return added

    def write(self, root: Path) -> Path:
        """Write the study folder below ``root``, over an earlier version of it; returns the folder."""
        folder = root / self.accession.split(";")[0]
        for run in self.runs:
            self._write_files(folder, run)
        write_json(folder / "study.json", [self._study_row()])
        if self.pubmed_id is not None:
            write_json(folder / "xref.json", [self._xref_row(self.pubmed_id)])
            record = pubmed_record(self.pubmed_id, title=self.title, year=self.first_public.year)
            write_json(folder / "pubmed.json", {self.pubmed_id: record})
        # Last: a folder counts as a study once this file is there.
        write_json(folder / "read_run.json", [run.columns for run in self.runs])
        return folder

    def _write_files(self, folder: Path, run: SyntheticRun) -> None:
        if run.biosample is not None:
            write_json(folder / "biosamples" / f"{run.biosample['accession']}.json", run.biosample)
        for name, content in run.files.items():
            path = folder / "files" / FASTQ_HOST / fastq_folder(run.accession) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if run.sra is not None:
            path = folder / "files" / "sra-pub-run-odp.s3.amazonaws.com" / "sra" / run.accession / run.accession
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(run.sra)

    def _row(self, run: str, layout: Layout, *, strategy: str, source: str) -> dict[str, str]:
        number = run[3:]
        return {
            "run_accession": run,
            "experiment_accession": f"SRX{number}",
            "sample_accession": f"SAMN{number}",
            "secondary_sample_accession": f"SRS{number}",
            "study_accession": self.project,
            "secondary_study_accession": self.accession.split(";")[0],
            "tax_id": str(self.taxonomy_id),
            "scientific_name": self.organism,
            "instrument_platform": "ILLUMINA",
            "instrument_model": "Illumina HiSeq 2500",
            "library_layout": "SINGLE" if layout == "SINGLE" else "PAIRED",
            "library_strategy": strategy,
            "library_source": source,
            "library_selection": "cDNA",
            "read_count": "1",
            "study_title": self.title,
            "experiment_title": f"Sequencing of sample {number}",
            "sample_title": f"Sample {number}",
            "first_public": self.first_public.isoformat(),
            "last_updated": self.last_updated.isoformat(),
            "status": "public",
        }

    def _biosample(self, accession: str, attributes: Mapping[str, str]) -> dict[str, Any]:
        characteristics = {name: [{"text": value}] for name, value in attributes.items()}
        return {
            "name": accession,
            "accession": accession,
            "taxId": self.taxonomy_id,
            "status": "PUBLIC",
            "characteristics": {"organism": [{"text": self.organism}], **characteristics},
        }

    def _study_row(self) -> dict[str, str]:
        return {
            "accession": self.project,
            "study_accession": self.project,
            "secondary_study_accession": self.accession,
            "study_title": self.title,
            "study_description": f"{self.title}.",
            "center_name": "",
            "scientific_name": self.organism,
            "tax_id": str(self.taxonomy_id),
            "geo_accession": "",
            "first_public": self.first_public.isoformat(),
            "last_updated": self.last_updated.isoformat(),
            "status": "public",
            **self.columns,
        }

    def _xref_row(self, pubmed_id: str) -> dict[str, str]:
        return {"Source": "PubMed", "Source Primary Accession": pubmed_id, "Target Primary Accession": self.project}


def fastq_folder(run: str) -> str:
    """ENA's folder of a run: the digits past its ninth character, padded to three, make a level of their own.

    Source: https://ena-docs.readthedocs.io/en/latest/retrieval/file-download.html
    """
    extra = run[9:]
    shard = f"{extra.zfill(3)}/" if extra else ""
    return f"vol1/fastq/{run[:6]}/{shard}{run}"


def file_columns(run: str, files: Mapping[str, bytes]) -> dict[str, str]:
    """ENA's ``fastq_*`` columns for gzipped files by name; several are joined by ``;``."""
    return {
        "fastq_ftp": ";".join(f"{FASTQ_HOST}/{fastq_folder(run)}/{name}" for name in files),
        "fastq_bytes": ";".join(str(len(content)) for content in files.values()),
        "fastq_md5": ";".join(hashlib.md5(content, usedforsecurity=False).hexdigest() for content in files.values()),
    }


def simulated_reads(
    transcripts: Mapping[str, str], *, pairs: int, read_length: int = 75, fragment_length: int = 200, seed: int = 0
) -> tuple[bytes, bytes]:
    """FASTQ of read pairs drawn without errors from transcripts, in proportion to their lengths.

    Args:
        transcripts: Sequences by name; those shorter than a read are never drawn.
        pairs: Number of pairs.
        read_length: Bases per read.
        fragment_length: Bases from the start of the first read to the end of the second; a shorter transcript is one
            fragment.
        seed: Same seed, same reads.

    Returns:
        Content of the first and the second file. The first alone is single-end data.

    Raises:
        ValueError: No transcript is as long as a read.
    """
    long_enough = {name: sequence for name, sequence in transcripts.items() if len(sequence) >= read_length}
    if not long_enough:
        message = f"No transcript has {read_length} bases."
        raise ValueError(message)
    random_numbers = random.Random(seed)  # noqa: S311 - reads for tests, no secret
    names = list(long_enough)
    drawn = random_numbers.choices(names, weights=[len(long_enough[name]) for name in names], k=pairs)
    mates: tuple[list[str], list[str]] = ([], [])
    for number, name in enumerate(drawn, start=1):
        sequence = long_enough[name].upper()
        fragment = min(fragment_length, len(sequence))
        start = random_numbers.randrange(len(sequence) - fragment + 1)
        left = sequence[start : start + read_length]
        right = sequence[start + fragment - read_length : start + fragment].translate(_COMPLEMENT)[::-1]
        for mate, (reads, bases) in enumerate(zip(mates, (left, right), strict=True), start=1):
            reads.append(f"@{name}.{number}/{mate}\n{bases}\n+\n{'I' * read_length}\n")
    return "".join(mates[0]).encode(), "".join(mates[1]).encode()
