"""``refinebio survey`` and ``refinebio ingest``: accession codes in, records and gene expression out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.accession_lists import FILE_HELP, read_queries
from refinebio_assets.cli.common import json_option, progress, read_settings, say
from refinebio_assets.cli.items import ItemPrinter

if TYPE_CHECKING:
    from refinebio_assets.domain.records import GenomeSource
    from refinebio_assets.runs import Report, RunFailure, Session, Target
    from resources.archives import Archives

COLUMNS = ("query", "outcome", "experiment", "samples", "states", "message")
UNDER_WAY = frozenset({"surveyed", "downloaded", "quantified"})
"""States of samples that are eligible but not in an expression yet."""


@click.command()
@click.argument("accessions", nargs=-1, metavar="ACC...")
@click.option("--file", "file", help=FILE_HELP)
@click.option("--dry-run", is_flag=True, help="Only tell where each accession leads; no network, nothing is written.")
@click.option("--refresh", is_flag=True, help="Fetch known experiments again also if a quick look shows no change.")
@json_option
def survey(accessions: tuple[str, ...], file: str | None, dry_run: bool, refresh: bool, as_json: bool) -> None:
    """Record what the archives say about experiments, and a state with a reason for every sample.

    ACC is a study of SRA, ENA or DDBJ (SRP…), a GEO series (GSE…), an ArrayExpress experiment (E-…), or a project,
    sample or run that belongs to one. The sequencing studies with the reads of a series are surveyed with it.

    An organism name ("Danio rerio", "Caenorhabditis elegans, EnsemblMetazoa") surveys its transcriptome, a division
    (", EnsemblPlants") those of all its species.
    """
    queries = read_queries(accessions, file)
    if dry_run:
        from refinebio_assets.cli.routing import show_routes

        raise SystemExit(show_routes(queries, as_json=as_json))
    _run(queries, as_json=as_json, work=_Work(refresh=refresh))


@click.command()
@click.argument("accessions", nargs=-1, metavar="ACC...")
@click.option("--file", "file", help=FILE_HELP)
@click.option("--early", is_flag=True, help="Make expression once >= 25 samples and >= 80 % of them are quantified.")
@json_option
def ingest(accessions: tuple[str, ...], file: str | None, early: bool, as_json: bool) -> None:
    """Survey, download and process experiments, to gene expression.

    Samples that are done and unchanged are not done again; a killed ingest goes on where it was. The reads of a GEO
    series or ArrayExpress experiment are processed as their sequencing study. Its arrays need a reference of their
    platform (refinebio platform list); without one they wait, and the message has the command that imports it. An
    organism name builds its two transcriptome indices.
    """
    queries = read_queries(accessions, file)
    _run(queries, as_json=as_json, work=_Work(ingesting=True, early=early))


@dataclass(slots=True, kw_only=True)
class _Work:
    """What is done with experiments, and what was made of those that are done, by accession."""

    ingesting: bool = False
    early: bool = False
    refresh: bool = True
    done: dict[str, dict[str, Any]] = field(default_factory=dict)


def _run(queries: list[str], *, as_json: bool, work: _Work) -> None:
    settings = read_settings()
    say("Starting…", as_json=as_json)
    from refinebio_assets.bundled_studies import refuse_whole_studies
    from refinebio_assets.runs import open_session
    from resources.archives import Archives

    outcomes: Counter[str] = Counter()
    status = 0
    with (
        open_session(settings, verbose=settings.log_level == "DEBUG") as session,
        Archives.from_settings(settings) as archives,
        ItemPrinter(COLUMNS, as_json=as_json) as printer,
        progress("Starting", total=len(queries), as_json=as_json) as bar,
    ):
        refuse_whole_studies(session.catalog, settings)
        for query, items in _items(session, archives, queries, work, bar.describe):
            for item in items:
                status = max(status, int(item.pop("exit_status")))
                outcomes[item["outcome"]] += 1
                printer.add(item | {"query": query}, list(_rows(item | {"query": query})))
            bar.advance()
        counts = dict(sorted(outcomes.items()))
        told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        summary = {"items": outcomes.total(), "experiments": len(work.done), "outcomes": counts}
        printer.finish(summary, f"{outcomes.total()} items, {len(work.done)} experiments: {told}.")
    raise SystemExit(status)


def _items(
    session: Session, archives: Archives, queries: Sequence[str], work: _Work, report: Report
) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """Each query with what was made of it: one item, or for a division one per species; work is done as they come."""
    from refinebio_assets.runs import find_targets
    from refinebio_assets.survey.sources import is_organism

    targets = find_targets([query for query in queries if not is_organism(query)], session.catalog, archives)
    for query in queries:
        report(query)
        if is_organism(query):
            yield query, _organisms(session, query, report, work.ingesting)
        else:
            yield query, iter([_target_item(session, archives, next(targets), work, report)])


def _target_item(session: Session, archives: Archives, target: Target, work: _Work, report: Report) -> dict[str, Any]:
    if target.experiment is None:
        return _problem(target.query, target.error)
    item = _experiment(session, archives, target.experiment, work, report)
    linked = [_experiment(session, archives, each, work, report) for each in session.linked_studies(target.experiment)]
    status = max(each["exit_status"] for each in (item, *linked))
    item = item | {"exit_status": status}
    if linked:
        item["linked"] = [{name: value for name, value in each.items() if name != "exit_status"} for each in linked]
    if target.note:
        item["message"] = f"{target.note} {item['message']}"
    return item


def _experiment(session: Session, archives: Archives, experiment: str, work: _Work, report: Report) -> dict[str, Any]:
    """Work on an experiment once, however many accessions lead to it."""
    from refinebio_assets.runs import process_experiment, survey_experiment

    if experiment not in work.done:
        if work.ingesting:
            failures = process_experiment(session, experiment, early=work.early, report=report)
        else:
            report(f"{experiment}: asking the archives")
            failed = survey_experiment(session, experiment, refresh=work.refresh, archives=archives)
            failures = [] if failed is None else [failed]
        work.done[experiment] = describe_experiment(session, experiment, failures, ingested=work.ingesting)
    return dict(work.done[experiment])


def describe_experiment(
    session: Session, experiment: str, failures: Sequence[RunFailure], *, ingested: bool
) -> dict[str, Any]:
    """What a survey or ingest made of an experiment.

    An ingest is ``waiting`` (exit status 1) if samples are still on their way: an archive was unwell, not enough of the
    sequenced ones are quantified, or arrays wait for the reference of their platform, which the message says how to
    import. The same command again goes on.
    """
    states = session.catalog.ledger.counts(experiment)
    entry = session.catalog.ledger.entries([experiment]).get(experiment)
    found = {info.state.value for info in session.catalog.quant_files(experiment)}
    found |= {info.state.value for info in session.catalog.array_files(experiment)}
    waiting = ingested and not found.isdisjoint(UNDER_WAY)
    unknown = entry is None and any(failure.code == "archive_not_found" for failure in failures)
    said = [" | ".join(map(str, failures)) if failures else (entry.message if entry is not None else "")]
    if ingested:
        said += _missing_references(session, experiment)
    return {
        "outcome": "not_found" if unknown else "failed" if failures else "waiting" if waiting else "done",
        "experiment": None if unknown else experiment,
        "state": entry.state if entry is not None else None,
        "samples": sum(states.values()),
        "states": states,
        "message": " ".join(filter(None, said)),
        "exit_status": max((failure.exit_status for failure in failures), default=int(waiting)),
    }


def _missing_references(session: Session, experiment: str) -> list[str]:
    """What arrays of an experiment wait for, with the number of those that do."""
    from refinebio_assets.domain.vocabulary import NO_REFERENCE

    entries = session.catalog.ledger.of_experiment(experiment)
    waiting = Counter(entry.message for entry in entries if entry.reason == NO_REFERENCE)
    return [
        f"{count} array{'s wait' if count > 1 else ' waits'}. {message}" for message, count in sorted(waiting.items())
    ]


def _organisms(session: Session, query: str, report: Report, ingesting: bool) -> Iterator[dict[str, Any]]:
    """One item for an organism, one for each species of a whole division (", EnsemblPlants")."""
    from refinebio_assets.cli.index import survey_genomes
    from refinebio_assets.domain.errors import RefinebioError
    from refinebio_assets.survey.sources import route

    try:
        route(query)  # an accession with a space in it is no organism
        report(f"{query}: asking Ensembl")
        for organism, found in survey_genomes(session, query):
            report(f"{query}: {organism}")
            if isinstance(found, RefinebioError):
                yield _problem(query, found) | {"organism": organism}
            else:
                yield _organism(session, query, found, report, ingesting)
    except RefinebioError as error:
        yield _problem(query, error)


def _organism(session: Session, query: str, source: GenomeSource, report: Report, ingesting: bool) -> dict[str, Any]:
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


def _rows(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A row for the item, and one for each sequencing study that was followed from it."""
    for one in (item, *item.get("linked", ())):
        states = one.get("states") or {}
        yield {"query": "", **one, "states": ", ".join(f"{count} {state}" for state, count in states.items())}
