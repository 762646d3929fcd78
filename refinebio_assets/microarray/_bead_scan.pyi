import numpy as np
from numpy.typing import NDArray

def predict(
    codes: NDArray[np.uint8],
    numbers: NDArray[np.float64],
    fitted: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    /,
) -> None: ...
def least_squares(
    codes: NDArray[np.uint8],
    numbers: NDArray[np.float64],
    weights: NDArray[np.float64],
    y: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    /,
) -> bool: ...
