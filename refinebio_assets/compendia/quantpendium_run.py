"""Making an organism's quantpendium: the quant files of all its RNA-seq samples in one archive, with their metadata."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from refinebio_assets import __version__
from refinebio_assets.compendia.compendium_plan_run import VERSION_DIGITS, metadata_sha256
from refinebio_assets.compendia.compendium_record_run import Facts, files_of, finished_files, record, recorded
from refinebio_assets.compendia.memory import size_text
from refinebio_assets.compendia.progress import Progress, Report, say_nothing
from refinebio_assets.compendia.quantpendium import QuantpendiumResult, QuantSample, write_quantpendium
from refinebio_assets.compendia.run_environment import CompendiumEnvironment
from refinebio_assets.domain.download_metadata import DownloadMetadata
from refinebio_assets.domain.errors import ConfigurationError
from refinebio_assets.domain.fingerprints import fingerprint_of
from refinebio_assets.domain.vocabulary import CompendiumKind, ComputedFileKind
from refinebio_assets.rna_seq.quantification import only_one
from resources.catalog import OrganismQuantFile
from resources.catalog.download_metadata import download_metadata
from resources.compendium_files import CompendiumFiles
from resources.object_store import ObjectStore
from resources.object_store.temporary import remove_abandoned, temporary_name

METHOD_VERSION = "1"
GROWTH = 2.0
"""A quant file in the archive is at most so many times as large as in the object store."""


@dataclass(slots=True, kw_only=True)
class QuantpendiumRun:
    """What came of an organism.

    Attributes:
        organism: UPPER_SNAKE.
        skipped: Why there is nothing to pack.
        files: The archive; without a path if it is in the object store already.
        commit: Records the stored archive, and removes what is in scratch space.
        version: Its name.
        reused: Whether this version was there already.
        samples: How many quant files it has.
        experiments: Of how many experiments.
        left_out: Number of samples that are not in it, by reason.
        unaccounted: Samples that are neither in it nor left out with a reason.
    """

    organism: str
    skipped: str | None = None
    files: CompendiumFiles | None = None
    commit: Callable[[], object] | None = None
    version: str | None = None
    reused: bool = False
    samples: int = 0
    experiments: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    unaccounted: tuple[str, ...] = ()

    def outcome(self) -> dict[str, Any]:
        """For people and scripts, as JSON."""
        return {
            "organism": self.organism,
            "outcome": "skipped" if self.skipped else "reused" if self.reused else "built",
            "version": self.version,
            "samples": self.samples,
            "experiments": self.experiments,
            "left_out": dict(self.left_out),
            "files": [] if self.files is None else [self.files.key(file) for file in self.files.files],
            "message": self.skipped or "",
        }


def build_quantpendium(
    organism: str, environment: CompendiumEnvironment, *, report: Report = say_nothing
) -> QuantpendiumRun:
    """Pack the quant files of an organism, or take the archive that is there if it would be the same.

    Samples whose quant file is missing or damaged are left out, with the reason; files go from the object store into
    the archive one at a time. While there are such, all files are read to find them.

    Args:
        organism: UPPER_SNAKE.
        environment: What the run works with.
        report: Told how far it is.

    Raises:
        ConfigurationError: The disk has too little room.
    """
    samples = environment.catalog.compendia.quant_files(organism)
    if not any(one.key is not None for one in samples):
        return QuantpendiumRun(organism=organism, skipped=f"{organism} has no quantified RNA-seq sample.")
    with environment.catalog.reading() as session:
        metadata = download_metadata(session, [one.sample for one in samples])
    damaged: dict[str, str] = {}
    while True:
        fingerprint = _fingerprint(organism, samples, metadata, damaged)
        known = _packed_before(organism, fingerprint, environment)
        if known is not None:
            return known
        packed = _pack(organism, samples, metadata, fingerprint, environment, report=report)
        if packed.damaged == damaged:
            return _run_of(organism, samples, packed, fingerprint, environment)
        # Which files are whole decides the bytes, so it has to be in the version, which the archive names.
        shutil.rmtree(packed.folder)
        damaged = packed.damaged


def _fingerprint(
    organism: str, samples: Sequence[OrganismQuantFile], metadata: DownloadMetadata, damaged: Mapping[str, str]
) -> str:
    files = [[one.experiment, one.sample, one.sha256] for one in samples]
    versions = [METHOD_VERSION, __version__]
    return fingerprint_of("quantpendium", versions, organism, files, metadata_sha256(metadata), damaged)


def _packed_before(organism: str, fingerprint: str, environment: CompendiumEnvironment) -> QuantpendiumRun | None:
    known = recorded(organism, CompendiumKind.QUANTPENDIUM, lambda found: found.fingerprint == fingerprint, environment)
    if known is None:
        return None
    info, is_current = known
    files = files_of(info)
    facts = _facts(fingerprint, info.num_samples, info.details)
    return QuantpendiumRun(
        organism=organism,
        files=files,
        commit=None if is_current else lambda: record(files, facts, environment),
        version=info.version,
        reused=True,
        samples=info.num_samples,
        experiments=info.details["experiments"],
        left_out=info.details["left_out"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packed:
    """An archive in a temporary folder, and whose files turned out to be damaged or missing, with the reason."""

    folder: Path
    path: Path
    result: QuantpendiumResult
    damaged: dict[str, str]


def _pack(
    organism: str,
    samples: Sequence[OrganismQuantFile],
    metadata: DownloadMetadata,
    fingerprint: str,
    environment: CompendiumEnvironment,
    *,
    report: Report,
) -> _Packed:
    folder = environment.settings.scratch / "quantpendia" / organism
    name = f"{organism}_rnaseq_compendia.zip"
    with only_one(folder):
        remove_abandoned(folder.parent)
        _check_disk(environment, samples)
        sources = _sources(samples, environment.store, report)
        result = write_quantpendium(folder / name, organism, fingerprint[:VERSION_DIGITS], sources, metadata)
        # Out of the way of whoever waits for this lock: the archive is still to be stored.
        moved = folder.rename(folder.with_name(temporary_name(organism)))
    expected = {one.sample for one in samples if one.key is not None}
    damaged = {name: one.reason for name, one in sorted(result.filtered.items()) if name in expected}
    return _Packed(folder=moved, path=moved / name, result=result, damaged=damaged)


def _sources(samples: Sequence[OrganismQuantFile], store: ObjectStore, report: Report) -> Iterator[QuantSample]:
    for done, one in enumerate(samples, start=1):
        opened = None if one.key is None else cast("Callable[[], BinaryIO]", partial(store.open_file, one.key))
        yield QuantSample(accession=one.sample, experiment=one.experiment, open=opened)
        report(Progress(step="packing", done=done, total=len(samples)))


def _check_disk(environment: CompendiumEnvironment, samples: Sequence[OrganismQuantFile]) -> None:
    needed = int(GROWTH * sum(one.size_bytes for one in samples))
    free = shutil.disk_usage(environment.settings.scratch).free
    if needed > free:
        message = f"The archive may take {size_text(needed)} of scratch space, {size_text(free)} are left."
        raise ConfigurationError(message, remedy="Free some, or set REFINEBIO_SCRATCH_DIR to a larger disk.")


def _run_of(
    organism: str,
    samples: Sequence[OrganismQuantFile],
    packed: _Packed,
    fingerprint: str,
    environment: CompendiumEnvironment,
) -> QuantpendiumRun:
    archive = [(packed.path, ComputedFileKind.QUANTPENDIUM_ARCHIVE)]
    files = finished_files(organism, CompendiumKind.QUANTPENDIUM, fingerprint[:VERSION_DIGITS], archive)
    result = packed.result
    run = QuantpendiumRun(
        organism=organism,
        files=files,
        version=files.version,
        samples=len(result.included),
        experiments=len(result.experiments),
        left_out=dict(sorted(Counter(one.reason for one in result.filtered.values()).items())),
        unaccounted=tuple(sorted({one.sample for one in samples} ^ {*result.included, *result.filtered})),
    )

    def commit() -> None:
        record(files, _facts(fingerprint, run.samples, _details(run)), environment)
        shutil.rmtree(packed.folder)

    run.commit = commit
    return run


def _details(run: QuantpendiumRun) -> dict[str, Any]:
    return {"experiments": run.experiments, "left_out": dict(run.left_out)}


def _facts(fingerprint: str, samples: int, details: Mapping[str, Any]) -> Facts:
    return Facts(
        fingerprint=fingerprint,
        method_version=METHOD_VERSION,
        svd_algorithm=None,
        samples=samples,
        genes=0,
        details=details,
        parameters={},
        inputs={"quant_files": samples},
    )
