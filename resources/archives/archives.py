"""All public archives behind one object, built from the settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from resources.archives.biosamples import BioSamples
from resources.archives.biostudies import BioStudies
from resources.archives.ena import Ena
from resources.archives.ensembl import Ensembl
from resources.archives.geo import Geo
from resources.archives.http import ArchiveClient
from resources.archives.ncbi import Ncbi
from resources.archives.sra import SraOnS3
from resources.settings import Settings


class Archives:
    """The public archives; a context manager that closes its connections.

    Args:
        client: Asks all of them.
        ncbi_api_key: NCBI E-utilities key.
        contact_email: Sent to NCBI.
    """

    def __init__(
        self, client: ArchiveClient, *, ncbi_api_key: str | None = None, contact_email: str | None = None
    ) -> None:
        self.client = client
        self.ena = Ena(client)
        self.biosamples = BioSamples(client)
        self.ensembl = Ensembl(client)
        self.ncbi = Ncbi(client, api_key=ncbi_api_key, email=contact_email)
        self.sra = SraOnS3(client)
        self.geo = Geo(client, self.ncbi)
        self.biostudies = BioStudies(client)

    @classmethod
    def from_settings(cls, settings: Settings, *, sleep: Callable[[float], None] = time.sleep) -> Self:
        """The archives as the settings describe them.

        Args:
            settings: ``archive_*``, ``ncbi_api_key``, ``contact_email``.
            sleep: Waits between tries and for rate limits.

        Raises:
            ConfigurationError: ``archive_mirror_url`` is not an address.
        """
        key = settings.ncbi_api_key
        return cls(
            ArchiveClient.from_settings(settings, sleep=sleep),
            ncbi_api_key=None if key is None else key.get_secret_value(),
            contact_email=settings.contact_email,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self.client.close()
