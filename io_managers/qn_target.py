"""QN targets: the distribution that an organism's samples are normalised to."""

from __future__ import annotations

from typing import Any

import dagster as dg
import numpy as np
from numpy.typing import NDArray

from io_managers.base import PartitionedIOManager, never_stored, stored_metadata
from refinebio_assets.domain.errors import InputError
from resources.catalog import QnTargetInfo
from resources.dagster_adapters import CatalogResource
from resources.object_store import StoredObject

ASSET = "qn_target"


class QnTargetIOManager(PartitionedIOManager):
    """Ascending float64 values <-> ``qn_targets/{ORGANISM}/{version}/{ORGANISM}_target.tsv``, one number per line.

    Which version is current the catalog says. A target is stored together with the sums that let it grow, by the run
    that makes it; this manager gives it out, and makes sure that what an asset says it made is what is there.
    """

    catalog: CatalogResource

    def save(self, partition_key: str, value: NDArray[np.float64]) -> dict[str, dg.MetadataValue[Any]]:
        """Describe the stored target.

        Raises:
            InputError: The value is not the current target of the organism.
        """
        info = self._current(partition_key)
        if not np.array_equal(self._values(info), value):
            message = f"This is not the QN target of {partition_key} that is stored."
            raise InputError(message, remedy="Store and record a target before it is given out.")
        size = self._store.size(info.key)
        return stored_metadata(self._store, StoredObject(info.key, size, info.sha256)) | {
            "values": dg.MetadataValue.int(len(value)),
        }

    def load(self, partition_key: str) -> NDArray[np.float64]:
        """See :meth:`PartitionedIOManager.load`."""
        return self._values(self._current(partition_key))

    def _current(self, organism: str) -> QnTargetInfo:
        info = self.catalog.connect().compendia.current_qn_target(organism)
        if info is None:
            raise never_stored(ASSET, organism)
        return info

    def _values(self, info: QnTargetInfo) -> NDArray[np.float64]:
        content = self._read(info.key, asset=ASSET, partition_key=info.organism)
        return np.array(content.split(), dtype=np.float64)
