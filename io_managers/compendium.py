"""Compendia and quantpendia: the files of each version under a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from io_managers.base import PartitionedIOManager, key_segment, never_stored, stored_metadata, table
from refinebio_assets.domain.errors import InputError, ObjectStoreError
from refinebio_assets.domain.vocabulary import CompendiumKind, ComputedFileKind
from resources.compendium_files import CompendiumFiles, FinishedFile
from resources.dagster_adapters import CatalogResource
from resources.object_store import StoredObject

if TYPE_CHECKING:
    import anndata

    from resources.catalog import ComputedFileInfo

MAIN_FILE = {
    CompendiumKind.COMPENDIUM: ComputedFileKind.COMPENDIUM_ANNDATA,
    CompendiumKind.QUANTPENDIUM: ComputedFileKind.QUANTPENDIUM_ARCHIVE,
}
"""What :meth:`CompendiumIOManager.load` gives."""


class CompendiumIOManager(PartitionedIOManager):
    """:class:`CompendiumFiles` <-> ``{compendia|quantpendia}/{ORGANISM}/{version}/``.

    Versions are never written over by other content, and stay. Which one is current the catalog says: the one recorded
    last. From S3, a copy below ``cache_dir`` is read, which may be removed at any time.
    """

    catalog: CatalogResource
    asset: str
    cache_dir: str

    def save(self, partition_key: str, value: CompendiumFiles) -> dict[str, dg.MetadataValue[Any]]:
        """See :meth:`PartitionedIOManager.save`. Files that are in the store already are left alone.

        Raises:
            InputError: There is no file, or they are of another organism.
            ObjectStoreError: A file changed while it was stored.
        """
        if not value.files or value.organism != key_segment(partition_key):
            message = f"{len(value.files)} files of {value.organism} cannot be the {self.asset} of {partition_key}."
            raise InputError(message)
        for file in value.files:
            if file.path is not None:
                stored = self._store.put_file(file.path, value.key(file))
                if stored.sha256 != file.sha256:
                    message = f"{file.name} changed while it was stored."
                    raise ObjectStoreError(message, remedy=f"Materialise {self.asset} of {partition_key} again.")
        main = value.files[0]
        size = sum(file.size_bytes for file in value.files)
        return stored_metadata(self._store, StoredObject(value.key(main), size, main.sha256)) | {
            "version": dg.MetadataValue.text(value.version),
            "files": table(map(_row, value.files), file="string", kind="string", size_bytes="int", sha256="string"),
        }

    def load(self, partition_key: str) -> anndata.AnnData | Path:
        """The current compendium as an AnnData that reads from its file, or the path of the current quantpendium.

        Raises:
            NotFoundError: There is none yet, or it was made without a ``.h5ad``.
            ObjectStoreError: The object store failed.
        """
        kind = CompendiumKind(self.asset)
        versions = self.catalog.connect().compendia.compendia(partition_key, kind)
        files = {file.kind: file for file in versions[0].files} if versions else {}
        if MAIN_FILE[kind] not in files:
            raise never_stored(self.asset, partition_key)
        path = self._local(files[MAIN_FILE[kind]])
        if kind is CompendiumKind.QUANTPENDIUM:
            return path
        import anndata

        return anndata.read_h5ad(path, backed="r")

    def _local(self, file: ComputedFileInfo) -> Path:
        local = self._store.local_path(file.key)
        if local is not None:
            return local
        copy = Path(self.cache_dir) / file.sha256 / file.filename
        return copy if copy.exists() else self._store.fetch(file.key, copy)


def _row(file: FinishedFile) -> dict[str, str | int]:
    return {"file": file.name, "kind": file.kind.value, "size_bytes": file.size_bytes, "sha256": file.sha256}
