"""NCBI's Sequence Read Archive on Amazon S3 (https://registry.opendata.aws/ncbi-sra): one ``.sra`` object per run."""

from __future__ import annotations

from refinebio_assets.domain.errors import AccessControlledError
from resources.archives.http import ArchiveClient

SRA_ON_S3_URL = "https://sra-pub-run-odp.s3.amazonaws.com/sra"


class SraOnS3:
    """Addresses and sizes of runs in the open-data bucket.

    Args:
        client: Asks the archive.
    """

    def __init__(self, client: ArchiveClient) -> None:
        self._client = client

    def url(self, run: str) -> str:
        """Address of a run's ``.sra`` object."""
        return f"{SRA_ON_S3_URL}/{run}/{run}"

    def size_bytes(self, run: str) -> int | None:
        """Size of a run's object, None if the bucket does not have it (controlled access, or not copied yet).

        Raises:
            TransientArchiveError: S3 is unwell.
        """
        try:
            return self._client.head_size(self.url(run))
        except AccessControlledError:
            # S3 answers 403 for a missing object to whoever may not list the bucket.
            return None
