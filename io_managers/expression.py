"""Expression of an experiment: AnnData as ``.h5ad``, and the gene matrix as Parquet for those who want just that."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from io_managers.base import PartitionedIOManager, key_segment, never_stored, stored_metadata
from refinebio_assets.domain.errors import InputError, NotFoundError
from resources.object_store.temporary import temporary_folder

if TYPE_CHECKING:
    import anndata
    import pandas as pd
    import pyarrow as pa

ASSET = "rna_seq_expression"
MATRIX_LAYER = "lengthScaledTPM"
"""The layer that is also written as Parquet: tximport's counts scaled for transcript length and library size."""

GENE_COLUMN = "Gene"
GZIP_LEVEL = 4
PREVIEW_SIZE = 5


class ExpressionIOManager(PartitionedIOManager):
    """AnnData (samples x genes) <-> ``rna_seq_expression/{EXPERIMENT}/{EXPERIMENT}.h5ad``.

    Beside it lies ``{EXPERIMENT}_lengthScaledTPM.parquet``: genes x samples, column ``Gene`` first, in the layer's own
    dtype. It is written first; the ``.h5ad`` is what is loaded. The same value gives the same bytes: no times or paths
    are stored, mappings are written in order of their keys, text columns become categories in alphabetical order.
    """

    scratch_dir: str | None = None
    """Where files are made before they are stored; the system's temporary folder if None."""

    def save(self, partition_key: str, value: anndata.AnnData) -> dict[str, dg.MetadataValue[Any]]:
        """See :meth:`PartitionedIOManager.save`.

        Raises:
            InputError: The value lacks the layer lengthScaledTPM, repeats a sample or gene, or mixes types in a column.
        """
        _check(partition_key, value)
        with temporary_folder(self._scratch, "expression") as folder:
            matrix = write_gene_matrix(value, folder / "matrix.parquet")
            self._store.put_file(matrix, matrix_key(partition_key))
            container = write_h5ad(value, folder / "expression.h5ad")
            stored = self._store.put_file(container, anndata_key(partition_key))
        return stored_metadata(self._store, stored) | {
            "samples_in_matrix": dg.MetadataValue.int(value.n_obs),
            "genes_in_matrix": dg.MetadataValue.int(value.n_vars),
            "layers": dg.MetadataValue.text(", ".join(sorted(value.layers))),
            "matrix": dg.MetadataValue.text(self._store.uri(matrix_key(partition_key))),
            "preview": _preview(value),
        }

    def load(self, partition_key: str) -> anndata.AnnData:
        """See :meth:`PartitionedIOManager.load`."""
        import anndata

        key = anndata_key(partition_key)
        try:
            own = self._store.local_path(key)
            if own is not None:
                return anndata.read_h5ad(own)
            with temporary_folder(self._scratch, "expression") as folder:
                return anndata.read_h5ad(self._store.fetch(key, folder / "expression.h5ad"))
        except NotFoundError as error:
            raise never_stored(ASSET, partition_key) from error

    @property
    def _scratch(self) -> Path:
        return Path(self.scratch_dir or tempfile.gettempdir())


def anndata_key(experiment: str) -> str:
    """Key of an experiment's AnnData."""
    return f"{ASSET}/{key_segment(experiment)}/{experiment}.h5ad"


def matrix_key(experiment: str) -> str:
    """Key of an experiment's gene matrix in Parquet."""
    return f"{ASSET}/{key_segment(experiment)}/{experiment}_{MATRIX_LAYER}.parquet"


def write_h5ad(value: anndata.AnnData, path: Path) -> Path:
    """Write an AnnData so that the same value gives the same bytes."""
    import anndata

    canonical = anndata.AnnData(
        X=value.X,
        obs=_with_categories(value.obs, "obs"),
        var=_with_categories(value.var, "var"),
        uns=_in_order(value.uns),
        layers=_in_order(value.layers),
        obsm=_in_order(value.obsm),
        varm=_in_order(value.varm),
        obsp=_in_order(value.obsp),
        varp=_in_order(value.varp),
    )
    options = {"compression": "gzip", "compression_opts": GZIP_LEVEL}
    anndata.io.write_h5ad(path, canonical, convert_strings_to_categoricals=False, dataset_kwargs=options)
    return path


def write_gene_matrix(value: anndata.AnnData, path: Path) -> Path:
    """Write the layer lengthScaledTPM as Parquet: one row per gene, ``Gene`` first, then one column per sample."""
    import pyarrow.parquet as pq

    # One row group: pandas, polars and R's arrow read it in one go; columns (samples) are what is picked.
    pq.write_table(_gene_table(value), path, compression="zstd", row_group_size=max(1, value.n_vars))
    return path


def _gene_table(value: anndata.AnnData) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    layer = np.asarray(value.layers[MATRIX_LAYER])
    columns = {GENE_COLUMN: pa.array([str(gene) for gene in value.var_names], pa.string())}
    columns |= {str(sample): pa.array(row) for sample, row in zip(value.obs_names, layer, strict=True)}
    return pa.table(columns)


def _check(partition_key: str, value: anndata.AnnData) -> None:
    faults = {
        f"has no layer {MATRIX_LAYER}": MATRIX_LAYER not in value.layers,
        "repeats a sample": not value.obs_names.is_unique,
        "repeats a gene": not value.var_names.is_unique,
        f"has a sample named {GENE_COLUMN}": GENE_COLUMN in value.obs_names,
    }
    for fault, present in faults.items():
        if present:
            message = f"The expression of {partition_key} {fault}."
            raise InputError(message)


def _with_categories(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The frame with text columns as categories in alphabetical order, the one text type of h5ad that may have gaps."""
    import pandas as pd

    result = frame.copy()
    for column in result.columns:
        values = result[column]
        if isinstance(values.dtype, pd.CategoricalDtype) or pd.api.types.is_numeric_dtype(values.dtype):
            continue
        known = values.dropna()
        if not all(isinstance(entry, str) for entry in known):
            message = f"Column {column!r} of {name} mixes types; make it text or numbers."
            raise InputError(message)
        result[column] = pd.Categorical(values, categories=sorted(set(known)))
    return result


def _in_order(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _in_order(entry) if isinstance(entry, Mapping) else entry for key, entry in sorted(mapping.items())}


def _preview(value: anndata.AnnData) -> dg.MetadataValue[Any]:
    samples, genes = value.obs_names[:PREVIEW_SIZE], value.var_names[:PREVIEW_SIZE]
    corner = value.layers[MATRIX_LAYER][:PREVIEW_SIZE, :PREVIEW_SIZE]
    lines = [
        f"First genes and samples of {MATRIX_LAYER}:",
        "",
        f"| {GENE_COLUMN} | {' | '.join(map(str, samples))} |",
        "|---|" + "---:|" * len(samples),
        *(
            f"| {gene} | {' | '.join(f'{cell:.4g}' for cell in row)} |"
            for gene, row in zip(genes, corner.T, strict=True)
        ),
    ]
    return dg.MetadataValue.md("\n".join(lines))
