"""The one document of a MINiML archive: ``GSE…_family.xml.tgz`` also holds the data tables, which nobody needs here."""

from __future__ import annotations

import os
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from refinebio_assets.domain.errors import MalformedPayloadError

LARGEST_DOCUMENT_BYTES = 2 * 1024**3
"""A MINiML document describes samples; those of GEO's largest series have some 100 MB."""

MOST_MEMBERS = 1_000_000
"""Members that are looked at before the document must have come; there is one per sample and platform beside it."""

_PIECE_BYTES = 1 << 20


def unpack_family(archive: Path, name: str, *, url: str) -> Path:
    """Take one document out of a gzipped tar archive, and remove the archive.

    Nothing else is written, whatever the archive holds. The document goes beside the archive under ``name``, whatever
    folder its member names.

    Args:
        archive: The archive.
        name: Name of the document.
        url: Where the archive is from, for messages.

    Returns:
        The document.

    Raises:
        MalformedPayloadError: The archive is broken, does not hold the document, or the document is too large.
    """
    destination = archive.with_name(name)
    fresh = archive.with_name(f"{name}.part")
    try:
        with tarfile.open(archive, mode="r|gz") as members, fresh.open("wb") as file:
            _copy(_document(members, name, url), file, url)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(destination)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk, not the archive
        message = f"The archive is broken ({error}): {url}"
        raise MalformedPayloadError(message, url=url) from error
    finally:
        fresh.unlink(missing_ok=True)
        archive.unlink(missing_ok=True)
    return destination


def _document(members: tarfile.TarFile, name: str, url: str) -> IO[bytes]:
    for number, member in enumerate(members):
        if number >= MOST_MEMBERS:
            break
        if not member.isreg() or PurePosixPath(member.name).name != name:
            continue
        if member.size > LARGEST_DOCUMENT_BYTES:
            message = f"{name} has {member.size} bytes, more than any series needs: {url}"
            raise MalformedPayloadError(message, url=url)
        content = members.extractfile(member)
        if content is not None:
            return content
    message = f"The archive does not hold {name}: {url}"
    raise MalformedPayloadError(message, url=url)


def _copy(content: IO[bytes], file: IO[bytes], url: str) -> None:
    copied = 0
    while piece := content.read(_PIECE_BYTES):
        copied += len(piece)
        if copied > LARGEST_DOCUMENT_BYTES:
            message = f"The archive's document does not end: {url}"
            raise MalformedPayloadError(message, url=url)
        file.write(piece)
