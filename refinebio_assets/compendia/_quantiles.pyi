from typing import Any

import numpy as np
from numpy.typing import NDArray

def add_sorted(rows: NDArray[Any], sums: NDArray[np.float64], /) -> None: ...
def apply(rows: NDArray[Any], target: NDArray[np.float64], out: NDArray[Any], /) -> None: ...
