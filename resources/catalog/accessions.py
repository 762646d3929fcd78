"""Resolving accessions: from any name an archive gave to the experiments and samples of the catalog.

Names lead to where the data is. A GEO series or ArrayExpress experiment whose samples are all sequenced is superseded:
its name leads to the studies of the sequence archives that have it as an alias, once these are surveyed. So does the
name of a superseded sample lead to its runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy.orm import Session

from refinebio_assets.domain.accessions import AccessionType, mirror_name, parse_accession
from refinebio_assets.domain.errors import UnsupportedAccessionError
from resources.catalog.known_names import KnownNames, Named, Relations, look_up, relations_of
from resources.catalog.statements import storable_text

ResolutionOutcome = Literal["found", "not_found", "ambiguous", "unsupported"]

NO_EXPERIMENT: Mapping[AccessionType, str] = {
    AccessionType.GEO_PLATFORM: "a platform of GEO. Give a series measured on it (GSE…)",
    AccessionType.GEO_DATASET: "a curated data set of GEO. Give the series it was made from (GSE…)",
    AccessionType.ARRAY_DESIGN: "an array design of ArrayExpress. Give an experiment that used it (E-…)",
    AccessionType.SRA_SUBMISSION: "a submission to the sequence archives. Give its study (SRP…, ERP…, DRP…)",
}
"""Accessions that name neither an experiment nor a sample, and what to give instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What one query names.

    Args:
        query: The text as it was asked.
        outcome: ``ambiguous`` if it names several experiments (a project of several studies, a series with several
            sequencing studies); ``unsupported`` if it follows no accession grammar, or names neither experiment nor
            sample (a platform).
        type: What kind of accession it is, None if it follows no grammar.
        experiments: Canonical accessions of the experiments it names, or that have the samples it names.
        samples: Canonical accessions of the samples it names, or of the experiments it names.
        aliases: Further accessions of what it names.
        superseded: Experiments or samples of that accession of their own that gave way to those it leads to.
        message: For people; None if it was found under its own name or an alias.
    """

    query: str
    outcome: ResolutionOutcome
    type: str | None = None
    experiments: list[str] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)
    message: str | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a query's name leads to, and the own records that gave way to it."""

    accessions: list[str]
    superseded: list[str]
    spelling: str


def resolve(session: Session, queries: Sequence[str], *, samples: bool = True) -> list[Resolution]:
    """Resolve queries in their order, with a number of statements that depends on chunks of 20,000, not on queries.

    ``samples=False`` leaves out the samples of experiments.
    """
    spellings = {query: _spellings(query) for query in queries}
    names = look_up(session, {spelling for each in spellings.values() for spelling in each})
    experiments = {query: _answer(each, names.experiments) for query, each in spellings.items()}
    runs = {query: _answer(each, names.samples) for query, each in spellings.items() if experiments[query] is None}
    related = relations_of(
        session, experiments=_named(experiments.values()), samples=_named(runs.values()), members=samples
    )
    answers = {query: _resolution(query, experiments[query], runs.get(query), related) for query in spellings}
    return [answers[query] for query in queries]


def own_experiments(session: Session, queries: Sequence[str]) -> dict[str, str]:
    """The experiment that each query is an own accession of, superseded or not; other queries are absent."""
    spellings = {query: _spellings(query) for query in queries}
    known = look_up(session, {spelling for each in spellings.values() for spelling in each}).experiments.own
    found = {query: min(filter(known.__contains__, each), key=lambda one: not known[one].surveyed, default=None)
             for query, each in spellings.items()}  # fmt: skip
    return {query: accession for query, accession in found.items() if accession is not None}


def _spellings(query: str) -> list[str]:
    """As written (accessions of ArrayExpress samples hold free text), as archives write codes, and as mirrored."""
    written = storable_text(query.strip())
    upper = written.upper()
    return list(dict.fromkeys([written, upper, mirror_name(upper) or upper]))


def _answer(spellings: Sequence[str], names: KnownNames) -> _Answer | None:
    """The present records of that name; superseded ones only if nothing else has it."""
    own = {spelling: names.own[spelling] for spelling in spellings if spelling in names.own}
    first = min(own, key=lambda one: (own[one].is_superseded, not own[one].surveyed), default=None)
    if first is not None and not own[first].is_superseded:
        return _Answer([first], [], first)
    others: dict[str, Named] = {}
    for spelling in spellings:
        others |= names.carriers.get(spelling, {})
        others |= names.successors.get(spelling, {})
    present = sorted(accession for accession, one in others.items() if not one.is_superseded and accession not in own)
    if present:
        return _Answer(present, sorted(one for one in own if own[one].surveyed), first or _carried(spellings, names))
    if first is not None:
        return _Answer([first], [], first)
    return _Answer(sorted(others), [], _carried(spellings, names)) if others else None


def _carried(spellings: Sequence[str], names: KnownNames) -> str:
    return next(spelling for spelling in spellings if spelling in names.carriers)


def _named(answers: Iterable[_Answer | None]) -> set[str]:
    return {accession for answer in answers if answer is not None for accession in answer.accessions}


def _resolution(query: str, experiments: _Answer | None, samples: _Answer | None, related: Relations) -> Resolution:
    if experiments is not None:
        return _found_experiments(query, experiments, related)
    if samples is not None:
        return _found_samples(query, samples, related)
    try:
        accession = parse_accession(query)
    except UnsupportedAccessionError as error:
        return Resolution(query=query, outcome="unsupported", message=str(error))
    if accession.type in NO_EXPERIMENT:
        message = f"{accession} is {NO_EXPERIMENT[accession.type]}."
        return Resolution(query=query, outcome="unsupported", type=accession.type.value, message=message)
    message = f"{accession} is not in the catalog. Survey it: refinebio survey {accession}"
    return Resolution(query=query, outcome="not_found", type=accession.type.value, message=message)


def _found_experiments(query: str, answer: _Answer, related: Relations) -> Resolution:
    several = len(answer.accessions) > 1
    message = _gave_way(answer)
    if several:
        named = f"{answer.spelling} names {len(answer.accessions)} experiments: {', '.join(answer.accessions)}"
        message = f"{message} {named}" if message else named
    return Resolution(
        query=query,
        outcome="ambiguous" if several else "found",
        type=_type(answer.spelling, "experiment"),
        experiments=answer.accessions,
        samples=_union(related.members, answer.accessions),
        aliases=[one for one in _union(related.experiment_aliases, answer.accessions) if one != answer.spelling],
        superseded=answer.superseded,
        message=message,
    )


def _found_samples(query: str, answer: _Answer, related: Relations) -> Resolution:
    return Resolution(
        query=query,
        outcome="found",
        type=_type(answer.spelling, "sample"),
        experiments=_union(related.experiments_of_sample, answer.accessions),
        samples=answer.accessions,
        aliases=[one for one in _union(related.sample_aliases, answer.accessions) if one != answer.spelling],
        superseded=answer.superseded,
        message=_gave_way(answer),
    )


def _gave_way(answer: _Answer) -> str | None:
    if not answer.superseded:
        return None
    return f"{', '.join(answer.superseded)} is processed from its reads: see {', '.join(answer.accessions)}."


def _type(spelling: str, otherwise: str) -> str:
    try:
        return parse_accession(spelling).type.value
    except UnsupportedAccessionError:
        return otherwise


def _union(groups: Mapping[str, list[str]], keys: Iterable[str]) -> list[str]:
    return sorted({value for key in keys for value in groups.get(key, [])})
