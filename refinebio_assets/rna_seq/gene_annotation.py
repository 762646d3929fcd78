"""Genes, transcripts and exons of a GTF file, with refine.bio's rules.

Format: https://www.ensembl.org/info/website/upload/gff.html.

Every line that contains the word *pseudogene*, in whatever field, is dropped. The gene of a transcript is told by the
``transcript`` lines; GTFs that have none (Ensembl before release 75, some submitters) are read from their ``exon``
lines.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.rna_seq.compressed import is_markup, open_compressed

_COLUMNS = 9
_STRANDS = {b"+": 1, b"-": -1}
_VERSIONED = re.compile(r"((?:ENS[A-Z]*[GT]\d{11})|(?:WBGene\d{8})|(?:FB(?:gn|tr)\d{7}))\.(\d+)")


def _attribute(name: str) -> re.Pattern[bytes]:
    """Finds the value of an attribute. It starts with a literal, which is several times faster to search for."""
    return re.compile(rf'{name}(?<!\w{name})\s+"?([^";]*)"?'.encode())


_GENE_ID, _TRANSCRIPT_ID, _EXON_NUMBER = map(_attribute, ("gene_id", "transcript_id", "exon_number"))
_DESCRIPTIONS = {
    "gene_version": (_attribute("gene_version"),),
    "transcript_version": (_attribute("transcript_version"),),
    "gene_name": (_attribute("gene_name"),),
    "biotype": (_attribute("transcript_biotype"), _attribute("transcript_type")),
}


@dataclass(frozen=True, slots=True)
class Exon:
    """1-based inclusive positions, strand (1 or -1) and rank in the transcript (0 if the GTF does not say)."""

    start: int
    end: int
    strand: int
    rank: int


@dataclass(slots=True, kw_only=True)
class Transcript:
    """A transcript. Ids are stable ids without version; versions are their own fields and empty if unknown."""

    transcript_id: str
    gene_id: str
    sequence: str
    gene_version: str = ""
    transcript_version: str = ""
    gene_name: str = ""
    biotype: str = ""
    has_line: bool = False
    _exons: array[int] = field(default_factory=lambda: array("q"))

    def add(self, exon: Exon) -> None:
        """Add an exon. Exons are kept packed: a human annotation has 1.6 million of them."""
        self._exons.extend((exon.start, exon.end, exon.strand, exon.rank))

    def exons(self) -> list[Exon]:
        """The exons in the order of the file."""
        packed = self._exons
        return [Exon(*packed[at : at + 4]) for at in range(0, len(packed), 4)]

    @property
    def has_exons(self) -> bool:
        """Whether there is any exon."""
        return len(self._exons) > 0


@dataclass(slots=True)
class GeneAnnotation:
    """The transcripts of a GTF file by id, in the order of the file, and what was counted on the way."""

    transcripts: dict[str, Transcript] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


def split_version(identifier: str) -> tuple[str, str]:
    """A stable id and its version: ``ENSG00000000003.14`` -> ``("ENSG00000000003", "14")``.

    Only ids of known grammars (Ensembl, WormBase, FlyBase genes) are split: the ``.1`` of ``AT1G01010.1`` or
    ``Y74C9A.3.1`` is part of the name.
    """
    found = _VERSIONED.fullmatch(identifier)
    return (found[1], found[2]) if found else (identifier, "")


def read_gtf(path: Path) -> GeneAnnotation:
    """Read transcripts and their exons from a GTF file, plain or gzip.

    Lines with defects that real annotations have are left out and counted: exons without ``gene_id`` or
    ``transcript_id``, transcripts without exons, exons of a transcript on a second sequence (the pseudo-autosomal
    regions of X and Y).

    Raises:
        MalformedFileError: Naming file and line: fewer than nine columns, positions that are no numbers or out of
            order, GFF3.
        InputError: No transcript is left.
    """
    annotation = GeneAnnotation()
    dropped: set[bytes] = set()
    with open_compressed(path) as file:
        for number, line in enumerate(file, start=1):
            if line.startswith(b"#") or not line.strip():
                continue
            columns = line.rstrip(b"\r\n").split(b"\t")
            if len(columns) != _COLUMNS:
                raise _not_gtf(path, number, line)
            if b"pseudogene" in line:
                annotation.counts["pseudogene_lines"] += 1
                if columns[2] == b"transcript":
                    dropped.add(_value(_TRANSCRIPT_ID, columns[8]))
            elif columns[2] == b"exon":
                _add_exon(annotation, columns, path, number)
            elif columns[2] == b"transcript":
                _add_transcript(annotation, columns)
    _leave_out(annotation, {split_version(name.decode("utf-8", errors="replace"))[0] for name in dropped})
    if not annotation.transcripts:
        message = "No transcript is left of this GTF file."
        raise InputError(message, path=path, remedy=_counted(annotation.counts))
    return annotation


def _add_exon(annotation: GeneAnnotation, columns: list[bytes], path: Path, number: int) -> None:
    start, end = _positions(columns, path, number)
    if not _value(_GENE_ID, columns[8]):
        if b"Parent=" in columns[8]:
            message = "This is GFF3, not GTF."
            raise MalformedFileError(
                message, path=path, line=number, remedy="Convert it: gffread in.gff3 -T -o out.gtf"
            )
        annotation.counts["exons_without_gene_id"] += 1
        return
    if not _value(_TRANSCRIPT_ID, columns[8]):
        annotation.counts["exons_without_transcript_id"] += 1
        return
    transcript = _transcript(annotation, columns)
    if transcript.sequence != columns[0].decode("utf-8", errors="replace"):
        annotation.counts["exons_on_second_sequence"] += 1
        return
    strand = _STRANDS.get(columns[6])
    if strand is None:
        annotation.counts["exons_without_strand"] += 1
        strand = 1
    rank = _value(_EXON_NUMBER, columns[8])
    transcript.add(Exon(start, end, strand, int(rank) if rank.isdigit() else 0))


def _add_transcript(annotation: GeneAnnotation, columns: list[bytes]) -> None:
    if not (_value(_GENE_ID, columns[8]) and _value(_TRANSCRIPT_ID, columns[8])):
        annotation.counts["transcript_lines_without_id"] += 1
        return
    transcript = _transcript(annotation, columns)
    if not transcript.has_line:
        transcript.has_line = True
        _describe(transcript, columns[8])


def _transcript(annotation: GeneAnnotation, columns: list[bytes]) -> Transcript:
    """The transcript that a line is about, made if it is the first one."""
    name, version = split_version(_text(_TRANSCRIPT_ID, columns[8]))
    known = annotation.transcripts.get(name)
    if known is not None:
        return known
    gene, gene_version = split_version(_text(_GENE_ID, columns[8]))
    made = Transcript(
        transcript_id=name,
        gene_id=gene,
        sequence=columns[0].decode("utf-8", errors="replace"),
        gene_version=gene_version,
        transcript_version=version,
    )
    _describe(made, columns[8])
    annotation.transcripts[name] = made
    return made


def _describe(transcript: Transcript, attributes: bytes) -> None:
    for name, patterns in _DESCRIPTIONS.items():
        for pattern in patterns:
            if value := _text(pattern, attributes):
                setattr(transcript, name, value)


def _leave_out(annotation: GeneAnnotation, dropped: set[str]) -> None:
    """Drop transcripts without exons, and those whose own line named them a pseudogene though their exons did not."""
    counts, kept = annotation.counts, {}
    for name, transcript in annotation.transcripts.items():
        if name in dropped:
            counts["pseudogene_transcripts_with_plain_exons"] += 1
        elif not transcript.has_exons:
            counts["transcripts_without_exons"] += 1
        else:
            kept[name] = transcript
            counts["transcripts_from_exon_lines"] += not transcript.has_line
    annotation.transcripts = kept


def _positions(columns: list[bytes], path: Path, number: int) -> tuple[int, int]:
    try:
        start, end = int(columns[3]), int(columns[4])
    except ValueError as error:
        message = "Start and end of an exon must be numbers."
        raise MalformedFileError(message, path=path, line=number) from error
    if not 1 <= start <= end:
        message = f"An exon cannot reach from {start} to {end}."
        raise MalformedFileError(message, path=path, line=number)
    return start, end


def _value(pattern: re.Pattern[bytes], attributes: bytes) -> bytes:
    found = pattern.search(attributes)
    return found[1].strip() if found else b""


def _text(pattern: re.Pattern[bytes], attributes: bytes) -> str:
    return _value(pattern, attributes).decode("utf-8", errors="replace")


def _not_gtf(path: Path, number: int, line: bytes) -> MalformedFileError:
    if is_markup(line):
        return MalformedFileError("This is a web page or XML message, not GTF.", path=path, line=number)
    found = line.count(b"\t") + 1
    return MalformedFileError(f"A GTF line has nine tab-separated columns, this one {found}.", path=path, line=number)


def _counted(counts: Counter[str]) -> str:
    return (
        "Counted on the way: "
        + (", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "nothing")
        + "."
    )


def transcripts_by_sequence(annotation: GeneAnnotation) -> Iterator[tuple[str, list[Transcript]]]:
    """The transcripts of each sequence (chromosome), both in the order of the file."""
    grouped: dict[str, list[Transcript]] = {}
    for transcript in annotation.transcripts.values():
        grouped.setdefault(transcript.sequence, []).append(transcript)
    yield from grouped.items()
