import numpy as np
from numpy.typing import NDArray

def encode(sequences: NDArray[np.uint8], words: NDArray[np.uint64], compositions: NDArray[np.uint16], /) -> None: ...
def predict(
    words: NDArray[np.uint64],
    compositions: NDArray[np.uint16],
    fitted: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    /,
) -> None: ...
def least_squares(
    words: NDArray[np.uint64],
    compositions: NDArray[np.uint16],
    weights: NDArray[np.float64],
    y: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    /,
) -> bool: ...
def responsibilities(
    y: NDArray[np.float64],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    bins: NDArray[np.uint8],
    responsibility: NDArray[np.float64],
    variances: NDArray[np.float64],
    shares: NDArray[np.float64],
    /,
) -> None: ...
def bin_variances(
    y: NDArray[np.float64],
    fitted: NDArray[np.float64],
    weights: NDArray[np.float64],
    bins: NDArray[np.uint8],
    variances: NDArray[np.float64],
    /,
) -> None: ...
def log2(values: NDArray[np.float64], logarithms: NDArray[np.float64], /) -> None: ...
