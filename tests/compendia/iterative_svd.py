"""The reference of imputation: fancyimpute's IterativeSVD, in memory, with exact decompositions in float64."""

from __future__ import annotations

import numpy as np


def in_memory(values, *, rank, tolerance=1e-5, most=200):
    """Filled values and iterations, as fancyimpute 0.7 (and fancySVD 0.1.3, the same code) makes them."""
    missing = np.isnan(values)
    filled = np.where(missing, 0.0, values.astype(np.float64))
    for iteration in range(most):
        rebuilt = truncated(filled, min(2**iteration, rank))
        old, new = filled[missing], rebuilt[missing]
        size, moved = (old**2).sum(), ((old - new) ** 2).sum()
        filled[missing] = new
        if not (size == 0 or (size < np.finfo(np.float32).eps < moved)) and moved / size < tolerance:
            break
    return filled, iteration + 1


def truncated(matrix, rank):
    """A truncated decomposition, multiplied out: the projection onto leading eigenvectors of the smaller side."""
    if len(matrix) > matrix.shape[1]:
        return truncated(matrix.T, rank).T
    directions = np.linalg.eigh(matrix @ matrix.T)[1][:, ::-1][:, :rank]
    return directions @ (directions.T @ matrix)
