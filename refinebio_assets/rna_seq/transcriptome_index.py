"""Transcripts for a Salmon index, from a genome and its annotation or a cDNA file, and the description of the index.

refine.bio extracts transcripts with RSEM's ``rsem-prepare-reference``; the ones made here are the same sequences (a
test compares them).
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.domain.vocabulary import INDEX_KMER, IndexLength
from refinebio_assets.rna_seq.fasta import BASES, fasta_records, reverse_complement
from refinebio_assets.rna_seq.gene_annotation import (
    Exon,
    GeneAnnotation,
    Transcript,
    read_gtf,
    split_version,
    transcripts_by_sequence,
)

GENE_MAP = "genes_to_transcripts.tsv"
TRANSCRIPT_TABLE = "transcripts.tsv"
DESCRIPTION = "index.json"
TRANSCRIPT_COLUMNS = ("gene_id", "gene_version", "transcript_id", "transcript_version", "gene_name", "biotype")

_NOT_HASHED = {DESCRIPTION, "info.json"}
_SHOWN_NAMES = 3


@dataclass(frozen=True, slots=True)
class TranscriptomeBuild:
    """Extracted transcripts.

    ``transcripts_fasta`` has bare transcript ids as headers. ``gene_map`` pairs gene and transcript, in the same order
    as the FASTA, which is the order of sequences in the genome and of transcripts in the GTF. ``counts`` says what was
    kept and what was left out.
    """

    transcripts_fasta: Path
    gene_map: list[tuple[str, str]]
    transcripts: list[Transcript]
    counts: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSource:
    """What an index was made of. ``inputs`` maps file names to their sha256; ``organism`` is the UPPER_SNAKE name."""

    organism: str
    taxonomy_id: int | None
    division: str | None
    release: str | None
    assembly: str | None
    inputs: Mapping[str, str]


def transcripts_from_genome(genome: Path, gtf: Path, out: Path) -> TranscriptomeBuild:
    """Write the spliced sequence of every transcript of a GTF file (refine.bio's pseudogene rule applies).

    Exons are joined in the order of their positions, overlapping ones merged, and complemented on the minus strand. One
    sequence of the genome is in memory at a time.

    Args:
        genome: Genome FASTA, plain or gzip.
        gtf: Annotation of the same assembly, plain or gzip.
        out: Transcript FASTA to write.

    Raises:
        MalformedFileError: One of the inputs is not what it should be.
        InputError: No transcript is left, as when the sequence names of the two files differ.
    """
    annotation = read_gtf(gtf)
    counts = annotation.counts
    waiting = dict(transcripts_by_sequence(annotation))
    kept: list[Transcript] = []
    seen: list[str] = []
    with _atomic(out) as file:
        for name, sequence in _named_sequences(genome):
            seen.append(name)
            for transcript in waiting.pop(name, ()):
                spliced = splice(sequence, transcript.exons())
                if spliced is None:
                    counts["transcripts_beyond_sequence_end"] += 1
                    continue
                _write(file, transcript.transcript_id, spliced, counts)
                kept.append(transcript)
        counts["missing_sequences"] = len(waiting)
        counts["transcripts_on_missing_sequences"] = sum(map(len, waiting.values()))
        if not kept:
            raise _nothing_left(genome, list(waiting), seen)
    return _build(out, kept, counts)


def transcripts_from_cdna(cdna: Sequence[Path], out: Path, *, gtf: Path | None = None) -> TranscriptomeBuild:
    """Take transcripts as they are from transcriptome FASTA files, such as Ensembl's ``cdna.all`` and ``ncrna``.

    With a GTF file, genes come from there, and transcripts it does not have (or has as pseudogenes) are left out.
    Without one, genes come from the ``gene:`` field of Ensembl's headers.

    Raises:
        MalformedFileError: A file is not FASTA, a transcript appears twice, or a header names no gene and there is no
            GTF file.
        InputError: No transcript is left.
    """
    annotation = read_gtf(gtf) if gtf else None
    counts = annotation.counts if annotation else Counter()
    kept: dict[str, Transcript] = {}
    with _atomic(out) as file:
        for path, header, sequence in _headed_sequences(cdna):
            if "pseudogene" in header:
                counts["pseudogene_records"] += 1
                continue
            transcript = _known(annotation, header) if annotation else _from_header(path, header)
            if transcript is None:
                counts["records_without_annotation"] += 1
                continue
            if transcript.transcript_id in kept:
                message = f"The transcript {transcript.transcript_id!r} appears twice."
                raise MalformedFileError(message, path=path)
            kept[transcript.transcript_id] = transcript
            _write(file, transcript.transcript_id, bytes(sequence.translate(BASES)), counts)
        if not kept:
            message = "None of the transcripts in the FASTA file is in the GTF file or a gene of its own."
            raise InputError(message, path=cdna[0], remedy="Do both come from the same release?")
    return _build(out, list(kept.values()), counts)


def splice(sequence: bytearray, exons: Sequence[Exon]) -> bytes | None:
    """The transcript that exons make of a sequence, as ACGTN; None if an exon ends beyond the sequence.

    A transcript with exons on both strands (trans-splicing, as in Drosophila's *mod(mdg4)*) is joined in the order of
    exon ranks.
    """
    if any(exon.end > len(sequence) for exon in exons):
        return None
    strands = {exon.strand for exon in exons}
    if len(strands) > 1:
        ranked = sorted(exons, key=lambda exon: exon.rank)
        return b"".join(_read(sequence, exon.start, exon.end, exon.strand) for exon in ranked)
    joined = b"".join(_read(sequence, start, end, 1) for start, end in _merged(exons))
    return joined if strands == {1} else reverse_complement(joined)


def finish_index(
    directory: Path, build: TranscriptomeBuild, *, source: IndexSource, length: IndexLength, salmon_version: str
) -> dict[str, Any]:
    """Put map, transcript table and description into the directory of a built index.

    Writes ``genes_to_transcripts.tsv`` (gene, transcript; no header, as in refine.bio), ``transcripts.tsv`` (with
    versions, names and biotypes) and ``index.json``.

    Returns:
        The content of ``index.json``; its ``sha256`` identifies the index.
    """
    rows = ("\t".join(pair) for pair in build.gene_map)
    _write_lines(directory / GENE_MAP, rows)
    table = (
        "\t".join(getattr(transcript, column) for column in TRANSCRIPT_COLUMNS) for transcript in build.transcripts
    )
    _write_lines(directory / TRANSCRIPT_TABLE, ["\t".join(TRANSCRIPT_COLUMNS), *table])
    description = {
        "organism": source.organism,
        "taxonomy_id": source.taxonomy_id,
        "division": source.division,
        "release": source.release,
        "assembly": source.assembly,
        "length": length.value,
        "kmer": INDEX_KMER[length],
        "salmon_version": salmon_version,
        "inputs": dict(sorted(source.inputs.items())),
        "num_transcripts": len(build.gene_map),
        "num_genes": build.counts["genes"],
        "counts": dict(sorted(build.counts.items())),
        "sha256": index_content_sha256(directory),
    }
    text = json.dumps(description, indent=2, sort_keys=True) + "\n"
    with _atomic(directory / DESCRIPTION) as file:
        file.write(text.encode())
    return description


def index_content_sha256(directory: Path) -> str:
    """One sha256 (hex) over names and contents of the files of an index.

    Left out are Salmon's logs and ``info.json``, which hold times and the path the index was built at (all other files
    are the same bytes every time), and the description, which holds this hash.
    """
    digest = hashlib.sha256()
    for path in sorted(directory.iterdir()):
        if path.is_file() and path.name not in _NOT_HASHED and path.suffix != ".log":
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.name}\t{content}\n".encode())
    return digest.hexdigest()


def _read(sequence: bytearray, start: int, end: int, strand: int) -> bytes:
    read = bytes(sequence[start - 1 : end]).translate(BASES)
    return read if strand == 1 else reverse_complement(read)


def _merged(exons: Sequence[Exon]) -> list[tuple[int, int]]:
    """Positions in ascending order, overlapping ones united (as RSEM does)."""
    merged: list[tuple[int, int]] = []
    for exon in sorted(exons, key=lambda exon: exon.start):
        if merged and exon.start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], exon.end))
        else:
            merged.append((exon.start, exon.end))
    return merged


def _named_sequences(genome: Path) -> Iterator[tuple[str, bytearray]]:
    names: set[str] = set()
    for header, sequence in fasta_records(genome):
        name = header.split(maxsplit=1)[0]
        if name in names:
            message = f"The sequence {name!r} appears twice."
            raise MalformedFileError(message, path=genome)
        names.add(name)
        yield name, sequence


def _headed_sequences(paths: Sequence[Path]) -> Iterator[tuple[Path, str, bytearray]]:
    for path in paths:
        for header, sequence in fasta_records(path):
            yield path, header, sequence


def _known(annotation: GeneAnnotation, header: str) -> Transcript | None:
    """The annotated transcript of a FASTA header, whose id may carry a version that the GTF keeps apart."""
    name = header.split(maxsplit=1)[0]
    found = annotation.transcripts.get(split_version(name)[0])
    return found or annotation.transcripts.get(name.rpartition(".")[0])


def _from_header(path: Path, header: str) -> Transcript:
    """A transcript from an Ensembl header: ``ENST….2 cdna … gene:ENSG….5 transcript_biotype:… gene_symbol:…``."""
    name, *words = header.split()
    fields = dict(word.split(":", 1) for word in words if ":" in word)
    if "gene" not in fields:
        message = f"The header of {name!r} names no gene."
        raise MalformedFileError(message, path=path, remedy="Give the annotation too, with --gtf.")
    transcript_id, transcript_version = split_version(name)
    gene_id, gene_version = split_version(fields["gene"])
    return Transcript(
        transcript_id=transcript_id,
        gene_id=gene_id,
        sequence="",
        gene_version=gene_version,
        transcript_version=transcript_version,
        gene_name=fields.get("gene_symbol", ""),
        biotype=fields.get("transcript_biotype", ""),
    )


def _write(file: IO[bytes], name: str, sequence: bytes, counts: Counter[str]) -> None:
    file.write(b">" + name.encode() + b"\n" + sequence + b"\n")
    counts["bases"] += len(sequence)


def _build(out: Path, transcripts: list[Transcript], counts: Counter[str]) -> TranscriptomeBuild:
    gene_map = [(transcript.gene_id, transcript.transcript_id) for transcript in transcripts]
    counts["transcripts"] = len(gene_map)
    counts["genes"] = len({gene for gene, _ in gene_map})
    return TranscriptomeBuild(
        out, gene_map, transcripts, {name: count for name, count in sorted(counts.items()) if count}
    )


def _nothing_left(genome: Path, wanted: list[str], seen: list[str]) -> InputError:
    def some(names: list[str]) -> str:
        return ", ".join(names[:_SHOWN_NAMES]) + (" …" if len(names) > _SHOWN_NAMES else "")

    message = f"No transcript lies on this genome: the GTF file names {some(wanted)}, the genome {some(seen)}."
    return InputError(message, path=genome, remedy="Genome and annotation must come from the same source and assembly.")


def _write_lines(path: Path, lines: Sequence[str] | Iterator[str]) -> None:
    with _atomic(path) as file:
        for line in lines:
            file.write(line.encode() + b"\n")


@contextmanager
def _atomic(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name when it is complete, and not at all after an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        unfinished = Path(folder) / path.name
        with unfinished.open("wb") as file:
            yield file
        unfinished.replace(path)
