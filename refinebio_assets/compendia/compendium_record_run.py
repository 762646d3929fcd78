"""What the catalog is told of a finished compendium or quantpendium, and finding one that is there already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refinebio_assets import __version__
from refinebio_assets.compendia.run_environment import CompendiumEnvironment
from refinebio_assets.domain.errors import NotFoundError
from refinebio_assets.domain.fingerprints import sha256_of_file
from refinebio_assets.domain.vocabulary import CompendiumKind, ComputedFileKind
from resources.catalog import CompendiumInfo, CompendiumToRecord, FileToRecord, ResultToRecord
from resources.compendium_files import CompendiumFiles, FinishedFile
from resources.object_store import ObjectStore
from resources.tools.environment import software_environment

PROCESSORS = {CompendiumKind.COMPENDIUM: "Compendium", CompendiumKind.QUANTPENDIUM: "Quantpendium"}


_ORDER = (
    ComputedFileKind.QUANTPENDIUM_ARCHIVE,
    ComputedFileKind.COMPENDIUM_ANNDATA,
    ComputedFileKind.COMPENDIUM_ZARR,
    ComputedFileKind.COMPENDIUM_PARQUET,
    ComputedFileKind.COMPENDIUM_TSV,
    ComputedFileKind.COMPENDIUM_ARCHIVE,
    ComputedFileKind.COMPENDIUM_REPORT,
    ComputedFileKind.COMPENDIUM_METADATA,
    ComputedFileKind.COMPENDIUM_MODEL,
)
"""Of the files of a version; the first one that is there is the main one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is recorded beside the files.

    Attributes:
        fingerprint: Of everything that decides the bytes.
        method_version: Version of the method.
        svd_algorithm: None for a quantpendium.
        samples: How many there are.
        genes: How many there are, 0 for a quantpendium.
        details: For people, as JSON.
        parameters: Of the method.
        inputs: Names and hashes.
    """

    fingerprint: str
    method_version: str
    svd_algorithm: str | None
    samples: int
    genes: int
    details: Mapping[str, Any]
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Any]


def finished_files(
    organism: str, kind: CompendiumKind, version: str, files: Iterable[tuple[Path, ComputedFileKind]]
) -> CompendiumFiles:
    """The files of a finished version, hashed, the main one first."""
    return CompendiumFiles(
        organism=organism,
        kind=kind,
        version=version,
        files=_in_order(
            FinishedFile(
                name=path.name, kind=what, size_bytes=path.stat().st_size, sha256=sha256_of_file(path), path=path
            )
            for path, what in files
        ),
    )


def record(files: CompendiumFiles, facts: Facts, environment: CompendiumEnvironment) -> None:
    """Make a version whose files are stored the current one of its organism."""
    environment.catalog.compendia.record_compendium(
        CompendiumToRecord(
            organism=files.organism,
            kind=files.kind,
            version=files.version,
            svd_algorithm=facts.svd_algorithm,
            num_samples=facts.samples,
            num_genes=facts.genes,
            details=facts.details,
            result=ResultToRecord(
                processor=PROCESSORS[files.kind],
                processor_version=facts.method_version,
                fingerprint=facts.fingerprint,
                environment=software_environment(),
                parameters=facts.parameters,
                inputs=facts.inputs,
                metrics={"num_samples": facts.samples, "num_genes": facts.genes},
                code_version=__version__,
                run_id=environment.run_id,
                files=tuple(
                    FileToRecord(
                        key=files.key(file),
                        filename=file.name,
                        kind=file.kind,
                        size_bytes=file.size_bytes,
                        sha256=file.sha256,
                        organism=files.organism,
                    )
                    for file in files.files
                ),
            ),
        )
    )


def recorded(
    organism: str, kind: CompendiumKind, is_it: Callable[[CompendiumInfo], bool], environment: CompendiumEnvironment
) -> tuple[CompendiumInfo, bool] | None:
    """A recorded version whose files are all in the object store, and whether it is the current one."""
    for number, found in enumerate(environment.catalog.compendia.compendia(organism, kind)):
        if (
            is_it(found)
            and found.files
            and all(_is_stored(environment.store, f.key, f.size_bytes) for f in found.files)
        ):
            return found, number == 0
    return None


def _is_stored(store: ObjectStore, key: str, size: int) -> bool:
    try:
        return store.size(key) == size
    except NotFoundError:
        return False


def files_of(found: CompendiumInfo) -> CompendiumFiles:
    """The files of a recorded version."""
    return CompendiumFiles(
        organism=found.organism,
        kind=found.kind,
        version=found.version,
        files=_in_order(
            FinishedFile(name=file.filename, kind=file.kind, size_bytes=file.size_bytes, sha256=file.sha256)
            for file in found.files
        ),
    )


def _in_order(files: Iterable[FinishedFile]) -> tuple[FinishedFile, ...]:
    return tuple(sorted(files, key=lambda file: (_ORDER.index(file.kind), file.name)))
