"""What an IDAT file of Illumina's scanners says about itself.

Two formats share the name. Those of genotyping and methylation arrays (version 3) have a plain table of fields. Those
of expression BeadArrays (version 1) are XML that the scanner's software encrypted; they are told and described here,
not read: no maintained Python library reads them, and the tables of BeadStudio and GenomeStudio have the same
values (summarised per bead type) with detection p-values, which IDAT files lack.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from refinebio_assets.domain.errors import MalformedFileError

MAGIC = b"IDAT"
ENCRYPTED_EXPRESSION, PLAIN = 1, 3

_KEY_PLACE = 8
_BLOCK_BYTES = 8
_PLAIN_HEADER = struct.Struct("<4sqi")
_MOST_FIELDS = 1000


@dataclass(frozen=True, slots=True)
class IdatHeader:
    """The beginning of an IDAT file.

    Attributes:
        version: 1 for encrypted files of expression arrays, 3 for those of genotyping and methylation arrays.
        is_encrypted: The content cannot be read.
        fields: Number of fields of a plain file, None for an encrypted one.
    """

    version: int
    is_encrypted: bool
    fields: int | None


def read_idat_header(head: bytes) -> IdatHeader:
    """Read the header.

    Args:
        head: The first bytes of the file, at least 20.

    Raises:
        MalformedFileError: They are not those of an IDAT file, or of a version that is not known.
    """
    if not head.startswith(MAGIC) or len(head) < _PLAIN_HEADER.size:
        message = "This is no IDAT file, or only its beginning."
        raise MalformedFileError(message, remedy="Download the file again.")
    version = int.from_bytes(head[4:8], "little")
    if version == ENCRYPTED_EXPRESSION and head[_KEY_PLACE] == _BLOCK_BYTES:
        return IdatHeader(version, is_encrypted=True, fields=None)
    if version == PLAIN:
        _, _, fields = _PLAIN_HEADER.unpack_from(head)
        if 0 < fields < _MOST_FIELDS:
            return IdatHeader(version, is_encrypted=False, fields=fields)
    message = f"This is an IDAT file of a version that is not known ({version})."
    raise MalformedFileError(message, remedy="Give the table that GenomeStudio wrote.")
