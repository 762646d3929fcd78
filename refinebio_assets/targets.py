"""From what a person asks for to the experiments that are meant: the catalog's knowledge first, then the archives'."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from refinebio_assets.domain.accessions import (
    Accession,
    AccessionType,
    SourceArchive,
    is_local,
    not_in_archives,
    own_archive,
    parse_accession,
)
from refinebio_assets.domain.errors import AmbiguousAccessionError, NotFoundError, RefinebioError
from refinebio_assets.survey.fetch_run import experiments_behind
from refinebio_assets.survey.sources import own_accession, refuse_unsupported
from resources.archives import Archives
from resources.catalog import Catalog, Resolution

QUERIES_AT_ONCE = 1_000
"""Queries that the catalog is asked about in one call."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a query stands for: an experiment to ingest, or why it is none. ``note`` says why it is this one."""

    query: str
    experiment: str | None
    error: RefinebioError | None = None
    note: str | None = None


def find_experiments(queries: Sequence[str], catalog: Catalog, archives: Archives) -> list[Target]:
    """The experiment behind each accession: from the catalog if known, else from the archives.

    A GSE or E-… stands for itself, E-GEOD-n for GSEn; a run, sample or project for the experiment it belongs to, or
    that has its reads. Answers are in input order; an accession that nobody knows, or that names several experiments,
    carries its error instead of stopping the others.
    """
    return list(find_targets(queries, catalog, archives))


def find_targets(queries: Sequence[str], catalog: Catalog, archives: Archives) -> Iterator[Target]:
    """As :func:`find_experiments`, one at a time: the archives are asked about an accession when it is its turn."""
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        chunk = list(queries[start : start + QUERIES_AT_ONCE])
        known = dict(zip(chunk, catalog.resolve(chunk, samples=False), strict=True))
        for query in chunk:
            try:
                yield _target(query, known[query], catalog, archives)
            except RefinebioError as error:
                yield Target(query, None, error)


def _target(query: str, known: Resolution, catalog: Catalog, archives: Archives) -> Target:
    local = next((one for one in (query, *known.experiments[:1]) if is_local(one)), None)
    known = replace(known, experiments=[one for one in known.experiments if not is_local(one)])
    accession = _parsed(query, known, local)
    if accession is None:
        return Target(query, known.experiments[0])
    own = own_accession(accession.value)
    if own is not None and accession.type is not AccessionType.SRA_STUDY:
        return Target(query, own)
    experiments = known.experiments
    if accession.type is AccessionType.SRA_STUDY:
        # A series that names the study as an alias is not meant: the study is an experiment of its own.
        experiments = [each for each in experiments if own_archive(each) is SourceArchive.SRA]
    if len(experiments) == 1:
        return Target(query, experiments[0])
    if len(experiments) > 1:
        return _one_of_known(accession, known, experiments, catalog)
    return _one_of_archives(query, accession, experiments_behind(archives, accession.value))


def _parsed(query: str, known: Resolution, local: str | None) -> Accession | None:
    """The accession; None for the free-text names of ArrayExpress samples, if the catalog knows them.

    Raises:
        UnsupportedAccessionError: It follows no grammar; if it names a ``local`` experiment, that is said.
    """
    try:
        accession = parse_accession(query)
    except RefinebioError:
        if len(known.experiments) == 1:
            return None
        if local is not None:
            raise not_in_archives(local) from None
        raise
    refuse_unsupported(accession)
    return accession


def _one_of_known(accession: Accession, known: Resolution, experiments: list[str], catalog: Catalog) -> Target:
    """Of several experiments that share a sample the one that owns it, and processes it."""
    owners = {entry.experiment_accession for entry in catalog.ledger.entries(known.samples).values()}
    if accession.is_sample and len(owners) == 1 and (owner := owners.pop()) in experiments:
        others = ", ".join(each for each in experiments if each != owner)
        return Target(known.query, owner, note=f"{accession} is also in {others}; {owner} processes it.")
    raise _ambiguous(accession, experiments)


def _one_of_archives(query: str, accession: Accession, experiments: list[str]) -> Target:
    if not experiments:
        message = f"No experiment is known under {accession} in the archives."
        raise NotFoundError(message, remedy="Check the accession; what is embargoed or withdrawn is not shown either.")
    first, *others = experiments
    if not others:
        return Target(query, first)
    if accession.type is not AccessionType.GEO_SAMPLE:
        raise _ambiguous(accession, experiments)
    note = f"{accession} is also in {', '.join(others)}; {first} is taken: no superseries, and the first of them."
    return Target(query, first, note=note)


def _ambiguous(accession: Accession, experiments: list[str]) -> AmbiguousAccessionError:
    message = f"{accession} names {len(experiments)} experiments: {', '.join(experiments)}."
    return AmbiguousAccessionError(message, remedy="Give one of them, or all.")
