"""``refinebio survey`` and ``refinebio ingest``: accession codes in, records and gene expression out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import emit, json_option, progress, read_settings, say, table

if TYPE_CHECKING:
    from refinebio_assets.domain.records import GenomeSource
    from refinebio_assets.runs import RunFailure, Session

UNDER_WAY = {"surveyed", "downloaded", "quantified"}
"""States of samples that are eligible but not in an expression yet."""
FILE_HELP = "File with one accession per line (a path or s3://bucket/key); # starts a comment."


def read_queries(arguments: Iterable[str], file: str | None) -> list[str]:
    """Accessions of the command line and of a list file, in order, without repeats.

    Raises:
        InputError: No accession was given, or the file cannot be read.
    """
    from refinebio_assets.domain.errors import InputError

    queries = [argument.strip() for argument in arguments]
    if file is not None:
        lines = _read_list(file).splitlines()
        queries += [line.split("#", 1)[0].strip() for line in lines]
    unique = list(dict.fromkeys(query for query in queries if query))
    if not unique:
        message = "No accession was given."
        raise InputError(message, path=file, remedy="Name some, for example: refinebio ingest SRP010938")
    return unique


def _read_list(file: str) -> str:
    from refinebio_assets.domain.errors import InputError

    try:
        if file.startswith("s3://"):
            from resources.object_store import ObjectStore

            parent, _, name = file.rpartition("/")
            endpoint = read_settings().s3_endpoint_url
            return ObjectStore.from_url(parent, endpoint_url=endpoint).get_bytes(name).decode()
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"The list of accessions cannot be read: {error}"
        raise InputError(message, path=file) from error


def is_organism(query: str) -> bool:
    """Whether a query names an organism.

    It has a space (``Danio rerio``, ``Caenorhabditis elegans, EnsemblMetazoa``).
    """
    return " " in query


@click.command()
@click.argument("accessions", nargs=-1, metavar="ACC...")
@click.option("--file", "file", help=FILE_HELP)
@json_option
def survey(accessions: tuple[str, ...], file: str | None, as_json: bool) -> None:
    """Record what the archives say about experiments, and a state with a reason for every sample.

    An organism name ("Danio rerio", "Caenorhabditis elegans, EnsemblMetazoa") surveys its transcriptome, a division
    (", EnsemblPlants") those of all its species.
    """
    queries = read_queries(accessions, file)
    _run(queries, as_json=as_json, ingesting=False, early=False)


@click.command()
@click.argument("accessions", nargs=-1, metavar="ACC...")
@click.option("--file", "file", help=FILE_HELP)
@click.option("--early", is_flag=True, help="Make expression once >= 25 samples and >= 80 % of them are quantified.")
@json_option
def ingest(accessions: tuple[str, ...], file: str | None, early: bool, as_json: bool) -> None:
    """Survey, download and process experiments, to gene expression.

    Samples that are done and unchanged are not done again; a killed ingest goes on where it was. An organism name
    builds its two transcriptome indices.
    """
    queries = read_queries(accessions, file)
    _run(queries, as_json=as_json, ingesting=True, early=early)


def _run(queries: list[str], *, as_json: bool, ingesting: bool, early: bool) -> None:
    settings = read_settings()
    say("Starting…", as_json=as_json)
    from refinebio_assets.bundled_studies import refuse_whole_studies
    from refinebio_assets.runs import open_session

    with open_session(settings, verbose=settings.log_level == "DEBUG") as session:
        refuse_whole_studies(session.catalog, settings)
        items = _work(session, queries, as_json=as_json, ingesting=ingesting, early=early)
    status = max((int(item.pop("exit_status")) for item in items), default=0)
    columns = ["query", "outcome", "experiment", "samples", "states", "message"]
    emit({"items": items}, as_json, text=lambda: table([_flat(item) for item in items], columns))
    raise SystemExit(status)


def _work(session: Session, queries: list[str], *, as_json: bool, ingesting: bool, early: bool) -> list[dict[str, Any]]:
    from refinebio_assets.runs import find_experiments
    from resources.archives import Archives

    experiments = [query for query in queries if not is_organism(query)]
    with Archives.from_settings(session.settings) as archives:
        targets = {target.query: target for target in find_experiments(experiments, session.catalog, archives)}
    items: list[dict[str, Any]] = []
    finished: dict[str, dict[str, Any]] = {}
    with progress("Starting", total=len(queries), as_json=as_json) as bar:
        for query in queries:
            bar.describe(query)
            target = targets.get(query)
            if target is None:
                items += _organisms(session, query, bar.describe, ingesting)
            elif target.experiment is None:
                items.append(_problem(query, target.error))
            else:
                name = target.experiment
                if name not in finished:  # several accessions may name one experiment
                    finished[name] = _experiment(session, query, name, bar.describe, ingesting, early)
                items.append(finished[name] | {"query": query})
            bar.advance()
    return items


def _experiment(
    session: Session, query: str, experiment: str, report: Any, ingesting: bool, early: bool
) -> dict[str, Any]:
    from refinebio_assets.runs import ingest_experiment

    if ingesting:
        failures = ingest_experiment(session, experiment, early=early, report=report)
    else:
        failed = session.survey(experiment)
        failures = [] if failed is None else [failed]
    return describe_experiment(session, query, experiment, failures, ingested=ingesting)


def describe_experiment(
    session: Session, query: str, experiment: str, failures: Sequence[RunFailure], *, ingested: bool
) -> dict[str, Any]:
    """What a survey or ingest made of an experiment.

    An ingest is ``waiting`` (exit status 1) if samples are still on their way: an archive was unwell, or not enough of
    them are quantified. The same command again goes on.
    """
    states = session.catalog.ledger.counts(experiment)
    entry = session.catalog.ledger.entries([experiment]).get(experiment)
    waiting = ingested and not UNDER_WAY.isdisjoint(states)
    return {
        "query": query,
        "outcome": "failed" if failures else "waiting" if waiting else "done",
        "experiment": experiment,
        "state": entry.state if entry is not None else None,
        "samples": sum(states.values()),
        "states": states,
        "message": " | ".join(map(str, failures)) if failures else (entry.message if entry is not None else ""),
        "exit_status": max((failure.exit_status for failure in failures), default=int(waiting)),
    }


def _organisms(session: Session, query: str, report: Any, ingesting: bool) -> list[dict[str, Any]]:
    """One item for an organism, one for each species of a whole division (", EnsemblPlants")."""
    from refinebio_assets.cli.index import survey_genomes
    from refinebio_assets.domain.errors import RefinebioError

    items: list[dict[str, Any]] = []
    try:
        report(f"{query}: asking Ensembl")
        for organism, found in survey_genomes(session, query):
            report(f"{query}: {organism}")
            if isinstance(found, RefinebioError):
                items.append(_problem(query, found) | {"organism": organism})
            else:
                items.append(_organism(session, query, found, report, ingesting))
    except RefinebioError as error:
        items.append(_problem(query, error))
    return items


def _organism(session: Session, query: str, source: GenomeSource, report: Any, ingesting: bool) -> dict[str, Any]:
    from refinebio_assets.cli.index import build_indices

    failures = build_indices(session, source.organism, report=report) if ingesting else []
    return {
        "query": query,
        "outcome": "failed" if failures else "done",
        "organism": source.organism,
        "division": source.division,
        "release": source.release,
        "assembly": source.assembly,
        "genome_fasta": source.genome_fasta.url,
        "gtf": source.gtf.url,
        "message": " | ".join(map(str, failures)) or f"{source.division} release {source.release}, {source.assembly}",
        "exit_status": max((failure.exit_status for failure in failures), default=0),
    }


def _problem(query: str, error: Any) -> dict[str, Any]:
    return {"query": query, "outcome": error.code, "message": str(error), "exit_status": error.exit_status}


def _flat(item: dict[str, Any]) -> dict[str, Any]:
    states = item.get("states") or {}
    return item | {"states": ", ".join(f"{count} {state}" for state, count in states.items())}
