"""Unpacking raw archives of strangers: ``GSE…_RAW.tar`` of ``.CEL.gz``, a zip in a tar, a table in a ``.gz``.

What a file is follows from its content, not from its name. Files come out flat in one folder, whatever folders the
archive names; each is named with where it was. What cannot or must not be unpacked is refused one by one, with a
reason. The folder appears when everything is in it; what a killed process leaves has a name by which it is swept up.
``docs/extraction.md`` states the limits.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from refinebio_assets.domain.errors import InputError, MalformedFileError
from resources.archives.responses import looks_like_html
from resources.object_store.temporary import temporary_folder
from resources.tar_members import BLOCK, is_tar, tar_members
from resources.unpacking import (
    PIECE_BYTES,
    DecompressedSource,
    ExtractionLimits,
    PeekableSource,
    Source,
    UnpackingError,
    compression_of,
    implausible,
)
from resources.zip_members import ZIP_MAGICS, open_zip, read_zip_member, why_zip_member_refused

__all__ = ["ExtractedFile", "ExtractionLimits", "ExtractionReport", "RefusedMember", "extract"]

LONGEST_NAME_BYTES = 240
"""Of a file's own name, with room for a number behind it: file systems take 255."""
LONGEST_PATH = 4096

_COMPRESSION_SUFFIX = re.compile(r"(?<=.)\.(?:gz|gzip|bz2|xz|z)$", re.IGNORECASE)
_TAR_SUFFIX = re.compile(r"(?<=.)\.(?:tgz|tbz2?|txz)$", re.IGNORECASE)
_CLAIMS_ARCHIVE = re.compile(r"\.(?:tar|tgz|tbz2?|txz|zip|tar\.(?:gz|bz2|xz))$", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractedFile:
    """A file that came out of an archive.

    Attributes:
        path: Where it is. Its name on disk may have a number, if another file differs only in letter case or folder.
        name: Its own name, without folders and without the suffix of a compression that was undone.
        archive_member_path: Where it was: the path in the archive, below the paths of the archives around that one.
        size_bytes: Its size, unpacked.
        sha256: Of its content, hexadecimal.
    """

    path: Path
    name: str
    archive_member_path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedMember:
    """What was not unpacked, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionReport:
    """Everything an archive names, each in one of three places. Folders are not mentioned.

    Attributes:
        files: What was extracted, in the order of the archive.
        refused: What was not, with reasons. An archive that is damaged from somewhere on is named itself.
        passed_over: Paths of files that nobody wanted.
    """

    files: tuple[ExtractedFile, ...]
    refused: tuple[RefusedMember, ...]
    passed_over: tuple[str, ...] = ()


def extract(
    archive: Path,
    into: Path,
    *,
    limits: ExtractionLimits | None = None,
    wanted: Callable[[str], bool] | None = None,
) -> ExtractionReport:
    """Unpack an archive and the archives in it.

    Tar, gzip, bzip2, xz and zip are unpacked, in any nesting that the limits allow; spreadsheets and the like, which
    are zip files inside, are files. A file that is no archive at all comes out as it is.

    Args:
        archive: The archive.
        into: Folder that is made; must not exist, or be empty.
        limits: How much the archive may hold; the defaults if None.
        wanted: Asked with a file's path in the archive (compression suffix removed) whether to extract it.

    Returns:
        What was extracted and what was refused.

    Raises:
        InputError: The folder is not empty.
        MalformedFileError: The file is empty, a web page, or called an archive and none.
        OSError: The disk is full or cannot be written.
    """
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        message = "Files are extracted into a new folder only."
        raise InputError(message, path=into)
    with temporary_folder(into.parent, into.name) as scratch:
        files = scratch / "files"
        files.mkdir()
        unpacking = _Unpacking(files, into, scratch, archive.stat().st_size, limits or ExtractionLimits(), wanted)
        with archive.open("rb") as file:
            _refuse_what_is_none(archive, file)
            unpacking.all_of(file, archive.name)
        files.replace(into)
    return unpacking.report()


def _refuse_what_is_none(archive: Path, file: IO[bytes]) -> None:
    beginning = file.read(BLOCK)
    file.seek(0)
    if not beginning:
        message = "The file is empty."
    elif looks_like_html(beginning):
        message = "This is a web page, not an archive; perhaps the server answered with an error page."
    elif _CLAIMS_ARCHIVE.search(archive.name) and _is_file(beginning):
        message = "The file is called an archive, but its content is none."
    else:
        return
    raise MalformedFileError(message, path=archive, remedy="Download it again.")


def _is_file(beginning: bytes) -> bool:
    return not (is_tar(beginning) or compression_of(beginning) or beginning.startswith(ZIP_MAGICS))


class _StoppedError(Exception):
    """A limit of the whole archive is reached: nothing more is read."""


@dataclass(slots=True)
class _Unpacking:
    """An archive while it is unpacked.

    ``where`` is always the path of what is at hand, ``depth`` the number of layers around it.
    """

    folder: Path
    target: Path
    scratch: Path
    packed_bytes: int
    limits: ExtractionLimits
    wanted: Callable[[str], bool] | None
    files: list[ExtractedFile] = field(default_factory=list)
    refused: list[RefusedMember] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    _used: dict[str, int] = field(default_factory=dict)
    """Names on disk, with the number of files that wanted it."""
    _paths: set[str] = field(default_factory=set)
    _members: int = 0
    _bytes: int = 0

    def report(self) -> ExtractionReport:
        return ExtractionReport(
            files=tuple(self.files), refused=tuple(self.refused), passed_over=tuple(self.passed_over)
        )

    def all_of(self, file: IO[bytes], name: str) -> None:
        """Unpack the file that was given; its own name is no part of the paths."""
        shown = _shown(name)
        try:
            if file.read(4).startswith(ZIP_MAGICS):
                self._zip(file, "", shown, 0)
            else:
                file.seek(0)
                self._unpack(file, "", shown, 0)
        except UnpackingError as error:
            self._refuse(shown, str(error))
        except _StoppedError as error:
            self._refuse(shown, f"limit: {error}; what follows was not looked at")

    def _unpack(self, source: Source, where: str, name: str, depth: int) -> None:
        stream = PeekableSource(source)
        beginning = stream.peek(BLOCK)
        if _is_file(beginning):
            self._file(stream, where, name)
            return
        if depth >= self.limits.depth:
            message = f"limit: more than {self.limits.depth} archives around each other"
            raise UnpackingError(message)
        if (compression := compression_of(beginning)) is not None:
            self._unpack(DecompressedSource(stream, compression, self.limits), where, _uncompressed(name), depth + 1)
        elif is_tar(beginning):
            self._tar(stream, where, depth)
            while stream.read(PIECE_BYTES):  # the checksum of what is around the tar comes last
                pass
        else:
            self._spooled_zip(stream, where, name, depth)

    def _tar(self, stream: Source, where: str, depth: int) -> None:
        for member in tar_members(stream):
            self._count()
            if member.is_folder:
                continue
            with self._member(where, member.name):
                path = _safe(where, member.name)
                if member.refused is not None:
                    raise UnpackingError(member.refused)
                self._unpack(member.data, path, PurePosixPath(path).name, depth + 1)

    def _spooled_zip(self, stream: Source, where: str, name: str, depth: int) -> None:
        """A zip file is read from its end: one inside an archive is written to disk first."""
        with tempfile.TemporaryFile(dir=self.scratch) as whole:
            size = self._copy(stream, whole.write)
            self._bytes -= size
            self._zip(whole, where, name, depth)

    def _zip(self, file: IO[bytes], where: str, name: str, depth: int) -> None:
        with open_zip(file, most_members=self.limits.members) as archive:
            if archive is None:
                file.seek(0)
                self._file(file, where, name)
                return
            for info in archive.infolist():
                self._zip_member(archive, info, where, depth)

    def _zip_member(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str, depth: int) -> None:
        self._count()
        if info.is_dir():
            return
        with self._member(where, info.filename):
            path = _safe(where, info.filename)
            if (reason := why_zip_member_refused(info)) is not None:
                raise UnpackingError(reason)
            with read_zip_member(archive, info, self.limits) as data:
                self._unpack(data, path, PurePosixPath(path).name, depth + 1)

    @contextmanager
    def _member(self, where: str, name: str) -> Iterator[None]:
        """What is wrong with a member is noted, and the others go on."""
        try:
            yield
        except UnpackingError as error:
            self._refuse("/".join(filter(None, (where, _shown(name)))), str(error))

    def _file(self, source: Source, where: str, name: str) -> None:
        path = str(PurePosixPath(where).with_name(name)) if where else name
        beginning = PeekableSource(source)
        first = beginning.peek(BLOCK)
        if looks_like_html(first) and not name.lower().endswith((".htm", ".html")):
            message = "a web page, not a file of data"
            raise UnpackingError(message)
        if where and _CLAIMS_ARCHIVE.search(name) and first:
            message = "called an archive, but its content is none"
            raise UnpackingError(message)
        if self.wanted is not None and not self.wanted(path):
            self.passed_over.append(path)
            return
        if (member := where or name) in self._paths:
            message = "the archive has a file of this path already"
            raise UnpackingError(message)
        on_disk = self._name_on_disk(name)
        digest, size = self._write(beginning, self.folder / on_disk)
        self._paths.add(member)
        self.files.append(
            ExtractedFile(
                path=self.target / on_disk,
                name=name,
                archive_member_path=member,
                size_bytes=size,
                sha256=digest,
            )
        )

    def _write(self, source: Source, destination: Path) -> tuple[str, int]:
        digest = hashlib.sha256()
        before = self._bytes
        try:
            with destination.open("xb") as file:

                def take(piece: bytes) -> None:
                    file.write(piece)
                    digest.update(piece)

                size = self._copy(source, take)
        except BaseException:
            destination.unlink(missing_ok=True)
            self._bytes = before
            raise
        return digest.hexdigest(), size

    def _copy(self, source: Source, take: Callable[[bytes], object]) -> int:
        size = 0
        while piece := source.read(PIECE_BYTES):
            size += len(piece)
            self._bytes += len(piece)
            if size > self.limits.member_bytes:
                message = f"limit: the file has more than {self.limits.member_bytes:,} bytes"
                raise UnpackingError(message)
            if self._bytes > self.limits.total_bytes:
                message = f"the files have more than {self.limits.total_bytes:,} bytes together"
                raise _StoppedError(message)
            if implausible(self._bytes, self.packed_bytes, self.limits):
                message = f"the archive unpacks to more than {self.limits.ratio:g} times its size"
                raise _StoppedError(message)
            take(piece)
        return size

    def _name_on_disk(self, name: str) -> str:
        """A name that no other file has, also not on disks that do not tell letter case and spelling apart."""
        plain = f"_{name}" if name.startswith(("-", ".")) else name
        stem, dot, suffix = plain.partition(".")
        key = _disk_key(plain)
        number = self._used.get(key, 0) + 1
        candidate = plain
        while number > 1 and _disk_key(candidate := f"{stem}~{number}{dot}{suffix}") in self._used:
            number += 1
        self._used[key] = number
        self._used.setdefault(_disk_key(candidate), 1)
        return candidate

    def _count(self) -> None:
        self._members += 1
        if self._members > self.limits.members:
            message = f"more than {self.limits.members:,} members"
            raise _StoppedError(message)

    def _refuse(self, name: str, reason: str) -> None:
        self.refused.append(RefusedMember(name=name, reason=reason))


def _disk_key(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _uncompressed(name: str) -> str:
    return _COMPRESSION_SUFFIX.sub("", _TAR_SUFFIX.sub(".tar", name))


def _safe(where: str, name: str) -> str:
    """The path of a member below that of its archive, with plain folders only.

    Raises:
        UnpackingError: The path leads out of the folder, or cannot be a path.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        reason = "an absolute path"
    elif ".." in parts:
        reason = "a path that leads out of the archive's folder"
    elif _CONTROL.search(name):
        reason = "a name with control characters"
    elif not parts:
        reason = "no name"
    elif len(name) > LONGEST_PATH or len(parts[-1].encode()) > LONGEST_NAME_BYTES:
        reason = f"a name of more than {LONGEST_NAME_BYTES} bytes"
    else:
        return "/".join([where, *parts] if where else parts)
    raise UnpackingError(reason)


def _shown(name: str) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", name)[:LONGEST_PATH]
