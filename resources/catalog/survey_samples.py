"""Writing the samples of a survey: only what differs from the catalog is written, in few statements."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from refinebio_assets.domain.records import HarmonizedValue, OriginalFile, SampleRecord
from resources.catalog.models import OriginalFile as OriginalFileRow
from resources.catalog.models import OriginalFileSample, Sample, SampleAlias, SampleHarmonizedValue, now
from resources.catalog.statements import chunks, plain_json, rows_where_in, storable_text, upsert
from resources.catalog.vocabulary_rows import OrganismName, organism_ids, platform_ids

_SEPARATOR = re.compile(r"\s*;\s*")
"""Between several accessions in one field. Names of ArrayExpress' assays hold spaces and commas."""
_TEXT_COLUMNS = (
    "title",
    "run_accession",
    "experiment_accession",
    "secondary_sample_accession",
    "biosample_accession",
    "library_strategy",
    "library_source",
    "library_selection",
    "library_layout",
    "source_url",
)
_HARMONIZED_COLUMNS = ("field", "value", "unit", "ontology_term_id", "raw_key", "raw_value", "rule")
_FILE_COLUMNS = ("url", "filename", "kind", "mate", "size_bytes", "md5")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleContent:
    """All that the catalog keeps of a sample, in a form in which two surveys of it can be compared."""

    columns: Mapping[str, Any]
    aliases: frozenset[str]
    harmonized: frozenset[tuple[Any, ...]]
    files: frozenset[tuple[Any, ...]]

    @property
    def inputs(self) -> tuple[Any, ...]:
        """What is computed from: organism, layout, and the files by address, size and md5."""
        files = frozenset((file[0], file[4], file[5]) for file in self.files)
        return self.columns["organism_id"], self.columns["library_layout"], files


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenSamples:
    """What writing the samples of a survey did; all by accession."""

    ids: Mapping[str, int]
    owner_ids: Mapping[str, int]
    new: frozenset[str]
    updated: frozenset[str]
    with_other_inputs: frozenset[str]
    """Known samples whose files, organism or layout changed: what was computed from them counts no more."""


def write_samples(session: Session, experiment_id: int, samples: Sequence[SampleRecord]) -> WrittenSamples:
    """Bring the samples' rows, aliases, harmonised values and files to what the survey says.

    New samples are owned by the experiment; those known already keep their owner.
    """
    stored, ids, owner_ids = _read_samples(session, [sample.accession for sample in samples])
    surveyed = _surveyed_contents(session, samples)
    changed = {accession: content for accession, content in surveyed.items() if stored.get(accession) != content}
    for accession in changed:
        owner_ids.setdefault(accession, experiment_id)
    ids.update(_write_sample_rows(session, changed, owner_ids))
    known = changed.keys() & stored.keys()
    _replace_details(session, {ids[accession]: content for accession, content in changed.items()}, _ids(known, ids))
    _delete_unused_files(session, (file[0] for accession in known for file in stored[accession].files))
    return WrittenSamples(
        ids=ids,
        owner_ids=owner_ids,
        new=frozenset(changed.keys() - known),
        updated=frozenset(known),
        with_other_inputs=frozenset(
            accession for accession in known if stored[accession].inputs != changed[accession].inputs
        ),
    )


def _ids(accessions: Iterable[str], ids: Mapping[str, int]) -> list[int]:
    return sorted(ids[accession] for accession in accessions)


def _surveyed_contents(session: Session, samples: Sequence[SampleRecord]) -> dict[str, SampleContent]:
    organisms = {sample.accession: _organism_name(sample) for sample in samples}
    organism_id_of = organism_ids(session, (one for one in organisms.values() if one is not None))
    platform_id_of = platform_ids(session, samples)
    file_of_url: dict[str, OriginalFile] = {}
    for sample in samples:
        for file in sample.files:
            file_of_url.setdefault(file.url, file)
    return {
        sample.accession: SampleContent(
            columns={
                "source": sample.source.value,
                "technology": sample.technology.value,
                "has_raw": sample.has_raw,
                "annotations": plain_json(sample.annotations),
                "organism_id": organism_id_of.get(organisms[sample.accession]),  # type: ignore[arg-type]  # None is absent
                "platform_id": platform_id_of.get(sample.platform_accession or ""),
                **{name: _text(getattr(sample, name)) for name in _TEXT_COLUMNS},
            },
            aliases=_aliases(sample),
            harmonized=_harmonized(sample.harmonized),
            files=frozenset(
                tuple(getattr(file_of_url[file.url], name) for name in _FILE_COLUMNS) for file in sample.files
            ),
        )
        for sample in samples
    }


def _text(value: str | None) -> str | None:
    return None if value is None else storable_text(value)


def _organism_name(sample: SampleRecord) -> OrganismName | None:
    return None if sample.organism is None else OrganismName(name=sample.organism, taxonomy_id=sample.taxonomy_id)


def _aliases(sample: SampleRecord) -> frozenset[str]:
    """All other accessions; an archive's field can hold several, separated by semicolons."""
    fields = (
        *sample.aliases,
        sample.run_accession,
        sample.experiment_accession,
        sample.secondary_sample_accession,
        sample.biosample_accession,
    )
    parts = {part for field in fields if field for part in _SEPARATOR.split(storable_text(field).strip()) if part}
    return frozenset(parts - {sample.accession})


def _harmonized(values: Iterable[HarmonizedValue]) -> frozenset[tuple[Any, ...]]:
    first_of_field: dict[str, tuple[Any, ...]] = {}
    for value in values:
        first_of_field.setdefault(value.field, tuple(_text(getattr(value, name)) for name in _HARMONIZED_COLUMNS))
    return frozenset(first_of_field.values())


def _read_samples(
    session: Session, accessions: Sequence[str]
) -> tuple[dict[str, SampleContent], dict[str, int], dict[str, int]]:
    """Contents, ids and owner ids of the samples that are in the catalog, by accession."""
    names = ["source", "technology", "has_raw", "annotations", "organism_id", "platform_id", *_TEXT_COLUMNS]
    query = select(Sample.id, Sample.accession, Sample.owner_experiment_id, *(getattr(Sample, name) for name in names))
    rows = rows_where_in(session, query, Sample.accession, accessions)
    ids = {row.accession: row.id for row in rows}
    aliases = _details(session, ids, SampleAlias, ("alias",))
    harmonized = _details(session, ids, SampleHarmonizedValue, _HARMONIZED_COLUMNS)
    files = _linked_files(session, ids)
    contents = {
        row.accession: SampleContent(
            columns={name: getattr(row, name) for name in names},
            aliases=frozenset(alias for (alias,) in aliases[row.id]),
            harmonized=frozenset(harmonized[row.id]),
            files=frozenset(files[row.id]),
        )
        for row in rows
    }
    return contents, ids, {row.accession: row.owner_experiment_id for row in rows}


def _details(
    session: Session, ids: Mapping[str, int], model: type[Any], names: Sequence[str]
) -> dict[int, set[tuple[Any, ...]]]:
    query = select(model.sample_id, *(getattr(model, name) for name in names))
    return _by_sample(rows_where_in(session, query, model.sample_id, ids.values()))


def _linked_files(session: Session, ids: Mapping[str, int]) -> dict[int, set[tuple[Any, ...]]]:
    query = select(OriginalFileSample.sample_id, *(getattr(OriginalFileRow, name) for name in _FILE_COLUMNS)).join_from(
        OriginalFileSample, OriginalFileRow
    )
    return _by_sample(rows_where_in(session, query, OriginalFileSample.sample_id, ids.values()))


def _by_sample(rows: Iterable[Sequence[Any]]) -> dict[int, set[tuple[Any, ...]]]:
    grouped: dict[int, set[tuple[Any, ...]]] = defaultdict(set)
    for sample_id, *values in rows:
        grouped[sample_id].add(tuple(values))
    return grouped


def _write_sample_rows(
    session: Session, contents: Mapping[str, SampleContent], owner_ids: Mapping[str, int]
) -> dict[str, int]:
    moment = now()
    rows = [
        {
            "accession": accession,
            "owner_experiment_id": owner_ids[accession],
            "created_at": moment,
            "updated_at": moment,
            **content.columns,
        }
        for accession, content in contents.items()
    ]
    written = upsert(session, Sample, rows, key=["accession"], returning=[Sample.accession, Sample.id])
    return {row.accession: row.id for row in written}


def _replace_details(session: Session, contents: Mapping[int, SampleContent], known_ids: Sequence[int]) -> None:
    """Write aliases, harmonised values, files and their links; those of known samples are removed first."""
    for model in (SampleAlias, SampleHarmonizedValue, OriginalFileSample):
        for chunk in chunks(known_ids):
            session.execute(delete(model).where(model.sample_id.in_(chunk)))
    aliases = [{"sample_id": id_, "alias": alias} for id_, one in contents.items() for alias in one.aliases]
    upsert(session, SampleAlias, aliases, key=["sample_id", "alias"])
    harmonized = [
        {"sample_id": id_, **dict(zip(_HARMONIZED_COLUMNS, value, strict=True))}
        for id_, one in contents.items()
        for value in one.harmonized
    ]
    upsert(session, SampleHarmonizedValue, harmonized, key=["sample_id", "field"])
    files = {file[0]: dict(zip(_FILE_COLUMNS, file, strict=True)) for one in contents.values() for file in one.files}
    written = upsert(
        session,
        OriginalFileRow,
        list(files.values()),
        key=["url"],
        returning=[OriginalFileRow.url, OriginalFileRow.id],
    )
    id_of_url = {row.url: row.id for row in written}
    links = [
        {"original_file_id": id_of_url[file[0]], "sample_id": id_}
        for id_, one in contents.items()
        for file in one.files
    ]
    upsert(session, OriginalFileSample, links, key=["original_file_id", "sample_id"])


def _delete_unused_files(session: Session, urls: Iterable[str]) -> None:
    unlinked = (
        ~select(OriginalFileSample.sample_id).where(OriginalFileSample.original_file_id == OriginalFileRow.id).exists()
    )
    for chunk in chunks(sorted(set(urls))):
        session.execute(
            delete(OriginalFileRow)
            .where(OriginalFileRow.url.in_(chunk), unlinked)
            .execution_options(synchronize_session=False)
        )
