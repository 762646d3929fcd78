"""Importing a gene matrix: into the catalog and the expression store, beside what is made from raw data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from refinebio_assets import __version__
from refinebio_assets.compendia.imported_matrix import (
    ImportedValues,
    Scale,
    read_imported_matrix,
    read_sample_table,
    sample_accessions,
)
from refinebio_assets.compendia.run_environment import CompendiumEnvironment
from refinebio_assets.compendia.store_run import expression_parts_of, part_files
from refinebio_assets.domain.accessions import local_accession, parse_accession
from refinebio_assets.domain.errors import InputError
from refinebio_assets.domain.fingerprints import fingerprint_of
from refinebio_assets.domain.organisms import organism_key, scientific_name
from refinebio_assets.domain.records import SurveyResult
from refinebio_assets.domain.vocabulary import ComputedFileKind, Technology
from refinebio_assets.microarray.references_run import organism_of_genes
from refinebio_assets.survey.harmonised_terms import survey_with_terms
from refinebio_assets.survey.imported import imported_payload, survey_imported
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.reharmonise_run import field_terms
from resources.catalog import FileToRecord, ResultToRecord
from resources.catalog.imports import record_import, refuse_conflicts
from resources.object_store import StoredObject
from resources.source_metadata_files import write_source_metadata
from resources.tools.environment import software_environment

PROCESSOR = "Imported matrix"
CODE_VERSION = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixToImport:
    """A matrix and what its owner says of it.

    Attributes:
        path: Genes (Ensembl) and samples, in a format that :mod:`refinebio_assets.matrix_reading` knows.
        experiment: Its accession from now on: ``LOCAL-…``.
        organism: Scientific name, or UPPER_SNAKE.
        technology: Of all samples.
        scale: Of the values.
        platform: Code of the array (or a GPL or A-… accession), or name of the sequencer.
        samples: Table of the samples' metadata.
        sample_prefix: Before the names of the columns to make accessions of them; the experiment's own if None.
        title: For people; the accession if None.
        aliases: Accessions of the study in public archives.
        has_raw: Whether the values were made from raw data, so that targets and compendia take them like others.
    """

    path: Path
    experiment: str
    organism: str
    technology: Technology
    scale: Scale
    platform: str | None = None
    samples: Path | None = None
    sample_prefix: str | None = None
    title: str | None = None
    aliases: tuple[str, ...] = ()
    has_raw: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedMatrix:
    """What an import did.

    Attributes:
        experiment: Accession.
        outcome: ``imported``, ``replaced`` (values or metadata differ from those before), or ``unchanged``.
        samples: Samples of the matrix.
        genes: Ensembl genes of the matrix.
        missing: Values that are missing.
        left_out: Names of rows that are no Ensembl genes.
        without_logarithm: Linear array values of zero or less, which became missing.
        without_metadata: Samples that the table does not name.
        harmonized: Harmonised field -> how many samples have it.
        parts: Keys of the parts in the object store.
    """

    experiment: str
    outcome: Literal["imported", "replaced", "unchanged"]
    samples: int
    genes: int
    missing: int
    left_out: tuple[str, ...]
    without_logarithm: int
    without_metadata: int
    harmonized: dict[str, int]
    parts: tuple[str, ...]


def import_matrix(matrix: MatrixToImport, environment: CompendiumEnvironment) -> ImportedMatrix:
    """Import a matrix. The same again changes nothing; another one under the same accession takes its place.

    Everything is checked before anything is stored; records are written in one transaction, after the values.

    Raises:
        InputError: The matrix, its table of samples or what is said of it cannot be meant; file and line are named.
        UnsupportedAccessionError: The experiment's accession does not begin with ``LOCAL-``, or an alias is none.
        ObjectStoreError: The store refused.
    """
    catalog, store = environment.catalog, environment.store
    experiment, organism = local_accession(matrix.experiment), _organism(matrix)
    values = read_imported_matrix(matrix.path, technology=matrix.technology, scale=matrix.scale)
    _refuse_other_organism(matrix.path, values.genes, organism)
    accessions = sample_accessions(
        matrix.path, values.samples, f"{experiment}-" if matrix.sample_prefix is None else matrix.sample_prefix
    )
    metadata = {} if matrix.samples is None else read_sample_table(matrix.samples, values.samples)
    payload = imported_payload(
        experiment,
        title=(matrix.title or "").strip() or experiment,
        organism=organism,
        technology=matrix.technology,
        platform=_platform(matrix),
        has_raw=matrix.has_raw,
        aliases=_aliases(matrix.aliases),
        samples={accession: (name, metadata.get(name, {})) for name, accession in accessions.items()},
    )
    survey = survey_with_terms(survey_imported(payload, _registry()), field_terms(catalog))
    with catalog.reading() as session:
        refuse_conflicts(session, survey)
    known = bool(catalog.ledger.entries([experiment]))
    stored = write_source_metadata(store, experiment, payload)
    files = part_files(
        store,
        expression_parts_of(
            values.values,
            experiment=experiment,
            technology=matrix.technology,
            genes=values.genes,
            samples=[accessions[name] for name in values.samples],
            organisms=[organism] * len(values.samples),
            platforms=[survey.samples[0].record.platform_accession or ""] * len(values.samples),
        ),
    )
    changed = _record(matrix, values, survey, (stored, files), environment)
    return ImportedMatrix(
        experiment=experiment,
        outcome="unchanged" if not changed else "replaced" if known else "imported",
        samples=len(values.samples),
        genes=len(values.genes),
        missing=values.missing,
        left_out=values.left_out,
        without_logarithm=values.without_logarithm,
        without_metadata=len(values.samples) - len(metadata) if matrix.samples is not None else 0,
        harmonized=_harmonized(survey),
        parts=tuple(file.key for file in files),
    )


def _record(
    matrix: MatrixToImport,
    values: ImportedValues,
    survey: SurveyResult,
    stored: tuple[StoredObject, Sequence[FileToRecord]],
    environment: CompendiumEnvironment,
) -> bool:
    """Write the records of what is stored (the payload and the parts), unless they are there already.

    Objects that nothing refers to any more go. Returns whether something was written.
    """
    catalog, experiment = environment.catalog, survey.experiment.accession
    payload, parts = stored
    fingerprint = fingerprint_of(PROCESSOR, CODE_VERSION, experiment, payload.sha256, [part.sha256 for part in parts])
    if catalog.has_result(fingerprint):
        return False
    metadata = FileToRecord(
        key=payload.key,
        filename=f"{experiment}_source_metadata.json.gz",
        kind=ComputedFileKind.SOURCE_METADATA,
        size_bytes=payload.size_bytes,
        sha256=payload.sha256,
        experiment=experiment,
    )
    computed = ResultToRecord(
        processor=PROCESSOR,
        processor_version=CODE_VERSION,
        environment=software_environment(),
        fingerprint=fingerprint,
        parameters={"scale": matrix.scale.value, "technology": matrix.technology.value},
        inputs={"source_metadata": payload.sha256},
        metrics={
            "num_samples": len(values.samples),
            "num_genes": len(values.genes),
            "rows_left_out": len(values.left_out),
            "values_missing": values.missing,
        },
        code_version=__version__,
        run_id=environment.run_id,
        files=(metadata, *parts),
    )
    with catalog.session() as session:
        recorded = record_import(session, survey, computed, metadata_sha256=payload.sha256)
    for key in recorded.superseded_keys:
        environment.store.delete(key)
    return True


def _organism(matrix: MatrixToImport) -> str:
    try:
        return organism_key(matrix.organism)
    except ValueError as error:
        message = f"{matrix.organism!r} names no organism."
        raise InputError(message, remedy='Give genus and species, as in "Homo sapiens".') from error


def _refuse_other_organism(path: Path, genes: Sequence[str], organism: str) -> None:
    """Genes whose form tells another organism: the matrix, or what is said of it, is mixed up."""
    found = organism_of_genes(genes)
    if found is not None and organism != found and not organism.startswith(f"{found}_"):  # a strain or subspecies
        message = f"Its genes are those of {scientific_name(found)}, not of {scientific_name(organism)}."
        raise InputError(message, path=path, remedy=f'Say --organism "{scientific_name(found)}".')


def _platform(matrix: MatrixToImport) -> str | None:
    """The array's own code, or the sequencer's name as it was given.

    Raises:
        InputError: It is no array that is known.
    """
    name = (matrix.platform or "").strip()
    if not name or matrix.technology is Technology.RNA_SEQ:
        return name or None
    found = _registry().microarray_platform(name)
    if found is None:
        message = f"{name} is not among the array platforms that are known."
        raise InputError(message, remedy="refinebio platform list shows them; leave --platform out for others.")
    return found.accession


def _aliases(aliases: Sequence[str]) -> tuple[str, ...]:
    """Accessions of experiments in public archives, in their canonical spelling.

    Raises:
        UnsupportedAccessionError: One follows no archive's grammar.
        InputError: One names no experiment.
    """
    parsed = [parse_accession(alias) for alias in aliases]
    other = next((one for one in parsed if not one.is_experiment), None)
    if other is not None:
        message = f"{other} is not the accession of an experiment."
        raise InputError(message, remedy="Give the study that the matrix is of: GSE…, SRP…, E-MTAB-…")
    return tuple(sorted({one.value for one in parsed}))


def _harmonized(survey: SurveyResult) -> dict[str, int]:
    fields = [value.field for sample in survey.samples for value in sample.record.harmonized]
    return {field: fields.count(field) for field in dict.fromkeys(fields)}


@lru_cache(maxsize=1)
def _registry() -> PlatformRegistry:
    return PlatformRegistry.load()
