"""The one document of a MINiML archive: ``GSE…_family.xml.tgz`` also holds the data tables, which nobody needs here."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO

from refinebio_assets.domain.errors import MalformedPayloadError
from resources.tar_members import tar_members
from resources.unpacking import PIECE_BYTES, DecompressedSource, ExtractionLimits, Source, UnpackingError

LARGEST_DOCUMENT_BYTES = 2 * 1024**3
"""A MINiML document describes samples; those of GEO's largest series have some 100 MB."""

MOST_MEMBERS = 1_000_000
"""Members that are looked at before the document must have come; there is one per sample and platform beside it."""


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
        with archive.open("rb") as packed, fresh.open("wb") as file:
            _copy(_document(packed, name, url), file, url)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(destination)
    except UnpackingError as error:
        message = f"The archive is broken ({error}): {url}"
        raise MalformedPayloadError(message, url=url) from error
    finally:
        fresh.unlink(missing_ok=True)
        archive.unlink(missing_ok=True)
    return destination


def _document(packed: Source, name: str, url: str) -> Source:
    """The content of the document's member; what stands before it is passed over."""
    members = tar_members(DecompressedSource(packed, "gzip", ExtractionLimits()))
    for member in islice(members, MOST_MEMBERS):
        plain = member.refused is None and not member.is_folder
        if plain and PurePosixPath(member.name).name == name:
            return member.data
    message = f"The archive does not hold {name}: {url}"
    raise MalformedPayloadError(message, url=url)


def _copy(content: Source, file: IO[bytes], url: str) -> None:
    copied = 0
    while piece := content.read(PIECE_BYTES):
        copied += len(piece)
        if copied > LARGEST_DOCUMENT_BYTES:
            message = f"The archive's document has more than {LARGEST_DOCUMENT_BYTES} bytes: {url}"
            raise MalformedPayloadError(message, url=url)
        file.write(piece)
