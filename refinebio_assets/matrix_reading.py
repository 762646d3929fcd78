"""Reading matrices by extension: ``.tsv``, ``.tsv.gz``, ``.parquet`` (genes in rows), ``.h5ad``, ``.zarr`` (AnnData).

The counterpart of :mod:`refinebio_assets.matrix_files`: what is written there reads back equal.
"""

from __future__ import annotations

import gzip
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.matrix_files import MatrixFormat

MISSING = ("", "NA", "NaN", "nan", "N/A", "null")
"""How text files write a missing value."""
_NUMBER_REMEDY = "Give one number per gene and sample, with a point as decimal sign; NA for a missing one."


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneTable:
    """A matrix with names: ``matrix`` is samples x genes, float64, C-contiguous, NaN where a value is missing."""

    genes: tuple[str, ...]
    samples: tuple[str, ...]
    matrix: NDArray[np.float64]


def read_matrix(path: Path, *, layer: str | None = None) -> GeneTable:
    """Read a matrix of genes and samples.

    Args:
        path: ``.tsv``/``.txt`` (also ``.gz``) and ``.parquet`` with genes in rows and their names in the first column;
            ``.h5ad`` and ``.zarr`` with samples in rows.
        layer: Which layer of an AnnData; its ``X`` if None.

    Raises:
        InputError: The extension is none of them, or there is no such file or layer.
        MalformedFileError: A row has another number of fields, a value is no number, or a name is there twice; the line
            is named for text.
    """
    if not path.exists():
        message = "There is no such file."
        raise InputError(message, path=path)
    name = path.name.lower().removesuffix("/")
    if name.endswith((".tsv", ".txt", ".tsv.gz", ".txt.gz")):
        table = _read_text(path)
    elif name.endswith(MatrixFormat.PARQUET):
        table = _read_parquet(path)
    elif name.endswith((MatrixFormat.H5AD, MatrixFormat.ZARR)):
        table = _read_anndata(path, layer)
    else:
        message = "The extension does not say how to read the matrix."
        raise InputError(message, path=path, remedy=f"Use one of {', '.join(MatrixFormat)}.")
    _refuse_repeats(path, "sample", table.samples)
    _refuse_repeats(path, "gene", table.genes)
    return table


def read_numbers(path: Path) -> NDArray[np.float64]:
    """Read a text file of one number per line, without a header: a QN target.

    Raises:
        InputError: There is no such file.
        MalformedFileError: A line is no finite number, or there is none; the line is named.
    """
    if not path.exists():
        message = "There is no such file."
        raise InputError(message, path=path)
    numbers = [_finite(path, line, text) for line, text in _lines(path) if text.strip()]
    if not numbers:
        message = "The file has no numbers."
        raise MalformedFileError(message, path=path, line=1, remedy="Give one number per line, without a header.")
    return np.asarray(numbers, dtype=np.float64)


def _finite(path: Path, line: int, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        message = f"{text.strip()[:40]!r} is not a finite number."
        raise MalformedFileError(message, path=path, line=line, remedy="Give one number per line, without a header.")
    return number


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]  # GzipFile reads bytes


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with _open(path) as file:
            for number, line in enumerate(file, start=1):
                yield number, line.decode("utf-8").rstrip("\r\n")
    except (OSError, EOFError) as error:
        message = f"The file cannot be read to its end: {error}"
        raise MalformedFileError(message, path=path, remedy="Copy or download it again.") from error
    except UnicodeDecodeError as error:
        message = "The file is not UTF-8 text."
        raise MalformedFileError(message, path=path, remedy="Give a tab-separated text file.") from error


def _read_text(path: Path) -> GeneTable:
    import pyarrow as pa
    from pyarrow import csv

    header = next((text for _, text in _lines(path)), None)
    columns = (header or "").split("\t")
    if len(columns) < 2:
        message = "The first line does not name samples, separated by tabs."
        raise MalformedFileError(message, path=path, line=1, remedy="Start with a line: Gene, then the samples.")
    places = [str(place) for place in range(len(columns))]
    types = {place: pa.float64() for place in places[1:]} | {"0": pa.string()}
    try:
        with _open(path) as file:
            table = csv.read_csv(
                file,
                read_options=csv.ReadOptions(column_names=places, skip_rows=1),
                parse_options=csv.ParseOptions(delimiter="\t", quote_char=False, ignore_empty_lines=True),
                convert_options=csv.ConvertOptions(column_types=types, null_values=list(MISSING)),
            )
    except (pa.ArrowException, OSError, EOFError) as error:
        raise _what_is_wrong(path, len(columns), error) from error
    values = np.empty((len(columns) - 1, table.num_rows))
    for place, column in enumerate(table.columns[1:]):
        values[place] = column.to_numpy()
    genes = tuple("" if gene is None else gene for gene in table.column(0).to_pylist())
    return GeneTable(genes=genes, samples=tuple(columns[1:]), matrix=values)


def _what_is_wrong(path: Path, fields: int, error: Exception) -> MalformedFileError:
    """The first line that is not as the header says, found by reading once more."""
    for line, text in _lines(path):
        cells = text.split("\t")
        if line == 1 or not text:
            continue
        if len(cells) != fields:
            message = f"The line has {len(cells)} fields, the first one {fields}."
            return MalformedFileError(message, path=path, line=line, remedy=_NUMBER_REMEDY)
        wrong = next((cell for cell in cells[1:] if not _is_number(cell)), None)
        if wrong is not None:
            message = f"{wrong[:40]!r} is not a number."
            return MalformedFileError(message, path=path, line=line, remedy=_NUMBER_REMEDY)
    message = f"The file is not a table of numbers: {error}"
    return MalformedFileError(message, path=path, remedy=_NUMBER_REMEDY)


def _is_number(cell: str) -> bool:
    if cell in MISSING:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _read_parquet(path: Path) -> GeneTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        genes = tuple(map(str, table.column(0).to_pylist()))
        columns = [column.cast(pa.float64()).to_numpy() for column in table.columns[1:]]
    except (pa.ArrowException, OSError, IndexError) as error:
        message = f"The file is no Parquet table of numbers: {error}"
        raise MalformedFileError(message, path=path, remedy="Genes first, then one column per sample.") from error
    values = np.asarray(columns, dtype=np.float64).reshape(len(columns), len(genes))
    return GeneTable(genes=genes, samples=tuple(table.column_names[1:]), matrix=np.ascontiguousarray(values))


def _read_anndata(path: Path, layer: str | None) -> GeneTable:
    import anndata

    read: Any = anndata.read_zarr if path.is_dir() else anndata.read_h5ad
    try:
        stored = read(path)
    except Exception as error:
        message = f"The file is no AnnData: {error}"
        raise MalformedFileError(message, path=path) from error
    if layer is not None and layer not in stored.layers:
        message = f"There is no layer {layer!r}."
        raise InputError(message, path=path, remedy=f"It has {', '.join(stored.layers) or 'none'}.")
    values = stored.X if layer is None else stored.layers[layer]
    dense = values.toarray() if hasattr(values, "toarray") else values
    return GeneTable(
        genes=tuple(map(str, stored.var_names)),
        samples=tuple(map(str, stored.obs_names)),
        matrix=np.ascontiguousarray(dense, dtype=np.float64),
    )


def _refuse_repeats(path: Path, what: str, names: Sequence[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        message = f"{len(repeated)} {what} name(s) are there more than once, the first is {repeated[0]!r}."
    elif "" in names:
        message = f"A {what} has no name."
    else:
        return
    raise MalformedFileError(message, path=path, remedy=f"Give each {what} one name, and one place.")
