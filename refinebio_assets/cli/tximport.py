"""``refinebio tximport``: gene expression of experiments from the quant files that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import emit, json_option, progress, read_settings, table

if TYPE_CHECKING:
    from refinebio_assets.runs import Session

MOST_EXPERIMENTS = 10_000
STORED = "rna_seq_expression/"
"""Where the files of `rna_seq_expression` lie in the store."""


@click.command()
@click.option("--accession", "accessions", multiple=True, help="Experiment; all that qualify if none is given.")
@json_option
def tximport(accessions: tuple[str, ...], as_json: bool) -> None:
    """Make gene expression where all samples are quantified, or at least 80 % of 25 or more."""
    settings = read_settings()
    from refinebio_assets.runs import open_session

    with open_session(settings) as session:
        items = [item for item in _targets(session, accessions) if "outcome" in item]
        experiments = [item["experiment"] for item in _targets(session, accessions) if "outcome" not in item]
        with progress("tximport", total=len(experiments), as_json=as_json) as bar:
            for experiment in experiments:
                bar.describe(experiment)
                items.append(_import(session, experiment))
                bar.advance()
    columns = ["query", "outcome", "samples", "genes", "message"]
    emit({"items": items}, as_json, text=lambda: table(items, columns))
    statuses = {"not_found": 3, "unsupported": 2, "failed": 1, "ambiguous": 2}
    raise SystemExit(max((statuses.get(item["outcome"], 0) for item in items), default=0))


def _targets(session: Session, accessions: tuple[str, ...]) -> list[dict[str, Any]]:
    if not accessions:
        waiting = session.catalog.ledger.experiments_to_import(limit=MOST_EXPERIMENTS)
        return [{"query": experiment, "experiment": experiment} for experiment in waiting]
    targets: list[dict[str, Any]] = []
    for item in session.catalog.resolve(list(accessions)):
        if len(item.experiments) == 1:
            targets.append({"query": item.query, "experiment": item.experiments[0]})
        else:
            message = item.message or f"{item.query} names {len(item.experiments)} experiments."
            targets.append({"query": item.query, "outcome": item.outcome, "message": message})
    return targets


def _import(session: Session, experiment: str) -> dict[str, Any]:
    from refinebio_assets.runs import expression_config

    config = expression_config(early=True)
    failed = session.materialize(["rna_seq_expression"], experiment, run_config=config)
    files = [file for file in session.catalog.experiment_files(experiment) if file.key.startswith(STORED)]
    made = next((file for file in files if file.filename.endswith(".h5ad")), None)
    entry = session.catalog.ledger.entries([experiment]).get(experiment)
    outcome = "failed" if failed is not None else "done" if made is not None else "waiting"
    return {
        "query": experiment,
        "outcome": outcome,
        "experiment": experiment,
        "samples": made.metrics.get("num_samples") if made else None,
        "genes": made.metrics.get("num_genes") if made else None,
        "files": [f"{session.settings.store_url}/{file.key}" for file in files],
        "message": failed.message if failed is not None else (entry.message if entry is not None else ""),
    }
