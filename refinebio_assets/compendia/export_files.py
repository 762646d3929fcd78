"""Gene slices as files, by extension.

Text has genes in rows, as everywhere; what must be known of the samples lies beside it, in ``F.samples.tsv``. Parquet
has one row for each sample: what is known of it, then a column for each gene. ``.h5ad`` and ``.zarr`` hold an AnnData
with samples in rows and what is known of them in ``obs``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refinebio_assets.compendia.export_run import ExportedSample, GeneExport
from refinebio_assets.compendia.gene_slices import shortest_decimals
from refinebio_assets.domain.errors import InputError
from refinebio_assets.matrix_files import MatrixFormat, matrix_format, replacing, write_anndata, write_matrix

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("experiment", "organism", "technology", "platform", "scale")
"""What is said of a sample beside its accession."""


def export_paths(path: Path) -> list[Path]:
    """The files that an export to ``path`` writes.

    Raises:
        InputError: The extension names no format, or the folder does not exist.
    """
    if matrix_format(path) in {MatrixFormat.TSV, MatrixFormat.TSV_GZ}:
        return [path, path.with_name(f"{path.name}.samples.tsv")]
    return [path]


def write_export(path: Path, export: GeneExport) -> list[Path]:
    """Write a gene slice; the same slice gives the same bytes.

    Returns:
        The files.

    Raises:
        InputError: The extension names no format, the folder does not exist, or a gene has the name of a column.
    """
    paths = export_paths(path)
    kind = matrix_format(path)
    if kind.has_layers:
        _write_anndata(path, export)
    elif kind is MatrixFormat.PARQUET:
        _write_parquet(path, export)
    else:
        samples = [sample.accession for sample in export.samples]
        write_matrix(path, rows=export.found, columns=samples, blocks=[shortest_decimals(export.matrix.T)])
        _write_samples(paths[1], export.samples)
    return paths


def _write_samples(path: Path, samples: Sequence[ExportedSample]) -> None:
    names = [field.name for field in fields(ExportedSample)]
    lines = ["\t".join(names), *("\t".join(str(getattr(sample, name)) for name in names) for sample in samples)]
    with replacing(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def _write_parquet(path: Path, export: GeneExport) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    clash = sorted({"sample", *COLUMNS}.intersection(export.found))
    if clash:
        message = f"A gene is called {clash[0]}, as a column of the table is."
        raise InputError(message, path=path, remedy="Write .tsv or .h5ad.")
    columns = {"sample": pa.array([sample.accession for sample in export.samples], pa.string())}
    columns |= {name: pa.array([str(getattr(one, name)) for one in export.samples], pa.string()) for name in COLUMNS}
    genes = np.ascontiguousarray(export.matrix.T)
    columns |= {gene: pa.array(row, from_pandas=True) for gene, row in zip(export.found, genes, strict=True)}
    with replacing(path) as temporary:
        pq.write_table(pa.table(columns), temporary, compression="zstd")


def _write_anndata(path: Path, export: GeneExport) -> None:
    import anndata

    write_anndata(path, anndata.AnnData(X=export.matrix, obs=_obs(export), var=_var(export)))


def _obs(export: GeneExport) -> pd.DataFrame:
    import pandas as pd

    columns = {
        name: pd.Categorical(texts, categories=sorted(set(texts)))
        for name in COLUMNS
        for texts in [[str(getattr(sample, name)) for sample in export.samples]]
    }
    return pd.DataFrame(columns, index=pd.Index([sample.accession for sample in export.samples], name="sample"))


def _var(export: GeneExport) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(index=pd.Index(export.found, name="Gene"))
