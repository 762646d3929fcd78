"""RNA-seq runs that are never processed: refine.bio's list of 2019, which gives no reasons (``data/README.md``)."""

from __future__ import annotations

import gzip
import re
import zlib
from functools import lru_cache
from importlib.resources.abc import Traversable

from refinebio_assets.domain.errors import MalformedFileError

BLACKLIST_FILE = "blacklisted_runs.txt.gz"

_RUNS = re.compile(r"(?:[SED]RR[0-9]{6,}\n)*")


def read_blacklisted_runs(table: Traversable) -> frozenset[str]:
    """Run accessions of a gzipped list in ascending order; 235,000 of them take 0.1 s, the same list again no time.

    Raises:
        MalformedFileError: The list cannot be read, a line is no run accession, or the order is broken (which is also
            how a duplicate shows).
    """
    try:
        return _runs(table.read_bytes(), str(table))
    except OSError as error:
        message = f"The list of runs cannot be read: {error}."
        raise MalformedFileError(message, path=str(table)) from error


@lru_cache(maxsize=2)
def _runs(compressed: bytes, path: str) -> frozenset[str]:
    try:
        text = gzip.decompress(compressed).decode("ascii")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        message = f"The list of runs cannot be read: {error}."
        raise MalformedFileError(message, path=path) from error
    good = _RUNS.match(text)
    if good is None or good.end() != len(text):
        message = "The line is no run accession."
        raise MalformedFileError(message, path=path, line=text.count("\n", 0, good.end() if good else 0) + 1)
    runs = text.splitlines()
    if not all(map(str.__lt__, runs, runs[1:])):
        line = next(number for number in range(1, len(runs)) if runs[number - 1] >= runs[number]) + 1
        message = f"The run comes twice or is out of order after {runs[line - 2]}."
        raise MalformedFileError(message, path=path, line=line, remedy="Sort the list; keep each run once.")
    return frozenset(runs)
