"""The methods as the asset calls them: files and references in, values or a ledger decision per sample out.

Everything that the asset needs of a method is here, so that a method can be exchanged in one place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError, LowQualityError, MalformedFileError, UncertainTableError
from refinebio_assets.domain.records import LedgerDecision
from refinebio_assets.domain.vocabulary import WRONG_CHIP, SampleState
from refinebio_assets.microarray.affymetrix import check_chip, process_cel
from refinebio_assets.microarray.agilent import process_agilent_file
from refinebio_assets.microarray.agilent_channels import Colours
from refinebio_assets.microarray.agilent_recipe import AgilentRecipe
from refinebio_assets.microarray.bead_scan import BEAD_SCAN
from refinebio_assets.microarray.cel import CelFile
from refinebio_assets.microarray.chip_annotation import ChipAnnotation
from refinebio_assets.microarray.gene_conversion import ConversionPolicy, convert_genes
from refinebio_assets.microarray.gene_identifiers import IdentifierType, pattern_shares
from refinebio_assets.microarray.identifier_map_files import read_identifier_map
from refinebio_assets.microarray.identifier_maps import IdentifierMap
from refinebio_assets.microarray.illumina import (
    NEC,
    BeadSample,
    default_method,
    method_parameters,
    normalise,
    prepare,
)
from refinebio_assets.microarray.illumina_platform import BeadPlatform, detect_platform, read_platform_table
from refinebio_assets.microarray.illumina_samples import SampleHint, match_samples
from refinebio_assets.microarray.illumina_table import BeadTable, read_bead_table
from refinebio_assets.microarray.probe_tables import read_probe_table
from refinebio_assets.microarray.processor_choice import ArrayProcessor
from refinebio_assets.microarray.scan_annotation import ArrayAnnotation, gene_names
from refinebio_assets.microarray.submitter_processed import METHOD, process_submitter_sample
from refinebio_assets.microarray.submitter_tables import SubmitterTable, read_submitter_table
from refinebio_assets.microarray.two_colour import log2_or_missing

METHOD_VERSIONS: Mapping[ArrayProcessor, str] = {
    ArrayProcessor.AGILENT_ONE_COLOR: AgilentRecipe().method_for(Colours.ONE),
    ArrayProcessor.AGILENT_TWO_COLOR: AgilentRecipe().method_for(Colours.TWO),
    ArrayProcessor.BEAD_ARRAY: f"{BEAD_SCAN}, {NEC}",
    ArrayProcessor.SUBMITTER_PROCESSED: f"{METHOD}.{ConversionPolicy.UNIQUE}",
}
"""Version of the method of each processor; that of Affymetrix arrays is a setting."""
MOST_MISSING = 0.5
"""Share of probes without a value above which a column is no measurement."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ArrayValues:
    """The values of one sample.

    Attributes:
        genes: Distinct Ensembl genes (probe sets of the maker where the reference has no genes).
        values: One per gene, float64, on the method's scale.
        method: Version of the method.
        parameters: Of the method.
        metrics: Figures of quality, and how the input was read; numbers, texts and flags.
        warnings: What is odd, in words.
    """

    genes: tuple[str, ...]
    values: NDArray[np.float64]
    method: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


Verdict = ArrayValues | LedgerDecision


def make_chip_annotation(
    probe_table: Path, probe_summary: Path | None, *, chip: str, organism: str, source: str, version: str
) -> tuple[ChipAnnotation, ArrayAnnotation]:
    """Read the tables of a chip; the second value is what they amount to.

    A table whose probe sets are genes already (Brainarray's probe packages) is its own summary.

    Raises:
        MalformedFileError: A table cannot be read.
        InputError: They are not of one chip, or have no sequences.
    """
    probes = read_probe_table(probe_table)
    summary = None if probe_summary is None else read_probe_table(probe_summary)
    names = gene_names(probes.probe_sets)
    if summary is None and pattern_shares(names).likeliest is IdentifierType.ENSEMBL_GENE:
        summary = probes
    annotation = ChipAnnotation(
        chip=chip, organism=organism, source=source, version=version, probe_table=probes, probe_summary=summary
    )
    return annotation, array_annotation(annotation, paths=(probe_table, probe_summary))


def array_annotation(
    annotation: ChipAnnotation, *, paths: tuple[Path | None, Path | None] = (None, None)
) -> ArrayAnnotation:
    """What SCAN needs of a chip's reference; made once, shared by all its arrays."""
    return ArrayAnnotation.build(annotation.probe_table, annotation.probe_summary, chip=annotation.chip, paths=paths)


def normalise_cel(cel: CelFile, chip: ArrayAnnotation, method: str) -> Verdict:
    """Normalise one Affymetrix array.

    Raises:
        InputError: It cannot be modelled.
    """
    try:
        check_chip(cel, chip)
    except InputError as error:
        return LedgerDecision(state=SampleState.UNSUPPORTED_PLATFORM, reason=WRONG_CHIP, message=told(error))
    try:
        result = process_cel(cel, chip, method)
    except LowQualityError as error:
        return LedgerDecision(state=SampleState.FAILED_QC, reason="too_many_zero_probes", message=told(error))
    return ArrayValues(
        genes=result.genes,
        values=result.values,
        method=result.method,
        parameters=result.parameters,
        metrics=asdict(result.quality) | {"identifiers": "gene" if chip.are_genes else "probe set"},
        warnings=result.warnings,
    )


def make_identifier_map(source: Path, *, platform: str, organism: str, release: str) -> IdentifierMap:
    """Read a table of what the identifiers of a platform name.

    Raises:
        MalformedFileError: It cannot be read.
        InputError: It leads to no Ensembl genes.
    """
    mapping = read_identifier_map(source, platform=platform, organism=organism, release=release)
    if IdentifierType.ENSEMBL_GENE not in mapping.columns:
        raise mapping.lacks(IdentifierType.ENSEMBL_GENE)
    return mapping


def submitted_values(table: SubmitterTable, mapping: IdentifierMap, *, column: int, said: str) -> Verdict:
    """Expression of one sample of a table that its submitter processed."""
    try:
        result = process_submitter_sample(table, mapping, column=column, said=said)
    except LowQualityError as error:
        return LedgerDecision(state=SampleState.FAILED_QC, reason=error.code, message=told(error))
    except InputError as error:
        return LedgerDecision(state=SampleState.FAILED_PROCESSING, reason="identifiers_not_mapped", message=told(error))
    return ArrayValues(
        genes=result.genes,
        values=result.values,
        method=result.method,
        parameters=result.parameters,
        metrics=asdict(result.quality) | {"identifiers": "gene", "scale_evidence": result.log_state.reason},
        warnings=result.warnings,
    )


def submitted_table(
    path: Path, hints: Sequence[SampleHint], mapping: IdentifierMap, said: Mapping[str, str]
) -> dict[str, Verdict]:
    """Expression of the samples of a file that their submitter processed, by accession.

    Raises:
        MalformedFileError: It is no table.
    """
    try:
        table = read_submitter_table(path, samples=[name for hint in hints for name in (hint.accession, hint.title)])
    except UncertainTableError as error:
        return dict.fromkeys((hint.accession for hint in hints), low_confidence(error))
    columns = columns_of(table.samples, hints)
    return {
        hint.accession: no_column(hint, table.samples)
        if (column := columns.get(hint.accession)) is None
        else submitted_values(table, mapping, column=column, said=said.get(hint.accession, ""))
        for hint in hints
    }


def told(error: InputError) -> str:
    """What is wrong and what to do, without the file's place in scratch space, which says nothing to a reader."""
    return f"{error.message} {error.remedy}" if error.remedy else error.message


@dataclass(frozen=True, slots=True, kw_only=True)
class BeadVerdicts:
    """What became of the samples of a BeadArray table.

    Attributes:
        platform: The one that its probes are of; None if of none that is known.
        share: Part of its probes that the platform has, 0 to 1.
        verdicts: By accession.
        is_other: Whether it could be read, but its probes are of none of the platforms.
    """

    platform: str | None
    share: float | None
    verdicts: Mapping[str, Verdict]
    is_other: bool = False


def bead_values(path: Path, hints: Sequence[SampleHint], platforms: Sequence[BeadPlatform]) -> BeadVerdicts:
    """Expression of samples of a BeadArray table: background, SCAN, good probes, the mean of each gene's probes.

    Args:
        path: The table, with columns of these samples and perhaps of others.
        hints: The samples.
        platforms: Those that it may be of; which one is told by its probes.

    Raises:
        MalformedFileError: It is no table.
    """
    accessions = [hint.accession for hint in hints]
    try:
        table = read_bead_table(path, samples=hints)
    except UncertainTableError as error:
        return BeadVerdicts(platform=None, share=None, verdicts=dict.fromkeys(accessions, low_confidence(error)))
    try:
        platform, found = detect_platform(table.ids, platforms)
    except InputError as error:
        decision = LedgerDecision(
            state=SampleState.FAILED_PROCESSING, reason="unknown_bead_platform", message=told(error)
        )
        return BeadVerdicts(platform=None, share=None, verdicts=dict.fromkeys(accessions, decision), is_other=True)
    share = next(one.of_data for one in found if one.platform == platform.name) / 100.0
    columns = columns_of(table.names, hints)
    verdicts: dict[str, Verdict] = {
        hint.accession: no_column(hint, table.names) for hint in hints if hint.accession not in columns
    }
    try:
        verdicts |= _bead_samples(table, platform, columns)
    except InputError as error:
        decision = LedgerDecision(state=SampleState.FAILED_PROCESSING, reason=error.code, message=told(error))
        verdicts |= dict.fromkeys(columns, decision)
    return BeadVerdicts(platform=platform.name, share=share, verdicts=verdicts)


def _bead_samples(table: BeadTable, platform: BeadPlatform, columns: Mapping[str, int]) -> dict[str, Verdict]:
    """The samples that have a column; columns of others are not normalised."""
    method = default_method(table, platform)
    given = prepare(table, method, platform=platform)
    chosen = list(columns.values())
    given = replace(
        given,
        names=tuple(given.names[at] for at in chosen),
        signal=given.signal[chosen],
        detection=None if given.detection is None else given.detection[chosen],
    )
    places = platform.places(given.probes)
    single = [genes[0] if len(genes) == 1 else "" for genes in platform.genes or ()]
    good = platform.is_good()
    genes = [single[at] if at >= 0 and good[at] else "" for at in places.tolist()]
    outcomes = zip(columns, normalise(given, method), strict=True)
    about = {"table_confidence": table.confidence, "table_evidence": list(table.evidence), "identifiers": "gene"}
    return {sample: _bead_verdict(outcome, genes, method, about, table.warnings) for sample, outcome in outcomes}


def _bead_verdict(
    outcome: BeadSample | InputError,
    genes: Sequence[str],
    method: str,
    about: Mapping[str, Any],
    warnings: tuple[str, ...],
) -> Verdict:
    if isinstance(outcome, InputError):
        return LedgerDecision(state=SampleState.FAILED_QC, reason=outcome.code, message=told(outcome))
    missing = float(np.isnan(outcome.values).mean())
    if missing > MOST_MISSING:
        message = f"{missing:.0%} of the probes have no value in the sample's column."
        return LedgerDecision(state=SampleState.FAILED_QC, reason="too_many_missing_values", message=message)
    named = np.array([bool(gene) for gene in genes])
    names, values = mean_by_gene([gene for gene in genes if gene], outcome.values[named])
    return ArrayValues(
        genes=names,
        values=values,
        method=method,
        parameters=method_parameters(method),
        metrics=asdict(outcome.quality) | {"missing": missing, **about},
        warnings=(*warnings, *outcome.warnings),
    )


def make_probe_map(content: bytes, *, platform: str) -> BeadPlatform:
    """The probes of a BeadArray from the content of its table.

    Raises:
        MalformedFileError: It is no such table.
        InputError: It names no genes.
    """
    made = read_platform_table(content, name=platform)
    if made.genes is None:
        message = "The table has no column of genes."
        raise InputError(message, remedy="Give a table with probe_id, sequence, quality and ensembl_id.")
    return made


def agilent_values(path: Path, mapping: IdentifierMap) -> Verdict:
    """Expression of one array of Agilent: log2 of its green channel. An array of two colours has two samples.

    Raises:
        MalformedFileError: It cannot be read.
    """
    try:
        result = process_agilent_file(path)
        if result.intensities is None:
            message = "Two samples were hybridised to this array in two colours; only one-colour arrays are processed."
            return LedgerDecision(state=SampleState.FAILED_PROCESSING, reason="two_colour_array", message=message)
        measured = ~result.is_control
        probes = [str(name) for name in result.probes[measured]]
        converted = convert_genes(probes, log2_or_missing(result.intensities[0][measured]), mapping)
    except MalformedFileError:
        raise
    except LowQualityError as error:
        return LedgerDecision(state=SampleState.FAILED_QC, reason=error.code, message=told(error))
    except InputError as error:
        return LedgerDecision(state=SampleState.FAILED_PROCESSING, reason=error.code, message=told(error))
    genes, values = mean_by_gene(converted.genes, converted.values[:, 0])
    return ArrayValues(
        genes=genes,
        values=values,
        method=result.method,
        parameters=result.parameters,
        metrics={"identifiers": "gene", "share_of_probes_in_genes": converted.counts.mapped / max(len(probes), 1)},
        warnings=(*result.warnings, *converted.warnings),
    )


def columns_of(names: Sequence[str], hints: Sequence[SampleHint]) -> dict[str, int]:
    """The column of each sample that has one. The only column of a file of one sample is its, whatever its name."""
    if len(names) == len(hints) == 1:
        return {hints[0].accession: 0}
    found = enumerate(match_samples(names, hints))
    return {match.accession: at for at, match in found if match.accession}


def low_confidence(error: UncertainTableError) -> LedgerDecision:
    """The decision for samples of a table that can be read in several ways."""
    return LedgerDecision(state=SampleState.FAILED_PROCESSING, reason="low_confidence_table", message=told(error))


def no_column(hint: SampleHint, names: Sequence[str]) -> LedgerDecision:
    """The decision for a sample that none of a table's columns can be given to."""
    shown = ", ".join(names[:6]) + (" …" if len(names) > 6 else "")
    message = f"No column of the table is called like {hint.accession} ({hint.title}); it has {shown}."
    return LedgerDecision(state=SampleState.FAILED_PROCESSING, reason="no_column_for_sample", message=message)


def mean_by_gene(genes: Sequence[str], values: NDArray[np.floating]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """One value per gene: the mean of its probes' finite values; genes without any are left out. Genes are sorted."""
    numbers = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(numbers)
    names, place = np.unique(np.asarray(genes, dtype=object)[finite].astype(str), return_inverse=True)
    counts = np.bincount(place, minlength=len(names))
    sums = np.bincount(place, weights=numbers[finite], minlength=len(names))
    return tuple(names.tolist()), sums / counts
