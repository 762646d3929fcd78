"""``refinebio import``: bring your own gene matrix."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import emit, json_option, progress, read_settings

if TYPE_CHECKING:
    from refinebio_assets.compendia.import_run import ImportedMatrix

ROWS_NAMED = 3
"""Rows without an Ensembl gene that the result names."""
TECHNOLOGIES = {"microarray": "MICROARRAY", "rna-seq": "RNA_SEQ"}


@click.command("import")
@click.argument("matrix", type=click.Path(path_type=Path), metavar="MATRIX")
@click.option("--experiment", required=True, metavar="LOCAL-NAME", help="Its accession from now on: LOCAL-MY-COHORT.")
@click.option("--organism", required=True, help='Scientific name, such as "Homo sapiens".')
@click.option("--technology", required=True, type=click.Choice(list(TECHNOLOGIES)), help="How it was measured.")
@click.option(
    "--scale",
    required=True,
    type=click.Choice(["log2", "linear"]),
    help="Scale of the values; log2 of RNA-seq is log2(x + 1).",
)
@click.option("--platform", metavar="CODE", help="Code, GPL or A-… of the array; name of the sequencer.")
@click.option(
    "--samples",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="TABLE",
    help="Metadata of the samples: TSV or CSV, first column as the matrix names them.",
)
@click.option("--sample-prefix", metavar="P", help="Before the samples' names. Default: LOCAL-NAME and a hyphen.")
@click.option("--title", help="Title of the experiment.")
@click.option("--alias", "aliases", multiple=True, metavar="ACC", help="Its accession in a public archive; repeatable.")
@click.option(
    "--raw/--no-raw",
    "has_raw",
    default=False,
    help="Whether you made the values from raw data: targets and compendia then take them like any.  [default: no-raw]",
)
@json_option
def import_(
    matrix: Path,
    experiment: str,
    organism: str,
    technology: str,
    scale: str,
    platform: str | None,
    samples: Path | None,
    sample_prefix: str | None,
    title: str | None,
    aliases: tuple[str, ...],
    has_raw: bool,
    as_json: bool,
) -> None:
    """Import your own gene matrix, to stand beside public data in QN targets, compendia and gene slices.

    MATRIX has Ensembl genes and samples: .tsv, .tsv.gz or .parquet with genes in rows, .h5ad or .zarr with samples in
    rows. The same again changes nothing; another matrix under the same name takes the place of the first.

    Exit status: 2 if the matrix or the table cannot be used; then nothing is changed.
    """
    from refinebio_assets.compendia.import_run import MatrixToImport, import_matrix
    from refinebio_assets.compendia.imported_matrix import Scale
    from refinebio_assets.compendia.run_environment import CompendiumEnvironment
    from refinebio_assets.domain.vocabulary import Technology
    from resources.catalog import Catalog
    from resources.object_store import ObjectStore

    settings = read_settings()
    asked = MatrixToImport(
        path=matrix,
        experiment=experiment,
        organism=organism,
        technology=Technology(TECHNOLOGIES[technology]),
        scale=Scale(scale),
        platform=platform,
        samples=samples,
        sample_prefix=sample_prefix,
        title=title,
        aliases=aliases,
        has_raw=has_raw,
    )
    catalog = Catalog.connect(settings.catalog_url)
    try:
        environment = CompendiumEnvironment(
            catalog=catalog,
            store=ObjectStore.from_url(settings.store_url, endpoint_url=settings.s3_endpoint_url),
            settings=settings,
            run_id=None,
            log=logging.getLogger(__name__),
        )
        with progress(f"Importing {matrix.name}", as_json=as_json):
            done = import_matrix(asked, environment)
    finally:
        catalog.dispose()
    emit(describe_import(done), as_json, text=lambda: _as_text(done))


def describe_import(done: ImportedMatrix) -> dict[str, Any]:
    """What an import did, as JSON; of the rows left out the first ones are named, all are counted."""
    described = asdict(done)
    left_out = described.pop("left_out")
    return described | {"rows_left_out": len(left_out), "first_left_out": list(left_out[:ROWS_NAMED])}


def _as_text(done: ImportedMatrix) -> str:
    """The result for a person: one line, and one for each thing that is not as in the file."""
    lines = [f"{done.experiment}: {done.samples} samples x {done.genes} genes, {done.outcome}"]
    if done.left_out:
        named = ", ".join(done.left_out[:ROWS_NAMED])
        more = ", …" if len(done.left_out) > ROWS_NAMED else ""
        lines.append(f"{len(done.left_out)} rows are no Ensembl genes and were left out: {named}{more}")
    if done.missing:
        why = f", {done.without_logarithm} of them not above zero" if done.without_logarithm else ""
        lines.append(f"{done.missing} values are missing{why}")
    if done.without_metadata:
        lines.append(f"{done.without_metadata} samples have no metadata in the table")
    if done.harmonized:
        told = ", ".join(f"{field} ({count})" for field, count in done.harmonized.items())
        lines.append(f"Harmonised metadata: {told}")
    return "\n".join(lines)
