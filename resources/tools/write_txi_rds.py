"""The child process of :func:`resources.tools.r.write_txi_rds`.

``python -m resources.tools.write_txi_rds IN.npz OUT.rds``
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray


def write(npz: str, rds: str) -> None:
    """Build the list in the embedded R and save it.

    Columns are handed to R as one block of doubles in its own (column-major) order.
    """
    import rpy2.rinterface as r

    r.initr_simple()
    base = r.baseenv
    with np.load(npz, allow_pickle=False) as given:
        names = base["list"](_strings(given["genes"]), _strings(given["samples"]))
        content = {
            name: base["matrix"](_doubles(given[name]), nrow=r.IntSexpVector([given[name].shape[0]]), dimnames=names)
            for name in ("abundance", "counts", "length")
        }
        content["countsFromAbundance"] = r.StrSexpVector([str(given["counts_from_abundance"])])
    base["saveRDS"](base["list"](**content), file=r.StrSexpVector([rds]))


def _doubles(matrix: NDArray[np.float64]) -> object:
    import rpy2.rinterface as r

    flat = np.ascontiguousarray(np.asarray(matrix, dtype=np.float64).ravel(order="F"))
    return r.FloatSexpVector.from_memoryview(flat.data)


def _strings(names: NDArray[np.str_]) -> object:
    import rpy2.rinterface as r

    return r.StrSexpVector([str(name) for name in names])


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2])
