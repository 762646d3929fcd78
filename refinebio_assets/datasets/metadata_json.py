"""The JSON files of a download, written sample by sample: however many there are, one is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from refinebio_assets.datasets.package import Sink
from refinebio_assets.datasets.sample_metadata import write_metadata_tsv
from refinebio_assets.domain.download_metadata import DownloadMetadata, FilteredSample

_FORMAT = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS
_SAMPLES = "samples"


def json_bytes(value: Any) -> bytes:
    """A value as JSON for people: indented, keys by name, a line break at the end."""
    return orjson.dumps(value, option=_FORMAT) + b"\n"


def _indented(value: Any, depth: int) -> bytes:
    return orjson.dumps(value, option=_FORMAT).replace(b"\n", b"\n" + b"  " * depth)


def _write_object(out: Sink, values: Iterable[tuple[str, bytes | Callable[[Sink], None]]], depth: int) -> None:
    """A JSON object from its keys, in order, and their values: written already, or by who is called."""
    begin = b"{"
    for key, value in values:
        out.write(begin + b"\n" + b"  " * (depth + 1) + orjson.dumps(key) + b": ")
        if isinstance(value, bytes):
            out.write(value)
        else:
            value(out)
        begin = b","
    out.write(b"{}" if begin == b"{" else b"\n" + b"  " * depth + b"}")


def write_aggregated_metadata(
    out: Sink, metadata: DownloadMetadata, samples: Iterable[str], facts: Mapping[str, Any]
) -> None:
    """Write ``aggregated_metadata.json``: all there is to know of the download, its experiments and samples.

    Args:
        out: Where to.
        metadata: Has all of the samples. Experiments without one of them are left out.
        samples: Accessions of what is in the download.
        facts: What is said of the whole: how it was aggregated, scaled, normalised, and its version.
    """
    included = sorted(samples)
    experiments = experiments_of(metadata, included)
    values: dict[str, bytes | Callable[[Sink], None]] = {
        name: _indented(value, 1)
        for name, value in (
            dict(facts)
            | {
                "created_at": metadata.last_changed(),
                "experiments": experiments,
                "num_experiments": len(experiments),
                "num_samples": len(included),
            }
        ).items()
    }

    def write_samples(sink: Sink) -> None:
        _write_object(sink, ((name, _indented(metadata.samples[name], 2)) for name in included), depth=1)

    values[_SAMPLES] = write_samples
    _write_object(out, sorted(values.items()), depth=0)
    out.write(b"\n")


def experiments_of(metadata: DownloadMetadata, samples: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Experiments of these samples, by accession; each names only those of its samples that are among these."""
    included = set(samples)
    name = "sample_accession_codes"
    every = {
        accession: {**experiment, name: [each for each in experiment.get(name, ()) if each in included]}
        for accession, experiment in sorted(metadata.experiments.items())
    }
    return {accession: experiment for accession, experiment in every.items() if experiment[name]}


def write_species_metadata(out: Sink, metadata: DownloadMetadata, samples: Iterable[str], organism: str) -> None:
    """Write ``metadata_<ORGANISM>.json``: the samples of an organism in order, with what contributions say of them."""

    def write_samples(sink: Sink) -> None:
        begin = b"["
        for name in samples:
            sink.write(begin + b"\n    " + _indented(_with_contributions(metadata, name), 2))
            begin = b","
        sink.write(b"[]" if begin == b"[" else b"\n  ]")

    _write_object(out, ((_SAMPLES, write_samples), ("species", orjson.dumps(organism))), depth=0)
    out.write(b"\n")


def _with_contributions(metadata: DownloadMetadata, accession: str) -> dict[str, Any]:
    """A sample with the attributes of each contribution (``MetaSRA_age``), keywords, and the pages of methods."""
    sample = dict(metadata.samples[accession])
    contributed = metadata.contributed.get(accession)
    if contributed is None:
        return sample
    for source, terms in contributed.attributes.items():
        sample |= {f"{source}_{term}": dict(stated) for term, stated in terms.items()}
    sources = sorted({*contributed.attributes, *contributed.keywords})
    if contributed.keywords:
        sample["keywords"] = {source: list(names) for source, names in contributed.keywords.items()}
    sample["methods"] = {source: metadata.methods[source] for source in sources if source in metadata.methods}
    return sample


def write_filtered_json(out: Sink, metadata: DownloadMetadata, filtered: Mapping[str, FilteredSample]) -> None:
    """Write ``filtered_samples_metadata.json``: samples that were left out, why, and what is known of them."""

    def described(accession: str) -> dict[str, Any]:
        known: Mapping[str, Any] = metadata.samples.get(accession, {"refinebio_accession_code": accession})
        why = filtered[accession]
        return {**known, "reason": why.reason, "experiment_accession_code": why.experiment}

    _write_object(out, ((name, _indented(described(name), 1)) for name in sorted(filtered)), depth=0)
    out.write(b"\n")


def write_filtered_tsv(
    out: Sink, metadata: DownloadMetadata, filtered: Mapping[str, FilteredSample], columns: Sequence[str]
) -> None:
    """Write ``filtered_samples_metadata.tsv``: the same as a table, the reason in the third column."""
    write_metadata_tsv(
        out,
        metadata,
        sorted(filtered),
        columns,
        experiment_of=lambda sample: filtered[sample].experiment,
        reason_of=lambda sample: filtered[sample].reason,
    )
