"""``refinebio index build``: transcriptome indices of organisms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import emit, json_option, progress, read_settings, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from refinebio_assets.domain.errors import RefinebioError
    from refinebio_assets.domain.records import GenomeSource
    from refinebio_assets.domain.vocabulary import IndexLength
    from refinebio_assets.runs import RunFailure, Session
    from resources.archives.ensembl import Ensembl

PARTITIONS_AT_ONCE = 200
"""Organisms of a whole division that become partitions in one call."""


@click.group()
def index() -> None:
    """Transcriptome indices of organisms."""


@index.command()
@click.option("--organism", "organisms", multiple=True, required=True, help="Scientific name; once per organism.")
@click.option("--division", help="Ensembl division (EnsemblPlants …); found by itself if not given.")
@click.option("--release", help="Ensembl (Genomes) release, with its assembly; the current one if not given.")
@click.option("--length", type=click.Choice(["short", "long", "both"]), default="both", show_default=True)
@click.option("--fasta", type=click.Path(), help="Your own genome FASTA instead of Ensembl's (with --gtf).")
@click.option("--gtf", type=click.Path(), help="Your own annotation.")
@json_option
def build(
    organisms: tuple[str, ...],
    division: str | None,
    release: str | None,
    length: str,
    fasta: str | None,
    gtf: str | None,
    as_json: bool,
) -> None:
    """Build the short (k=23) and long (k=31) Salmon index of organisms; what is up to date is kept."""
    from refinebio_assets.domain.errors import InputError
    from refinebio_assets.domain.vocabulary import IndexLength
    from refinebio_assets.runs import open_session

    if (fasta is None) != (gtf is None) or (fasta is not None and len(organisms) > 1):
        message = "--fasta and --gtf belong together, and to one organism."
        raise InputError(message, remedy="Give both and one --organism, or neither to use Ensembl.")
    config = {"division": division, "release": release, "fasta": fasta, "gtf": gtf}
    lengths = list(IndexLength) if length == "both" else [IndexLength(length)]
    keys = [_key(organism) for organism in organisms]
    settings = read_settings()
    with open_session(settings) as session, progress("Building", total=None, as_json=as_json) as bar:
        items = [item for key in keys for item in _build(session, key, lengths, config, bar.describe)]
    status = max(int(item.pop("exit_status")) for item in items)
    columns = ["organism", "length", "outcome", "release", "assembly", "transcripts", "genes", "message"]
    emit({"items": items}, as_json, text=lambda: table(items, columns))
    raise SystemExit(status)


def _build(
    session: Session,
    organism: str,
    lengths: list[IndexLength],
    config: dict[str, Any],
    report: Callable[[str], None],
) -> list[dict[str, Any]]:
    run_config = {"ops": {"transcriptome_index": {"config": {k: v for k, v in config.items() if v is not None}}}}
    items = []
    for length in lengths:
        report(f"{length.value} transcriptome index of {organism}")
        failed = session.build_index(organism, length, run_config=run_config)
        items.append(_describe(session, organism, length, failed))
    return items


def _key(organism: str) -> str:
    from refinebio_assets.domain.errors import InputError
    from refinebio_assets.domain.organisms import organism_key

    try:
        return organism_key(organism)
    except ValueError as error:
        message = f"{organism!r} is no organism name."
        raise InputError(message, remedy='Give genus and species, as in --organism "Danio rerio".') from error


def _describe(session: Session, organism: str, length: IndexLength, failed: RunFailure | None) -> dict[str, Any]:
    info = session.catalog.current_transcriptome_index(organism, length) if failed is None else None
    return {
        "organism": organism,
        "length": length.value,
        "outcome": "failed" if failed is not None else "kept" if session.index_was_kept() else "built",
        "division": info.division if info else None,
        "release": info.release if info else None,
        "assembly": info.assembly if info else None,
        "transcripts": info.num_transcripts if info else None,
        "genes": info.num_genes if info else None,
        "sha256": info.sha256 if info else None,
        "location": f"{session.settings.store_url}/{info.key_prefix}" if info else None,
        "message": failed.message if failed is not None else "",
        "exit_status": failed.exit_status if failed is not None else 0,
    }


def survey_genome(session: Session, query: str) -> GenomeSource:
    """Find an organism's genome ("Danio rerio", "Caenorhabditis elegans, EnsemblMetazoa") and remember where it is.

    Raises:
        InputError: The query names a whole division.
        RefinebioError: The genome was not found.
    """
    from refinebio_assets.domain.errors import InputError, RefinebioError
    from refinebio_assets.survey.ensembl import parse_organism_query

    if parse_organism_query(query).organism is None:
        message = f"{query.strip()!r} names a whole division."
        raise InputError(message, remedy='Name an organism, as in "Caenorhabditis elegans, EnsemblMetazoa".')
    ((_, found),) = survey_genomes(session, query)
    if isinstance(found, RefinebioError):
        raise found
    return found


def survey_genomes(session: Session, query: str) -> Iterator[tuple[str, GenomeSource | RefinebioError]]:
    """Find the genome of an organism, or those of a whole division (", EnsemblPlants"), and remember where they are.

    Returns:
        For each species its UPPER_SNAKE name, and its genome or the error. Found ones have become partitions.

    Raises:
        RefinebioError: The query is none, or Ensembl does not tell which species there are.
    """
    from refinebio_assets.domain.records import GenomeSource
    from refinebio_assets.partitions import add_organisms
    from refinebio_assets.rna_seq.index_run import remember_genome
    from resources.archives import Archives

    waiting: list[str] = []
    with Archives.from_settings(session.settings) as archives:
        try:
            for organism, found in _find(archives.ensembl, query, session.settings.ensembl_release):
                if isinstance(found, GenomeSource):
                    remember_genome(session.catalog, found)
                    waiting.append(found.organism)
                if len(waiting) == PARTITIONS_AT_ONCE:
                    add_organisms(session.instance, waiting)
                    waiting.clear()
                yield organism, found
        finally:
            add_organisms(session.instance, waiting)


def _find(ensembl: Ensembl, query: str, release: str | None) -> Iterable[tuple[str, GenomeSource | RefinebioError]]:
    from refinebio_assets.survey.ensembl import parse_organism_query
    from refinebio_assets.survey.genomes import find_genome, find_genomes

    asked = parse_organism_query(query)
    division = asked.division.value if asked.division else None
    if asked.organism is None and division is not None:
        return find_genomes(ensembl, division, release=release)
    found = find_genome(ensembl, asked.organism or query, division=division, release=release)
    return [(found.organism, found)]


def build_indices(session: Session, organism: str, *, report: Callable[[str], None]) -> list[RunFailure]:
    """Build both indices of an organism; returns what failed."""
    from refinebio_assets.domain.vocabulary import IndexLength

    failures = []
    for length in IndexLength:
        report(f"{length.value} transcriptome index of {organism}")
        failed = session.build_index(organism, length)
        if failed is not None:
            failures.append(failed)
    return failures
