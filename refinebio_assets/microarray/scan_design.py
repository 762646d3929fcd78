"""Probes as SCAN's linear model sees them: 25 letters each, packed; 80 columns that are never written down.

The columns are those of Piccolo et al. 2012 (doi:10.1016/j.ygeno.2012.08.003), after Johnson et al. 2006
(doi:10.1073/pnas.0601180103): the number of T, one indicator per position for A, C and G (25 each), and the squared
numbers of A, C, G and T. There is no intercept; the number of T takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray import _scan

PROBE_LENGTH = 25
COEFFICIENTS = 80
_UNUSABLE = np.iinfo(np.uint64).max
_G, _C = 2, 1

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ProbeDesign:
    """The sequences of an array's probes, ready for the model. One per chip, shared by its arrays.

    Attributes:
        words: uint64 per probe, two bits per letter (A, C, G, T = 0 to 3), the first letter in the lowest bits.
        compositions: uint16 per probe, a number for how often it has each letter.
    """

    words: NDArray[np.uint64]
    compositions: NDArray[np.uint16]

    @classmethod
    def from_sequences(cls, sequences: NDArray[Any]) -> ProbeDesign:
        """The design of probes in the order given.

        Args:
            sequences: ``S25`` strings (n), or their letters as uint8 (n x 25); lower case is understood.

        Raises:
            InputError: A sequence does not have exactly 25 letters of A, C, G and T.
        """
        design = cls._encode(sequences)
        unusable = np.flatnonzero(design.words == _UNUSABLE)
        if len(unusable):
            message = f"Probe {unusable[0] + 1} is no sequence of 25 letters A, C, G, T ({len(unusable)} are not)."
            raise InputError(message, remedy="Leave such probes out: SCAN models 25-mers only.")
        return design

    @classmethod
    def of_25mers(cls, sequences: NDArray[Any]) -> tuple[ProbeDesign, NDArray[np.bool_]]:
        """The design of those probes that have 25 letters of A, C, G and T, and which ones these are."""
        design = cls._encode(sequences)
        usable = design.words != _UNUSABLE
        return (design if usable.all() else design.take(usable)), usable

    @classmethod
    def _encode(cls, sequences: NDArray[Any]) -> ProbeDesign:
        letters = np.ascontiguousarray(sequences)
        if letters.dtype.kind == "S" and letters.ndim == 1:
            letters = letters.astype(f"S{PROBE_LENGTH + 1}") if letters.itemsize < PROBE_LENGTH else letters
            letters = letters.view(np.uint8).reshape(len(letters), -1)
        if letters.dtype != np.uint8 or letters.ndim != 2 or letters.shape[1] < PROBE_LENGTH:
            message = "sequences must be bytes strings, or uint8 letters of shape probes x 25"
            raise ValueError(message)
        too_long = letters[:, PROBE_LENGTH:].any(axis=1)
        letters = np.ascontiguousarray(letters[:, :PROBE_LENGTH])
        words, compositions = np.empty(len(letters), np.uint64), np.empty(len(letters), np.uint16)
        _scan.encode(letters, words, compositions)
        words[too_long] = _UNUSABLE
        return cls(words, compositions)

    def __len__(self) -> int:
        """The number of probes."""
        return len(self.words)

    def take(self, which: NDArray[Any] | slice) -> ProbeDesign:
        """The design of some of the probes: a mask, places or a slice."""
        return ProbeDesign(np.ascontiguousarray(self.words[which]), np.ascontiguousarray(self.compositions[which]))

    def gc_counts(self) -> NDArray[np.int64]:
        """How many G and C each probe has, 0 to 25."""
        counts = np.zeros(len(self), np.int64)
        for position in range(PROBE_LENGTH):
            letters = (self.words >> np.uint64(2 * position)) & np.uint64(3)
            counts += (letters == _C) | (letters == _G)
        return counts

    def fitted(self, coefficients: Floats) -> Floats:
        """The model's log2 intensity of every probe, float64; equal sequences have equal values to the last bit."""
        values = np.empty(len(self))
        _scan.predict(self.words, self.compositions, values, coefficients)
        return values

    def least_squares(self, y: Floats, weights: Floats) -> Floats:
        """The 80 coefficients that minimise the weighted squared residuals of ``y``.

        Raises:
            InputError: The probes do not determine them.
        """
        coefficients = np.empty(COEFFICIENTS)
        if not _scan.least_squares(self.words, self.compositions, weights, y, coefficients):
            message = "The probe sequences do not determine SCAN's 80 coefficients: they are too few or too alike."
            raise InputError(message, remedy="Check that the probe table holds the whole chip.")
        return coefficients
