"""Accessions of the command line and of list files."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from refinebio_assets.cli.common import read_settings

FILE_HELP = "File with one accession per line (a path, s3://bucket/key, or - for standard input); # starts a comment."
STANDARD_INPUT = "-"


def read_queries(arguments: Iterable[str], file: str | None) -> list[str]:
    """Accessions of the command line and of a list file, in order, without repeats.

    A line is an accession, an organism, or ``Organism, Division``. Blank lines, what follows a ``#``, line ends of
    other systems and a byte order mark do not matter.

    Raises:
        InputError: No accession was given, or the file cannot be read.
    """
    from refinebio_assets.domain.errors import InputError

    queries = [argument.strip() for argument in arguments]
    if file is not None:
        queries += read_lines(file)
    unique = list(dict.fromkeys(query for query in queries if query))
    if not unique:
        message = "No accession was given."
        raise InputError(message, path=file, remedy="Name some, for example: refinebio ingest SRP010938")
    return unique


def read_lines(file: str) -> list[str]:
    """Accessions of a list file, with repeats, without blank lines and comments; ``-`` is standard input.

    Raises:
        InputError: It cannot be read, or is no text.
    """
    lines = (line.split("#", 1)[0].strip() for line in _read_list(file).splitlines())
    return [line for line in lines if line]


def _read_list(file: str) -> str:
    from refinebio_assets.domain.errors import InputError

    try:
        if file == STANDARD_INPUT:
            return sys.stdin.read().removeprefix("\N{BYTE ORDER MARK}")
        if file.startswith("s3://"):
            from resources.object_store import ObjectStore

            parent, _, name = file.rpartition("/")
            endpoint = read_settings().s3_endpoint_url
            return ObjectStore.from_url(parent, endpoint_url=endpoint).get_bytes(name).decode("utf-8-sig")
        return Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        message = f"The list of accessions cannot be read: {error}"
        raise InputError(message, path=file, remedy="Give a text file with one accession per line.") from error
