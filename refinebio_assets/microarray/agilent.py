"""Raw files of Agilent and GenePix scanners to values: one array at a time, then arrays among each other.

:func:`process_agilent_file` is what there is to do for one file; :func:`combine` makes arrays of one design comparable
and gives a matrix of probes. Genes are found with a mapping of probes (:func:`mean_by_gene`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from refinebio_assets.domain.errors import InputError, LowQualityError, MalformedFileError
from refinebio_assets.microarray.agilent_array import ArrayFormat, Booleans, Channel, ScannedArray, Signal
from refinebio_assets.microarray.agilent_background import correct_background
from refinebio_assets.microarray.agilent_channels import ColourDecision, Colours, decide_colours
from refinebio_assets.microarray.agilent_quality import AgilentQuality, assess
from refinebio_assets.microarray.agilent_recipe import AgilentRecipe, Flagged
from refinebio_assets.microarray.agilent_table import Names
from refinebio_assets.microarray.compressed_bytes import Source, path_of, read_beginning
from refinebio_assets.microarray.feature_extraction import is_feature_extraction, read_feature_extraction
from refinebio_assets.microarray.genepix import is_genepix, read_genepix
from refinebio_assets.microarray.loess import Floats
from refinebio_assets.microarray.scan_two_colour import (
    SCAN_UPC_TWO_COLOUR,
    scan_two_colour,
    scan_two_colour_by_composition,
)
from refinebio_assets.microarray.two_colour import (
    Between,
    LogRatios,
    average_replicates,
    log2_or_missing,
    log_ratios,
    normalize_between_arrays,
    normalize_single_channels,
    normalize_within_arrays,
)

_LOOKED_AT = 4096
_SURE = 0.9


class Measure(StrEnum):
    """What of two colours is wanted."""

    BOTH = "both"
    RED = "red"
    GREEN = "green"
    RATIO = "ratio"


@dataclass(frozen=True, kw_only=True, eq=False)
class AgilentResult:
    """One array after everything that needs no other array.

    Attributes:
        name: Of the array.
        path: Its file; None for bytes.
        format: The program that wrote the file.
        method: Version of the method.
        parameters: Of the method.
        colours: How many, and why.
        probes: Name of each spot's probe.
        is_control: Spots that measure no gene.
        ratios: M and A, 1 x spots; None for one colour.
        intensities: After background correction, not logarithmic, 1 x spots; None for two colours.
        quality: Figures of quality.
        recipe: The choices that led here.
        warnings: What is odd, in words.
    """

    name: str
    path: Path | None
    format: ArrayFormat
    method: str
    parameters: Mapping[str, Any]
    colours: ColourDecision
    probes: Names = field(repr=False)
    is_control: Booleans = field(repr=False)
    ratios: LogRatios | None = field(repr=False)
    intensities: Floats | None = field(repr=False)
    quality: AgilentQuality
    recipe: AgilentRecipe
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class AgilentMatrix:
    """Values of several arrays of one design.

    Attributes:
        probes: Distinct names of probes, without controls.
        samples: Names of the columns: those of the arrays; with the colour behind it where both are wanted.
        values: samples x probes, float64, log2 scale (standardised after SCAN); NaN where missing.
        method: Version of the method.
        parameters: Of the method.
    """

    probes: tuple[str, ...]
    samples: tuple[str, ...]
    values: Floats
    method: str
    parameters: Mapping[str, Any]


def read_scanned_array(source: Source, *, signal: Signal = Signal.AUTO) -> ScannedArray:
    """Read a file by what it is: Feature Extraction text or GenePix results.

    Raises:
        InputError: There is no such file, or it has not that signal.
        MalformedFileError: It is neither, or damaged.
    """
    beginning = read_beginning(source, _LOOKED_AT)
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        beginning = beginning[: len(beginning) // 2 * 2].decode("utf-16", errors="replace").encode()
    if is_feature_extraction(beginning):
        return read_feature_extraction(source, signal=signal)
    if is_genepix(beginning):
        return read_genepix(source, signal=signal)
    message = "This is neither text of Agilent's Feature Extraction nor a GenePix result."
    remedy = "Give the raw file of the scanner's program (.txt, .gpr), not a processed table."
    raise MalformedFileError(message, path=path_of(source), line=1, remedy=remedy)


def process_agilent_file(source: Source, recipe: AgilentRecipe | None = None) -> AgilentResult:
    """Read one file, correct its background, and make its dyes comparable.

    Raises:
        MalformedFileError: It cannot be read, or has fewer features than it says.
        LowQualityError: Its intensities cannot be used.
        InputError: It lacks what the recipe asks for.
    """
    chosen = recipe or AgilentRecipe()
    array = read_scanned_array(source, signal=chosen.signal)
    try:
        return process_scanned_array(array, chosen)
    except InputError as error:
        error.path = error.path or array.path
        raise


def process_scanned_array(array: ScannedArray, recipe: AgilentRecipe) -> AgilentResult:
    """The same for an array that was read already.

    Raises:
        MalformedFileError: It has fewer features than it says.
        LowQualityError: Its intensities cannot be used.
        InputError: It lacks what the recipe asks for.
    """
    _refuse_partial(array, recipe)
    found = decide_colours(array, annotated=recipe.annotated_colours)
    colours = recipe.colours or found.colours
    channels = _channels(array, colours, recipe)
    corrected = {name: _corrected(channel, array, colours, recipe) for name, channel in channels.items()}
    before = log_ratios(corrected["red"][None], corrected["green"][None]) if colours is Colours.TWO else None
    after = None if before is None else _normalized(array, corrected, before, recipe)
    intensities = corrected["green"][None] if after is None else None
    values = log2_or_missing(corrected["green"]) if after is None else after.m[0]
    if np.isnan(values).all():
        message = "Not one spot has a value."
        raise LowQualityError(message, path=array.path, remedy="Look at the scan.")
    return AgilentResult(
        name=array.name,
        path=array.path,
        format=array.format,
        method=recipe.method_for(colours),
        parameters=recipe.parameters_for(colours) | {"columns": {k: list(v.columns) for k, v in channels.items()}},
        colours=found,
        probes=array.probes,
        is_control=array.is_control,
        ratios=after,
        intensities=intensities,
        quality=assess(array, corrected, before=before, after=after, values=values),
        recipe=recipe,
        warnings=(*array.warnings, *_doubts(found, colours)),
    )


def _refuse_partial(array: ScannedArray, recipe: AgilentRecipe) -> None:
    if array.announced_spots is not None and array.spots < array.announced_spots and not recipe.allow_partial:
        message = f"The file has {array.spots} features, but its statistics speak of {array.announced_spots}."
        remedy = "It was cut off: download it again. If that is meant to be, allow partial files (--allow-partial)."
        raise MalformedFileError(message, path=array.path, remedy=remedy)


def _channels(array: ScannedArray, colours: Colours, recipe: AgilentRecipe) -> dict[str, Channel]:
    """Those of the dyes that were used; bad spots are missing in both if the recipe says so."""
    if colours is Colours.TWO and array.red is None:
        message = "There are no columns of a red channel."
        raise InputError(message, path=array.path, remedy="Process it as a one-colour array.")
    if colours is Colours.ONE and recipe.is_scan:
        message = f"{recipe.method} needs two colours, and this array has one."
        raise InputError(message, path=array.path, remedy="Use the method limma for one-colour arrays.")
    return array.channels if colours is Colours.TWO else {"green": array.green}


def _corrected(channel: Channel, array: ScannedArray, colours: Colours, recipe: AgilentRecipe) -> Floats:
    foreground = channel.foreground
    if recipe.flagged is Flagged.MISSING:
        foreground = np.where(_flagged(array, colours), np.nan, foreground)
    if recipe.is_scan:
        return foreground
    return correct_background(
        foreground,
        channel.background,
        method=recipe.background,
        offset=recipe.offset_for(colours),
        normexp=recipe.normexp,
        layout=array.layout,
    )


def _flagged(array: ScannedArray, colours: Colours) -> Booleans:
    if array.red is None or colours is Colours.ONE:
        return array.green.flagged
    return array.green.flagged | array.red.flagged


def _normalized(
    array: ScannedArray, corrected: Mapping[str, Floats], before: LogRatios, recipe: AgilentRecipe
) -> LogRatios:
    if recipe.is_scan:
        red, green = _scanned(array, corrected, recipe)
        return LogRatios((red - green)[None], ((red + green) / 2)[None])
    weights = None
    if recipe.flagged is Flagged.UNWEIGHTED:
        weights = np.where(_flagged(array, Colours.TWO), 0.0, 1.0)[None]
    return normalize_within_arrays(
        before, recipe.within, weights=weights, layout=array.layout, span=recipe.span, iterations=recipe.iterations
    )


def _scanned(array: ScannedArray, corrected: Mapping[str, Floats], recipe: AgilentRecipe) -> tuple[Floats, Floats]:
    red, green = corrected["red"], corrected["green"]
    if recipe.method == SCAN_UPC_TWO_COLOUR:
        return scan_two_colour(red, green)
    return scan_two_colour_by_composition(red, green, sequences=array.sequences, is_control=array.is_control)


def _doubts(found: ColourDecision, colours: Colours) -> tuple[str, ...]:
    if colours is not found.colours:
        return (f"Processed as an array of {colours} colour(s), though {found.evidence[0]}.",)
    if found.confidence < _SURE:
        return (f"Taken for an array of {colours} colour(s): {', '.join(found.evidence)}.",)
    return ()


def refuse_other_design(first: AgilentResult, other: AgilentResult) -> None:
    """Only arrays of one design, colour and method can be made comparable.

    Raises:
        InputError: ``other`` has other probes than ``first``, another number of colours or another method.
    """
    if (first.ratios is None) != (other.ratios is None):
        one, two = (first.name, other.name) if first.ratios is None else (other.name, first.name)
        message = f"{one} has one colour, {two} has two."
        raise InputError(message, path=other.path, remedy="Process one-colour and two-colour arrays apart.")
    if len(first.probes) != len(other.probes) or not np.array_equal(first.probes, other.probes):
        message = f"The probes are not those of {first.name}: this is another design of array."
        raise InputError(message, path=other.path, remedy="Process arrays of each design apart.")
    if (first.method, first.parameters) != (other.method, other.parameters):
        message = f"{first.name} was processed in another way."
        raise InputError(message, path=other.path, remedy="Process all arrays with one recipe.")


def combine(
    results: Sequence[AgilentResult], *, between: Between | None = None, measure: Measure = Measure.BOTH
) -> AgilentMatrix:
    """Make arrays comparable and give their probes one value each.

    Controls take part in the normalisation, as in limma, and are left out then; probes that several spots measure get
    the mean of their log2 values.

    Args:
        results: Arrays of one design, at least one.
        between: How; None for what suits the method (``Aquantile`` for two colours, ``quantile`` for one).
        measure: Which columns each array gets. Arrays of one colour have ``green`` only, and ``both`` is the same.

    Raises:
        InputError: Designs differ, or what is wanted needs two colours.
    """
    first = results[0]
    for other in results[1:]:
        refuse_other_design(first, other)
    method = between or first.recipe.between_for(Colours.ONE if first.ratios is None else Colours.TWO)
    columns = _one_colour(results, method, measure) if first.ratios is None else _two_colours(results, method, measure)
    spots = ~first.is_control
    values, probes = average_replicates(np.stack(list(columns.values()))[:, spots], first.probes[spots])
    return AgilentMatrix(
        probes=probes,
        samples=tuple(columns),
        values=values,
        method=first.method,
        parameters={**first.parameters, "between": str(method), "measure": str(measure)},
    )


def _one_colour(results: Sequence[AgilentResult], method: Between, measure: Measure) -> dict[str, Floats]:
    if measure in {Measure.RED, Measure.RATIO}:
        message = f"Arrays of one colour have no {measure}."
        raise InputError(message, path=results[0].path, remedy="Ask for green.")
    intensities = np.concatenate([one.intensities for one in results if one.intensities is not None])
    values = log2_or_missing(normalize_single_channels(intensities, method))
    return {one.name: row for one, row in zip(results, values, strict=True)}


def _two_colours(results: Sequence[AgilentResult], method: Between, measure: Measure) -> dict[str, Floats]:
    given = [one.ratios for one in results if one.ratios is not None]
    ratios = LogRatios(np.concatenate([one.m for one in given]), np.concatenate([one.a for one in given]))
    made = normalize_between_arrays(ratios, method)
    names = [one.name for one in results]
    if measure is Measure.BOTH:
        columns: dict[str, Floats] = {}
        for name, red, green in zip(names, made.red, made.green, strict=True):
            columns |= {f"{name}_red": red, f"{name}_green": green}
        return columns
    values = {Measure.RED: made.red, Measure.GREEN: made.green, Measure.RATIO: made.m}[measure]
    return dict(zip(names, values, strict=True))


def mean_by_gene(probes: Sequence[str], values: Floats, genes: Mapping[str, str]) -> tuple[tuple[str, ...], Floats]:
    """The mean of the probes of each gene.

    Args:
        probes: Names of the columns of ``values``.
        values: samples x probes.
        genes: Probe -> Ensembl gene; probes that are not in it are left out.

    Returns:
        The genes, sorted, and samples x genes.

    Raises:
        InputError: Not one probe has a gene.
    """
    known = np.array([probe in genes for probe in probes], dtype=np.bool_)
    if not known.any():
        message = f"None of {len(probes)} probes has a gene."
        raise InputError(message, remedy="Give the mapping table of this design of array.")
    targets = np.array([genes[probe] for probe in probes if probe in genes], dtype=object)
    means, names = average_replicates(values[:, known], targets)
    order = sorted(range(len(names)), key=names.__getitem__)
    return tuple(names[place] for place in order), means[:, order]
