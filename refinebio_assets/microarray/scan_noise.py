"""R's ``set.seed(seed); rnorm(n)``: Mersenne Twister and inversion, as SCAN.UPC breaks ties with it.

R scrambles a seed with 50 rounds of a linear congruential generator, fills the 624 words of the twister with further
rounds (R's RNG.c, ``RNG_Init``), and inverts the normal distribution at uniforms of 54 bits by Wichura's algorithm
AS 241, which is also what :class:`statistics.NormalDist` uses.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_WORDS = 624
_WORD = np.float64(2.3283064365386963e-10)  # R's 2^-32, rounded
_BIG = 134217728.0  # 2^27: uniforms are made of the first 27 bits of one word and all of a second
_WARM_UP = 50


def r_normal_numbers(count: int, seed: int) -> NDArray[np.float64]:
    """The first ``count`` numbers of R's standard normal generator (RNGkind defaults) after ``set.seed(seed)``."""
    generator = np.random.MT19937()
    generator.state = {"bit_generator": "MT19937", "state": {"key": _initial_words(seed), "pos": _WORDS}}
    uniform = generator.random_raw(2 * count).astype(np.float64) * _WORD
    smallest = 0.5 * _WORD
    uniform = np.clip(uniform, smallest, 1.0 - smallest)
    shares = ((_BIG * uniform[0::2]).astype(np.int64) + uniform[1::2]) / _BIG
    inverse = NormalDist().inv_cdf
    return np.array([inverse(share) for share in shares.tolist()])


def _initial_words(seed: int) -> NDArray[np.uint32]:
    state = seed & 0xFFFFFFFF
    for _ in range(_WARM_UP):
        state = (69069 * state + 1) & 0xFFFFFFFF
    words = np.empty(_WORDS + 1, np.uint32)
    for place in range(_WORDS + 1):
        state = (69069 * state + 1) & 0xFFFFFFFF
        words[place] = state
    return words[1:]  # R keeps the position in the first, and sets it to "all used"
