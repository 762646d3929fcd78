"""``refinebio metadata harmonize``: today's rules for samples that were surveyed before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import emit, json_option, progress, read_settings, table
from refinebio_assets.domain.errors import InputError

if TYPE_CHECKING:
    from refinebio_assets.survey.reharmonise_run import Reharmonised
    from resources.catalog import Catalog

KINDS = ("added", "changed", "removed", "provenance")
_EXIT_STATUS = {"not_found": 3, "unsupported": 2, "failed": 1}


@click.command()
@click.argument("accessions", nargs=-1, metavar="[ACC]...")
@click.option("--all", "everything", is_flag=True, help="All surveyed experiments.")
@click.option("--outdated", is_flag=True, help="Those whose samples went through older rules.")
@click.option("--dry-run", is_flag=True, help="Say how many values of each field would change, and change nothing.")
@json_option
def harmonize(accessions: tuple[str, ...], everything: bool, outdated: bool, dry_run: bool, as_json: bool) -> None:
    """Harmonise the metadata of surveyed samples anew, from the stored payloads. No archive is asked.

    Titles and harmonised values follow today's rules and the imported ontologies; states stay as they are.

    Exit status: 1 if an experiment could not be harmonised, 3 if an accession is not known; the others are done all
    the same.
    """
    if sum((bool(accessions), everything, outdated)) != 1:
        message = "Which experiments?"
        raise InputError(message, remedy="Give accessions, or --all, or --outdated.")
    settings = read_settings()
    from refinebio_assets.survey.registry import PlatformRegistry
    from refinebio_assets.survey.reharmonise_run import reharmonise
    from resources.catalog import Catalog
    from resources.object_store import ObjectStore

    catalog = Catalog.connect(settings.catalog_url)
    store = ObjectStore.from_url(settings.store_url, endpoint_url=settings.s3_endpoint_url)
    experiments, unresolved = _experiments(catalog, accessions, everything=everything, outdated=outdated)
    with progress("Harmonising", total=len(experiments), as_json=as_json) as bar:
        outcomes = reharmonise(
            catalog,
            store,
            experiments,
            registry=PlatformRegistry.load(),
            report=lambda _: bar.advance(),
            dry_run=dry_run,
        )
    items = [*unresolved, *map(_item, outcomes)]
    fields = _fields(outcomes)
    value = {"dry_run": dry_run, "items": items, "fields": fields}
    emit(value, as_json, text=lambda: _text(items, fields, dry_run=dry_run))
    raise SystemExit(max((_EXIT_STATUS.get(item["outcome"], 0) for item in items), default=0))


def _experiments(
    catalog: Catalog, accessions: Sequence[str], *, everything: bool, outdated: bool
) -> tuple[list[str], list[dict[str, Any]]]:
    """Own accessions of the experiments that are asked for, and items for what names none."""
    from refinebio_assets.survey.reharmonise_run import outdated_experiments
    from resources.catalog.reharmonised import surveyed_experiments

    if outdated:
        return [experiment.accession for experiment in outdated_experiments(catalog)], []
    if everything:
        with catalog.reading() as session:
            return [experiment.accession for experiment in surveyed_experiments(session)], []
    found: dict[str, None] = {}
    unresolved = []
    for resolution in catalog.resolve(list(accessions)):
        named = [*resolution.experiments, *_superseded_experiments(catalog, resolution.superseded)]
        found.update(dict.fromkeys(named))
        if not named:
            outcome = "unsupported" if resolution.outcome == "unsupported" else "not_found"
            message = resolution.message or f"Nothing is known under {resolution.query}."
            unresolved.append({"experiment": resolution.query, "outcome": outcome, "message": message})
    return list(found), unresolved


def _superseded_experiments(catalog: Catalog, superseded: Sequence[str]) -> list[str]:
    """Experiments that gave way to others have samples of their own, with metadata of their own."""
    from resources.catalog.reharmonised import surveyed_experiments

    with catalog.reading() as session:
        return [experiment.accession for experiment in surveyed_experiments(session, superseded)]


def _item(outcome: Reharmonised) -> dict[str, Any]:
    from dataclasses import asdict

    item = asdict(outcome)
    item["message"] = outcome.error["message"] if outcome.error else ""
    return item


def _fields(outcomes: Sequence[Reharmonised]) -> dict[str, dict[str, int]]:
    """Field -> how many values change how, over all experiments."""
    counts: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        for name, changes in outcome.fields.items():
            counts.setdefault(name, Counter()).update({kind: getattr(changes, kind) for kind in KINDS})
    return {name: {kind: count[kind] for kind in KINDS} for name, count in counts.items()}


def _text(items: Sequence[Mapping[str, Any]], fields: Mapping[str, Mapping[str, int]], *, dry_run: bool) -> str:
    columns = ("experiment", "outcome", "samples", "changed_samples", "message")
    parts = [table([dict.fromkeys(columns, "") | dict(item) for item in items], columns)]
    if fields:
        rows = [{"field": name, **counts} for name, counts in fields.items()]
        parts.append(table(rows, ("field", *KINDS)))
    if dry_run:
        parts.append("Nothing was changed: this was a dry run.")
    return "\n\n".join(parts)
