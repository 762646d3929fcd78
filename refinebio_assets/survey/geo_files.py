"""Which files of a GEO sample are its raw data.

The rules are those of refine.bio's GEO survey: what is raw is recognised by the file's name alone, because GEO says
nothing else about it. ``docs/geo.md`` has the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import SplitResult, unquote, urlsplit

from refinebio_assets.domain.records import OriginalFile, OriginalFileKind
from refinebio_assets.survey.archive_rows import Row, as_text
from refinebio_assets.survey.microarray_platforms import ILLUMINA

NO_FILE = "NONE"
"""What GEO writes instead of a file; nothing after it is one."""

IGNORED_FILES = (
    "idat.gz",
    ".chp",
    "chp.gz",
    "ndf.gz",
    "pos.gz",
    "pair.gz",
    "gff.gz",
    "sdf.gz",
    "tif.gz",
    "locs.gz",
    "grn.xml.gz",
    "red.xml.gz",
)
"""Parts of names of files that hold no intensities that are read (refine.bio)."""
IGNORED_ILLUMINA_FILES = ("csv.gz",)

NON_NORMALIZED_FILES = (
    "_non_normalized.txt",
    "_non-normalized.txt",
    "-non-normalized.txt",
    "-non_normalized.txt",
)
"""Parts of names of raw Illumina tables (refine.bio)."""

_NON_NORMALIZED = re.compile(r"[_-]non[_-]normalized(?:_data)?\.txt")
_CEL = re.compile(r"\.cel(?:\.(?:gz|bz2|zip|z))?$")
_GEO_HOSTS = frozenset({"ftp.ncbi.nlm.nih.gov", "ftp.ncbi.nih.gov"})
_GEO_PATH = re.compile(
    r"(?:/pub)?/geo(?:/DATA/supplementary)?/(samples|series|platforms)/(?:[^/]+/)?((?:GSM|GSE|GPL)[0-9]+)/(?:suppl/)?([^/]+)"
)
_FILES_URL = "https://ftp.ncbi.nlm.nih.gov/geo"


def accession_folder(accession: str) -> str:
    """The folder GEO files an accession in: its last three digits become ``nnn`` (GSM11805 -> GSM11nnn).

    https://ftp.ncbi.nlm.nih.gov/geo/README.txt
    """
    return f"{accession[:3]}{accession[3:][:-3]}nnn"


def family_file_url(series: str) -> str:
    """Where the family file of a series lies."""
    return f"{_FILES_URL}/series/{accession_folder(series)}/{series}/soft/{series}_family.soft.gz"


def current_url(url: str) -> str:
    """The address by HTTPS, and in today's folders if it is one of GEO's former ones."""
    parts = _split(url)
    if parts.hostname not in _GEO_HOSTS:
        return url.strip()
    match = _GEO_PATH.fullmatch(parts.path)
    if match is None:
        return f"https://ftp.ncbi.nlm.nih.gov{parts.path}"
    folder, accession, filename = match.groups()
    return f"{_FILES_URL}/{folder}/{accession_folder(accession)}/{accession}/suppl/{filename}"


def supplementary_urls(attributes: Row) -> tuple[str, ...]:
    """The distinct supplementary files of an entity, from ``supplementary_file``, ``supplementary_file_1`` and on."""
    return tuple(dict.fromkeys(_listed_urls(attributes)))


def _listed_urls(attributes: Row) -> Iterator[str]:
    for name, values in attributes.items():
        if name == "supplementary_file" or re.fullmatch(r"supplementary_file_[0-9]+", name):
            for value in values if isinstance(values, list | tuple) else [values]:
                url = as_text(value)
                if url == NO_FILE:
                    break
                if url:
                    yield url


def raw_files(urls: Iterable[str], *, manufacturer: str | None) -> tuple[OriginalFile, ...]:
    """The raw data files among the supplementary files of a sample.

    A name without an address (``file1.gpr``, as submissions have it) is nothing that could be downloaded.
    """
    return tuple(
        OriginalFile(url=current_url(url), filename=_filename(url), kind=kind)
        for url in urls
        if _split(url).scheme in {"ftp", "http", "https"}
        and (kind := raw_kind(url, manufacturer=manufacturer)) is not None
    )


def raw_kind(url: str, *, manufacturer: str | None) -> OriginalFileKind | None:
    """``cel`` or ``table`` if the file's name is that of raw data, else None."""
    name = _filename(url).lower()
    ignored = IGNORED_FILES + (IGNORED_ILLUMINA_FILES if manufacturer == ILLUMINA else ())
    if any(part in name for part in ignored):
        return None
    if _CEL.search(name):
        return "cel"
    return "table" if is_non_normalized_table(url) else None


def is_non_normalized_table(url: str) -> bool:
    """Whether the file's name says that its values are not normalised.

    Beside refine.bio's four patterns ``_non-normalized_data.txt`` counts, as in GSE16035.
    """
    name = _filename(url).lower()
    return any(part in name for part in NON_NORMALIZED_FILES) or bool(_NON_NORMALIZED.search(name))


def _filename(url: str) -> str:
    return unquote(_split(url).path.rpartition("/")[2])


def _split(url: str) -> SplitResult:
    """The parts of an address; what submitters wrote and is none (``ftp://[…``) has neither scheme nor host."""
    try:
        return urlsplit(url.strip())
    except ValueError:
        return SplitResult(scheme="", netloc="", path=url.strip(), query="", fragment="")
