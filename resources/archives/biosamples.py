"""EBI BioSamples: what a sample's submitter wrote about it (https://www.ebi.ac.uk/biosamples/docs)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from refinebio_assets.domain.errors import AccessControlledError, ArchiveNotFoundError, MalformedPayloadError
from resources.archives.http import ArchiveClient

_log = logging.getLogger(__name__)

BIOSAMPLES_URL = "https://www.ebi.ac.uk/biosamples/samples"

_PARALLEL_REQUESTS = 8


class BioSamples:
    """Asks BioSamples for sample records.

    Args:
        client: Asks the archive, and keeps its rate limit.
    """

    def __init__(self, client: ArchiveClient) -> None:
        self._client = client

    def sample(self, accession: str) -> dict[str, Any] | None:
        """The record of a sample as BioSamples' own JSON object, None if there is none or it is not public.

        Raises:
            TransientArchiveError: BioSamples is unwell.
            MalformedPayloadError: The answer is not a JSON object.
        """
        url = f"{BIOSAMPLES_URL}/{quote(accession, safe='')}"
        try:
            record = self._client.get_json(url, {"format": "json"})
        except ArchiveNotFoundError:
            return None
        except AccessControlledError:
            _log.warning("BioSamples keeps %s private.", accession)
            return None
        if record is not None and not isinstance(record, dict):
            message = f"BioSamples' answer is not a sample record: {url}"
            raise MalformedPayloadError(message, url=url)
        return record

    def samples(self, accessions: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The records of many samples by accession, sorted; samples without a public record are absent.

        Raises:
            TransientArchiveError, MalformedPayloadError: As :meth:`sample`; one failing sample fails the whole, so
                that no attribute is lost without notice.
        """
        wanted = sorted(set(accessions))
        with ThreadPoolExecutor(max_workers=_PARALLEL_REQUESTS, thread_name_prefix="biosamples") as pool:
            try:
                records = list(pool.map(self.sample, wanted))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return {accession: record for accession, record in zip(wanted, records, strict=True) if record is not None}
