"""Harmonising the metadata of surveyed samples anew, from the stored payloads: no archive is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from refinebio_assets import __version__
from refinebio_assets.domain.errors import NotFoundError, RefinebioError
from refinebio_assets.domain.fingerprints import fingerprint_of
from refinebio_assets.domain.vocabulary import ComputedFileKind
from refinebio_assets.survey.harmonisation_rules import HARMONISATION_VERSION
from refinebio_assets.survey.harmonised_terms import TERM_PREFIXES, TERM_ROOTS, TermIndex, survey_with_terms
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.sources import survey_payload
from resources.catalog import Catalog, FileToRecord, ResultToRecord
from resources.catalog.reharmonised import (
    FieldChanges,
    HarmonizationChanges,
    SurveyedExperiment,
    harmonization_changes,
    record_harmonization,
    surveyed_experiments,
)
from resources.object_store import ObjectStore
from resources.source_metadata_files import read_source_metadata, source_metadata_key
from resources.tools.environment import software_environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Reharmonised:
    """What harmonising one experiment anew did, or would do.

    Attributes:
        outcome: ``changed``, ``unchanged``, ``would_change`` (a dry run), or ``failed``.
        version_before: Version of the rules its samples had gone through, None if it was not noted.
        samples: Samples in payload and catalog.
        changed_samples: Those with another title or value.
        fields: Field -> how many samples change how.
        error: What failed, with its code and remedy.
    """

    experiment: str
    outcome: Literal["changed", "unchanged", "would_change", "failed"]
    version_before: str | None = None
    samples: int = 0
    changed_samples: int = 0
    fields: Mapping[str, FieldChanges] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None


class TermsBelow:
    """Terms of some ontologies, of each only those below one term.

    Args:
        catalog: Where the ontologies are.
        roots: Ontology -> the term that the others are below; the preferred ontology first.
    """

    def __init__(self, catalog: Catalog, roots: Mapping[str, str]) -> None:
        self._catalog = catalog
        self._indices = [(root, catalog.term_index([prefix])) for prefix, root in roots.items()]
        self._below: dict[str, frozenset[str]] = {}

    def lookup(self, label: str) -> str | None:
        """See :meth:`refinebio_assets.survey.harmonised_terms.TermIndex.lookup`."""
        found = ((root, index.lookup(label)) for root, index in self._indices)
        return next((term for root, term in found if term is not None and term in self._terms_below(root)), None)

    def _terms_below(self, root: str) -> frozenset[str]:
        if root not in self._below:
            self._below[root] = frozenset(self._catalog.terms_below(root))
        return self._below[root]


def field_terms(catalog: Catalog) -> dict[str, TermIndex]:
    """Field -> terms of its ontologies, from those that were imported into the catalog."""
    indices: dict[str, TermIndex] = {}
    for name, prefixes in TERM_PREFIXES.items():
        roots = {prefix: TERM_ROOTS[name, prefix] for prefix in prefixes if (name, prefix) in TERM_ROOTS}
        indices[name] = TermsBelow(catalog, roots) if roots else catalog.term_index(prefixes)
    return indices


def outdated_experiments(catalog: Catalog) -> list[SurveyedExperiment]:
    """Experiments whose samples were harmonised by rules of another version than today's, by accession."""
    with catalog.reading() as session:
        return surveyed_experiments(session, other_version_than=HARMONISATION_VERSION)


def reharmonise(
    catalog: Catalog,
    store: ObjectStore,
    experiments: Sequence[str] | None = None,
    *,
    registry: PlatformRegistry,
    report: Callable[[Reharmonised], None] = lambda _: None,
    dry_run: bool = False,
) -> list[Reharmonised]:
    """Harmonise experiments anew from the payloads they were surveyed from.

    Only titles, harmonised values, coverage and the rules' version change; states stay. An experiment that cannot be
    harmonised is reported, and the others go on. The same again changes nothing.

    Args:
        catalog: Where the experiments are.
        store: Where the payloads are.
        experiments: Own accessions; all of the catalog if None.
        registry: Supported platforms.
        report: Called with each outcome as soon as it is there.
        dry_run: Whether to write nothing.
    """
    outcomes = []
    for outcome in _outcomes(catalog, store, experiments, registry, dry_run=dry_run):
        report(outcome)
        outcomes.append(outcome)
    return outcomes


def _outcomes(
    catalog: Catalog,
    store: ObjectStore,
    experiments: Sequence[str] | None,
    registry: PlatformRegistry,
    *,
    dry_run: bool,
) -> Iterator[Reharmonised]:
    with catalog.reading() as session:
        known = surveyed_experiments(session, None if experiments is None else list(experiments))
    missing = set(experiments or ()) - {experiment.accession for experiment in known}
    for accession in sorted(missing):
        message = f"{accession} was never surveyed."
        error = NotFoundError(message, remedy=f"Survey it first: refinebio survey {accession}")
        yield Reharmonised(experiment=accession, outcome="failed", error=error.to_dict())
    terms = field_terms(catalog)
    for experiment in known:
        yield _outcome(catalog, store, experiment, registry, terms, dry_run=dry_run)


def _outcome(
    catalog: Catalog,
    store: ObjectStore,
    experiment: SurveyedExperiment,
    registry: PlatformRegistry,
    terms: Mapping[str, TermIndex],
    *,
    dry_run: bool,
) -> Reharmonised:
    try:
        changes = _harmonise_one(catalog, store, experiment, registry, terms, dry_run=dry_run)
    except RefinebioError as error:
        return Reharmonised(
            experiment=experiment.accession,
            outcome="failed",
            version_before=experiment.harmonisation_version,
            error=error.to_dict(),
        )
    return Reharmonised(
        experiment=experiment.accession,
        outcome="unchanged" if changes.up_to_date else "would_change" if dry_run else "changed",
        version_before=experiment.harmonisation_version,
        samples=changes.samples,
        changed_samples=changes.changed_samples,
        fields=changes.fields,
    )


def _harmonise_one(
    catalog: Catalog,
    store: ObjectStore,
    experiment: SurveyedExperiment,
    registry: PlatformRegistry,
    terms: Mapping[str, TermIndex],
    *,
    dry_run: bool,
) -> HarmonizationChanges:
    accession, sha256 = experiment.accession, experiment.metadata_sha256
    if sha256 is None:
        message = f"The catalog does not say which payload {accession} was surveyed from."
        raise NotFoundError(message, remedy=f"Survey it again: refinebio survey --refresh {accession}")
    payload = read_source_metadata(store, accession, sha256)
    result = survey_with_terms(survey_payload(payload, registry, blacklist=registry.blacklisted_runs), terms)
    if dry_run:
        with catalog.reading() as session:
            return harmonization_changes(session, result)
    with catalog.session() as session:
        changes = record_harmonization(session, result, metadata_sha256=sha256)
    if not changes.up_to_date:
        _record_provenance(catalog, store, accession, sha256)
    return changes


def _record_provenance(catalog: Catalog, store: ObjectStore, experiment: str, sha256: str) -> None:
    """Record that the payload went through today's rules, as the survey does."""
    key = source_metadata_key(experiment, sha256)
    payload = FileToRecord(
        key=key,
        filename=f"{experiment}_source_metadata.json.gz",
        kind=ComputedFileKind.SOURCE_METADATA,
        size_bytes=store.size(key),
        sha256=sha256,
        experiment=experiment,
    )
    catalog.record_result(
        ResultToRecord(
            processor="Survey",
            processor_version=HARMONISATION_VERSION,
            environment=software_environment(),
            fingerprint=fingerprint_of("survey", HARMONISATION_VERSION, experiment, sha256),
            inputs={"source_metadata": sha256},
            code_version=__version__,
            files=(payload,),
            replaces_kinds_of_sample=False,
        )
    )
