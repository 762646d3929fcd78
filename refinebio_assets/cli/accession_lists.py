"""Accessions of the command line and of list files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from refinebio_assets.cli.common import read_settings

FILE_HELP = "File with one accession per line (a path or s3://bucket/key); # starts a comment."


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
        queries += _listed(_read_list(file))
    unique = list(dict.fromkeys(query for query in queries if query))
    if not unique:
        message = "No accession was given."
        raise InputError(message, path=file, remedy="Name some, for example: refinebio ingest SRP010938")
    return unique


def _listed(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield line.split("#", 1)[0].strip()


def _read_list(file: str) -> str:
    from refinebio_assets.domain.errors import InputError

    try:
        if file.startswith("s3://"):
            from resources.object_store import ObjectStore

            parent, _, name = file.rpartition("/")
            endpoint = read_settings().s3_endpoint_url
            return ObjectStore.from_url(parent, endpoint_url=endpoint).get_bytes(name).decode("utf-8-sig")
        return Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        message = f"The list of accessions cannot be read: {error}"
        raise InputError(message, path=file) from error
