"""Samples that must not go into an organism-wide artefact: nothing was measured, or it was submitted twice.

They are found when an experiment's expression is stored, so that one bad sample costs a compendium that sample only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from refinebio_assets.compendia.expression_store import Floats

EMPTY = "It has no value of any gene."
CONSTANT = "All its genes have the same value: nothing was measured."
COPY = "Its values are those of {original}, to the last digit: one sample was submitted twice."


def unfit_samples(values: Floats, samples: Sequence[str], seen: dict[bytes, str]) -> dict[str, str]:
    """Find samples without values, without any spread, or with the values of another sample of their experiment.

    Args:
        values: genes x samples.
        samples: Names of the columns.
        seen: The first sample with each content, by its hash; grows. The same for all parts of an experiment.

    Returns:
        Why, by sample. Of samples with the same values the first one is fit. A single gene says nothing.
    """
    unfit = {}
    for sample, column in zip(samples, np.ascontiguousarray(values.T), strict=True):
        present = column[~np.isnan(column)]
        if not len(present):
            unfit[sample] = EMPTY
        elif len(present) > 1 and present.min() == present.max():
            unfit[sample] = CONSTANT
        elif len(present) > 1:
            original = seen.setdefault(hashlib.sha256(column.tobytes()).digest(), sample)
            if original != sample:
                unfit[sample] = COPY.format(original=original)
    return unfit
