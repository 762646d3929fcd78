"""Building the transcriptome index of an organism: find the genome, extract transcripts, run Salmon, record it.

An index whose inputs, k-mer and Salmon version are unchanged is not built again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from refinebio_assets import __version__
from refinebio_assets.domain.errors import ConfigurationError, InputError, RefinebioError, ToolMissingError
from refinebio_assets.domain.fingerprints import fingerprint_of, md5_of_file, sha256_of_file
from refinebio_assets.domain.organisms import scientific_name
from refinebio_assets.domain.records import GenomeSource, LedgerDecision, OriginalFile
from refinebio_assets.domain.vocabulary import INDEX_KMER, ComputedFileKind, IndexLength, LedgerKind, SampleState
from refinebio_assets.rna_seq.quantification import only_one
from refinebio_assets.rna_seq.run_environment import RunEnvironment
from refinebio_assets.rna_seq.transcriptome_index import GENE_MAP, IndexSource, finish_index, transcripts_from_genome
from refinebio_assets.survey.genomes import find_genome
from resources.archives import Archives
from resources.catalog import Catalog, FileToRecord, ResultToRecord, StateChange, TranscriptomeIndexToRecord
from resources.object_store.temporary import temporary_name
from resources.settings import Settings
from resources.tools.environment import software_environment
from resources.transcriptome_index_files import TranscriptomeIndexFiles

METHOD_VERSION = "1"
PROCESSOR = "Transcriptome Index"
TROUBLE_LASTS = timedelta(days=7)
"""How long it is believed that an index cannot be built (Ensembl does not have the organism) before trying again."""


@dataclass(frozen=True, slots=True)
class GenomeRequest:
    """Which genome to index: an organism of Ensembl, or local files. ``organism`` is the UPPER_SNAKE name."""

    organism: str
    division: str | None = None
    release: str | None = None
    fasta: str | None = None
    gtf: str | None = None


@dataclass(frozen=True, slots=True)
class IndexRun:
    """A built (or reused) index; ``commit`` records it in the catalog once its files are stored."""

    files: TranscriptomeIndexFiles
    reused: bool
    commit: Callable[[], object] | None


def build_transcriptome_index(request: GenomeRequest, length: IndexLength, environment: RunEnvironment) -> IndexRun:
    """Build an organism's index for short or long reads, or take the one that is there if it would be the same.

    That an organism's index cannot be built is remembered, see :func:`known_trouble`.

    Args:
        request: Which genome.
        length: Short (k=23) or long (k=31).
        environment: What the run works with.

    Raises:
        NotFoundError: Ensembl does not have the organism.
        ArchiveError: The files cannot be had.
        MalformedFileError: Genome or annotation is not what it should be.
        ToolFailedError: Salmon failed.
    """
    try:
        return _build(request, length, environment)
    except RefinebioError as error:
        passing = error.retryable or isinstance(error, ToolMissingError | ConfigurationError)
        if request == GenomeRequest(request.organism) and not passing:
            _note_trouble(environment.catalog, request.organism, str(error))
        raise


def _build(request: GenomeRequest, length: IndexLength, environment: RunEnvironment) -> IndexRun:
    catalog, archives, salmon = environment.catalog, environment.archives, environment.salmon
    settings = environment.settings
    source = _genome_source(request, archives, catalog, settings)
    version = salmon.version()
    fingerprint = _fingerprint(source, length, version)
    # Not just any index that was ever built: the current one may be of another release, or of local files.
    if catalog.current_index_fingerprint(request.organism, length) == fingerprint:
        return IndexRun(environment.index_files(request.organism, length), reused=True, commit=None)
    folder = settings.scratch / "indices" / request.organism / length.value
    genome = settings.scratch / "genomes" / request.organism
    with only_one(folder):
        with only_one(genome):  # until it is read: whoever builds the other length removes it when done
            # File names of genomes do not tell their release, their addresses do.
            of_release = genome / fingerprint_of(source.genome_fasta.url, source.gtf.url)[:16]
            fasta = _fetch(source.genome_fasta, of_release, archives)
            gtf = _fetch(source.gtf, of_release, archives)
            inputs = {path.name: sha256_of_file(path) for path in (fasta, gtf)}
            built = transcripts_from_genome(fasta, gtf, folder / "transcripts.fa")
        directory = folder / "index"
        shutil.rmtree(directory, ignore_errors=True)
        salmon.index(built.transcripts_fasta, directory, kmer=INDEX_KMER[length])
        index_source = IndexSource(
            organism=request.organism,
            taxonomy_id=source.taxonomy_id,
            division=source.division,
            release=source.release,
            assembly=source.assembly,
            inputs=inputs,
        )
        info = finish_index(directory, built, source=index_source, length=length, salmon_version=version)
        info["num_transcripts_without_gene"] = sum(not gene for gene, _ in built.gene_map)
        # Out of the way of whoever waits for this lock to build the same index: its files are still to be stored.
        directory = directory.rename(folder.with_name(temporary_name(length.value)))
        shutil.rmtree(folder)
    record = _record(source, length, info, version)
    result = _result(fingerprint, source, info, environment.run_id, _files(directory, record))

    def commit() -> None:
        catalog.record_transcriptome_index(record, result)
        _note_trouble(catalog, request.organism, None)
        reopen_samples(catalog, request.organism, run_id=environment.run_id)
        shutil.rmtree(directory)
        if all(catalog.current_transcriptome_index(request.organism, other) for other in IndexLength):
            with only_one(genome):  # the genome is kept until both lengths are built
                shutil.rmtree(genome)

    return IndexRun(TranscriptomeIndexFiles(directory, info), reused=False, commit=commit)


def _note_trouble(catalog: Catalog, organism: str, message: str | None) -> None:
    trouble = None if message is None else {"message": message, "at": datetime.now(UTC).isoformat()}
    catalog.set_property(f"no_index:{organism}", orjson.dumps(trouble).decode())


def known_trouble(catalog: Catalog, organism: str, *, moment: datetime) -> str | None:
    """Why an organism's index could not be built within the last days; None if it could, or nobody tried."""
    trouble = orjson.loads(catalog.property(f"no_index:{organism}") or "null")
    if trouble is None or moment - datetime.fromisoformat(trouble["at"]) > TROUBLE_LASTS:
        return None
    return str(trouble["message"])


def reopen_samples(catalog: Catalog, organism: str, *, run_id: str) -> None:
    """Samples that waited for this organism's index, or failed with the one before, can be tried now."""
    message = f"The run can be processed: there is a new transcriptome index of {scientific_name(organism)}."
    decision = LedgerDecision(state=SampleState.SURVEYED, reason="eligible", message=message)
    catalog.ledger.set_states(
        [
            StateChange(
                accession=entry.accession,
                kind=LedgerKind.SAMPLE,
                experiment_accession=entry.experiment_accession,
                decision=decision,
                run_id=run_id,
                forget_attempts=True,
            )
            for entry in catalog.ledger.failed_with_index(organism)
        ]
    )


def _genome_source(request: GenomeRequest, archives: Archives, catalog: Catalog, settings: Settings) -> GenomeSource:
    if request.fasta is not None or request.gtf is not None:
        return _local_source(request)
    hint = remembered_division(catalog, request.organism)
    return find_genome(
        archives.ensembl,
        request.organism,
        division=request.division or hint,
        release=request.release or settings.ensembl_release,
    )


def remembered_division(catalog: Catalog, organism: str) -> str | None:
    """The Ensembl division that a survey of the organism's transcriptome found it in."""
    text = catalog.property(f"genome:{organism}")
    return str(orjson.loads(text)["division"]) if text else None


def remember_genome(catalog: Catalog, source: GenomeSource) -> None:
    """Keep where an organism's genome was found."""
    catalog.set_property(f"genome:{source.organism}", orjson.dumps(asdict(source)).decode())


def _local_source(request: GenomeRequest) -> GenomeSource:
    if request.fasta is None or request.gtf is None:
        message = "A genome FASTA and its GTF belong together."
        raise InputError(message, remedy="Give both --fasta and --gtf, or neither to use Ensembl.")
    files = []
    for name, kind in ((request.fasta, "genome_fasta"), (request.gtf, "gtf")):
        path = Path(name).absolute()
        if not path.is_file():
            message = "There is no such file."
            raise InputError(message, path=path)
        files.append(
            OriginalFile(
                url=path.as_uri(),
                filename=path.name,
                kind=kind,  # type: ignore[arg-type]  # one of the two literals above
                size_bytes=path.stat().st_size,
                md5=md5_of_file(path),
            )
        )
    return GenomeSource(
        organism=request.organism,
        taxonomy_id=0,
        division="local files",
        release=request.release or "unknown",
        assembly="unknown",
        genome_fasta=files[0],
        gtf=files[1],
    )


def _fetch(file: OriginalFile, folder: Path, archives: Archives) -> Path:
    if file.url.startswith("file://"):
        return Path(file.url.removeprefix("file://"))
    destination = folder / file.filename
    if not destination.exists():
        archives.ensembl.download(file.url, destination, size_bytes=file.size_bytes, md5=file.md5)
    return destination


def _fingerprint(source: GenomeSource, length: IndexLength, salmon_version: str) -> str:
    files = [[file.url, file.size_bytes, file.md5] for file in (source.genome_fasta, source.gtf)]
    return fingerprint_of("transcriptome_index", METHOD_VERSION, files, INDEX_KMER[length], salmon_version)


def _record(
    source: GenomeSource, length: IndexLength, info: dict[str, Any], salmon_version: str
) -> TranscriptomeIndexToRecord:
    return TranscriptomeIndexToRecord(
        organism=source.organism,
        taxonomy_id=source.taxonomy_id or None,
        length=length,
        kmer=INDEX_KMER[length],
        division=source.division,
        release=source.release,
        assembly=source.assembly,
        salmon_version=salmon_version,
        key_prefix=f"transcriptome_index/{source.organism}/{length.value}/{info['sha256']}",
        sha256=info["sha256"],
        num_transcripts=info["num_transcripts"],
        num_genes=info["num_genes"],
    )


def _files(directory: Path, record: TranscriptomeIndexToRecord) -> tuple[FileToRecord, ...]:
    kinds = {GENE_MAP: ComputedFileKind.GENE_TO_TRANSCRIPT_MAP}
    return tuple(
        FileToRecord(
            key=f"{record.key_prefix}/{path.name}",
            filename=f"{record.organism}_{record.length.value}_{path.name}",
            kind=kinds.get(path.name, ComputedFileKind.TRANSCRIPTOME_INDEX),
            size_bytes=path.stat().st_size,
            sha256=sha256_of_file(path),
            organism=record.organism,
        )
        for path in sorted(directory.iterdir())
    )


def _result(
    fingerprint: str, source: GenomeSource, info: dict[str, Any], run_id: str, files: tuple[FileToRecord, ...]
) -> ResultToRecord:
    return ResultToRecord(
        processor=PROCESSOR,
        processor_version=METHOD_VERSION,
        environment=software_environment(salmon=info["salmon_version"]),
        fingerprint=fingerprint,
        commands=(f"salmon index -t transcripts.fa -i index -k {info['kmer']}",),
        parameters={"kmer": info["kmer"], "release": source.release, "division": source.division},
        inputs=info["inputs"],
        metrics=info["counts"],
        code_version=__version__,
        run_id=run_id,
        files=files,
    )
