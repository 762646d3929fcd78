"""Products and decompositions that give the same bytes on every processor, with any number of threads.

NumPy leaves them to BLAS and LAPACK, whose sums are made in an order that depends on the processor and on the number
of threads. What imputation needs is little: tall, narrow matrices, and decompositions of small ones.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia import _imputation

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def in_order(
    function: Callable[[_Item], _Result], items: Iterable[_Item], *, threads: int | None = None
) -> Iterator[_Result]:
    """Results in the order of the items, as many at work as there are threads.

    Args:
        function: Should spend its time outside of Python's lock.
        items: Taken when a thread is free; a result that is not asked for holds the others back.
        threads: As many as processors if None.
    """
    count = threads or processors()
    with ThreadPoolExecutor(count) as pool:
        running: deque[Future[_Result]] = deque()
        for item in items:
            running.append(pool.submit(function, item))
            if len(running) >= count:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def project(rows: Floats, basis: Floats) -> Floats:
    """``rows @ basis``: n x genes by genes x width, all float32."""
    out = np.empty((rows.shape[0], basis.shape[1]), np.float32)
    _imputation.project(_contiguous(rows), _contiguous(basis), out)
    return out


def accumulate(part: Floats, rows: Floats, products: Floats) -> None:
    """``products += part.T @ rows``: n x width, n x genes, width x genes, all float32."""
    _imputation.accumulate(_contiguous(part), _contiguous(rows), products)


def gram(rows: NDArray[Any]) -> Doubles:
    """``rows.T @ rows`` in float64, of n x width float32 or float64."""
    sums = np.zeros((rows.shape[1], rows.shape[1]))
    _imputation.gram(_contiguous(rows), sums)
    return sums


def multiply(a: Doubles, b: Doubles) -> Doubles:
    """``a @ b`` in float64."""
    out = np.empty((a.shape[0], b.shape[1]))
    _imputation.multiply(_contiguous(a), _contiguous(b), out)
    return out


def eigh(matrix: Doubles) -> tuple[Doubles, Doubles]:
    """Eigenvalues of a symmetric matrix, largest first, and its eigenvectors as columns."""
    rotated = np.array(matrix, dtype=np.float64, order="C")
    vectors = np.empty_like(rotated)
    _imputation.eigen(rotated, vectors)
    values = np.diagonal(rotated)
    order = np.argsort(-values, kind="stable")
    return values[order], np.ascontiguousarray(vectors[order].T)


def orthonormal(directions: NDArray[Any]) -> Floats:
    """Orthonormal columns that span the same as those of a matrix (n x width), float32.

    A column that those before it span becomes zero.
    """
    rows = np.array(directions.T, dtype=np.float64, order="C")
    _imputation.orthonormalize(rows)
    return np.ascontiguousarray(rows.T, dtype=np.float32)


def _contiguous(matrix: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(matrix)
