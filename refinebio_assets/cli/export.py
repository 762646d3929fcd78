"""``refinebio export``: parts of the expression store as files, or as values on standard output."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import emit, json_option, progress, read_settings, say, table
from refinebio_assets.domain.errors import NotFoundError, UnsupportedAccessionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from refinebio_assets.compendia.export_run import GeneExport, Selection
    from resources.catalog import Catalog
    from resources.settings import Settings

STANDARD_OUTPUT = "-"
NAMES_SHOWN = 10


@click.command()
@click.option("--gene", "genes", multiple=True, metavar="GENE", help="Ensembl gene id, with or without version.")
@click.option("--organism", "organisms", multiple=True, help="Name or NCBI taxonomy id.")
@click.option("--experiment", "experiments", multiple=True, metavar="ACC", help="Any accession of an experiment.")
@click.option("--sample", "samples", multiple=True, metavar="ACC", help="Any accession of a sample.")
@click.option(
    "--technology",
    "technologies",
    multiple=True,
    type=click.Choice(["rna-seq", "rna_seq", "microarray"], case_sensitive=False),
    help="How the samples were measured.",
)
@click.option("--platform", "platforms", multiple=True, help="Accession of an instrument or array design.")
@click.option("--log2", is_flag=True, help="RNA-seq as log2(x + 1), so that all samples have one scale.")
@click.option("--out", type=click.Path(path_type=str), help="File, by extension; - for standard output.")
@json_option
@click.pass_context
def export(
    context: click.Context,
    genes: tuple[str, ...],
    organisms: tuple[str, ...],
    experiments: tuple[str, ...],
    samples: tuple[str, ...],
    technologies: tuple[str, ...],
    platforms: tuple[str, ...],
    log2: bool,
    out: str | None,
    as_json: bool,
) -> None:
    """Genes of all processed samples, or of those selected, without reading the rest.

    All conditions must hold; of several values of one option one is enough. Values are lengthScaledTPM of RNA-seq
    (scale linear) and log2 of arrays; a value is missing where the platform does not measure the gene.

    --out F.tsv, F.tsv.gz (genes in rows, and F.samples.tsv says what the samples are), F.parquet (samples in rows),
    F.h5ad or F.zarr (AnnData).

    Exit status: 2 if no gene is found or an accession is none; 3 if there are no such samples, or an accession is not
    in the catalog; what was found is written all the same.
    """
    if not genes:
        message = "Say what to export: --gene with an Ensembl gene id; it may be repeated."
        raise click.UsageError(message)
    path = None if out in {None, STANDARD_OUTPUT} else Path(str(out))
    settings = read_settings()
    from refinebio_assets.compendia.export_files import export_paths, write_export
    from refinebio_assets.compendia.export_run import Selection
    from refinebio_assets.domain.vocabulary import Technology

    if path is not None:
        export_paths(path)  # an impossible name is told before anything is read
    selection = Selection(
        organisms=organisms,
        experiments=experiments,
        samples=samples,
        technologies=tuple(Technology(one.upper().replace("-", "_")) for one in technologies),
        platforms=platforms,
    )
    with _open_catalog(settings) as catalog:
        found = _read(catalog, settings, genes, selection, log2=log2, as_json=as_json)
    files = [] if path is None else write_export(path, found)
    if as_json:
        emit(_described(found, files), as_json)
    else:
        _show(found, out, files)
    context.exit(_exit_status(found))


@contextmanager
def _open_catalog(settings: Settings) -> Iterator[Catalog]:
    from resources.catalog import Catalog

    catalog = Catalog.connect(settings.catalog_url)
    try:
        yield catalog
    finally:
        catalog.dispose()


def _read(
    catalog: Catalog, settings: Settings, genes: Iterable[str], selection: Selection, *, log2: bool, as_json: bool
) -> GeneExport:
    from refinebio_assets.compendia.export_run import export_genes
    from refinebio_assets.compendia.slice_run import GeneSlices
    from resources.object_store import ObjectStore

    store = ObjectStore.from_url(settings.store_url, endpoint_url=settings.s3_endpoint_url)
    with progress("export", as_json=as_json) as bar:
        return export_genes(catalog, GeneSlices(store), list(genes), selection, log2=log2, before_each=bar.advance)


def _described(found: GeneExport, files: list[Path]) -> dict[str, Any]:
    """For scripts; the values only if they went to no file."""
    described: dict[str, Any] = {
        "genes": [{"query": one.query, "gene": one.gene, "found": one.gene is not None} for one in found.genes],
        "not_found": found.not_found,
        "num_samples": len(found.samples),
        "unresolved": [
            {"query": one.query, "outcome": one.outcome, "message": one.message} for one in found.unresolved
        ],
        "without_expression": list(found.without_expression),
        "files": files,
    }
    if files:
        return described
    columns = found.found
    samples = [sample | {"values": dict(zip(columns, row, strict=True))} for sample, row in _samples(found)]
    return described | {"samples": samples}


def _samples(found: GeneExport) -> Iterator[tuple[dict[str, Any], list[float]]]:
    """What is known of each sample, and its values."""
    from dataclasses import asdict

    from refinebio_assets.compendia.gene_slices import shortest_decimals

    for sample, row in zip(found.samples, shortest_decimals(found.matrix), strict=True):
        yield asdict(sample), row.tolist()


def _show(found: GeneExport, out: str | None, files: list[Path]) -> None:
    for text in _remarks(found):
        say(text)
    if files:
        click.echo(f"{len(found.found)} genes of {len(found.samples)} samples: {', '.join(map(str, files))}")
    elif out == STANDARD_OUTPUT:
        _print_matrix(found)
    else:
        columns = found.found
        shown = [sample | dict(zip(columns, map(_cell, row), strict=True)) for sample, row in _samples(found)]
        click.echo(table(shown))


def _print_matrix(found: GeneExport) -> None:
    """Genes in rows, as in a .tsv file."""
    samples = list(_samples(found))
    click.echo("\t".join(("Gene", *(sample["accession"] for sample, _ in samples))))
    for gene, *cells in zip(found.found, *(row for _, row in samples), strict=True):
        click.echo("\t".join((gene, *(repr(cell).replace("nan", "NaN") for cell in cells))))


def _cell(value: float) -> str:
    return "" if value != value else f"{value:.6g}"  # noqa: PLR0124  NaN alone differs from itself


def _remarks(found: GeneExport) -> Iterable[str]:
    if found.not_found:
        yield f"Not found: {', '.join(found.not_found)}. No selected sample's platform or annotation has such a gene."
    for one in found.unresolved:
        yield f"{one.query}: {one.message or 'names no sample.'}"
    if found.without_expression:
        shown = ", ".join(found.without_expression[:NAMES_SHOWN])
        more = ", …" if len(found.without_expression) > NAMES_SHOWN else ""
        yield (
            f"{len(found.without_expression)} processed samples are not in the expression store: {shown}{more}. "
            "Make their expression again: refinebio tximport, or refinebio ingest."
        )


def _exit_status(found: GeneExport) -> int:
    outcomes = {one.outcome for one in found.unresolved}
    if "unsupported" in outcomes:
        return UnsupportedAccessionError.exit_status
    return NotFoundError.exit_status if outcomes else 0
