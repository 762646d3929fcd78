"""``refinebio unsurvey``: remove experiments, after showing what would go."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.accession_lists import FILE_HELP, read_queries
from refinebio_assets.cli.common import emit, json_option, progress, read_settings, say
from refinebio_assets.domain.errors import RefinebioError

if TYPE_CHECKING:
    from refinebio_assets.unsurvey import Belongings, Workspace

NAMES_SHOWN = 10
"""Accessions and keys that a person sees of each list; ``--json`` has them all."""


@click.command()
@click.argument("accessions", nargs=-1, metavar="[ACC]...")
@click.option("--file", "file", help=FILE_HELP)
@click.option("--leftovers", is_flag=True, help="Also what interrupted removals left of experiments nobody knows.")
@click.option("--dry-run", is_flag=True, help="Only show what would go; never ask.")
@click.option("--yes", is_flag=True, help="Remove without asking.")
@json_option
def unsurvey(
    accessions: tuple[str, ...], file: str | None, leftovers: bool, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Remove experiments and what only they have: records, results, objects, the Dagster partition.

    Samples that another experiment has too stay, with their results, and so do transcriptome indices. Sequencing
    studies of a series are named, not removed. Nothing is removed without --yes or a yes at a terminal.

    Exit status: 3 if there is nothing of one, 2 if one names no single experiment; the others are done all the same.
    """
    if yes and dry_run:
        message = "--yes and --dry-run contradict each other."
        raise click.UsageError(message)
    queries = read_queries(accessions, file) if accessions or file or not leftovers else []
    settings = read_settings()
    from refinebio_assets.leftovers import forgotten_experiments
    from refinebio_assets.unsurvey import open_workspace

    with open_workspace(settings) as workspace:
        if leftovers:
            forgotten = forgotten_experiments(workspace.catalog, workspace.store)
            queries = list(dict.fromkeys([*queries, *forgotten]))
        items = _previews(workspace, queries)
        removing = yes or (not dry_run and not as_json and _confirmed(items))
        if removing:
            items = _remove(workspace, items, as_json=as_json)
    emit({"items": items}, as_json, text=lambda: _described(items, shown=removing and not yes))
    if not removing:
        say("Nothing was removed. Add --yes to remove it.", as_json=as_json)
    raise SystemExit(max((item["exit_status"] for item in items), default=0))


def _previews(workspace: Workspace, queries: Sequence[str]) -> list[dict[str, Any]]:
    """An item for each query, as if removed in this order; several names of one experiment are one item."""
    from refinebio_assets.unsurvey import belongings, experiment_named

    items: list[dict[str, Any]] = []
    seen: dict[str, None] = {}
    for query in queries:
        try:
            experiment = experiment_named(workspace.catalog, query)
            if experiment not in seen:
                items.append(_item(query, "would_remove", belongings(workspace, experiment, after=seen)))
                seen[experiment] = None
        except RefinebioError as error:
            items.append(_problem(query, error))
    return items


def _confirmed(items: Sequence[dict[str, Any]]) -> bool:
    """Whether a person at a terminal, shown what would go, says yes."""
    going = [item["experiment"] for item in items if item["outcome"] == "would_remove"]
    if not going or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    click.echo(_described(items))
    return click.confirm(f"Remove {len(going)} experiment{'s' if len(going) > 1 else ''}?", default=False)


def _remove(workspace: Workspace, items: Sequence[dict[str, Any]], *, as_json: bool) -> list[dict[str, Any]]:
    from refinebio_assets.unsurvey import unsurvey as remove

    done: list[dict[str, Any]] = []
    with progress("Removing", total=len(items), as_json=as_json) as bar:
        for item in items:
            if item["outcome"] == "would_remove":
                try:
                    found = remove(workspace, item["experiment"], report=bar.describe)
                    done.append(_item(item["query"], "removed", found))
                except RefinebioError as error:
                    done.append(_problem(item["query"], error))
            else:
                done.append(item)
            bar.advance()
    return done


def _item(query: str, outcome: str, found: Belongings) -> dict[str, Any]:
    removal = found.removal
    return {
        "query": query,
        "outcome": outcome,
        "experiment": found.experiment,
        "title": None if removal is None else removal.title,
        "samples": [] if removal is None else list(removal.samples),
        "shared_samples": {} if removal is None else dict(removal.shared),
        "ledger_entries": 0 if removal is None else len(removal.ledger),
        "ledger_history": 0 if removal is None else removal.history,
        "results": 0 if removal is None else removal.results,
        "computed_files": 0 if removal is None else len(removal.files),
        "original_files": 0 if removal is None else removal.original_files,
        "objects": list(found.objects),
        "partition": found.partition,
        "linked_studies": [] if removal is None else list(removal.linked_studies),
        "message": None if removal is not None else "The catalog has forgotten it already; this is what is left.",
        "exit_status": 0,
    }


def _problem(query: str, error: RefinebioError) -> dict[str, Any]:
    return {"query": query, "outcome": error.code, "message": str(error), "exit_status": error.exit_status}


def _described(items: Sequence[dict[str, Any]], *, shown: bool = False) -> str:
    """What people see: all of it, or one line each if they were shown it before."""
    return "\n".join(line for item in items for line in (_lines(item)[:1] if shown else _lines(item)))


def _lines(item: dict[str, Any]) -> list[str]:
    if item["outcome"] not in {"would_remove", "removed"}:
        return [f"{item['query']}: {item['message']}"]
    title = f" ({item['title']})" if item["title"] else ""
    verb = "removed" if item["outcome"] == "removed" else "would be removed"
    kept = [f"{sample} (owner: {owner})" for sample, owner in item["shared_samples"].items()]
    counts = [
        f"{item['ledger_entries']} ledger entries with {item['ledger_history']} states",
        f"{item['results']} results with {item['computed_files']} files",
        f"{item['original_files']} original files of archives",
    ]
    lines = [
        f"{item['experiment']}{title}: {verb}",
        _listed("Samples", item["samples"]),
        f"  Records: {', '.join(counts)}",
        _listed("Objects in the store", item["objects"]),
        f"  Dagster partition: {'yes' if item['partition'] else 'none'}",
    ]
    if kept:
        lines.append(_listed("Stay, because other experiments have them", kept))
    if item["linked_studies"]:
        lines.append(_listed("Stay, because they are experiments of their own", item["linked_studies"]))
    return [*lines, f"  {item['message']}"] if item["message"] else lines


def _listed(what: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"  {what}: {len(names)}" + (f": {', '.join(names[:NAMES_SHOWN])}{more}" if names else "")
