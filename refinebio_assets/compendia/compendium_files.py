"""The files of a compendium, all written in one pass over its values, in memory that samples do not add to.

AnnData take the blocks as they come; what has genes in rows goes by a scratch file (:mod:`.gene_major`). Everything is
written into a folder of its own and given its name when all is complete. docs/compendium_files.md describes the files.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.compendia.anndata_stream import AnnDataWriter, anndata_writer
from refinebio_assets.compendia.compendium import CompendiumBlock, PreparedCompendium
from refinebio_assets.compendia.distribution_check import PAIRS, check_distributions, choose_pairs
from refinebio_assets.compendia.gene_major import GeneMajorMatrix, write_parquet, write_text
from refinebio_assets.compendia.progress import Progress, Report, say_nothing
from refinebio_assets.datasets.metadata_json import (
    json_bytes,
    write_aggregated_metadata,
    write_filtered_json,
    write_filtered_tsv,
    write_species_metadata,
)
from refinebio_assets.datasets.package import GzipFile, Package
from refinebio_assets.datasets.readmes import LICENSE_TEXT, compendium_readme
from refinebio_assets.datasets.sample_metadata import cell, metadata_columns, write_metadata_tsv
from refinebio_assets.domain.download_metadata import DownloadMetadata, FilteredSample
from refinebio_assets.domain.vocabulary import ComputedFileKind

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("h5ad", "zarr", "parquet", "tsv", "zip")
BEFORE_QN, IMPUTED = "before_qn", "imputed"
TYPES = {"X": np.dtype("f4"), BEFORE_QN: np.dtype("f4"), IMPUTED: np.dtype("?")}

_PARTIAL = ".partial"
_PAIRS_SEED = 123  # as check_distributions chooses them


@dataclass(frozen=True, slots=True, kw_only=True)
class CompendiumDescription:
    """What is said of a compendium in its files.

    Attributes:
        organism: UPPER_SNAKE name of the primary organism, after which the files are called.
        organisms: All organisms that have samples in it.
        version: Of the compendium.
        samples: In the compendium's order: index accession; columns experiment, platform, technology, organism, title,
            biosample, and harmonised ones.
        genes: In the compendium's order.
        summary: :meth:`PreparedCompendium.summary`.
        metadata: Of the samples, and of those that were left out.
        filtered: Samples that were left out.
        provenance: Inputs, versions, parameters; JSON.
    """

    organism: str
    organisms: tuple[str, ...]
    version: str
    samples: pd.DataFrame
    genes: Sequence[str]
    summary: Mapping[str, Any]
    metadata: DownloadMetadata
    filtered: Mapping[str, FilteredSample] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def accessions(self) -> list[str]:
        """Of the samples, in order."""
        return [str(name) for name in self.samples.index]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompendiumFile:
    """A finished file."""

    path: Path
    kind: ComputedFileKind


def write_compendium_files(
    folder: Path,
    prepared: PreparedCompendium,
    description: CompendiumDescription,
    *,
    formats: Collection[str] = FORMATS,
    on_block: Callable[[CompendiumBlock], None] = lambda _block: None,
    report: Report = say_nothing,
) -> list[CompendiumFile]:
    """Write a compendium's files, in one pass over ``prepared.blocks()``.

    Args:
        folder: Where to; it exists. What an interrupted run left half-written there is removed, and files of the same
            names are replaced.
        prepared: The values.
        description: What is said of them; its samples and genes are those of the values.
        formats: Which of :data:`FORMATS`. The tables of samples and the provenance are always written.
        on_block: Given every block, too.
        report: Told how far it is.

    Returns:
        The files, those of AnnData first.

    Raises:
        ValueError: A format is unknown, or description and values do not have the same samples and genes.
    """
    _check(prepared, description, formats)
    writing = _Writing(description=description, formats=frozenset(formats), report=report)
    with _partial_folder(folder) as partial:
        distributions = _KeptSamples(len(description.samples))
        turned = _turned(partial, description, writing.formats)
        with ExitStack() as stack:
            writers = [stack.enter_context(writer) for writer in writing.anndata(partial)]
            for block in prepared.blocks(report=report):
                matrices = {"X": block.normalized, BEFORE_QN: block.imputed, IMPUTED: block.mask}
                for writer in writers:
                    writer.write(block.start, matrices)
                if turned is not None:
                    turned.add(block.normalized)
                distributions.take(block)
                on_block(block)
        names = writing.anndata_names()
        if turned is not None:
            names |= writing.gene_major(partial, turned, distributions)
        names |= _write_tables(partial, description)
        return [CompendiumFile(path=(partial / name).replace(folder / name), kind=names[name]) for name in names]


def _check(prepared: PreparedCompendium, description: CompendiumDescription, formats: Collection[str]) -> None:
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        message = f"{', '.join(unknown)}: no such format; there are {', '.join(FORMATS)}"
        raise ValueError(message)
    if list(prepared.filtered.samples) != description.accessions or list(prepared.filtered.genes) != list(
        description.genes
    ):
        message = "the description is of other samples or genes than the compendium"
        raise ValueError(message)


@contextmanager
def _partial_folder(folder: Path) -> Iterator[Path]:
    """Where files are while they are not complete; one that a killed run left is removed."""
    partial = folder / _PARTIAL
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
    finally:
        shutil.rmtree(partial)


def _turned(partial: Path, description: CompendiumDescription, formats: frozenset[str]) -> GeneMajorMatrix | None:
    if formats.isdisjoint({"parquet", "tsv", "zip"}):
        return None
    scratch = partial / "scratch"
    scratch.mkdir()
    return GeneMajorMatrix(scratch, len(description.samples), len(description.genes))


class _KeptSamples:
    """The samples whose distributions are compared: at most two for each of the pairs."""

    def __init__(self, samples: int) -> None:
        self._samples = samples
        pairs = choose_pairs(samples, PAIRS, seed=_PAIRS_SEED)
        self._wanted = sorted({position for pair in pairs for position in pair})
        self._kept: dict[int, NDArray[np.float32]] = {}

    def take(self, block: CompendiumBlock) -> None:
        stop = block.start + len(block.normalized)
        for position in self._wanted:
            if block.start <= position < stop:
                self._kept[position] = block.normalized[position - block.start].copy()

    def facts(self) -> dict[str, Any]:
        """What refine.bio writes of its test."""
        check = check_distributions(self._kept.__getitem__, self._samples, seed=_PAIRS_SEED)
        warning = f"Failed Kolmogorov Smirnov test! Stat: {check.statistic:g}, PVal: {check.p_value:g}"
        return {
            "ks_statistic": check.statistic,
            "ks_pvalue": check.p_value,
            "ks_warning": None if check.passed else warning,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writing:
    """One compendium's files of the formats that are wanted."""

    description: CompendiumDescription
    formats: frozenset[str]
    report: Report

    def anndata_names(self) -> dict[str, ComputedFileKind]:
        organism = self.description.organism
        wanted = {
            "h5ad": (f"{organism}.h5ad", ComputedFileKind.COMPENDIUM_ANNDATA),
            "zarr": (f"{organism}.zarr.zip", ComputedFileKind.COMPENDIUM_ZARR),
        }
        return dict(named for kind, named in wanted.items() if kind in self.formats)

    def anndata(self, partial: Path) -> Iterator[AbstractContextManager[AnnDataWriter]]:
        """Writers of AnnData, not yet entered."""
        import pandas as pd

        description = self.description
        about = {
            "organism": description.organism,
            "provenance": json_bytes(description.provenance).decode(),
            "summary": json_bytes(description.summary).decode(),
            "version": description.version,
        }
        genes = pd.DataFrame(index=pd.Index(list(description.genes), name="gene"))
        for name in self.anndata_names():
            yield anndata_writer(partial / name, obs=description.samples.copy(), var=genes, types=TYPES, uns=about)

    def gene_major(
        self, partial: Path, turned: GeneMajorMatrix, distributions: _KeptSamples
    ) -> dict[str, ComputedFileKind]:
        """Parquet, text, archive; the text is compressed once for both of the latter."""
        organism = self.description.organism
        names: dict[str, ComputedFileKind] = {}
        if "parquet" in self.formats:
            names |= dict.fromkeys(self._parquet(partial, turned), ComputedFileKind.COMPENDIUM_PARQUET)
        if self.formats.isdisjoint({"tsv", "zip"}):
            return names
        text = GzipFile(partial / f"{organism}.tsv.gz")
        with text.writing() as sink:
            genes = self.description.genes
            write_text(sink, turned, genes, self.description.accessions, self._progress("writing text"))
        if "tsv" in self.formats:
            names[text.path.name] = ComputedFileKind.COMPENDIUM_TSV
        if "zip" in self.formats:
            names[f"{organism}.zip"] = ComputedFileKind.COMPENDIUM_ARCHIVE
            with (partial / f"{organism}.zip").open("wb+") as file, Package(file) as archive:
                _fill_archive(archive, self.description, text, distributions)
        return names

    def _parquet(self, partial: Path, turned: GeneMajorMatrix) -> list[str]:
        organism, several = self.description.organism, len(turned.slabs) > 1
        progress = self._progress("writing parquet", total=len(turned.slabs))
        names = []
        for number, slab in enumerate(turned.slabs, start=1):
            names.append(f"{organism}_{number:03d}.parquet" if several else f"{organism}.parquet")
            write_parquet(partial / names[-1], turned, slab, self.description.genes, self.description.accessions)
            progress(number)
        return names

    def _progress(self, step: str, *, total: int | None = None) -> Callable[[int], None]:
        every = len(self.description.genes) if total is None else total
        return lambda done: self.report(Progress(step=step, done=done, total=every))


def _fill_archive(
    archive: Package, description: CompendiumDescription, text: GzipFile, distributions: _KeptSamples
) -> None:
    """As refine.bio's archives: the matrix at the root, what is known of its samples beside and below it."""
    organism, metadata, filtered = description.organism, description.metadata, description.filtered
    normalized = bool(description.summary.get("quantile_normalized"))
    facts = {
        "aggregate_by": "SPECIES",
        "compendium_version": description.version,
        "quant_sf_only": False,
        "quantile_normalized": normalized,
        "scale_by": "NONE",
        **(distributions.facts() if normalized else {"ks_statistic": None, "ks_pvalue": None, "ks_warning": None}),
    }
    readme = compendium_readme(
        organism,
        organisms=description.organisms,
        version=description.version,
        summary=description.summary,
        filtered=len(filtered),
    )
    archive.add("README.md", readme.encode())
    archive.add("LICENSE.TXT", LICENSE_TEXT.encode())
    archive.add_gzip(f"{organism}.tsv", text)
    accessions = description.accessions
    with archive.entry("aggregated_metadata.json") as sink:
        write_aggregated_metadata(sink, metadata, accessions, facts)
    columns = metadata_columns(metadata, [*accessions, *filtered])
    if filtered:
        with archive.entry("filtered_samples_metadata.json") as sink:
            write_filtered_json(sink, metadata, filtered)
        with archive.entry("filtered_samples_metadata.tsv") as sink:
            write_filtered_tsv(sink, metadata, filtered, columns)
    experiments = dict(zip(accessions, description.samples["experiment"].astype(str), strict=True))
    with archive.entry(f"{organism}/metadata_{organism}.tsv") as sink:
        write_metadata_tsv(sink, metadata, accessions, columns, experiment_of=experiments.__getitem__)
    with archive.entry(f"{organism}/metadata_{organism}.json") as sink:
        write_species_metadata(sink, metadata, accessions, organism)


def _write_tables(partial: Path, description: CompendiumDescription) -> dict[str, ComputedFileKind]:
    """Samples, samples that were left out, provenance."""
    table = description.samples
    with (partial / "samples.tsv").open("w", encoding="utf-8", newline="\n") as file:
        file.write("\t".join(map(cell, ("sample", *map(str, table.columns)))) + "\n")
        for row in table.itertuples():
            file.write("\t".join(cell(_shown(value)) for value in row) + "\n")
    with (partial / "filtered_samples.tsv").open("w", encoding="utf-8", newline="\n") as file:
        file.write("sample\texperiment\treason\n")
        for accession, why in sorted(description.filtered.items()):
            file.write("\t".join(map(cell, (accession, why.experiment, why.reason))) + "\n")
    provenance = {
        "organism": description.organism,
        "organisms": list(description.organisms),
        "version": description.version,
        "summary": dict(description.summary),
        "provenance": dict(description.provenance),
    }
    (partial / "provenance.json").write_bytes(json_bytes(provenance))
    names = ("samples.tsv", "filtered_samples.tsv", "provenance.json")
    return dict.fromkeys(names, ComputedFileKind.COMPENDIUM_METADATA)


def _shown(value: object) -> str:
    return "" if value is None or value != value else str(value)  # noqa: PLR0124 - NaN is not itself
