"""``refinebio metadata import``: ontologies, and attributes and keywords that others gave to samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import emit, json_option, progress, read_settings, table
from refinebio_assets.domain.errors import InputError, RefinebioError

if TYPE_CHECKING:
    from refinebio_assets.metadata.import_run import MetadataReport, Problem
    from refinebio_assets.metadata.sample_entries import Read
    from resources.catalog import Catalog
    from resources.settings import Settings

EXAMPLES_SHOWN = 20
"""Problems of each kind that the result shows; --report has all."""

EXCERPT = (
    "More terms became obsolete than the file has. If it is an excerpt, import the whole ontology again, and this file "
    "with --partial."
)
"""Said of a file that may be an excerpt."""

REPORT_COLUMNS = ("kind", "position", "sample", "message")
_TEXT_COLUMNS = ("prefix", "file", "added", "changed", "unchanged", "gone", "message")

dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
report_option = click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), help="Write every problem to this TSV file."
)


def source_options(function: Callable[..., None]) -> Callable[..., None]:
    """Options that say whose metadata they are."""
    name = click.option("--source-name", required=True, help="Name of the contribution, such as MetaSRA.")
    url = click.option("--methods-url", required=True, help="Page that says how it was made.")
    return name(url(function))


@click.group("import")
def import_() -> None:
    """Ontologies, and attributes and keywords that others gave to samples.

    Files are paths or s3://bucket/key; plain, .gz or .zst.
    """


@import_.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--prefix", "prefixes", multiple=True, help="Ontology to take from the files (UBERON); once per ontology."
)
@click.option("--release", help="Version to note, if the file does not name it.")
@click.option("--partial", is_flag=True, help="The file is an excerpt: terms it does not have stay as they are.")
@dry_run_option
@json_option
@click.pass_context
def ontology(
    context: click.Context,
    files: tuple[str, ...],
    prefixes: tuple[str, ...],
    release: str | None,
    partial: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Terms of ontologies: OBO, OBO Graphs, OWL, CELLxGENE's JSON, Cellosaurus (XML, text).

    Terms that a file no longer has become obsolete. Without --prefix the ontology is taken that the file is about.

    Exit status: 2 if a file cannot be used; the others are imported all the same.
    """
    items: list[dict[str, Any]] = []
    with _catalog() as (catalog, settings), progress("Importing", total=len(files), as_json=as_json) as bar:
        for file in files:
            bar.describe(f"Importing {Path(file).name}")
            options = {"prefixes": prefixes, "release": release, "is_partial": partial, "dry_run": dry_run}
            items += _import_ontology(catalog, settings, file, options)
            bar.advance()
    emit({"dry_run": dry_run, "items": items}, as_json, text=lambda: table(items, _TEXT_COLUMNS))
    context.exit(max(int((item["error"] or {}).get("exit_status", 0)) for item in items))


def _import_ontology(
    catalog: Catalog, settings: Settings, file: str, options: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    from dataclasses import asdict

    from refinebio_assets.metadata.import_run import import_ontology, local_file

    try:
        with local_file(file, settings.scratch, s3_endpoint_url=settings.s3_endpoint_url) as path:
            imported = import_ontology(catalog, path, name=file.rpartition("/")[2], **options)
    except RefinebioError as error:
        described = error.to_dict() | {"exit_status": error.exit_status}
        yield {"file": file, "prefix": None, "error": described, "message": str(error)}
        return
    for one in imported:
        seems_partial = one.gone > one.added + one.changed + one.unchanged
        yield {"file": file, **asdict(one), "error": None, "message": EXCERPT if seems_partial else None}


@import_.command()
@click.argument("file")
@source_options
@report_option
@dry_run_option
@json_option
def attributes(
    file: str, source_name: str, methods_url: str, report: Path | None, dry_run: bool, as_json: bool
) -> None:
    """Attributes of samples: [{"sample_accession": …, "attributes": [{TERM: {"value", "unit", "probability"}}]}].

    Exit status: 2 if an entry was malformed; the others are imported all the same.
    """
    from refinebio_assets.metadata.sample_entries import read_attributes

    with _local(file) as (catalog, path):
        _import(catalog, read_attributes(path), file, source_name, methods_url, report, dry_run, as_json)


@import_.command()
@click.argument("file")
@source_options
@report_option
@dry_run_option
@json_option
def keywords(file: str, source_name: str, methods_url: str, report: Path | None, dry_run: bool, as_json: bool) -> None:
    """Keywords of samples: {ACCESSION: [TERM, …]}.

    Exit status: 2 if an entry was malformed; the others are imported all the same.
    """
    from refinebio_assets.metadata.sample_entries import read_keywords

    with _local(file) as (catalog, path):
        _import(catalog, read_keywords(path), file, source_name, methods_url, report, dry_run, as_json)


@import_.command()
@click.argument("file")
@click.option(
    "--accessions",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="NCBI's SRA_Accessions.tab: the runs of each sample. Without it the catalog's own accessions count.",
)
@report_option
@dry_run_option
@json_option
def metasra(file: str, accessions: Path | None, report: Path | None, dry_run: bool, as_json: bool) -> None:
    """MetaSRA's file: mapped ontology terms become keywords, real-value properties attributes.

    Exit status: 2 if an entry was malformed; the others are imported all the same.
    """
    from refinebio_assets.metadata.metasra import (
        METHODS_URL,
        SOURCE_NAME,
        metasra_samples,
        read_metasra,
        runs_of_samples,
    )

    with _local(file) as (catalog, path):
        runs = {} if accessions is None else runs_of_samples(accessions, metasra_samples(path))
        _import(catalog, read_metasra(path, runs), file, SOURCE_NAME, METHODS_URL, report, dry_run, as_json)


@contextmanager
def _catalog() -> Iterator[tuple[Catalog, Settings]]:
    from resources.catalog import Catalog

    settings = read_settings()
    catalog = Catalog.connect(settings.catalog_url)
    try:
        yield catalog, settings
    finally:
        catalog.dispose()


@contextmanager
def _local(file: str) -> Iterator[tuple[Catalog, Path]]:
    from refinebio_assets.metadata.import_run import local_file

    with (
        _catalog() as (catalog, settings),
        local_file(file, settings.scratch, s3_endpoint_url=settings.s3_endpoint_url) as path,
    ):
        yield catalog, path


def _import(
    catalog: Catalog,
    entries: Iterable[Read],
    file: str,
    source_name: str,
    methods_url: str,
    report: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    from refinebio_assets.metadata.import_run import import_entries

    examples: dict[str, list[Problem]] = {"malformed": [], "unknown_sample": [], "text_value": []}
    with _report_file(report) as write, progress("Importing entries", as_json=as_json) as bar:

        def note(problem: Problem) -> None:
            write(problem)
            if len(examples[problem.kind]) < EXAMPLES_SHOWN:
                examples[problem.kind].append(problem)

        done = import_entries(
            catalog,
            entries,
            source_name=source_name,
            methods_url=methods_url,
            dry_run=dry_run,
            on_problem=note,
            on_progress=bar.advance,
        )
    problems = [problem for of_kind in examples.values() for problem in of_kind]
    summary = _summary(done) | {"file": file, "source_name": source_name, "methods_url": methods_url}
    summary |= {"dry_run": dry_run, "report": report, "problems": problems}
    emit(summary, as_json, text=lambda: _as_text(summary, problems))
    raise SystemExit(InputError.exit_status if done.malformed else 0)


def _summary(done: MetadataReport) -> dict[str, Any]:
    return {
        "entries": done.entries,
        "added": done.added,
        "changed": done.changed,
        "unchanged": done.unchanged,
        "samples": len(done.samples),
        "unknown_samples": len(done.unknown_samples),
        "malformed": done.malformed,
        "text_values": done.text_values,
    }


def _as_text(summary: dict[str, Any], problems: list[Problem]) -> str:
    from dataclasses import asdict

    would = "would be " if summary["dry_run"] else ""
    changes = (
        f"{summary['source_name']}: {summary['added']} {would}added, {summary['changed']} {would}changed, "
        f"{summary['unchanged']} unchanged. Samples: {summary['samples']}."
    )
    rest = (
        f"Of {summary['entries']} entries, malformed: {summary['malformed']}, text in place of an ontology term: "
        f"{summary['text_values']}. Samples that are not in the catalog: {summary['unknown_samples']}."
    )
    lines = [changes, rest]
    if problems:
        lines += ["", table([asdict(problem) for problem in problems], REPORT_COLUMNS)]
    return "\n".join(lines)


@contextmanager
def _report_file(path: Path | None) -> Iterator[Callable[[Problem], None]]:
    """Takes problems and writes them as lines; the file appears when it is complete."""
    if path is None:
        yield lambda _: None
        return
    temporary = path.with_name(f".{path.name}.part")
    try:
        file = temporary.open("w", encoding="utf-8")
    except OSError as error:
        message = f"The report cannot be written: {error}"
        raise InputError(message, path=path) from error
    try:
        with file:
            file.write("\t".join(REPORT_COLUMNS) + "\n")
            yield lambda problem: _write_line(file.write, problem)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_line(write: Callable[[str], Any], problem: Problem) -> None:
    cells = (getattr(problem, column) or "" for column in REPORT_COLUMNS)
    write("\t".join(" ".join(cell.split()) for cell in cells) + "\n")
