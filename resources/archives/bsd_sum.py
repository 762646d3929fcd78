"""Ensembl's ``CHECKSUMS`` files: the 16-bit checksum and the number of kilobytes that the program ``sum`` prints.

A checksum of 16 bits misses one damaged file in 65,536; together with the length and complete gzip data (which have a
CRC-32 of their own) it tells a file of another release from the one that was announced. The program does 100 MB in
0.2 s; each step of the algorithm depends on the one before, so that it cannot be vectorised.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from refinebio_assets.domain.errors import ToolFailedError
from resources.tools.process import run_tool

_LINE = re.compile(r"\s*([0-9]{1,5})\s+([0-9]+)\s+(?:\S*/)?([^\s/]+)\s*")
_LONGEST_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class BsdSum:
    """Checksum (0 to 65,535) and length in kilobytes, rounded up."""

    checksum: int
    kilobytes: int


def parse_checksums(text: str) -> dict[str, BsdSum]:
    """The files a ``CHECKSUMS`` file names; lines of another form (an md5, a remark) are passed over."""
    matches = (_LINE.fullmatch(line) for line in text.splitlines())
    return {match.group(3): BsdSum(int(match.group(1)), int(match.group(2))) for match in matches if match}


def bsd_sum(path: Path) -> BsdSum:
    """The checksum of a file, by the program ``sum`` (coreutils, BSD).

    Raises:
        ToolMissingError: There is no such program.
        ToolFailedError: The file cannot be read.
    """
    # The path comes from us, but a name that begins with a dash would be an option.
    printed = run_tool(["sum", str(path.absolute())], timeout_seconds=_LONGEST_SECONDS).stdout
    numbers = printed.split()[:2]
    if len(numbers) != 2 or not all(number.isdigit() for number in numbers):
        message = f"sum printed no checksum of {path}."
        raise ToolFailedError(message, output=printed)
    return BsdSum(int(numbers[0]), int(numbers[1]))
