"""Identifiers of BeadArray probes: what kind they are of, and the sequences that nuIDs spell.

A nuID (Du, Kibbe & Lin 2007, doi:10.1186/1745-6150-2-16) is a probe's sequence in a code of 64 letters, three bases a
letter; the first letter holds a checksum and how many bases are padding.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

_ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "_."
_VALUE = {letter: value for value, letter in enumerate(_ALPHABET)}
_BASES = "ACGT"
_CHECKSUM = 21
_TRIPLET = [_BASES[value // 16] + _BASES[value // 4 % 4] + _BASES[value % 4] for value in range(64)]
_NUID = re.compile(r"[A-Za-z0-9_.]{18}")  # 50 bases: 17 letters of three, one of them padding, and the first
_LEAST_SHARE = 0.9
_LEAST_DISTINCT = 0.95


class ProbeIdKind(StrEnum):
    """What a column's values are."""

    ILMN = "ilmn"
    NUID = "nuid"
    TARGET = "target"
    """Names of the first arrays: ``GI_10047089-S``."""
    ADDRESS = "array_address"
    NAME = "name"
    """Other text."""
    ROW_NUMBER = "row_number"
    NONE = "none"


_PATTERNS = (
    (ProbeIdKind.ILMN, re.compile(r"ILMN_\d{3,}")),
    (ProbeIdKind.TARGET, re.compile(r"(?:GI_\d+|[A-Za-z][\w.]*)-[SAI](?:_\d+)?")),
    (ProbeIdKind.ADDRESS, re.compile(r"0*[1-9]\d{3,9}")),
)
RELIABILITY = {
    ProbeIdKind.ILMN: 1.0,
    ProbeIdKind.NUID: 1.0,
    ProbeIdKind.TARGET: 0.95,
    ProbeIdKind.ADDRESS: 0.85,
    ProbeIdKind.NAME: 0.5,
    ProbeIdKind.ROW_NUMBER: 0.0,
    ProbeIdKind.NONE: 0.0,
}
"""How much values of a kind speak for probe identifiers."""


def nuid_sequence(nuid: str) -> str | None:
    """The bases that a nuID spells; None if it is none (wrong letters, or a wrong checksum)."""
    values = [_VALUE.get(letter, -1) for letter in nuid]
    if len(values) < 2 or min(values) < 0 or sum(values[1:]) % _CHECKSUM != values[0] // 3:
        return None
    bases = "".join(_TRIPLET[value] for value in values[1:])
    return bases[: len(bases) - values[0] % 3]


def kind_of_identifiers(values: Sequence[str]) -> ProbeIdKind:
    """What most of the values are; they must also be distinct, as probes' identifiers are."""
    filled = [value for value in values if value]
    if len(filled) < len(values) / 2 or len(set(filled)) < _LEAST_DISTINCT * len(filled):
        return ProbeIdKind.NONE
    least = _LEAST_SHARE * len(filled)
    if sum(bool(_NUID.fullmatch(value)) and nuid_sequence(value) is not None for value in filled) >= least:
        return ProbeIdKind.NUID
    for kind, pattern in _PATTERNS:
        share = 0.5 if kind is ProbeIdKind.TARGET else _LEAST_SHARE
        if sum(bool(pattern.fullmatch(value)) for value in filled) >= share * len(filled):
            return ProbeIdKind.ROW_NUMBER if kind is ProbeIdKind.ADDRESS and _ascend_evenly(filled) else kind
    if all(map(_is_integer, filled)):
        return ProbeIdKind.ROW_NUMBER
    text = sum(not _is_decimal(value) for value in filled)
    return ProbeIdKind.NAME if text >= least else ProbeIdKind.NONE


def _ascend_evenly(values: Sequence[str]) -> bool:
    numbers = [int(value) for value in values if _is_integer(value)]
    steps = {right - left for left, right in pairwise(numbers)}
    return len(numbers) > 2 and len(steps) == 1


def _is_integer(value: str) -> bool:
    """ASCII digits: ``²`` is a digit for Python and no number."""
    return value.isascii() and value.isdigit()


def _is_decimal(value: str) -> bool:
    try:
        float(value.replace(",", "."))
    except ValueError:
        return False
    return True
