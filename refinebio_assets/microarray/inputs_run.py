"""The raw files of an experiment's arrays on this machine: each fetched once, archives unpacked, members matched.

Files that several samples need (tables of a series, raw archives, family files) are fetched by whoever asks first; the
others wait for it, and share its error.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from refinebio_assets.domain.errors import ArchiveNotFoundError, MalformedFileError, RefinebioError
from refinebio_assets.domain.records import OriginalFile
from refinebio_assets.microarray.processor_choice import ArrayInput, ProcessorChoice, raw_archive
from refinebio_assets.microarray.run_environment import ArrayEnvironment
from refinebio_assets.survey.geo_files import current_url
from refinebio_assets.survey.sample_files import match_files
from resources.catalog import ArrayToProcess
from resources.extraction import ExtractionReport, extract

Found = TypeVar("Found")


@dataclass(slots=True)
class _Once:
    """Makes each thing once, however many threads ask for it; an error is everyone's."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _made: dict[str, Any] = field(default_factory=dict)

    def get(self, key: str, make: Callable[[], Found]) -> Found:
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._made:
                try:
                    self._made[key] = make()
                except RefinebioError as error:
                    self._made[key] = error
            made: Any = self._made[key]
        if isinstance(made, RefinebioError):
            raise made
        found: Found = made
        return found


@dataclass(slots=True)
class ArrayInputs:
    """Fetches the files of an experiment's arrays.

    Args:
        experiment: Its accession.
        environment: What the run works with.
        folder: Scratch space of the experiment; nobody else works in it.
        samples: Its array samples, which members of archives are given to.
        annotations: The archive's metadata of the experiment.
    """

    experiment: str
    environment: ArrayEnvironment
    folder: Path
    samples: Collection[ArrayToProcess]
    annotations: Mapping[str, Any]
    fetched: list[Path] = field(default_factory=list)
    _once: _Once = field(default_factory=_Once)

    def path(self, sample: ArrayToProcess, choice: ProcessorChoice) -> Path:
        """The file that a sample's values come from. Family files: :meth:`family`.

        A CEL file that the archive lists and does not have may still be in the raw archive of its series.

        Raises:
            ArchiveError: The archive does not give it.
            MalformedFileError: It is damaged.
        """
        if choice.input is ArrayInput.ARCHIVE:
            return self._member(sample, choice.file)
        try:
            return self._download(choice.file)
        except ArchiveNotFoundError:
            packed = raw_archive(self.annotations)
            if packed is None:
                raise
            url = current_url(packed)
            archive = OriginalFile(url=url, filename=url.rpartition("/")[2], kind="archive")
            return self._member(sample, archive)

    def family(self) -> Path:
        """The family file of the series, with the tables of its samples.

        Raises:
            ArchiveError: GEO does not give it.
        """
        folder = self.folder / "family"
        return self._once.get("family", lambda: self.environment.archives.geo.family(self.experiment, folder))

    def release(self, path: Path) -> None:
        """Remove a file that only one sample needed."""
        path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove all that was fetched and read. Parts of downloads that failed for a passing reason stay."""
        for folder in ("unpacked", "family"):
            shutil.rmtree(self.folder / folder, ignore_errors=True)
        for path in self.fetched:
            path.unlink(missing_ok=True)
        if not any(path.is_file() for path in self.folder.rglob("*")):
            shutil.rmtree(self.folder)

    def _download(self, file: OriginalFile) -> Path:
        client = self.environment.archives.client
        # Two files of one name may differ in their folder.
        destination = self.folder / "files" / _folder_of(file.url) / _plain(file.filename)

        def fetch() -> Path:
            path = client.download(file.url, destination, size_bytes=file.size_bytes, md5=file.md5).path
            self.fetched.append(path)
            return path

        return self._once.get(file.url, fetch)

    def _member(self, sample: ArrayToProcess, archive: OriginalFile) -> Path:
        """The sample's file in an archive."""
        report = self._once.get(f"unpacked {archive.url}", lambda: self._unpack(archive))
        files = {file.archive_member_path: file.path for file in report.files}
        announced = {each.accession: _announced(each, archive.url) for each in self.samples}
        own = match_files(files, announced).by_sample[sample.accession]
        if own:
            return files[own[0]]
        refused = {member.name: member.reason for member in report.refused}
        damaged = match_files(refused, announced).by_sample[sample.accession]
        if damaged:
            message = f"{damaged[0]} in {archive.filename} cannot be unpacked: {refused[damaged[0]]}."
            raise MalformedFileError(message)
        message = f"{archive.filename} has no file of {sample.accession}."
        raise ArchiveNotFoundError(message, url=archive.url)

    def _unpack(self, archive: OriginalFile) -> ExtractionReport:
        packed = self._download(archive)
        into = self.folder / "unpacked" / _folder_of(archive.url)
        shutil.rmtree(into, ignore_errors=True)  # of a run that was killed
        into.parent.mkdir(parents=True, exist_ok=True)
        return extract(packed, into)


def _announced(sample: ArrayToProcess, url: str) -> list[str]:
    """Names that the archive gives for the sample's files in an archive (ArrayExpress: by the SDRF)."""
    named = sample.annotations.get("files", ())
    return [str(file["name"]) for file in named if file.get("url") == url] + [
        file.filename for file in sample.files if file.kind != "archive"
    ]


def _folder_of(url: str) -> str:
    import hashlib

    return hashlib.sha256(url.encode()).hexdigest()[:16]


def _plain(name: str) -> str:
    """A file's own name, whatever an archive put into it."""
    own = PurePosixPath(name.replace("\\", "/")).name
    return "file" if own in {"", ".."} else own
