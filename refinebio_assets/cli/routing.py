"""``refinebio survey --dry-run``: where accessions lead, without network and without writing anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refinebio_assets.cli.common import progress, read_settings
from refinebio_assets.cli.items import ItemPrinter

if TYPE_CHECKING:
    from refinebio_assets.survey.sources import Route
    from resources.catalog import Catalog, LedgerRow, Resolution
    from resources.settings import Settings

COLUMNS = ("query", "outcome", "type", "source", "partition", "known", "state", "message")
QUERIES_AT_ONCE = 1_000
"""Queries that the catalog is asked about in one call."""


def show_routes(queries: Sequence[str], *, as_json: bool) -> int:
    """Print for each query its type, its archive, its partition, and whether the catalog knows it.

    Returns:
        Exit status: that of the worst item.
    """
    sources: Counter[str] = Counter()
    known, status = 0, 0
    with (
        _catalog_to_read(read_settings()) as catalog,
        ItemPrinter(COLUMNS, as_json=as_json) as printer,
        progress("Routing", total=len(queries), as_json=as_json) as bar,
    ):
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            chunk = queries[start : start + QUERIES_AT_ONCE]
            for item in _routes(chunk, catalog):
                status = max(status, int(item.pop("exit_status")))
                sources[item["source"] or "unsupported"] += 1
                known += item["known"]
                printer.add(item, [item | {"known": "known" if item["known"] else "new"}])
            bar.advance(len(chunk))
        counts = dict(sorted(sources.items()))
        told = ", ".join(f"{count} {source}" for source, count in counts.items())
        summary = {"items": sources.total(), "known": known, "sources": counts}
        printer.finish(summary, f"{sources.total()} items: {told}; {known} known.")
    return status


@contextmanager
def _catalog_to_read(settings: Settings) -> Iterator[Catalog | None]:
    """The catalog as it is: not made, not brought up to date; None if there is none yet."""
    from sqlalchemy import inspect, make_url

    from resources.catalog import Catalog

    url = make_url(settings.catalog_url)
    if url.get_backend_name() == "sqlite" and not (url.database and Path(url.database).exists()):
        yield None
        return
    catalog = Catalog.connect(settings.catalog_url, migrate=False)
    try:
        yield catalog if inspect(catalog.engine).has_table("ledger") else None
    finally:
        catalog.dispose()


def _routes(queries: Sequence[str], catalog: Catalog | None) -> Iterator[dict[str, Any]]:
    from refinebio_assets.survey.sources import is_organism

    accessions = [query for query in queries if not is_organism(query)]
    resolved: dict[str, Resolution] = {}
    entries: dict[str, LedgerRow] = {}
    if catalog is not None and accessions:
        own = catalog.own_experiments(accessions)
        resolved = dict(zip(accessions, catalog.resolve(accessions, samples=False), strict=True))
        named = {one for each in resolved.values() for one in each.experiments} | set(own.values())
        entries = catalog.ledger.entries(sorted(named))
    for query in queries:
        yield _route(query, resolved.get(query), entries)


def _route(query: str, resolution: Resolution | None, entries: dict[str, LedgerRow]) -> dict[str, Any]:
    from refinebio_assets.domain.errors import RefinebioError

    item: dict[str, Any] = {"query": query, "outcome": "routed", "type": None, "source": None, "partition": None}
    item |= {"known": False, "state": None, "message": None, "exit_status": 0}
    try:
        found = _found_route(query, resolution)
    except RefinebioError as error:
        return item | {"outcome": error.code, "message": str(error), "exit_status": error.exit_status}
    experiments = resolution.experiments if resolution is not None else []
    partition = found.partition or (experiments[0] if len(experiments) == 1 else None)
    entry = entries.get(partition) if partition is not None else None
    item |= {"type": found.type, "source": found.source, "partition": partition}
    item |= {"known": entry is not None or bool(experiments), "state": entry.state if entry is not None else None}
    if len(experiments) > 1 and found.partition is None:
        item |= {"outcome": "ambiguous", "message": f"It names {', '.join(experiments)}."}
    elif partition is None:
        item["message"] = "The archive is asked which experiment it belongs to."
    return item


def _found_route(query: str, resolution: Resolution | None) -> Route:
    """Where a query leads by its grammar; a name without one, as of an ArrayExpress assay, if the catalog knows it.

    Raises:
        UnsupportedAccessionError: It follows no grammar, and the catalog does not know it.
    """
    from refinebio_assets.domain.errors import UnsupportedAccessionError
    from refinebio_assets.survey.sources import Route, route, source_of

    try:
        return route(query)
    except UnsupportedAccessionError:
        if resolution is None or not resolution.experiments:
            raise
        source = source_of(resolution.experiments[0])
        return Route(query=query, type=resolution.type or "sample", source=source, partition=None)
