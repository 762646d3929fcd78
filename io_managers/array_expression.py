"""Expression of an experiment's arrays: an AnnData per organism as ``.h5ad``, and its matrix as Parquet."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from io_managers.base import PartitionedIOManager, key_segment, never_stored, stored_metadata
from io_managers.expression import GENE_COLUMN, PREVIEW_SIZE, write_h5ad
from refinebio_assets.domain.errors import InputError
from resources.object_store import StoredObject
from resources.object_store.temporary import temporary_folder

if TYPE_CHECKING:
    import anndata

ASSET = "array_expression"


class ArrayExpressionIOManager(PartitionedIOManager):
    """Mapping of organism to AnnData (samples x genes, float32) <-> ``array_expression/{EXPERIMENT}/``.

    One organism: ``{EXPERIMENT}.h5ad`` and ``{EXPERIMENT}.parquet`` (genes x samples, column ``Gene`` first); several:
    ``{EXPERIMENT}_{ORGANISM}.h5ad`` and so on. The same value gives the same bytes.
    """

    scratch_dir: str | None = None
    """Where files are made before they are stored; the system's temporary folder if None."""

    def save(self, partition_key: str, value: Mapping[str, anndata.AnnData]) -> dict[str, dg.MetadataValue[Any]]:
        """See :meth:`PartitionedIOManager.save`.

        Raises:
            InputError: There is no organism, or a matrix repeats a sample or gene.
        """
        _check(partition_key, value)
        stored: list[StoredObject] = []
        with temporary_folder(Path(self.scratch_dir or tempfile.gettempdir()), "array_expression") as folder:
            for organism, matrix in value.items():
                stem = _stem(partition_key, organism, several=len(value) > 1)
                table = _write_gene_matrix(matrix, folder / f"{stem}.parquet")
                self._store.put_file(table, f"{_folder(partition_key)}/{stem}.parquet")
                container = write_h5ad(matrix, folder / f"{stem}.h5ad")
                stored.append(self._store.put_file(container, f"{_folder(partition_key)}/{stem}.h5ad"))
        return stored_metadata(self._store, stored[0]) | {
            "matrices": dg.MetadataValue.text(", ".join(self._store.uri(one.key) for one in stored)),
            "samples_in_matrix": dg.MetadataValue.int(sum(matrix.n_obs for matrix in value.values())),
            "genes_in_matrix": dg.MetadataValue.text(_genes(value)),
            "preview": _preview(value),
        }

    def load(self, partition_key: str) -> dict[str, anndata.AnnData]:
        """See :meth:`PartitionedIOManager.load`."""
        import anndata

        prefix = _folder(partition_key)
        keys = [key for key in self._store.list_keys(prefix) if key.endswith(".h5ad")]
        if not keys:
            raise never_stored(ASSET, partition_key)
        found = {}
        with temporary_folder(Path(self.scratch_dir or tempfile.gettempdir()), "array_expression") as folder:
            for key in keys:
                path = self._store.local_path(key) or self._store.fetch(key, folder / key.rpartition("/")[2])
                matrix = anndata.read_h5ad(path)
                found[str(matrix.uns["organism"])] = matrix
        return found


def _folder(experiment: str) -> str:
    return f"{ASSET}/{key_segment(experiment)}"


def _stem(experiment: str, organism: str, *, several: bool) -> str:
    return f"{experiment}_{organism}" if several else experiment


def _check(partition_key: str, value: Mapping[str, anndata.AnnData]) -> None:
    if not value:
        message = f"The array expression of {partition_key} has no matrix."
        raise InputError(message)
    for organism, matrix in value.items():
        faults = {
            "repeats a sample": not matrix.obs_names.is_unique,
            "repeats a gene": not matrix.var_names.is_unique,
            f"has a sample named {GENE_COLUMN}": GENE_COLUMN in matrix.obs_names,
        }
        for fault, present in faults.items():
            if present:
                message = f"The array expression of {partition_key} ({organism}) {fault}."
                raise InputError(message)


def _write_gene_matrix(value: anndata.AnnData, path: Path) -> Path:
    """One row per gene, ``Gene`` first, then one float32 column per sample."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {GENE_COLUMN: pa.array([str(gene) for gene in value.var_names], pa.string())}
    columns |= {str(sample): pa.array(row) for sample, row in zip(value.obs_names, np.asarray(value.X), strict=True)}
    pq.write_table(pa.table(columns), path, compression="zstd", row_group_size=max(1, value.n_vars))
    return path


def _genes(value: Mapping[str, anndata.AnnData]) -> str:
    return ", ".join(f"{matrix.n_vars} ({organism})" for organism, matrix in value.items())


def _preview(value: Mapping[str, anndata.AnnData]) -> dg.MetadataValue[Any]:
    lines: list[str] = []
    for organism, matrix in value.items():
        samples, genes = matrix.obs_names[:PREVIEW_SIZE], matrix.var_names[:PREVIEW_SIZE]
        corner = matrix.X[:PREVIEW_SIZE, :PREVIEW_SIZE]
        lines += [f"First genes and samples of {organism}:", ""]
        lines += [f"| {GENE_COLUMN} | {' | '.join(map(str, samples))} |", "|---|" + "---:|" * len(samples)]
        lines += [
            f"| {gene} | {' | '.join(f'{number:.4f}' for number in corner[:, at])} |" for at, gene in enumerate(genes)
        ]
        lines.append("")
    return dg.MetadataValue.md("\n".join(lines))
