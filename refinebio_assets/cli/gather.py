"""``refinebio gather``: studies of a time span, or of a list, into the queues from which they are surveyed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import emit, json_option, progress, read_settings, say

if TYPE_CHECKING:
    from refinebio_assets.domain.discovery import DiscoveredStudy, SourceName
    from refinebio_assets.survey.discovery_run import Gathered
    from resources.catalog import Catalog
    from resources.settings import Settings

DAY = click.DateTime(["%Y-%m-%d"])
NAMES_SHOWN = 10
SOURCES = click.Choice(["ena", "geo", "array-express"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is gathered, as the options say it."""

    sources: tuple[str, ...]
    since: date | None
    until: date
    organisms: tuple[str, ...]
    keyword: str | None
    ids: str | None
    count: int | None
    include_previous: bool


@click.command()
@click.option("--source", "sources", type=SOURCES, multiple=True, help="Archive to ask; all three if not given.")
@click.option("--since", type=DAY, metavar="DATE", help="First day of publication (YYYY-MM-DD).")
@click.option("--until", type=DAY, metavar="DATE", help="Last day of publication; today if not given.")
@click.option("--organism", "organisms", multiple=True, metavar="NAME|TAXID", help="Only this organism; repeatable.")
@click.option("--keyword", help="Only records that contain this text.")
@click.option("--ids", help="List of accessions instead of a search: a path, or s3://bucket/key.")
@click.option("--count", type=click.IntRange(min=1), help="At most so many.")
@click.option("--include-previous", is_flag=True, help="List those that are known, too; they stay as they are.")
@click.option("--dry-run", is_flag=True, help="Only print what would be queued.")
@click.option("--survey", "surveying", is_flag=True, help="Survey at once what today's quotas have room for.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the accessions to this file.")
@json_option
def gather(
    sources: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    organisms: tuple[str, ...],
    keyword: str | None,
    ids: str | None,
    count: int | None,
    include_previous: bool,
    dry_run: bool,
    surveying: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Find studies and queue them for their survey, sorted by prefix and number.

    They are recorded in state discovered and surveyed by the sensors, as many a day and archive as
    REFINEBIO_DISCOVERY_DAILY_QUOTA says; `refinebio survey --file` surveys a list without any limit. What was known
    before is left out.

    Exit status: 1 if an archive could not be asked, 2 if a list names something else than experiments; the rest is
    taken all the same.
    """
    request = Request(
        sources=sources or ("ena", "geo", "array-express"),
        since=since.date() if since else None,
        until=until.date() if until else datetime.now(UTC).date(),
        organisms=organisms,
        keyword=keyword,
        ids=ids,
        count=count,
        include_previous=include_previous,
    )
    _check(request, searching=bool(sources or organisms or keyword or since or until))
    settings = read_settings()
    with progress("Gathering", as_json=as_json) as bar:
        answer = _run(request, settings, bar.describe, dry_run=dry_run, surveying=surveying and not dry_run)
    accessions = [item["accession"] for item in answer["items"]]
    if out is not None:
        _write(out, accessions)
    for line in _summary(answer):
        say(line, as_json=as_json)
    if as_json or (accessions and out is None):
        emit(answer, as_json, text=lambda: "\n".join(accessions))
    raise SystemExit(_exit_status(answer))


def _exit_status(answer: dict[str, Any]) -> int:
    if answer["not_experiments"]:
        return 2
    failed = any(item["outcome"] == "failed" for item in answer["surveyed"])
    return int(bool(answer["problems"]) or failed)


def _check(request: Request, *, searching: bool) -> None:
    if request.ids is not None and searching:
        message = "--ids takes a list as it is; it cannot be combined with --source, days, --organism or --keyword."
        raise click.UsageError(message)
    if request.ids is None and request.since is None:
        message = "Say from which day on (--since YYYY-MM-DD), or give a list (--ids)."
        raise click.UsageError(message)
    if request.since is not None and request.since > request.until:
        message = f"--since {request.since} is later than --until {request.until}."
        raise click.UsageError(message)


def _run(request: Request, settings: Settings, report: Any, *, dry_run: bool, surveying: bool) -> dict[str, Any]:
    from refinebio_assets.bundled_studies import refuse_whole_studies
    from refinebio_assets.survey.discovery import by_prefix_and_number
    from resources.dagster_adapters import shared_catalog

    catalog = shared_catalog(settings.catalog_url)
    if not dry_run:
        refuse_whole_studies(catalog, settings)
    gathered = _gathered(request, settings, report)
    ordered = sorted(gathered.studies, key=by_prefix_and_number)
    known = catalog.discovery.known(ordered)
    chosen = [one for one in ordered if request.include_previous or one not in known][: request.count]
    studies = [gathered.studies[one] for one in chosen]
    recorded = 0 if dry_run else _record(studies, catalog, settings, report)
    return {
        "items": [_item(study, known=study.accession in known) for study in studies],
        "found": len(ordered),
        "known": len(known),
        "recorded": recorded,
        "dry_run": dry_run,
        "skipped": {archive: dict(sorted(reasons.items())) for archive, reasons in gathered.skipped.items()},
        "not_experiments": gathered.not_experiments,
        "problems": gathered.problems,
        "surveyed": _survey(settings, report) if surveying else [],
    }


def _gathered(request: Request, settings: Settings, report: Any) -> Gathered:
    from refinebio_assets.survey.discovery import Wanted
    from refinebio_assets.survey.discovery_run import gather as ask
    from refinebio_assets.survey.discovery_run import gather_list, sources_of
    from refinebio_assets.survey.registry import PlatformRegistry
    from resources.archives import Archives

    if request.ids is not None:
        return gather_list(request.ids, settings)
    if request.since is None:
        raise AssertionError("the options were checked")  # noqa: EM101 - for the type checker
    wanted, registry = Wanted(organisms=request.organisms, keyword=request.keyword), PlatformRegistry.load()
    with Archives.from_settings(settings) as archives:
        asked = [
            source
            for name in dict.fromkeys(request.sources)
            for source in sources_of(_source_name(name), archives, wanted, registry)
        ]
        return ask(asked, since=request.since, until=request.until, report=report)


def _source_name(option: str) -> SourceName:
    return "ena" if option == "ena" else "geo" if option == "geo" else "array_express"


def _record(studies: Sequence[DiscoveredStudy], catalog: Catalog, settings: Settings, report: Any) -> int:
    """Put studies in the queues and add their partitions; returns how many were new."""
    from refinebio_assets.dagster_instance import open_instance
    from refinebio_assets.partitions import add_experiments
    from refinebio_assets.survey.discovery import grouped_for_partitions

    report(f"recording {len(studies)} studies")
    taken = catalog.discovery.take_in(studies, today=datetime.now(UTC).date(), requested=True)
    with open_instance(settings) as instance:
        add_experiments(instance, grouped_for_partitions(studies))
    return len(taken.new)


def _survey(settings: Settings, report: Any) -> list[dict[str, Any]]:
    """Survey what today's quotas have room for; one item each."""
    from refinebio_assets.cli.ingest import describe_experiment
    from refinebio_assets.domain.discovery import SOURCE_NAMES
    from refinebio_assets.runs import open_session

    today = datetime.now(UTC).date()
    items: list[dict[str, Any]] = []
    with open_session(settings, verbose=settings.log_level == "DEBUG") as session:
        for archive in SOURCE_NAMES:
            admitted = session.catalog.discovery.admit(archive, quota=settings.discovery_daily_quota, today=today)
            for experiment in admitted:
                report(f"{experiment}: asking the archives")
                failed = session.survey(experiment)
                failures = [] if failed is None else [failed]
                items.append(describe_experiment(session, experiment, failures, ingested=False))
    return items


def _item(study: DiscoveredStudy, *, known: bool) -> dict[str, Any]:
    from refinebio_assets.domain.discovery import source_of_study

    return {
        "accession": study.accession,
        "source": source_of_study(study.accession),
        "known": known,
        "published": study.published,
        "organisms": list(study.organisms),
        "samples": study.samples,
        "technology": study.technology.value,
    }


def _summary(answer: dict[str, Any]) -> list[str]:
    """What a person reads on standard error."""
    done = "would be queued" if answer["dry_run"] else f"chosen, {answer['recorded']} of them queued"
    lines = [f"{answer['found']} studies found, {answer['known']} known before; {len(answer['items'])} {done}."]
    lines += [
        f"Left out of {archive}: {number} ({reason})."
        for archive, reasons in answer["skipped"].items()
        for reason, number in reasons.items()
    ]
    if answer["surveyed"]:
        failed = sum(item["outcome"] == "failed" for item in answer["surveyed"])
        lines.append(f"{len(answer['surveyed'])} surveyed, {failed} of them failed.")
    others = answer["not_experiments"]
    if others:
        shown = ", ".join(others[:NAMES_SHOWN]) + (" …" if len(others) > NAMES_SHOWN else "")
        lines.append(f"{len(others)} name no experiment of their own; `refinebio survey` looks them up: {shown}")
    return [*lines, *answer["problems"]]


def _write(out: Path, accessions: Sequence[str]) -> None:
    """The list at once, so that whoever reads it never finds half of it.

    Raises:
        InputError: It cannot be written.
    """
    from refinebio_assets.domain.errors import InputError

    fresh = out.with_name(f".{out.name}.new")
    try:
        fresh.write_text("".join(f"{accession}\n" for accession in accessions), encoding="utf-8")
        fresh.replace(out)
    except OSError as error:
        message = f"The accessions cannot be written: {error}"
        raise InputError(message, path=out) from error
