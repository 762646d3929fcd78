"""Which columns of a BeadArray table are whose signals and p-values: a scored search over what they may be.

Each reading of the columns is a hypothesis. Names, values and their relations are factors of its confidence, each with
its reason; the reading with the highest product wins. Nothing is decided by a single rule, and what is not told by the
file stays doubtful: callers refuse tables below :data:`LEAST_CONFIDENCE`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from refinebio_assets.microarray.illumina_columns import ColumnRole, id_name_score, plain_key
from refinebio_assets.microarray.illumina_evidence import Column, rank_correlations
from refinebio_assets.microarray.illumina_pairing import Factor, judged, pairings
from refinebio_assets.microarray.illumina_samples import SampleHint, match_samples
from refinebio_assets.microarray.probe_identifiers import RELIABILITY, ProbeIdKind

LEAST_CONFIDENCE = 0.7
"""Below it the values are refused: a person has to look at the table."""

_RAW_WORDS = (
    "rawvalue",
    "rawsignal",
    "signalraw",
    "rawintensity",
    "rawdata",
    "raw",
    "unnormalizedsignal",
    "unnormalisedsignal",
)
_PRIORS = dict.fromkeys(_RAW_WORDS, 1.0) | {
    "avgsignal": 0.99,
    "averagesignal": 0.99,
    "meangrn": 0.99,
    "meansignal": 0.96,
    "signal": 0.95,
    "signals": 0.95,
    "signalintensity": 0.95,
    "intensity": 0.93,
    "intensities": 0.93,
    "value": 0.9,
    "expression": 0.88,
    "expressionvalue": 0.88,
    "mean": 0.85,
    "avg": 0.85,
}
_NAMED_BY_SAMPLE = 0.9
_NAMED_BY_HINT = 0.97
_LIKELIEST_LOG_MAXIMUM, _LEAST_LINEAR_MAXIMUM = 25.0, 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleColumns:
    """The columns of one sample, as places in the header (from 0).

    Attributes:
        name: What the file calls the sample.
        signal: Mean intensity of the probe's beads.
        detection: Detection p-value.
        beads: How many beads were measured.
        stderr: Standard error or deviation of the beads.
    """

    name: str
    signal: int
    detection: int | None = None
    beads: int | None = None
    stderr: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpretation:
    """A reading of the columns.

    Attributes:
        id_column: Where the probe identifiers are.
        id_kind: What they are.
        columns: One entry per sample.
        detection_is_reversed: The p-values are written as ``1 - p``.
        scale: ``linear``, ``log2`` or ``centred`` (ratios, or values without their mean).
        factors: What its confidence is the product of, with reasons.
        warnings: What is odd.
    """

    id_column: int
    id_kind: ProbeIdKind
    columns: tuple[SampleColumns, ...]
    detection_is_reversed: bool
    scale: str
    factors: tuple[Factor, ...]
    warnings: tuple[str, ...] = ()

    @property
    def confidence(self) -> float:
        """From 0 to 1."""
        return max(0.0, min(1.0, prod(factor for factor, _ in self.factors)))


@dataclass(slots=True)
class _Reading:
    """A hypothesis while it is looked at."""

    signals: list[Column]
    factors: list[Factor]
    are_whole_names: bool = False
    detections: list[Column | None] = field(default_factory=list)
    is_reversed: bool = False
    is_verified: bool = False


def interpret(
    columns: Sequence[Column], hints: Sequence[SampleHint] = (), *, fallback: str = ""
) -> Interpretation | None:
    """The likeliest reading of the columns; None if no column can be a signal or an identifier.

    Args:
        columns: As :func:`~.illumina_evidence.look_at_columns` sees them.
        hints: Samples that the table should have, as the archive names them.
        fallback: Name for the sample of a table that names none.
    """
    identifiers = _identifier_column(columns)
    if identifiers is None:
        return None
    rest = [column for column in columns if column.place != identifiers.place]
    readings = [_with_detection(reading, rest) for reading in _signal_readings(rest, hints)]
    finished = [_finished(reading, identifiers, rest, hints, fallback) for reading in readings]
    return max(finished, key=lambda one: (one.confidence, len(one.columns)), default=None)


def _identifier_column(columns: Sequence[Column]) -> Column | None:
    scores = [
        (0.7 * RELIABILITY[column.kind] + 0.3 * id_name_score(column.header), -column.place, column)
        for column in columns
        if _may_identify(column)
    ]
    return max(scores, key=lambda score: score[:2])[2] if scores else None


def _may_identify(column: Column) -> bool:
    if RELIABILITY[column.kind] == 0.0 or column.named.role not in {
        ColumnRole.ANNOTATION,
        ColumnRole.UNTOLD,
        ColumnRole.SIGNAL,
    }:
        return False
    if column.kind is not ProbeIdKind.ADDRESS or column.place == 0:
        return True
    return id_name_score(column.header) >= (0.5 if column.place <= 2 else 0.6)


def _signal_readings(columns: Sequence[Column], hints: Sequence[SampleHint]) -> Iterator[_Reading]:
    """Columns that may be the signals: those with one word for it, those named as samples are, those that are alike."""
    by_word: dict[str, list[Column]] = {}
    for column in columns:
        if column.named.role is ColumnRole.SIGNAL:
            by_word.setdefault(column.named.word, []).append(column)
    for word, found in by_word.items():
        yield _Reading(
            found, [(_PRIORS.get(word, 0.85), f"{len(found)} columns are named {found[0].header!r} and the like")]
        )
    plain = [column for column in columns if _may_be_named_by_sample(column)]
    if all(column.named.role is ColumnRole.SIGNAL for column in plain):
        return
    yield _Reading(
        plain, [(_NAMED_BY_SAMPLE, f"{len(plain)} columns of numbers have names of their own")], are_whole_names=True
    )
    matches = match_samples([column.header for column in plain], hints)
    matched = [column for column, match in zip(plain, matches, strict=True) if match.accession]
    if matched:
        factor = (_NAMED_BY_HINT, f"{len(matched)} columns have the names of samples")
        yield _Reading(matched, [factor], are_whole_names=True)
    ranks = rank_correlations([column.numbers for column in plain])
    alike = [column for column, rank in zip(plain, ranks, strict=True) if rank >= 0.5]
    if 1 < len(alike) < len(plain):
        factor = (0.8, f"{len(alike)} of {len(plain)} columns of numbers rise and fall together")
        yield _Reading(alike, [factor], are_whole_names=True)


def _may_be_named_by_sample(column: Column) -> bool:
    """``S1``; also ``Mean 1``, whose word may be a part of the name."""
    if not column.is_numeric or column.is_unit or column.kind is ProbeIdKind.ROW_NUMBER:
        return False
    return column.named.role is ColumnRole.UNTOLD or (
        column.named.role is ColumnRole.SIGNAL and not column.named.is_sure
    )


def _with_detection(reading: _Reading, columns: Sequence[Column]) -> _Reading:
    """The same with the p-values that fit best."""
    named = [column for column in columns if column.named.role is ColumnRole.DETECTION]
    untold = [one for one in columns if one.named.role is ColumnRole.UNTOLD and one.is_unit and one.filled > 0.5]
    found = [*named, *(one for one in untold if not one.header)] if named else untold
    if not found:
        reading.detections = [None] * len(reading.signals)
        reading.factors.append((1.0, "there are no detection p-values"))
        return reading
    best: tuple[float, list[Column | None], list[Factor], bool, bool] | None = None
    for prior, how, pairs in pairings(reading.signals, found):
        factors, is_reversed, is_verified = judged(reading.signals, pairs, how)
        factors.append((prior if named else prior * 0.97, f"p-values belong to signals {how}"))
        score = prod(factor for factor, _ in factors)
        if best is None or score > best[0]:
            best = (score, pairs, factors, is_reversed, is_verified)
    if best is None:
        reading.detections = [None] * len(reading.signals)
        reading.factors.append((0.6, f"{len(found)} columns of p-values belong to no signals"))
        return reading
    _, reading.detections, factors, reading.is_reversed, reading.is_verified = best
    reading.factors += factors
    left = len(found) - sum(one is not None for one in reading.detections)
    if left and named:
        weight = (0.5 if reading.is_verified else 1.0) * left / len(found)
        reading.factors.append((max(0.5, 1.0 - weight), f"{left} columns of p-values are left over"))
    return reading


def _finished(
    reading: _Reading, identifiers: Column, columns: Sequence[Column], hints: Sequence[SampleHint], fallback: str
) -> Interpretation:
    """The reading as an interpretation, with all that speaks for and against it."""
    warnings: list[str] = []
    beads, stderr = (_companions(reading, columns, role) for role in (ColumnRole.BEADS, ColumnRole.STDERR))
    names, name_factors = _names(reading, hints, fallback)
    unreadable = [one for one in columns if _is_unreadable(one)]
    if unreadable:
        shown = ", ".join(repr(one.header) for one in unreadable[:5])
        warnings.append(f"{len(unreadable)} columns are called signals and hold no numbers: {shown}.")
    scale, scale_factors = _scale(reading.signals)
    used = {one.place for one in (*reading.signals, *reading.detections, *beads, *stderr) if one is not None}
    factors = [
        *_about_identifiers(identifiers, reading),
        *reading.factors,
        *name_factors,
        *scale_factors,
        *_about_signals(reading.signals),
        *_left_over(columns, used, reading, warnings),
    ]
    rows = zip(names, reading.signals, reading.detections, beads, stderr, strict=True)
    return Interpretation(
        id_column=identifiers.place,
        id_kind=identifiers.kind,
        detection_is_reversed=reading.is_reversed,
        scale=scale,
        columns=tuple(
            SampleColumns(name=name, signal=signal.place, detection=_place(p), beads=_place(n), stderr=_place(e))
            for name, signal, p, n, e in rows
        ),
        factors=tuple(factors),
        warnings=tuple(warnings),
    )


def _is_unreadable(column: Column) -> bool:
    """Called a signal, without being one."""
    return column.named.role is ColumnRole.OTHER and column.named.word in _PRIORS and not column.is_numeric


def _place(column: Column | None) -> int | None:
    return None if column is None else column.place


def _companions(reading: _Reading, columns: Sequence[Column], role: ColumnRole) -> list[Column | None]:
    """Bead counts or standard errors: those of the sample's name, else those beside the signal, else none."""
    found = [column for column in columns if column.named.role is role]
    words = Counter(column.named.word for column in found)
    if words:  # BEAD_STDERR and ARRAY_STDEV may both be there: one quantity at a time
        word = words.most_common(1)[0][0]
        found = [column for column in found if column.named.word == word]
        for _, _, pairs in pairings(reading.signals, found):
            if sum(pair is not None for pair in pairs) == len(found):
                return pairs
    return [None] * len(reading.signals)


def _about_identifiers(identifiers: Column, reading: _Reading) -> list[Factor]:
    kind, name = identifiers.kind, identifiers.header or "without a name"
    found = (1.0, f"identifiers are in column {identifiers.place + 1} ({name}): {kind}")
    if RELIABILITY[kind] >= 0.8:
        return [found]
    known_name = id_name_score(identifiers.header) >= 0.9
    factors = [(0.95 if known_name else 0.85, found[1])]
    if not reading.is_verified and reading.signals[0].named.role is not ColumnRole.SIGNAL:
        factors.append((0.75, "nothing but the numbers says that these are BeadArrays"))
    return factors


def _names(reading: _Reading, hints: Sequence[SampleHint], fallback: str) -> tuple[list[str], list[Factor]]:
    """A different name per sample."""
    signals = reading.signals
    keys = [column.header if reading.are_whole_names else column.named.key for column in signals]
    if len(signals) == 1 and not keys[0]:
        name = (hints[0].title or hints[0].accession) if len(hints) == 1 else fallback or signals[0].header
        return [name], [(1.0, "the file has one sample")]
    factors: list[Factor] = []
    if not all(keys):
        headed = [column.header for column in signals]
        keys = [header or f"column {column.place + 1}" for header, column in zip(headed, signals, strict=True)]
        factors.append((0.9, "samples have no names") if all(headed) else (0.5, "columns have no names"))
    repeated = [key for key, count in Counter(map(plain_key, keys)).items() if count > 1]
    if repeated or any(_is_repeat(key, set(keys)) for key in keys):
        factors.append((0.6, "several columns have the same name"))
        keys = [f"{key} ({keys[:at].count(key) + 1})" if keys.count(key) > 1 else key for at, key in enumerate(keys)]
    if hints and keys:
        matched = sum(bool(match.accession) for match in match_samples(keys, hints))
        factors.append((1.0 if matched else 0.92, f"{matched} of {len(keys)} names are those of samples"))
    return keys, factors


def _is_repeat(key: str, keys: set[str]) -> bool:
    """``S1.1`` beside ``S1``, as pandas and R number columns of one name."""
    stem, dot, number = key.rpartition(".")
    return bool(dot) and number.isdigit() and stem in keys and not stem.isdigit()


def _scale(signals: list[Column]) -> tuple[str, list[Factor]]:
    values = [column.numbers[~np.isnan(column.numbers)] for column in signals]
    maxima = [float(one.max()) for one in values if len(one)]
    if not maxima:
        return "linear", [(0.1, "the signals have no numbers")]
    if min(maxima) > _LEAST_LINEAR_MAXIMUM:
        return "linear", [(1.0, f"signals reach {max(maxima):g}: not logarithms")]
    if max(maxima) > _LEAST_LINEAR_MAXIMUM:
        return "linear", [(0.5, "some columns reach more than 100, others do not: perhaps not all are signals")]
    medians = [float(np.median(one)) for one in values if len(one)]
    if max(maxima) <= _LIKELIEST_LOG_MAXIMUM:
        lowest = min(float(one.min()) for one in values if len(one))
        if abs(float(np.median(medians))) < 1.5 and lowest < -0.5:
            return "centred", [(0.9, "values lie around 0: ratios, or logarithms without their mean")]
        return "log2", [(1.0, f"signals reach only {max(maxima):g}: logarithms")]
    return "linear", [(0.75, f"signals reach only {max(maxima):g}: neither logarithms nor intensities for sure")]


def _about_signals(signals: list[Column]) -> list[Factor]:
    factors: list[Factor] = []
    worst = min(column.numeric for column in signals)
    if worst < 0.999:
        factors.append((worst, f"{1 - worst:.1%} of a column's cells are no numbers"))
    medians = [float(np.nanmedian(np.abs(column.numbers))) for column in signals if column.filled > 0]
    if len(medians) > 1 and max(medians) > 10 * max(min(medians), 1e-9) and min(medians) >= 0:
        factors.append((0.7, "the signals of some samples are more than ten times those of others"))
    if len(signals) > 1:
        ranks = rank_correlations([column.numbers for column in signals])
        apart = [column.header for column, rank in zip(signals, ranks, strict=True) if not rank >= 0.3]
        if apart:
            factors.append(
                (0.65, f"{len(apart)} columns do not rise and fall with the others, the first is {apart[0]!r}")
            )
    return factors


def _left_over(columns: Sequence[Column], used: set[int], reading: _Reading, warnings: list[str]) -> list[Factor]:
    """Numbers that the reading has no place for."""
    signals, whole_names = [column.numbers for column in reading.signals], reading.are_whole_names
    samples = len(signals)
    left = [
        column
        for column in columns
        if column.place not in used
        and column.is_numeric
        and column.kind is not ProbeIdKind.ROW_NUMBER
        and column.named.role in {ColumnRole.UNTOLD, ColumnRole.SIGNAL, ColumnRole.DETECTION}
    ]
    if not left:
        return []
    shown = ", ".join(repr(column.header) for column in left[:5])
    warnings.append(f"{len(left)} columns of numbers were not read: {shown}.")
    if whole_names and any(
        rank >= 0.5 for rank in rank_correlations([*signals, *(one.numbers for one in left)])[-len(left) :]
    ):
        return [(0.6, f"{len(left)} columns of numbers that may be signals, too, have no place in this reading")]
    like_signals = [column for column in left if column.named.role is not ColumnRole.UNTOLD]
    weight = 1.0 - 0.4 * min(1.0, (len(left) - len(like_signals)) / samples) - 0.02 * bool(like_signals)
    return [(weight, f"{len(left)} columns of numbers have no place in this reading")]
