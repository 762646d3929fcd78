"""Which files of a sequencing run hold its reads.

ENA lists FASTQ files in ``;``-joined columns without a scheme (``fastq_ftp``, ``fastq_bytes``, ``fastq_md5``). For a
paired run with unmated reads there are three: the unsuffixed one holds the unmated reads and is left out, because
reads without a mate cannot be quantified with the pairs (https://github.com/ncbi/sra-tools/issues/204 is why the
pairs come from ENA and not from the .sra file).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from refinebio_assets.domain.records import OriginalFile
from refinebio_assets.survey.archive_rows import Row, text, whole_number

SRA_BUCKET_URL = "https://sra-pub-run-odp.s3.amazonaws.com/sra"
RawDataSource = Literal["ena", "sra"]

_SCHEME = re.compile(r"[a-z]+://", re.IGNORECASE)
_FASTQ_PATH = re.compile(r"[A-Za-z0-9.-]+(?:/[A-Za-z0-9._+-]+)*/([A-Za-z0-9][A-Za-z0-9._+-]*\.(?:fastq|fq)(?:\.gz)?)")
_MATE = re.compile(r"_([12])\.(?:fastq|fq)(?:\.gz)?$")
_NUMBERED = re.compile(r"_[0-9]+\.(?:fastq|fq)(?:\.gz)?$")
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFiles:
    """The files to quantify a run from.

    Attributes:
        files: One file (mate 0), a pair (mates 1 and 2), or nothing.
        layout: ``SINGLE`` or ``PAIRED`` as the files are to be read; the archive's word where the files do not tell.
        notes: What was left out or read differently from the archive's description, in sentences.
    """

    files: tuple[OriginalFile, ...]
    layout: str
    notes: tuple[str, ...] = ()


def read_files(row: Row, run: str, *, raw_data_source: RawDataSource) -> ReadFiles:
    """Choose the read files of a run.

    Args:
        row: The ENA ``read_run`` row.
        run: Its run accession.
        raw_data_source: ``ena`` prefers the FASTQ files and falls back to the .sra file, ``sra`` takes the .sra file
            of any run whose reads are public.
    """
    fastq = choose_fastq(list_fastq(row), text(row, "library_layout").upper())
    listed_sra = sra_file(row, run)
    if raw_data_source == "sra":
        is_public = listed_sra is not None or bool(text(row, "fastq_ftp"))
        files = (listed_sra or OriginalFile(url=sra_url(run), filename=run, kind="sra"),) if is_public else ()
        return ReadFiles(files=files, layout=text(row, "library_layout").upper())
    if fastq.files or listed_sra is None:
        return fastq
    note = "ENA has no usable FASTQ file of this run; the reads come from the SRA file instead."
    return ReadFiles(files=(listed_sra,), layout=text(row, "library_layout").upper(), notes=(*fastq.notes, note))


def sra_url(run: str) -> str:
    """Address of a run in the SRA's open data bucket (https://registry.opendata.aws/ncbi-sra/)."""
    return f"{SRA_BUCKET_URL}/{run}/{run}"


def sra_file(row: Row, run: str) -> OriginalFile | None:
    """The .sra file of a run, if the row lists one.

    Size and md5 stay unknown: ENA's columns describe its own copy, and NCBI's may have been loaded anew since.
    """
    if not (text(row, "sra_ftp") or text(row, "sra_bytes") or text(row, "sra_md5")):
        return None
    return OriginalFile(url=sra_url(run), filename=run, kind="sra")


def list_fastq(row: Row) -> tuple[OriginalFile, ...]:
    """All FASTQ files a row lists, with size and md5 where the columns have as many entries as there are files."""
    urls = _column(row, "fastq_ftp")
    sizes = _aligned(_column(row, "fastq_bytes"), len(urls))
    md5s = _aligned(_column(row, "fastq_md5"), len(urls))
    files = (_fastq(url, size, md5) for url, size, md5 in zip(urls, sizes, md5s, strict=True))
    return tuple({file.url: file for file in files if file is not None}.values())


def choose_fastq(fastq: tuple[OriginalFile, ...], layout: str) -> ReadFiles:
    """Pick the pair, or the one file, to quantify from; the rule is in ``docs/survey.md``."""
    mates = {mate: [file for file in fastq if file.mate == mate] for mate in (1, 2)}
    others = [file for file in fastq if file.mate == 0]
    if len(mates[1]) == 1 and len(mates[2]) == 1:
        return _pair(mates[1][0], mates[2][0], others, layout)
    if len(fastq) == 1:
        return _single(fastq[0], layout)
    numbered = mates[1] + mates[2]
    if len(fastq) == 2 and len(numbered) == 1 and not _NUMBERED.search(others[0].filename):
        chosen = _single(numbered[0], layout)
        return replace(chosen, notes=(*chosen.notes, _left_out(others)))
    notes = (f"The {len(fastq)} FASTQ files listed are neither one file nor a pair.",) if fastq else ()
    return ReadFiles(files=(), layout=layout, notes=notes)


def _pair(first: OriginalFile, second: OriginalFile, others: list[OriginalFile], layout: str) -> ReadFiles:
    notes = [_left_out(others)] if others else []
    if layout == "SINGLE":
        notes.append("The archive calls the run single-end, but it has a file for each mate: it is read as paired-end.")
    return ReadFiles(files=(first, second), layout="PAIRED", notes=tuple(notes))


def _single(file: OriginalFile, layout: str) -> ReadFiles:
    notes: tuple[str, ...] = ()
    if layout == "PAIRED":
        notes = ("The archive calls the run paired-end, but its mates are not in two files: it is read as single-end.",)
    return ReadFiles(files=(replace(file, mate=0),), layout="SINGLE", notes=notes)


def _left_out(files: list[OriginalFile]) -> str:
    names = ", ".join(file.filename for file in files)
    return f"Left out: {names} (unmated or technical reads, which cannot be quantified with the rest)."


def _column(row: Row, column: str) -> list[str]:
    value = text(row, column)
    return [part.strip() for part in value.split(";")] if value else []


def _aligned(values: list[str], count: int) -> list[str]:
    return values if len(values) == count else [""] * count


def _fastq(location: str, size: str, md5: str) -> OriginalFile | None:
    path = _SCHEME.sub("", location, count=1)
    match = _FASTQ_PATH.fullmatch(path)
    if match is None or ".." in path:
        return None
    filename = match.group(1)
    mate = _MATE.search(filename)
    return OriginalFile(
        url=f"https://{path}",
        filename=filename,
        kind="fastq",
        mate=int(mate.group(1)) if mate else 0,
        size_bytes=whole_number(size),
        md5=_md5(md5),
    )


def _md5(value: str) -> str | None:
    return value.lower() if _MD5.fullmatch(value.lower()) else None
