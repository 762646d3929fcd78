from typing import Any

import numpy as np
from numpy.typing import NDArray

class DelimitedError(ValueError):
    args: tuple[str, int, int]

def parse_rows(
    data: bytes,
    start: int,
    stop: int,
    separators: bytes,
    kinds: bytes,
    columns: tuple[NDArray[Any], ...],
    rows: int,
    starts: NDArray[np.int64] | None,
    /,
) -> tuple[int, int]: ...
def encode(data: bytes, spans: NDArray[np.int32], codes: NDArray[np.int32], /) -> list[str]: ...
def fixed_width(data: bytes, spans: NDArray[np.int32], matrix: NDArray[np.uint8], width: int, /) -> None: ...
