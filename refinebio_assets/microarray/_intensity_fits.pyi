import numpy as np
from numpy.typing import NDArray

def lowess(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    span: float,
    iterations: int,
    delta: float,
    fitted: NDArray[np.float64],
    /,
) -> None: ...
def weighted_lowess(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    weights: NDArray[np.float64],
    span: float,
    iterations: int,
    delta: float,
    fitted: NDArray[np.float64],
    /,
) -> None: ...
def fit_normexp(
    distinct: NDArray[np.float64], codes: NDArray[np.int64], parameters: NDArray[np.float64], /
) -> tuple[bool, float, int]: ...
def normexp_likelihood(
    x: NDArray[np.float64], parameters: NDArray[np.float64], sums: NDArray[np.float64], /
) -> None: ...
def normexp_signal(
    x: NDArray[np.float64], mu: float, sigma: float, alpha: float, signal: NDArray[np.float64], /
) -> None: ...
