"""A quantpendium: the quant files of all RNA-seq samples of an organism, streamed into one archive.

The layout is that of refine.bio's RNA-seq sample compendia: ``<EXPERIMENT>/<RUN>_quant.sf``, a metadata table for each
experiment, and what there is to know of the whole. A file that cannot be used is left out, with the reason.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from refinebio_assets.datasets.decompressed import DamagedStreamError, decompressed
from refinebio_assets.datasets.metadata_json import write_aggregated_metadata, write_filtered_json, write_filtered_tsv
from refinebio_assets.datasets.package import Package, Sink, path_component
from refinebio_assets.datasets.readmes import LICENSE_TEXT, quantpendium_readme
from refinebio_assets.datasets.sample_metadata import metadata_columns, write_metadata_tsv
from refinebio_assets.domain.download_metadata import DownloadMetadata, FilteredSample
from refinebio_assets.domain.errors import NotFoundError
from refinebio_assets.matrix_files import replacing

HEADER = b"Name\tLength\tEffectiveLength\tTPM\tNumReads"

NO_FILE = "This sample did not have a quant file associated with it in our database."
NOT_FOUND = "This sample's quant.sf file is not in the object store."
NO_HEADER = "This sample's quant.sf file was truncated and missing its header"
TRUNCATED = "This sample's quant.sf file was truncated"
UNREADABLE = "This sample's quant.sf file could not be read"
"""The first and the third are refine.bio's."""

_LONGEST_ROW = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantSample:
    """A sample and its quant file.

    Attributes:
        accession: Of the run.
        experiment: The one that owns the sample, whose folder its file goes to.
        open: Opens the file, plain or compressed with gzip, bzip2 or xz, for reading bytes; None if there is none.
    """

    accession: str
    experiment: str
    open: Callable[[], BinaryIO] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantpendiumResult:
    """What went into the archive.

    Attributes:
        included: Accessions, by experiment and accession.
        filtered: The others.
        experiments: Those of the included samples, sorted.
        transcripts: Rows of most quant files; 0 if there is none.
    """

    included: tuple[str, ...]
    filtered: Mapping[str, FilteredSample]
    experiments: tuple[str, ...]
    transcripts: int


@dataclass(frozen=True, slots=True)
class _Quantification:
    """A file that is in the archive."""

    sample: QuantSample
    entry: str
    rows: int


class _UnusableFileError(Exception):
    """A quant file that is left out; the text is the reason."""


def write_quantpendium(
    path: Path,
    organism: str,
    version: str,
    samples: Iterable[QuantSample],
    metadata: DownloadMetadata,
) -> QuantpendiumResult:
    """Write the archive; it is there when it is complete.

    One file at a time is read, once, and goes into the archive as it is read. Whether its rows are all there can be
    told when all files are known: one that ends where a longer one goes on is taken out again. A file that is shorter
    because its transcripts are others, those of another release, stays.

    Args:
        path: Of the archive; replaced if it exists.
        organism: UPPER_SNAKE name.
        version: Of the quantpendium.
        samples: Each accession once. They are taken in the order in which they come, which should be by experiment
            and accession: the same order gives the same bytes.
        metadata: What is known of the samples, also of those that turn out to be unusable.

    Raises:
        ValueError: A sample comes twice.
        OSError: A file cannot be read although it is there: an outage must not look like missing data.
    """
    filtered: dict[str, FilteredSample] = {}
    written: dict[str, _Quantification] = {}
    with replacing(path) as temporary, temporary.open("wb+") as file, Package(file) as archive:
        for sample in samples:
            if sample.accession in written or sample.accession in filtered:
                message = f"{sample.accession} comes twice"
                raise ValueError(message)
            try:
                written[sample.accession] = _add(archive, sample)
            except _UnusableFileError as error:
                filtered[sample.accession] = FilteredSample(reason=str(error), experiment=sample.experiment)
        short = _truncated(written)
        archive.remove([written[accession].entry for accession in short])
        filtered |= short
        included = {accession: each.sample.experiment for accession, each in written.items() if accession not in short}
        _add_metadata(archive, organism, version, metadata, included=included, filtered=filtered)
    usual = Counter(written[accession].rows for accession in sorted(included)).most_common(1)
    return QuantpendiumResult(
        included=tuple(included),
        filtered=filtered,
        experiments=tuple(sorted(set(included.values()))),
        transcripts=usual[0][0] if usual else 0,
    )


def _add(archive: Package, sample: QuantSample) -> _Quantification:
    if sample.open is None:
        raise _UnusableFileError(NO_FILE)
    try:
        stream = sample.open()
    except (FileNotFoundError, NotFoundError) as error:
        raise _UnusableFileError(NOT_FOUND) from error
    name = f"{path_component(sample.experiment)}/{path_component(sample.accession)}_quant.sf"
    with stream, archive.entry(name) as sink:
        rows = _copy(stream, sink)
    return _Quantification(sample=sample, entry=name, rows=rows)


def _copy(stream: BinaryIO, sink: Sink) -> int:
    """Copy a quant file and count its rows.

    Raises:
        _UnusableFileError: It is damaged, or its header or the end of its last row is missing.
    """
    beginning = ending = b""
    lines = 0
    try:
        for piece in decompressed(stream):
            if len(beginning) < len(HEADER) + 2:
                beginning += piece[: len(HEADER) + 2]
            lines += piece.count(b"\n")
            ending = (ending + piece[-_LONGEST_ROW:])[-_LONGEST_ROW:]
            sink.write(piece)
    except DamagedStreamError as error:
        message = f"{UNREADABLE}: {error}."
        raise _UnusableFileError(message) from error
    if beginning.partition(b"\n")[0].rstrip(b"\r") != HEADER:
        raise _UnusableFileError(NO_HEADER)
    last_row = ending.rstrip(b"\r\n").rpartition(b"\n")[2]
    if lines < 2 or not ending.endswith(b"\n") or last_row.count(b"\t") != HEADER.count(b"\t"):
        raise _UnusableFileError(TRUNCATED)
    return lines - 1


def _truncated(written: Mapping[str, _Quantification]) -> dict[str, FilteredSample]:
    """Files that end between two rows: nobody else has so few, and all they have is how a longer file begins.

    Only those are read again, and one of each longer kind.
    """
    by_rows: dict[int, list[_Quantification]] = {}
    for each in written.values():
        by_rows.setdefault(each.rows, []).append(each)
    suspects = [several[0] for rows, several in by_rows.items() if len(several) == 1 and rows < max(by_rows)]
    wanted = {each.rows for each in suspects}
    longer = {rows: _prefixes(by_rows[rows][0].sample, wanted) for rows in by_rows if rows > min(wanted, default=rows)}
    found: dict[str, FilteredSample] = {}
    for each in suspects:
        names = _prefixes(each.sample, {each.rows})
        longest = max(
            (rows for rows, others in longer.items() if rows > each.rows and names.items() <= others.items()),
            default=None,
        )
        if longest is not None:
            reason = f"{TRUNCATED}: it has {each.rows} of {longest} rows."
            found[each.sample.accession] = FilteredSample(reason=reason, experiment=each.sample.experiment)
    return found


def _prefixes(sample: QuantSample, counts: Collection[int]) -> dict[int, bytes]:
    """Hashes of the names of the first transcripts, for each of these numbers of them."""
    digest, rows, rest = hashlib.sha256(), -1, b""  # the header is no row
    found: dict[int, bytes] = {}
    with _opened(sample) as stream:
        for piece in decompressed(stream):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                rows += 1
                if rows:
                    digest.update(line.partition(b"\t")[0] + b"\n")
                if rows in counts:
                    found[rows] = digest.digest()
    return found


def _opened(sample: QuantSample) -> BinaryIO:
    if sample.open is None:
        message = f"{sample.accession} has no file"
        raise ValueError(message)
    return sample.open()


def _add_metadata(
    archive: Package,
    organism: str,
    version: str,
    metadata: DownloadMetadata,
    *,
    included: Mapping[str, str],
    filtered: Mapping[str, FilteredSample],
) -> None:
    """Everything but the quant files. ``included`` is the experiment by sample."""
    members: dict[str, list[str]] = {}
    for accession, experiment in sorted(included.items()):
        members.setdefault(experiment, []).append(accession)
    for experiment, accessions in sorted(members.items()):
        folder = path_component(experiment)
        columns = metadata_columns(metadata, accessions)  # those of all experiments together are too many to read
        with archive.entry(f"{folder}/metadata_{folder}.tsv") as sink:
            write_metadata_tsv(sink, metadata, accessions, columns, experiment_of=included.__getitem__)
    if filtered:
        with archive.entry("filtered_samples_metadata.json") as sink:
            write_filtered_json(sink, metadata, filtered)
        with archive.entry("filtered_samples_metadata.tsv") as sink:
            write_filtered_tsv(sink, metadata, filtered, metadata_columns(metadata, filtered))
    facts = {"compendium_version": version, "quant_sf_only": True}
    with archive.entry("aggregated_metadata.json") as sink:
        write_aggregated_metadata(sink, metadata, included, facts)
    readme = quantpendium_readme(
        organism, version=version, samples=len(included), experiments=len(members), filtered=len(filtered)
    )
    archive.add("README.md", readme.encode())
    archive.add("LICENSE.TXT", LICENSE_TEXT.encode())
