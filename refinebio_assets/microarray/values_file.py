"""The values of one sample as a small Parquet file: column ``Gene`` (text, sorted) and ``Value`` (float32)."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import MalformedFileError

GENE_COLUMN, VALUE_COLUMN = "Gene", "Value"
Values = NDArray[np.float32]


def values_to_bytes(genes: Sequence[str], values: NDArray[np.floating]) -> bytes:
    """The file; the same values give the same bytes.

    Args:
        genes: Distinct names.
        values: One per gene, in the same order; stored as float32.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    order = np.argsort(np.asarray(genes, dtype=object), kind="stable")
    names = pa.array([genes[at] for at in order], pa.string())
    table = pa.table({GENE_COLUMN: names, VALUE_COLUMN: pa.array(np.asarray(values, dtype=np.float32)[order])})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", use_dictionary=False, write_page_checksum=True)
    return buffer.getvalue()


def values_from_bytes(content: bytes) -> tuple[tuple[str, ...], Values]:
    """Genes, sorted, and their values (float32).

    Raises:
        MalformedFileError: It is no such file, or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(content), page_checksum_verification=True)
        genes = tuple(table.column(GENE_COLUMN).to_pylist())
        values: Values = table.column(VALUE_COLUMN).to_numpy().astype(np.float32)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        message = f"The stored values of a sample are damaged ({error})."
        raise MalformedFileError(message[:300], remedy="Remove the file, then ingest its experiment again.") from error
    return genes, values
