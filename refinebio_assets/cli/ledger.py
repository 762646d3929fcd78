"""``refinebio status`` and ``refinebio resolve``: why is my sample (not) there, and what does an accession name."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import emit, json_option, read_settings
from refinebio_assets.domain.errors import InputError, NotFoundError, UnsupportedAccessionError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from resources.catalog import Catalog, LedgerHistoryRow, Resolution

REASONS_SHOWN = 20
WIDTH_OF_A_PIPE = 200
"""Columns when no terminal says how many it has: programs that read the tables should not see folded lines."""


@click.command()
@click.argument("accessions", nargs=-1, metavar="[ACC]...")
@click.option("--summary", is_flag=True, help="Counts instead of samples; without ACC, over everything.")
@click.option("--history", is_flag=True, help="Every state that each accession has had.")
@json_option
@click.pass_context
def status(context: click.Context, accessions: tuple[str, ...], summary: bool, history: bool, as_json: bool) -> None:
    """Where every sample is, with the reason in words.

    ACC is any accession of an experiment or sample, as any archive calls it.

    Exit status: 3 if one is not in the catalog, 2 if one is no accession; the others are shown all the same.
    """
    if not accessions and not summary:
        message = "Give at least one accession, or --summary for everything."
        raise click.UsageError(message)
    with _open_catalog() as catalog:
        if not accessions:
            _emit_overview(_overview(catalog), as_json)
            return
        resolutions = catalog.resolve(accessions)
        items = [item for resolution in resolutions for item in _items(catalog, resolution, history=history)]
    if summary:
        items = [{name: value for name, value in item.items() if name != "samples"} for item in items]
    if as_json:
        emit({"items": items}, as_json)
    else:
        _print(part for item in items for part in _status_parts(item))
    context.exit(_exit_status(resolutions))


@click.command()
@click.argument("accessions", nargs=-1, metavar="[ACC]...")
@click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="File with one accession per line; - for standard input.",
)
@json_option
@click.pass_context
def resolve(context: click.Context, accessions: tuple[str, ...], file: Path | None, as_json: bool) -> None:
    """Any accession -> experiments, samples and other accessions, in the order asked.

    Only the catalog is asked, never the network.

    Exit status: 3 if one is not in the catalog, 2 if one is no accession; the others are shown all the same.
    """
    queries = [*accessions, *(_lines(file) if file else [])]
    if not queries:
        message = "Give at least one accession, or --file."
        raise click.UsageError(message)
    with _open_catalog() as catalog:
        resolutions = catalog.resolve(queries)
    if as_json:
        emit({"items": [asdict(resolution) for resolution in resolutions]}, as_json)
    else:
        _print([_resolution_table(resolutions)])
    context.exit(_exit_status(resolutions))


@contextmanager
def _open_catalog() -> Iterator[Catalog]:
    from resources.catalog import Catalog

    catalog = Catalog.connect(read_settings().catalog_url)
    try:
        yield catalog
    finally:
        catalog.dispose()


def _lines(file: Path) -> list[str]:
    """Accessions of a file, without empty lines and comments.

    Raises:
        InputError: It cannot be read, or is no text.
    """
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        message = "There is no such file."
        raise InputError(message, path=file) from error
    except (OSError, UnicodeDecodeError) as error:
        message = f"The file cannot be read: {error}"
        raise InputError(message, path=file, remedy="Give a text file with one accession per line.") from error
    stripped = (line.split("#")[0].strip() for line in text.splitlines())
    return [line for line in stripped if line]


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
        for experiment in resolution.experiments:
            yield _experiment_item(catalog, resolution, experiment, history=history)
    else:
        yield _sample_item(catalog, resolution, history=history)


def _names_experiment(resolution: Resolution) -> bool:
    from refinebio_assets.domain.accessions import EXPERIMENT_TYPES

    return resolution.type == "experiment" or resolution.type in {one.value for one in EXPERIMENT_TYPES}


def _item(resolution: Resolution, **values: Any) -> dict[str, Any]:
    item = {"query": resolution.query, "outcome": resolution.outcome, "experiment": None, "state": None}
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
        samples=_sample_rows(catalog, samples),
    )
    return item | ({"history": _history(catalog, [experiment, *samples])} if history else {})


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


def _overview(catalog: Catalog) -> dict[str, Any]:
    return {
        "experiments": catalog.ledger.experiment_counts(),
        "samples": catalog.ledger.counts(),
        "reasons": [asdict(reason) for reason in catalog.ledger.reasons(limit=REASONS_SHOWN)],
    }


def _emit_overview(overview: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        emit({"summary": overview}, as_json)
        return
    states = sorted(overview["experiments"].keys() | overview["samples"].keys())
    counts = [[state, overview["experiments"].get(state, 0), overview["samples"].get(state, 0)] for state in states]
    reasons = [[row["state"].value, row["reason"], row["count"]] for row in overview["reasons"]]
    _print(
        [
            _table("The catalog", ["State", "Experiments", "Samples"], counts),
            _table("Most frequent reasons", ["State", "Reason", "Samples"], reasons),
        ]
    )


def _status_parts(item: Mapping[str, Any]) -> Iterator[RenderableType]:
    from rich.text import Text

    query = item["query"]
    if item["outcome"] in {"not_found", "unsupported"}:
        yield Text(item["message"])
        return
    names = query if item["experiment"] in {query, None} else f"{query} in {item['experiment']}"
    title = f" ({item['title']})" if item.get("title") else ""
    state = f": {item['state'].value}. {item['message']}" if item["state"] else ""
    yield Text(f"{names}{title}{state}")
    if "samples" in item:
        columns = ["accession", "title", "state", "reason", "message", "updated_at"]
        headers = ["Accession", "Title", "State", "Reason", "Message", "Updated"]
        yield _table(None, headers, [[_cell(row[name]) for name in columns] for row in item["samples"]])
    yield Text("Samples: " + (", ".join(f"{count} {state}" for state, count in item["counts"].items()) or "none"))
    for accession, steps in item.get("history", {}).items():
        rows = [[_cell(step.at), step.state.value, step.reason, step.message, _cell(step.run_id)] for step in steps]
        yield _table(f"History of {accession}", ["When", "State", "Reason", "Message", "Run"], rows)


def _resolution_table(resolutions: Sequence[Resolution]) -> RenderableType:
    rows = [
        [
            resolution.query,
            resolution.outcome,
            " ".join(resolution.experiments),
            " ".join(resolution.samples),
            " ".join(resolution.aliases) or resolution.message or "",
        ]
        for resolution in resolutions
    ]
    return _table(None, ["Accession", "Outcome", "Experiments", "Samples", "Other accessions"], rows)


def _table(title: str | None, headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))  # Text: what archives write is no markup
    return table


def _cell(value: Any) -> str:
    from datetime import datetime

    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%SZ")
    return "" if value is None else str(value)


def _print(parts: Iterable[RenderableType]) -> None:
    from rich.console import Console

    width = None if sys.stdout.isatty() else WIDTH_OF_A_PIPE
    console = Console(highlight=False, width=width)
    for part in parts:
        console.print(part)
