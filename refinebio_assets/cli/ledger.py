"""``refinebio status`` and ``refinebio resolve``: why is my sample (not) there, and what does an accession name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.accession_lists import FILE_HELP, read_lines
from refinebio_assets.cli.common import emit, json_option, read_settings
from refinebio_assets.cli.ledger_views import (
    coverage_parts,
    overview_parts,
    print_parts,
    resolution_table,
    status_parts,
)
from refinebio_assets.domain.errors import NotFoundError, UnsupportedAccessionError

if TYPE_CHECKING:
    from refinebio_assets.domain.vocabulary import SampleState
    from resources.catalog import Catalog, LedgerHistoryRow, Resolution

REASONS_SHOWN = 20
PLATFORMS_SHOWN = 20


@click.command()
@click.argument("accessions", nargs=-1, metavar="[ACC]...")
@click.option("--summary", is_flag=True, help="Counts instead of samples; without ACC, over everything.")
@click.option("--coverage", is_flag=True, help="How much metadata is harmonised; without ACC, by archive.")
@click.option("--history", is_flag=True, help="Every state that each accession has had.")
@json_option
@click.pass_context
def status(
    context: click.Context, accessions: tuple[str, ...], summary: bool, coverage: bool, history: bool, as_json: bool
) -> None:
    """Where every sample is, with the reason in words.

    ACC is any accession of an experiment or sample, as any archive calls it. A series that is processed from its reads
    is followed by the sequencing studies that have them.

    Exit status: 3 if one is not in the catalog, 2 if one is no accession; the others are shown all the same.
    """
    if not accessions and not summary and not coverage:
        message = "Give at least one accession, or --summary or --coverage for everything."
        raise click.UsageError(message)
    with _open_catalog() as catalog:
        if not accessions:
            _show_figures(catalog, summary=summary, coverage=coverage, as_json=as_json)
            return
        resolutions = catalog.resolve(accessions)
        items = [item for resolution in resolutions for item in _items(catalog, resolution, history=history)]
        if coverage:
            items = [item | {"coverage": _coverage(catalog, item)} for item in items]
    if summary:
        items = [{name: value for name, value in item.items() if name != "samples"} for item in items]
    if as_json:
        emit({"items": items}, as_json)
    else:
        print_parts(part for item in items for part in status_parts(item))
    context.exit(_exit_status(resolutions))


@click.command()
@click.argument("accessions", nargs=-1, metavar="[ACC]...")
@click.option("--file", "file", help=FILE_HELP)
@json_option
@click.pass_context
def resolve(context: click.Context, accessions: tuple[str, ...], file: str | None, as_json: bool) -> None:
    """Any accession -> experiments, samples and other accessions, in the order asked.

    Only the catalog is asked, never the network.

    Exit status: 3 if one is not in the catalog, 2 if one is no accession; the others are shown all the same.
    """
    queries = [*accessions, *(read_lines(file) if file else [])]
    if not queries:
        message = "Give at least one accession, or --file."
        raise click.UsageError(message)
    with _open_catalog() as catalog:
        resolutions = catalog.resolve(queries)
    if as_json:
        emit({"items": [asdict(resolution) for resolution in resolutions]}, as_json)
    else:
        print_parts([resolution_table(resolutions)])
    context.exit(_exit_status(resolutions))


@contextmanager
def _open_catalog() -> Iterator[Catalog]:
    from resources.catalog import Catalog

    catalog = Catalog.connect(read_settings().catalog_url)
    try:
        yield catalog
    finally:
        catalog.dispose()


def _exit_status(resolutions: Iterable[Resolution]) -> int:
    outcomes = {resolution.outcome for resolution in resolutions}
    if "unsupported" in outcomes:
        return UnsupportedAccessionError.exit_status
    return NotFoundError.exit_status if "not_found" in outcomes else 0


def _items(catalog: Catalog, resolution: Resolution, *, history: bool) -> Iterator[dict[str, Any]]:
    """What is known of one query; an ambiguous one gives an item for each experiment it names."""
    if resolution.outcome in {"not_found", "unsupported"}:
        yield _item(resolution, message=resolution.message)
    elif _names_experiment(resolution):
        for experiment in resolution.superseded:
            yield _superseded_item(catalog, resolution, experiment)
        for experiment in resolution.experiments:
            yield _experiment_item(catalog, resolution, experiment, history=history)
    else:
        yield _sample_item(catalog, resolution, history=history)


def _names_experiment(resolution: Resolution) -> bool:
    from refinebio_assets.domain.accessions import EXPERIMENT_TYPES

    return resolution.type == "experiment" or resolution.type in {one.value for one in EXPERIMENT_TYPES}


def _item(resolution: Resolution, **values: Any) -> dict[str, Any]:
    note = resolution.message if resolution.superseded else None
    item = {"query": resolution.query, "outcome": resolution.outcome, "note": note, "experiment": None, "state": None}
    return item | {"reason": None, "message": None, "counts": {}, "samples": []} | values


def _experiment_item(catalog: Catalog, resolution: Resolution, experiment: str, *, history: bool) -> dict[str, Any]:
    entry = catalog.ledger.entries([experiment])[experiment]
    samples = [row.accession for row in catalog.ledger.of_experiment(experiment)]
    item = _item(
        resolution,
        experiment=experiment,
        title=catalog.titles([experiment]).get(experiment),
        state=entry.state,
        reason=entry.reason,
        message=entry.message,
        updated_at=entry.updated_at,
        run_id=entry.run_id,
        counts=catalog.ledger.counts(experiment),
        linked_studies=catalog.linked_studies(experiment),
        samples=_sample_rows(catalog, samples),
    )
    return item | ({"history": _history(catalog, [experiment, *samples])} if history else {})


def _superseded_item(catalog: Catalog, resolution: Resolution, experiment: str) -> dict[str, Any]:
    """A series that gave way to the studies with its reads; these have items of their own, with the samples."""
    item = _experiment_item(catalog, resolution, experiment, history=False)
    return item | {"outcome": "superseded", "samples": []}


def _sample_item(catalog: Catalog, resolution: Resolution, *, history: bool) -> dict[str, Any]:
    """A query that names samples. Its state is theirs, if they share it."""
    rows = _sample_rows(catalog, resolution.samples)
    owners = [row.experiment_accession for row in catalog.ledger.entries(resolution.samples).values()]
    common = {
        name: rows[0][name] if len({row[name] for row in rows}) == 1 else None
        for name in ("state", "reason", "message")
    }
    counts = dict(sorted(Counter(row["state"].value for row in rows).items()))
    item = _item(resolution, experiment=owners[0], counts=counts, samples=rows, **common)
    return item | ({"history": _history(catalog, resolution.samples)} if history else {})


def _sample_rows(catalog: Catalog, accessions: Sequence[str]) -> list[dict[str, Any]]:
    statuses = catalog.sample_statuses(accessions)
    return [asdict(statuses[accession]) for accession in accessions]


def _history(catalog: Catalog, accessions: Iterable[str]) -> dict[str, list[LedgerHistoryRow]]:
    return {accession: catalog.ledger.history(accession) for accession in accessions}


def _coverage(catalog: Catalog, item: Mapping[str, Any]) -> dict[str, Any] | None:
    found = catalog.summary.coverage_of_experiment(item["experiment"]) if item["experiment"] else None
    return None if found is None else asdict(found)


def _show_figures(catalog: Catalog, *, summary: bool, coverage: bool, as_json: bool) -> None:
    figures: dict[str, Any] = {}
    if summary:
        sources = catalog.summary.states_by_source()
        figures["summary"] = {
            "experiments": _total(source.experiments for source in sources),
            "samples": _total(source.samples for source in sources),
            "sources": [asdict(source) for source in sources],
            "reasons": [asdict(reason) for reason in catalog.ledger.reasons(limit=REASONS_SHOWN)],
            "unsupported_platforms": [
                asdict(platform) for platform in catalog.summary.unsupported_platforms(limit=PLATFORMS_SHOWN)
            ],
        }
    if coverage:
        found = catalog.summary.coverage_by_source()
        figures["coverage"] = [{"source": source, **asdict(one)} for source, one in found.items()]
    if as_json:
        emit(figures, as_json)
        return
    if summary:
        print_parts(overview_parts(figures["summary"]))
    for one in figures.get("coverage", ()):
        print_parts(coverage_parts(one["source"].value, one))


def _total(counts: Iterable[Mapping[SampleState, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update({state.value: number for state, number in one.items()})
    return dict(sorted(total.items()))
