"""Ensembl and Ensembl Genomes: which genomes a division has, which release is current, and where files lie.

REST: https://rest.ensembl.org; it only knows the current release. Files: https://ftp.ensembl.org/pub/release-N/… for
vertebrates and https://ftp.ensemblgenomes.ebi.ac.uk/pub/release-N/{plants,fungi,…}/… for the other divisions.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from refinebio_assets.domain.errors import (
    ArchiveNotFoundError,
    ChecksumMismatchError,
    InputError,
    MalformedPayloadError,
)
from resources.archives.bsd_sum import BsdSum, bsd_sum, parse_checksums
from resources.archives.download import Downloaded
from resources.archives.http import ArchiveClient

_log = logging.getLogger(__name__)

REST_URL = "https://rest.ensembl.org"
VERTEBRATES_FILES_URL = "https://ftp.ensembl.org/pub"
GENOMES_FILES_URL = "https://ftp.ensemblgenomes.ebi.ac.uk/pub"

VERTEBRATES = "EnsemblVertebrates"

GENOMES_FOLDERS: dict[str, str] = {
    "EnsemblPlants": "plants",
    "EnsemblFungi": "fungi",
    "EnsemblBacteria": "bacteria",
    "EnsemblProtists": "protists",
    "EnsemblMetazoa": "metazoa",
}
"""Divisions of Ensembl Genomes and their folders on the file server."""

CHECKSUMS = "CHECKSUMS"
"""Name of the file, in every folder of files, that tells their checksums."""

_FOLDER_LINK = re.compile(r"""href=["'](?:\./)?([A-Za-z0-9_]+)/["']""")
_JSON = {"content-type": "application/json"}


class Ensembl:
    """Asks Ensembl's REST service and file servers.

    Args:
        client: Asks the archive.
    """

    def __init__(self, client: ArchiveClient) -> None:
        self._client = client

    def species(self, division: str) -> list[dict[str, Any]]:
        """The genomes of a division as Ensembl's own JSON objects.

        Vertebrates carry ``name, assembly, taxon_id, division``, the other divisions ``name, assembly_name,
        taxonomy_id, species_taxonomy_id, division``.

        Args:
            division: ``EnsemblVertebrates`` (also ``Ensembl``), ``EnsemblPlants``, ``EnsemblFungi`` …

        Raises:
            InputError: No such division.
            TransientArchiveError: Ensembl is unwell.
            MalformedPayloadError: The answer is not a list of genomes.
        """
        if _checked(division) == VERTEBRATES:
            url = f"{REST_URL}/info/species"
            answer = self._client.get_json(url, _JSON)
            answer = answer.get("species") if isinstance(answer, dict) else None
        else:
            url = f"{REST_URL}/info/genomes/division/{division}"
            answer = self._client.get_json(url, _JSON)
        if not isinstance(answer, list) or not all(isinstance(genome, dict) for genome in answer):
            message = f"Ensembl's answer is not a list of genomes: {url}"
            raise MalformedPayloadError(message, url=url)
        return answer

    def current_release(self, division: str) -> str:
        """Number of the current release: Ensembl's for vertebrates, Ensembl Genomes' for the others.

        Raises:
            InputError, TransientArchiveError: As :meth:`species`.
            MalformedPayloadError: The answer names no release.
        """
        path, name = ("software", "release") if _checked(division) == VERTEBRATES else ("eg_version", "version")
        url = f"{REST_URL}/info/{path}"
        answer = self._client.get_json(url, _JSON)
        release = str(answer.get(name, "")) if isinstance(answer, dict) else ""
        if not release.isdigit():
            message = f"Ensembl does not say which release is current: {url}"
            raise MalformedPayloadError(message, url=url)
        return release

    def exists(self, url: str) -> bool:
        """Whether a file server has a file.

        Raises:
            TransientArchiveError: The server is unwell (which is not the same as "no").
        """
        return self._client.exists(url)

    def species_table(self, division: str, *, release: str | None = None) -> str:
        """The tab-separated ``species_{division}.txt``, which alone names the collection database of a genome.

        Args:
            division: As for :meth:`species`.
            release: Number of a release; the current one if None.

        Raises:
            InputError: No such division.
            ArchiveNotFoundError: No such release.
            TransientArchiveError: The server is unwell.
        """
        division = _checked(division)
        if division == VERTEBRATES:
            folder = f"{VERTEBRATES_FILES_URL}/{'current' if release is None else f'release-{release}'}"
        elif release is None:
            folder = f"{GENOMES_FILES_URL}/{GENOMES_FOLDERS[division]}/current"
        else:
            folder = f"{GENOMES_FILES_URL}/release-{release}/{GENOMES_FOLDERS[division]}"
        return self._client.get_text(f"{folder}/species_{division}.txt")

    def folders(self, url: str) -> list[str]:
        """Names of the folders in a folder of a file server, from the page that lists them.

        Raises:
            ArchiveNotFoundError: There is no such folder.
            TransientArchiveError: The server is unwell.
        """
        return list(dict.fromkeys(_FOLDER_LINK.findall(self._client.get_page(url))))

    def filenames(self, url: str) -> list[str]:
        """Names of the files in a folder, from its ``CHECKSUMS``; none if it has no such file.

        Raises:
            TransientArchiveError: The server is unwell.
        """
        return list(self._checksums(url))

    def download(
        self, url: str, destination: Path, *, size_bytes: int | None = None, md5: str | None = None
    ) -> Downloaded:
        """Fetch a file and hold it against the ``CHECKSUMS`` of its folder; once more if it differs.

        A folder without ``CHECKSUMS``, or one that does not name the file, is noted in the log: then size and complete
        gzip data are what is checked.

        Args:
            url: Address of the file.
            destination: As for :meth:`ArchiveClient.download`.
            size_bytes: As for :meth:`ArchiveClient.download`.
            md5: As for :meth:`ArchiveClient.download`.

        Raises:
            ChecksumMismatchError: The checksum is wrong also after downloading afresh; nothing is left.
            TransientArchiveError, ArchiveNotFoundError: As :meth:`ArchiveClient.download`.
        """
        folder, _, filename = url.rpartition("/")
        expected = self._checksums(folder).get(filename)
        if expected is None:
            _log.warning("Ensembl tells no checksum of %s: only its size and compression are checked.", url)
            return self._client.download(url, destination, size_bytes=size_bytes, md5=md5)
        for _ in range(2):
            downloaded = self._client.download(url, destination, size_bytes=size_bytes, md5=md5)
            found = bsd_sum(destination)
            if found == expected:
                return downloaded
            destination.unlink()
        message = f"The checksum of {url} is {found}, not {expected} as Ensembl's CHECKSUMS has it."
        raise ChecksumMismatchError(message, url=url, remedy="Try again later; Ensembl may be changing the file.")

    def _checksums(self, folder: str) -> dict[str, BsdSum]:
        try:
            return parse_checksums(self._client.get_text(f"{folder}/{CHECKSUMS}"))
        except ArchiveNotFoundError:
            return {}


def files_root(division: str, release: str) -> str:
    """Address of a release's folder: below it lie ``fasta/`` and ``gtf/``.

    Raises:
        InputError: No such division.
    """
    division = _checked(division)
    if division == VERTEBRATES:
        return f"{VERTEBRATES_FILES_URL}/release-{release}"
    return f"{GENOMES_FILES_URL}/release-{release}/{GENOMES_FOLDERS[division]}"


def _checked(division: str) -> str:
    """The division's full name.

    Raises:
        InputError: No such division.
    """
    name = VERTEBRATES if division == "Ensembl" else division
    if name != VERTEBRATES and name not in GENOMES_FOLDERS:
        message = f"Ensembl has no division {division!r}."
        raise InputError(
            message,
            remedy="Divisions: " + ", ".join((VERTEBRATES, *GENOMES_FOLDERS)) + ".",
        )
    return name
