"""The catalog as the rest of the platform sees it. Every method is one transaction and returns detached values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from refinebio_assets.domain.imported_metadata import MetadataEntry
from refinebio_assets.domain.ontologies import TermRecord
from refinebio_assets.domain.records import SurveyResult
from refinebio_assets.domain.vocabulary import IndexLength, PlatformReferenceKind
from resources.catalog import (
    accessions,
    array_samples,
    computed_files,
    discovery,
    imported_metadata,
    ontologies,
    platform_references,
    removal,
    results,
    sample_values,
    samples,
    survey,
    transcriptome_indices,
    upstream,
)
from resources.catalog.accessions import Resolution
from resources.catalog.array_samples import ArrayFile, ArrayToProcess
from resources.catalog.compendium_records import CompendiumRecords
from resources.catalog.computed_files import ComputedFileInfo
from resources.catalog.discovery_records import DiscoveryRecords
from resources.catalog.engine import Database, create_catalog_engine
from resources.catalog.experiment_state import refresh_experiment_state
from resources.catalog.imported_metadata import MetadataImport
from resources.catalog.ledger import Ledger
from resources.catalog.ledger_changes import LedgerRow
from resources.catalog.linked_studies import linked_studies
from resources.catalog.models import now
from resources.catalog.ontologies import ImportedOntology, OntologyImport, OntologySource
from resources.catalog.platform_references import (
    DetectedPlatformToRecord,
    PlatformReferenceInfo,
    PlatformReferenceToRecord,
    PlatformSamples,
    RecordedReference,
)
from resources.catalog.removal import Removal
from resources.catalog.results import RecordedResult, ResultToRecord
from resources.catalog.samples import QuantFileInfo, SampleStatus, SampleToProcess
from resources.catalog.summary import Summary
from resources.catalog.survey import SurveyOutcome
from resources.catalog.term_index import TermIndex
from resources.catalog.transcriptome_indices import TranscriptomeIndexInfo, TranscriptomeIndexToRecord


class Catalog:
    """What the platform knows: experiments, samples, files, results, and the ledger.

    Safe to share between threads; every process connects for itself.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.engine: Engine = database.engine
        self.ledger = Ledger(database)
        self.summary = Summary(database)
        self.discovery = DiscoveryRecords(database)
        self.compendia = CompendiumRecords(database)

    @classmethod
    def connect(cls, url: str, *, migrate: bool = True) -> Catalog:
        """Open the catalog behind a SQLAlchemy URL.

        The folder of a SQLite file is created, and the tables are brought up to date unless ``migrate`` is off.

        Raises:
            ConfigurationError: The URL cannot be used, or the tables are of a newer version.
        """
        database = Database(create_catalog_engine(url))
        if migrate:
            database.migrate()
        return cls(database)

    def session(self) -> AbstractContextManager[Session]:
        """One transaction that may write: committed on success, rolled back on error."""
        return self._database.session()

    def reading(self) -> AbstractContextManager[Session]:
        """One transaction that only reads: on SQLite it never waits for a writer."""
        return self._database.reading()

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def record_survey(self, result: SurveyResult, *, metadata_sha256: str, run_id: str | None = None) -> SurveyOutcome:
        """Bring experiment, samples, files and ledger to what a survey found; the same survey again changes nothing.

        A sample that is further along than surveyed keeps its state, unless the survey rules it out or its files,
        organism or layout changed (then it starts again). Samples that the archive no longer lists become
        ``withdrawn_upstream``; their rows stay. A sample that another experiment owns keeps its owner and becomes a
        member of this one too; one that its owner's survey no longer found becomes this one's.

        Args:
            result: What the survey found.
            metadata_sha256: Hash of the raw payload it was made from.
            run_id: The Dagster run.

        Raises:
            ValueError: A sample is listed more than once.
        """
        with self.session() as session:
            outcome = survey.record_survey(session, result, metadata_sha256=metadata_sha256, run_id=run_id)
            upstream.note_surveyed(session, result.experiment.accession, moment=now())
            return outcome

    def refresh_experiment_state(
        self, experiment: str, *, processed: bool = False, run_id: str | None = None
    ) -> LedgerRow:
        """Derive the experiment's ledger entry from its samples and give it back.

        ``processed`` says that its expression was just made; it stays processed until a sample is quantified,
        withdrawn or ruled out. Otherwise it is ``quantified`` if all eligible samples are, else ``surveyed``.

        Raises:
            NotFoundError: The experiment is not in the catalog.
        """
        with self.session() as session:
            return refresh_experiment_state(session, experiment, processed=processed, run_id=run_id)

    def ledger_is_complete(self, experiment: str) -> tuple[int, int]:
        """Samples of the experiment in the catalog, and how many of them have a state in the ledger: must be equal."""
        with self.reading() as session:
            return samples.ledger_completeness(session, experiment)

    def resolve(self, queries: Sequence[str], *, samples: bool = True) -> list[Resolution]:
        """What each query names, in their order: any accession that an archive gave, in any letter case.

        Args:
            queries: Accessions.
            samples: Whether the samples of the experiments that are named are wanted: 40,000 experiments have more
                than a million.
        """
        with self.reading() as session:
            return accessions.resolve(session, queries, samples=samples)

    def own_experiments(self, queries: Sequence[str]) -> dict[str, str]:
        """The experiment that each query is an accession of its own of, also a superseded one; others are absent."""
        with self.reading() as session:
            return accessions.own_experiments(session, queries)

    def linked_studies(self, experiment: str) -> list[str]:
        """Studies of the sequence archives with the reads of an experiment's samples, surveyed or not."""
        with self.reading() as session:
            return linked_studies(session, experiment)

    def plan_removal(self, experiment: str, *, after: Iterable[str] = ()) -> Removal:
        """What :meth:`remove_experiment` would take along, if those in ``after`` were removed before.

        Raises:
            NotFoundError: Neither catalog nor ledger knows the experiment.
        """
        with self.reading() as session:
            return removal.plan_removal(session, experiment, after=after)

    def remove_experiment(self, experiment: str) -> Removal:
        """Forget an experiment, and the samples, results, files and ledger entries that only it has.

        Samples that other experiments have too stay, with their results, and are owned by one of these from now on.
        Objects in the store are the caller's to remove, afterwards.

        Raises:
            NotFoundError: Neither catalog nor ledger knows the experiment.
        """
        with self.session() as session:
            return removal.remove_experiment(session, experiment)

    def recorded_keys(self, keys: Iterable[str]) -> set[str]:
        """Those of the object store's keys that the catalog has a file under."""
        with self.reading() as session:
            return removal.recorded_keys(session, keys)

    def titles(self, accessions: Sequence[str]) -> dict[str, str]:
        """Titles of experiments and samples by accession; unknown accessions are absent."""
        with self.reading() as session:
            return samples.titles(session, accessions)

    def samples_to_quantify(self, experiment: str) -> list[SampleToProcess]:
        """Eligible RNA-seq samples that the experiment owns, in any state, by accession."""
        with self.reading() as session:
            return samples.samples_to_quantify(session, experiment)

    def sample_to_quantify(self, experiment: str, sample: str) -> SampleToProcess | None:
        """One of :meth:`samples_to_quantify`; None if the experiment does not own it or it is not eligible."""
        with self.reading() as session:
            return next(iter(samples.samples_to_quantify(session, experiment, sample)), None)

    def quant_files(self, experiment: str) -> list[QuantFileInfo]:
        """Quant files of all eligible RNA-seq samples of the experiment, owned or shared, by accession."""
        with self.reading() as session:
            return samples.quant_files(session, experiment)

    def arrays_to_process(self, experiment: str) -> list[ArrayToProcess]:
        """Array samples that the experiment owns and that are eligible, or were ruled out by their raw file alone."""
        with self.reading() as session:
            return array_samples.arrays_to_process(session, experiment)

    def array_to_process(self, experiment: str, sample: str) -> ArrayToProcess | None:
        """One of :meth:`arrays_to_process`; None if the experiment does not own it or it is not eligible."""
        with self.reading() as session:
            return next(iter(array_samples.arrays_to_process(session, experiment, sample)), None)

    def array_files(self, experiment: str) -> list[ArrayFile]:
        """Values of the experiment's array samples, owned or shared, by accession."""
        with self.reading() as session:
            return array_samples.array_files(session, experiment)

    def experiment_annotations(self, experiment: str) -> dict[str, Any]:
        """What the archive says of an experiment, unflattened; empty if it was never surveyed."""
        with self.reading() as session:
            return array_samples.experiment_annotations(session, experiment)

    def experiments_to_process_arrays(self, *, limit: int) -> list[str]:
        """Experiments with array samples that can be processed now, longest waiting first."""
        with self.reading() as session:
            return array_samples.experiments_to_process_arrays(session, limit=limit)

    def record_detected_platforms(self, found: Iterable[DetectedPlatformToRecord]) -> None:
        """Write which arrays raw files show, beside what the submitter says."""
        with self.session() as session:
            platform_references.record_detected_platforms(session, found)

    def record_platform_reference(
        self, reference: PlatformReferenceToRecord, *, run_id: str | None = None
    ) -> RecordedReference:
        """Write a reference; it is the current one of its platform and kind from now on.

        Samples of the platform that wait for it become ``surveyed``; if another reference was current (or none), so do
        those that are done or failed: they are done again with the new one. Nobody else's state changes.
        """
        with self.session() as session:
            return platform_references.record_platform_reference(session, reference, run_id=run_id)

    def platform_references(
        self, platform: str | None = None, *, kind: PlatformReferenceKind | None = None
    ) -> list[PlatformReferenceInfo]:
        """The current references, of one platform (its code) or of all, by platform and kind."""
        with self.reading() as session:
            return platform_references.current_references(session, platform, kind=kind)

    def platform_samples(self) -> list[PlatformSamples]:
        """Eligible array samples by platform, and how many of them wait for a reference."""
        with self.reading() as session:
            return platform_references.platform_samples(session)

    def sample_statuses(self, accessions: Sequence[str]) -> dict[str, SampleStatus]:
        """Ledger entries of samples with title, organism and platform; unknown accessions are absent."""
        with self.reading() as session:
            return samples.sample_statuses(session, accessions)

    def experiment_organisms(self, experiment: str) -> list[str]:
        """UPPER_SNAKE names of the organisms of the experiment's eligible RNA-seq samples."""
        with self.reading() as session:
            return samples.experiment_organisms(session, experiment)

    def experiment_files(self, experiment: str) -> list[ComputedFileInfo]:
        """Computed files of the experiment as a whole (not of single samples), by key."""
        with self.reading() as session:
            return computed_files.experiment_files(session, experiment)

    def sample_organisms(self, samples: Sequence[str]) -> dict[str, str]:
        """UPPER_SNAKE organism by sample; samples without one are absent."""
        with self.reading() as session:
            return sample_values.sample_organisms(session, samples)

    def sample_platforms(self, samples: Sequence[str]) -> dict[str, str]:
        """Platform accession by sample; samples without any are absent."""
        with self.reading() as session:
            return sample_values.sample_platforms(session, samples)

    def harmonized_values(self, samples: Sequence[str]) -> dict[str, dict[str, str]]:
        """Harmonised values with their units, by sample and field."""
        with self.reading() as session:
            return sample_values.harmonized_values(session, samples)

    def has_result(self, fingerprint: str) -> bool:
        """Whether a result with this fingerprint is recorded: the same inputs, parameters and versions."""
        with self.reading() as session:
            return results.has_result(session, fingerprint)

    def record_result(self, result: ResultToRecord) -> RecordedResult:
        """Write a result and its files.

        The same fingerprint again replaces the result in place, and so does the same key with a file. Older files of
        the same kind and subject are removed from the catalog; their keys are given back so that the store can forget
        them.

        Raises:
            NotFoundError: A file belongs to a sample or experiment that the catalog does not have.
        """
        with self.session() as session:
            return results.record_result(session, result)

    def record_transcriptome_index(self, index: TranscriptomeIndexToRecord, result: ResultToRecord) -> int:
        """Write an index and its result; it is the current one of its organism and length from now on.

        Returns:
            The index's row id.
        """
        with self.session() as session:
            return transcriptome_indices.record_transcriptome_index(session, index, result)

    def current_transcriptome_index(self, organism: str, length: IndexLength) -> TranscriptomeIndexInfo | None:
        """The index that new quantifications of an organism (UPPER_SNAKE) use, None if there is none yet."""
        with self.reading() as session:
            return transcriptome_indices.current_transcriptome_index(session, organism, length)

    def current_index_fingerprint(self, organism: str, length: IndexLength) -> str | None:
        """Fingerprint of the result that made the current index; None if there is no index yet."""
        with self.reading() as session:
            return transcriptome_indices.current_index_fingerprint(session, organism, length)

    def cursor(self, source: str) -> str | None:
        """How far a discovery source has been read, None if never."""
        with self.reading() as session:
            return discovery.read_cursor(session, source)

    def set_cursor(self, source: str, cursor: str) -> None:
        """Remember how far a discovery source has been read."""
        with self.session() as session:
            discovery.write_cursor(session, source, cursor)

    def is_outdated(self, experiment: str, last_updated: date | str | None) -> bool:
        """Whether an experiment was never surveyed, or has changed upstream since.

        Args:
            experiment: Any of its accessions.
            last_updated: The day the archive changed it last, as date or ISO text; None or empty if it does not say.

        Raises:
            ValueError: The text is no ISO date.
        """
        if isinstance(last_updated, str):
            last_updated = date.fromisoformat(last_updated) if last_updated else None
        with self.reading() as session:
            return discovery.is_outdated(session, experiment, last_updated)

    def has_experiments(self) -> bool:
        """Whether any experiment was ever surveyed."""
        with self.reading() as session:
            return discovery.has_experiments(session)

    def property(self, name: str) -> str | None:
        """A property of the catalog as a whole, None if it was never set."""
        with self.reading() as session:
            return discovery.read_property(session, name)

    def set_property(self, name: str, value: str) -> None:
        """Set a property of the catalog as a whole."""
        with self.session() as session:
            discovery.write_property(session, name, value)

    def record_ontology(
        self, source: OntologySource, terms: Sequence[TermRecord], *, dry_run: bool = False
    ) -> OntologyImport:
        """Bring the terms of one ontology to what a file says, in one transaction.

        The same file again changes nothing. Terms that the file no longer has become obsolete, unless it is an excerpt.

        Args:
            source: Where the terms come from.
            terms: Terms whose ids have the ontology's prefix.
            dry_run: Only count.
        """
        with self.reading() if dry_run else self.session() as session:
            return ontologies.record_ontology(session, source, terms, dry_run=dry_run)

    def ontologies(self) -> list[ImportedOntology]:
        """The ontologies that were imported, by prefix."""
        with self.reading() as session:
            return ontologies.imported_ontologies(session)

    def term_index(self, prefixes: Sequence[str] | None = None) -> TermIndex:
        """Finds the term that a name means, in the imported ontologies or those with these prefixes."""
        return TermIndex(self._database, prefixes)

    def term_labels(self, ids: Iterable[str]) -> dict[str, str]:
        """Labels of ontology terms; those that are not imported or have none are absent."""
        with self.reading() as session:
            return ontologies.term_labels(session, ids)

    def terms_below(self, term: str) -> list[str]:
        """Ids of a term and of all that are it or a part of it, however far below; obsolete ones are left out."""
        with self.reading() as session:
            return ontologies.terms_below(session, term)

    def record_contributed_metadata(
        self, source_name: str, methods_url: str, entries: Sequence[MetadataEntry], *, dry_run: bool = False
    ) -> MetadataImport:
        """Write attributes and keywords that a contribution gives samples, in one transaction.

        The same entries again change nothing; an entry of the same sample and term takes the place of an earlier one.
        Entries of samples that the catalog does not have are given back.

        Args:
            source_name: Name of the contribution.
            methods_url: The page that says how it was made.
            entries: A few thousand at most; call again for more.
            dry_run: Only count.
        """
        if dry_run:
            with self.reading() as session:
                known = imported_metadata.known_contribution_id(session, source_name)
                return imported_metadata.record_entries(session, entries, contribution=known, dry_run=True)
        with self.session() as session:
            contribution = imported_metadata.contribution_id(session, source_name, methods_url)
            return imported_metadata.record_entries(session, entries, contribution=contribution)
