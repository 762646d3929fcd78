"""From a BeadArray table to genes: background, SCAN or quantiles, good probes, Ensembl genes. Each sample on its own.

=================  ==========================================================================================
``bead-scan``      nec on the raw scale, logarithm, SCAN of the probes' sequences; the default where these are known
``refinebio-1``    refine.bio's ``illumina.R``, number for number: nec of logarithms, its noise and its groups
``nec``            limma's nec, then the logarithm; the default where sequences are not known
``neqc``           limma's neqc: nec, one distribution for all samples of the table, the logarithm
=================  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError, LowQualityError
from refinebio_assets.microarray import bead_scan as scan50
from refinebio_assets.microarray.bead_scan import BEAD_SCAN, REFINEBIO_1, BeadDesign, BeadScanFit, usable_sequences
from refinebio_assets.microarray.illumina_platform import BeadPlatform
from refinebio_assets.microarray.illumina_quality import SampleQuality, sample_quality
from refinebio_assets.microarray.illumina_table import BeadTable
from refinebio_assets.microarray.normexp import OFFSET, NormexpParameters, nec, neqc
from refinebio_assets.microarray.probe_identifiers import ProbeIdKind, nuid_sequence

Matrix = NDArray[np.float64]

NEC, NEQC = "nec", "neqc"
METHODS = (BEAD_SCAN, REFINEBIO_1, NEC, NEQC)
_LARGEST_LOGARITHM = 100.0  # refine.bio's rule for "not yet log-transformed"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BeadInput:
    """What a method works on: probes once each, in the order of the table.

    Attributes:
        names: Of the samples.
        probes: Identifiers, distinct.
        signal: samples x probes, not logarithms.
        detection: samples x probes, small for expressed probes; None if unknown.
        controls: samples x negative controls; None if unknown.
        design: Of the probes, if all have a sequence; None where the method needs none.
        gc: Number of G and C per probe, NaN where unknown.
        warnings: What was done to the table.
    """

    names: tuple[str, ...]
    probes: tuple[str, ...] = field(repr=False)
    signal: Matrix = field(repr=False)
    detection: Matrix | None = field(default=None, repr=False)
    controls: Matrix | None = field(default=None, repr=False)
    design: BeadDesign | None = field(default=None, repr=False)
    gc: NDArray[np.float64] | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BeadSample:
    """The values of one sample, one per probe of the input.

    Attributes:
        name: What the table calls it.
        values: float64; NaN for a probe without a value.
        background: The model of its background; None if it was not corrected.
        fit: How SCAN's mixture was fitted; None for methods without it.
        quality: Figures about it.
        warnings: What is odd.
    """

    name: str
    values: Matrix = field(repr=False)
    background: NormexpParameters | None
    fit: BeadScanFit | None
    quality: SampleQuality
    warnings: tuple[str, ...] = ()


def default_method(table: BeadTable, platform: BeadPlatform | None) -> str:
    """``bead-scan`` where the probes' sequences are known, else ``nec``."""
    has_sequences = platform is not None and platform.sequences is not None
    return BEAD_SCAN if has_sequences or table.id_kind is ProbeIdKind.NUID else NEC


def prepare(
    table: BeadTable, method: str, *, platform: BeadPlatform | None = None, controls: Matrix | None = None
) -> BeadInput:
    """Make a table ready for a method.

    Repeated probes count once (the first line); logarithms become intensities again; probes without a sequence are left
    out where the method needs one.

    Args:
        table: As read.
        method: One of :data:`METHODS`.
        platform: Of the array.
        controls: samples x negative controls, on the scale of the table.

    Raises:
        InputError: The values cannot be used (ratios, no sequences), or too few probes have a sequence.
    """
    if table.scale == "centred":
        message = "The values lie around 0: they are ratios or lack their mean, and cannot be normalised."
        raise InputError(message, path=table.reading.layout.path, remedy="Give the non-normalised table of the series.")
    first: dict[str, int] = {}
    for at, probe in enumerate(table.ids):
        first.setdefault(probe, at)
    rows = np.fromiter(first.values(), dtype=np.int64, count=len(first))
    sequences = _sequences(tuple(first), table, platform)
    warnings: list[str] = []
    if method in {BEAD_SCAN, REFINEBIO_1}:
        usable = usable_sequences(sequences)
        if int(usable.sum()) < scan50.LEAST_PROBES:
            message = f"{int(usable.sum())} of {len(rows)} probes have a known sequence of {scan50.PROBE_LENGTH} bases."
            remedy = f"{method} needs {scan50.LEAST_PROBES}: give the platform's table, or use --method nec or neqc."
            raise InputError(message, path=table.reading.layout.path, remedy=remedy)
        if not usable.all():
            warnings.append(f"{int((~usable).sum())} probes have no known sequence and are left out.")
        rows, sequences = rows[usable], [one for one, is_usable in zip(sequences, usable, strict=True) if is_usable]
    signal = table.signal[:, rows]
    if table.scale == "log2" and method != REFINEBIO_1:
        signal, controls = np.exp2(signal), None if controls is None else np.exp2(controls)
        warnings.append("The table has logarithms; background was estimated on their powers of 2.")
    return BeadInput(
        names=table.names,
        probes=tuple(table.ids[at] for at in rows),
        signal=signal,
        detection=None if table.detection is None else table.detection[:, rows],
        controls=controls,
        design=BeadDesign.from_sequences(sequences) if method in {BEAD_SCAN, REFINEBIO_1} else None,
        gc=np.array([one.count("G") + one.count("C") if one else np.nan for one in sequences], dtype=np.float64),
        warnings=tuple(warnings),
    )


def _sequences(probes: Sequence[str], table: BeadTable, platform: BeadPlatform | None) -> list[str]:
    """One per probe, in capitals, empty where unknown: the platform's, or what its nuID spells."""
    spelt = [nuid_sequence(probe) or "" if table.id_kind is ProbeIdKind.NUID else "" for probe in probes]
    if platform is None or platform.sequences is None:
        return spelt
    places = platform.places(probes)
    return [platform.sequences[at] if at >= 0 else own for at, own in zip(places.tolist(), spelt, strict=True)]


Outcome = BeadSample | InputError


def normalise(given: BeadInput, method: str, *, on_sample: Callable[[str], None] | None = None) -> list[Outcome]:
    """The samples of a table by a method; one that cannot be used is an error in its place.

    Args:
        given: The table, ready for this method.
        method: One of :data:`METHODS`.
        on_sample: Called with the name of each sample that is done.

    Raises:
        InputError: The method cannot be used on this table at all.
    """
    if method == NEQC:
        return _neqc(given, on_sample)
    as_original = _original_matrix(given) if method == REFINEBIO_1 else None
    outcomes: list[Outcome] = []
    for at, name in enumerate(given.names):
        try:
            outcomes.append(
                _original_sample(given, as_original, at) if as_original is not None else _sample(given, method, at)
            )
        except InputError as error:
            outcomes.append(error)
        if on_sample is not None:
            on_sample(name)
    return outcomes


def _sample(given: BeadInput, method: str, at: int) -> BeadSample:
    """``bead-scan`` or ``nec``."""
    signal = given.signal[at]
    known = ~np.isnan(signal)
    logarithms = np.full(len(signal), np.nan)
    logarithms[known], background, warnings = _corrected(given, at, known)
    values, fit = logarithms, None
    if method == BEAD_SCAN and given.design is not None:
        design = given.design if known.all() else given.design.take(known)
        values = np.full(len(signal), np.nan)
        values[known], fit = scan50.bead_scan(logarithms[known], design)
    return _described(given, at, values, background=background, fit=fit, warnings=warnings)


def _corrected(
    given: BeadInput, at: int, known: NDArray[np.bool_]
) -> tuple[Matrix, NormexpParameters | None, tuple[str, ...]]:
    """Logarithms of the background-corrected signals of the probes that have one."""
    signal = given.signal[at : at + 1, known]
    if not signal.size:
        message = f"Sample {given.names[at]!r} has no values."
        raise LowQualityError(message, remedy="Leave it out.")
    controls = None if given.controls is None else given.controls[at : at + 1]
    detection = None if given.detection is None else given.detection[at : at + 1, known]
    if controls is not None or (detection is not None and not np.isnan(detection).all()):
        corrected, models = nec(signal, detection, controls=controls)
        return np.log2(corrected[0]), models[0], ()
    if not float(signal.min()) > 0.0:
        message = (
            f"Sample {given.names[at]!r} has values of 0 or less, from which a background was subtracted, and neither "
            "detection p-values nor negative controls to estimate what is left of it."
        )
        raise LowQualityError(message, remedy="Give the control probe profile with --controls, or another table.")
    warning = "There are no detection p-values: the background was not corrected."
    return np.log2(signal[0]), None, (warning,)


def _neqc(given: BeadInput, on_sample: Callable[[str], None] | None) -> list[Outcome]:
    """All samples together; those that cannot be used take no part in the distribution."""
    outcomes: list[Outcome | None] = []
    for at, name in enumerate(given.names):
        try:
            _corrected(given, at, ~np.isnan(given.signal[at]))
            outcomes.append(None)
        except InputError as error:
            outcomes.append(error)
        if on_sample is not None:
            on_sample(name)
    good = [at for at, outcome in enumerate(outcomes) if outcome is None]
    if good:
        if given.detection is None and given.controls is None:
            message = "neqc needs detection p-values or negative controls."
            raise InputError(message, remedy="Give the control probe profile with --controls, or use --method nec.")
        detection, controls = (None if one is None else one[good] for one in (given.detection, given.controls))
        values, models = neqc(given.signal[good], detection, controls=controls)
        for row, at in enumerate(good):
            outcomes[at] = _described(given, at, values[row], background=models[row])
    return [outcome for outcome in outcomes if outcome is not None]


@dataclass(frozen=True, slots=True, eq=False)
class _Original:
    """What refine.bio's program decides for the whole table: logarithms, and whether background is corrected."""

    logarithms: Matrix
    corrects: bool


def _original_matrix(given: BeadInput) -> _Original:
    highest = float(np.nanmax(given.signal)) if given.signal.size else 0.0
    positive = bool((given.signal[~np.isnan(given.signal)] > 0.0).all())
    with np.errstate(invalid="ignore", divide="ignore"):
        logarithms = np.log2(given.signal) if highest > _LARGEST_LOGARITHM else given.signal
    return _Original(logarithms, positive and given.detection is not None)


def _original_sample(given: BeadInput, original: _Original, at: int) -> BeadSample:
    """``refinebio-1``."""
    y = original.logarithms[at]
    if not np.isfinite(y).all():
        message = (
            f"Sample {given.names[at]!r} has missing values, or values of 0 or less, which refinebio-1 cannot use."
        )
        raise LowQualityError(message, remedy="Use --method bead-scan.")
    background = None
    if original.corrects and given.detection is not None:
        corrected, models = nec(y[None, :], given.detection[at : at + 1])
        y, background = corrected[0], models[0]
    if given.design is None:
        message = "refinebio-1 needs the probes' sequences."
        raise InputError(message, remedy="Give the platform's table.")
    values, fit = scan50.bead_scan(y, given.design, REFINEBIO_1)
    return _described(given, at, values, background=background, fit=fit)


def _described(
    given: BeadInput,
    at: int,
    values: Matrix,
    *,
    background: NormexpParameters | None = None,
    fit: BeadScanFit | None = None,
    warnings: tuple[str, ...] = (),
) -> BeadSample:
    detection = None if given.detection is None else given.detection[at]
    quality = sample_quality(given.signal[at], detection, values, given.gc)
    return BeadSample(
        name=given.names[at], values=values, background=background, fit=fit, quality=quality, warnings=warnings
    )


def method_parameters(method: str) -> Mapping[str, Any]:
    """What provenance records beside the method's name."""
    shared: dict[str, Any] = {"offset": OFFSET}
    return shared | scan50.parameters(method) if method in {BEAD_SCAN, REFINEBIO_1} else shared
