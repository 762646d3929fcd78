import numpy as np
from numpy.typing import NDArray

def fill(
    block: NDArray[np.float32],
    new_scores: NDArray[np.float32],
    new_axes: NDArray[np.float32],
    old_scores: NDArray[np.float32],
    old_axes: NDArray[np.float32],
    /,
) -> tuple[float, float]: ...
