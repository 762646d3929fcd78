import numpy as np
from numpy.typing import NDArray

def count(
    values: NDArray[np.float32],
    present: NDArray[np.int64],
    filled: NDArray[np.int64],
    sums: NDArray[np.float64] | None,
    /,
) -> None: ...
def take(values: NDArray[np.float32], genes: NDArray[np.int64], out: NDArray[np.float32], /) -> None: ...
def count_filled(values: NDArray[np.float32], filled: NDArray[np.int64], /) -> None: ...
def spread(
    part: NDArray[np.float32], samples: NDArray[np.int64], columns: NDArray[np.int64], out: NDArray[np.float32], /
) -> None: ...
