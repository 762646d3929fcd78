import numpy as np
from numpy.typing import NDArray

class QuantSfError(ValueError):
    args: tuple[str, int, int]

def parse(data: bytes, columns: NDArray[np.float64], prefix_ends: NDArray[np.int64], /) -> tuple[list[str], bytes]: ...
def sum_by_gene(
    data: bytes,
    prefixes: bytes,
    prefix_ends: NDArray[np.int64],
    gene_of_row: NDArray[np.int32],
    sums: NDArray[np.float64],
    /,
) -> bool: ...
