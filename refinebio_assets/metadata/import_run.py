"""Importing files into the catalog: ontologies whole, attributes and keywords in batches, everything counted."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from refinebio_assets.domain.errors import InputError
from refinebio_assets.domain.imported_metadata import AttributeEntry, MalformedEntry, MetadataEntry
from refinebio_assets.metadata.ontology_content import OntologyContent
from refinebio_assets.metadata.ontology_files import read_ontology
from refinebio_assets.metadata.sample_entries import Read
from resources.catalog import Catalog, OntologyImport, OntologySource
from resources.object_store.store import ObjectStore

BATCH = 5000
"""Entries of one transaction. An interrupted import leaves whole batches; the same import again goes over them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something of a file that was not stored as it stands.

    Args:
        kind: ``malformed`` (not stored), ``unknown_sample`` (not stored; once per sample) or ``text_value`` (stored as
            text, though refine.bio's format has ontology terms there).
        position: Where the entry stands in the file.
        sample: The accession it is about, if that could be read.
        message: For people.
    """

    kind: str
    position: str
    sample: str | None
    message: str


@dataclass(slots=True, kw_only=True)
class MetadataReport:
    """What an import of attributes or keywords did, or would do.

    ``added``, ``changed`` and ``unchanged`` count values of samples; ``malformed`` and ``text_values`` count entries.
    """

    entries: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    malformed: int = 0
    text_values: int = 0
    samples: set[str] = field(default_factory=set)
    unknown_samples: set[str] = field(default_factory=set)


@contextmanager
def local_file(location: str, scratch: Path, *, s3_endpoint_url: str | None = None) -> Iterator[Path]:
    """A file on this machine: the one at a path itself, or a copy of ``s3://bucket/key`` that is removed afterwards.

    Raises:
        InputError: There is no such file.
        NotFoundError: There is no such object.
        ObjectStoreError: S3 failed.
    """
    if not location.startswith("s3://"):
        if not Path(location).is_file():
            message = "There is no such file."
            raise InputError(message, path=location)
        yield Path(location)
        return
    parent, _, name = location.rpartition("/")
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        yield ObjectStore.from_url(parent, endpoint_url=s3_endpoint_url).fetch(name, Path(folder) / name)


def import_ontology(
    catalog: Catalog,
    path: Path,
    *,
    name: str,
    prefixes: Sequence[str] = (),
    release: str | None = None,
    is_partial: bool = False,
    dry_run: bool = False,
) -> list[OntologyImport]:
    """Import the terms of a file.

    Args:
        catalog: Where to.
        path: The file.
        name: What to remember as its source.
        prefixes: Ontologies to take from it; if none is given, the one that the file is about.
        release: Its version, if the file does not say.
        is_partial: It is an excerpt: terms that it does not have do not become obsolete.
        dry_run: Only count.

    Raises:
        MalformedFileError: It is no ontology.
        InputError: It has terms of several ontologies and does not say which it is about, or none of those wanted.
    """
    content = read_ontology(path)
    sha256 = _sha256(path)
    return [
        catalog.record_ontology(
            OntologySource(
                prefix=prefix, source=name, sha256=sha256, version=release or content.version, is_partial=is_partial
            ),
            [term for term in content.terms if term.prefix == prefix],
            dry_run=dry_run,
        )
        for prefix in _chosen(content, prefixes, path)
    ]


def _chosen(content: OntologyContent, prefixes: Sequence[str], path: Path) -> list[str]:
    there = content.prefixes()
    listed = ", ".join(f"{prefix} ({count})" for prefix, count in there.items())
    if prefixes:
        by_lower = {prefix.lower(): prefix for prefix in there}
        if absent := [prefix for prefix in prefixes if prefix.lower() not in by_lower]:
            message = f"The file has no term of {absent[0]}."
            raise InputError(message, path=path, remedy=f"It has terms of {listed}.")
        return [by_lower[prefix.lower()] for prefix in dict.fromkeys(prefixes)]
    own = content.own_prefix()
    if own is None:
        message = f"The file has terms of several ontologies: {listed}."
        raise InputError(message, path=path, remedy="Say with --prefix which of them to import.")
    return [own]


def import_entries(
    catalog: Catalog,
    entries: Iterable[Read],
    *,
    source_name: str,
    methods_url: str,
    dry_run: bool = False,
    on_problem: Callable[[Problem], None] = lambda _: None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> MetadataReport:
    """Store what a contribution says of samples; malformed entries and those of unknown samples are reported.

    Args:
        catalog: Where to.
        entries: What a reader made of the file.
        source_name: Name of the contribution.
        methods_url: The page that says how it was made.
        dry_run: Only count.
        on_problem: Told of each entry that is not stored as it stands.
        on_progress: Told how many more entries were dealt with.

    Raises:
        MalformedFileError: The file is damaged; what stands before that place was stored.
    """
    report = MetadataReport()
    iterator = iter(entries)
    while batch := list(islice(iterator, BATCH)):
        good = _readable(batch, report, on_problem)
        done = catalog.record_contributed_metadata(source_name, methods_url, good, dry_run=dry_run)
        report.entries += len(batch)
        report.added += done.added
        report.changed += done.changed
        report.unchanged += done.unchanged
        report.samples |= done.samples
        for entry in done.unknown:
            if entry.sample in report.unknown_samples:
                continue
            report.unknown_samples.add(entry.sample)
            message = "The catalog has no such sample."
            on_problem(Problem(kind="unknown_sample", position=entry.position, sample=entry.sample, message=message))
        on_progress(len(batch))
    return report


def _readable(
    batch: Iterable[Read], report: MetadataReport, on_problem: Callable[[Problem], None]
) -> list[MetadataEntry]:
    good: list[MetadataEntry] = []
    for entry in batch:
        if isinstance(entry, MalformedEntry):
            report.malformed += 1
            on_problem(Problem(kind="malformed", position=entry.position, sample=None, message=entry.message))
            continue
        good.append(entry)
        if isinstance(entry, AttributeEntry) and entry.value_type == "text":
            report.text_values += 1
            message = f"{entry.value!r} is no ontology term; it is kept as text."
            on_problem(Problem(kind="text_value", position=entry.position, sample=entry.sample, message=message))
    return good


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
