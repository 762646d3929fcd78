"""Samples that must not go into an organism-wide artefact: nothing was measured, or it was submitted twice.

They are found by what is noted of every sample when an experiment's expression is stored, so that one bad sample costs
a compendium that sample only. Authors deposit one array in several series under several accessions: of samples with the
same values the first one is fit, in the order of experiments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np

from refinebio_assets.compendia.expression_store import Floats

EMPTY = "It has no value of any gene."
CONSTANT = "All its genes have the same value: nothing was measured."
COPY = "Its values are those of {original} ({experiment}), to the last digit: one sample was submitted twice."
COPIES = "Its values are those of another sample, to the last digit: one sample was submitted twice."
DIGEST_DIGITS = 16


def counted_as(reason: str) -> str:
    """The reason under which a sample is counted: that of a copy does not name its original."""
    return COPIES if reason.startswith(COPY.partition("{")[0]) else reason


def sample_digests(values: Floats) -> tuple[str, ...]:
    """What identifies the values of each column: a hash, or what is wrong with it in words.

    Args:
        values: genes x samples.

    Returns:
        16 hexadecimal digits; :data:`EMPTY` or :data:`CONSTANT`. A single gene says nothing: an empty text.
    """
    return tuple(_digest(column) for column in np.ascontiguousarray(values.T))


def _digest(column: Floats) -> str:
    present = column[~np.isnan(column)]
    if not len(present):
        return EMPTY
    if len(present) == 1:
        return ""
    if present.min() == present.max():
        return CONSTANT
    return hashlib.sha256(column.tobytes()).hexdigest()[:DIGEST_DIGITS]


def unfit_samples(parts: Iterable[tuple[str, str, Mapping[str, str]]]) -> dict[str, str]:
    """Find samples without values, without any spread, or with the values of another sample.

    Args:
        parts: Experiment, gene space and digest by sample of each part, of the samples that could be in.

    Returns:
        Why, by sample.
    """
    unfit: dict[str, str] = {}
    seen: dict[tuple[str, str], tuple[str, str]] = {}
    for experiment, space, digests in sorted(parts, key=lambda part: (part[0], part[1], sorted(part[2]))):
        for sample, digest in sorted(digests.items()):
            if digest in {EMPTY, CONSTANT}:
                unfit[sample] = digest
            elif digest:
                original, first = seen.setdefault((space, digest), (sample, experiment))
                if original != sample:
                    unfit[sample] = COPY.format(original=original, experiment=first)
    return unfit
