import numpy as np
from numpy.typing import NDArray

def quantile_bins(values: NDArray[np.float64], bins: NDArray[np.uint8], number: int, /) -> int: ...
def standardize(
    y: NDArray[np.float64],
    fitted: NDArray[np.float64],
    out: NDArray[np.float64],
    starts: NDArray[np.int64],
    as_scan_upc: bool,
    /,
) -> None: ...
def trimmed_means(
    values: NDArray[np.float64],
    members: NDArray[np.int32],
    starts: NDArray[np.int64],
    means: NDArray[np.float64],
    share: float,
    /,
) -> None: ...
