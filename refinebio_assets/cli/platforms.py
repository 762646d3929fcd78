"""``refinebio platform``: references of array platforms, without which arrays wait."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import emit, json_option, progress, read_settings, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from refinebio_assets.microarray.references_run import ReferenceContent
    from refinebio_assets.survey.microarray_platforms import MicroarrayPlatform
    from resources.catalog import PlatformReferenceInfo, RecordedReference

FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def platform() -> None:
    """References of array platforms: probes and genes."""


@platform.command("import")
@click.option("--platform", "name", required=True, help="Code, GPL or A-… accession (hgu95av2, GPL8300).")
@click.option("--probe-table", type=FILE, help="Probes of a chip with x, y and sequence (probe_tab).")
@click.option("--probe-summary", type=FILE, help="Probes by gene (Brainarray), with --probe-table.")
@click.option("--probe-map", type=FILE, help="Probes of a BeadArray with sequence, quality and gene.")
@click.option("--identifier-map", type=FILE, help="What identifiers of submitters' tables name.")
@click.option("--source", required=True, help="Who made it (brainarray, ensembl …).")
@click.option("--version", required=True, help="Its release.")
@click.option("--organism", help="Scientific name; told by the gene ids if not given.")
@json_option
def import_(
    name: str,
    probe_table: Path | None,
    probe_summary: Path | None,
    probe_map: Path | None,
    identifier_map: Path | None,
    source: str,
    version: str,
    organism: str | None,
    as_json: bool,
) -> None:
    """Import a reference of an array platform; it is used from now on.

    Samples that wait for it can be processed then, and those that were processed with another one are processed again:
    run refinebio ingest, or leave it to the sensors. The same file again changes nothing.
    """
    from refinebio_assets.microarray.references_run import import_reference, supported_platform
    from resources.catalog import Catalog
    from resources.object_store import ObjectStore

    _refuse_combination(probe_table, probe_summary, probe_map, identifier_map)
    chosen = supported_platform(name)
    settings = read_settings()
    key = _organism_key(organism)
    with progress(f"Reading the reference of {chosen.accession}", total=None, as_json=as_json):
        files = {"probe_table": probe_table, "probe_summary": probe_summary, "probe_map": probe_map}
        content = _read(chosen, files | {"identifier_map": identifier_map}, key, source, version)
        catalog = Catalog.connect(settings.catalog_url)
        try:
            store = ObjectStore.from_url(settings.store_url, endpoint_url=settings.s3_endpoint_url)
            recorded = import_reference(chosen, content, source=source, version=version, catalog=catalog, store=store)
            (info,) = catalog.platform_references(chosen.accession, kind=content.kind)
        finally:
            catalog.dispose()
    item = _imported(info, recorded)
    emit(item, as_json, text=lambda: _told(item))


@platform.command("list")
@click.option("--all", "everything", is_flag=True, help="Also platforms without references and samples.")
@json_option
def list_(everything: bool, as_json: bool) -> None:
    """Supported platforms with their references, and how many surveyed samples wait for one."""
    from refinebio_assets.microarray.references_run import supported_platforms
    from resources.catalog import Catalog

    catalog = Catalog.connect(read_settings().catalog_url)
    try:
        references: dict[str, list[PlatformReferenceInfo]] = {}
        for info in catalog.platform_references():
            references.setdefault(info.platform, []).append(info)
        samples = {one.platform: one for one in catalog.platform_samples()}
    finally:
        catalog.dispose()
    items = []
    for one in supported_platforms():
        counted = samples.get(one.accession)
        if everything or as_json or counted is not None or one.accession in references:
            items.append(
                {
                    "platform": one.accession,
                    "name": one.name,
                    "manufacturer": one.manufacturer,
                    "samples": counted.samples if counted is not None else 0,
                    "waiting": counted.waiting if counted is not None else 0,
                    "references": [_reference(info) for info in references.get(one.accession, ())],
                }
            )
    emit({"items": items}, as_json, text=lambda: _listed(items))


def _refuse_combination(
    probe_table: Path | None, probe_summary: Path | None, probe_map: Path | None, identifier_map: Path | None
) -> None:
    """One reference at a time: the probe table (with its summary), the probe map or the identifier map."""
    if sum(file is not None for file in (probe_table, probe_map, identifier_map)) != 1:
        message = "Give exactly one of --probe-table, --probe-map and --identifier-map."
        raise click.UsageError(message)
    if probe_summary is not None and probe_table is None:
        message = "--probe-summary belongs to a --probe-table."
        raise click.UsageError(message)


def _organism_key(organism: str | None) -> str | None:
    from refinebio_assets.domain.errors import InputError
    from refinebio_assets.domain.organisms import organism_key

    if organism is None:
        return None
    try:
        return organism_key(organism)
    except ValueError as error:
        message = f"{organism!r} is no organism name."
        raise InputError(message, remedy='Give genus and species, as in --organism "Homo sapiens".') from error


def _read(
    chosen: MicroarrayPlatform, files: dict[str, Path | None], organism: str | None, source: str, version: str
) -> ReferenceContent:
    from refinebio_assets.microarray import references_run

    if files["probe_table"] is not None:
        return references_run.read_chip_annotation(
            chosen,
            files["probe_table"],
            files["probe_summary"],
            organism=organism,
            source=source,
            version=version,
        )
    if files["probe_map"] is not None:
        return references_run.read_probe_map(chosen, files["probe_map"], organism=organism)
    path = files["identifier_map"] or Path()
    return references_run.read_identifier_reference(chosen, path, organism=organism, version=version)


def _reference(info: PlatformReferenceInfo) -> dict[str, Any]:
    return {
        "kind": info.kind.value,
        "source": info.source,
        "version": info.version,
        "organism": info.organism,
        "sha256": info.sha256,
        "probes": info.num_probes,
        "genes": info.num_genes,
    }


def _imported(info: PlatformReferenceInfo, recorded: RecordedReference) -> dict[str, Any]:
    return {
        "platform": info.platform,
        **_reference(info),
        "outcome": "unchanged" if recorded.was_current else "imported",
        "samples_to_process": len(recorded.samples),
        "experiments": list(recorded.experiments),
    }


def _told(item: dict[str, Any]) -> str:
    kind, organism = item["kind"].replace("_", " "), item["organism"] or "organism unknown"
    lines = [
        f"{item['platform']}: {kind} {item['source']} {item['version']} {item['outcome']}.",
        f"{item['probes']:,} probes, {item['genes']:,} genes, {organism}.",
    ]
    if item["samples_to_process"]:
        lines.append(
            f"{item['samples_to_process']} samples can be processed: refinebio ingest {' '.join(item['experiments'])}"
        )
    return "\n".join(lines)


def _listed(items: Iterable[dict[str, Any]]) -> str:
    rows = [
        item
        | {
            "references": ", ".join(f"{one['kind']} {one['source']} {one['version']}" for one in item["references"])
            or "none"
        }
        for item in items
    ]
    return table(rows, ["platform", "name", "samples", "waiting", "references"])
