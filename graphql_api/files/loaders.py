"""Original and computed files from the catalog."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from sqlalchemy import func, select

from graphql_api.connections import PageRequest, Slice, page_of
from graphql_api.context import AnyRow, Reader, Statement, values_of
from graphql_api.files.filters import KEYSET, ComputedFileFilter, conditions
from graphql_api.nodes import global_id
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import ComputedFileKind
from resources.catalog.models import ComputedFile, OriginalFile, OriginalFileSample

if TYPE_CHECKING:
    from graphql_api.files import types
    from graphql_api.samples.types import Sample

ORIGINALS: Statement = select(
    OriginalFile.id.label("key"),
    OriginalFile.filename,
    OriginalFile.url,
    OriginalFile.kind,
    OriginalFile.mate,
    OriginalFile.size_bytes,
    OriginalFile.md5,
)
COMPUTED: Statement = select(
    ComputedFile.id.label("key"),
    ComputedFile.result_id.label("result_key"),
    ComputedFile.sample_id.label("sample_key"),
    ComputedFile.experiment_id.label("experiment_key"),
    ComputedFile.organism_id.label("organism_key"),
    ComputedFile.key.label("object_key"),
    ComputedFile.filename,
    ComputedFile.kind,
    ComputedFile.size_bytes,
    ComputedFile.sha256,
    ComputedFile.created_at,
)


def make_computed(rows: Iterable[AnyRow]) -> list[types.ComputedFile]:
    """Rows of ``COMPUTED`` as siblings."""
    from graphql_api.files.types import ComputedFile

    siblings: Siblings[ComputedFile] = Siblings()
    for row in rows:
        values = values_of(row)
        values["kind"] = ComputedFileKind(row.kind)
        siblings.nodes.append(ComputedFile(id=global_id("ComputedFile", row.key), siblings=siblings, **values))
    return siblings.nodes


def computed_by_owner(
    reader: Reader, owner: Literal["sample_id", "experiment_id", "result_id"], keys: Sequence[int]
) -> dict[int, list[types.ComputedFile]]:
    """Computed files of each sample, experiment or result, by the owner's key."""
    column = getattr(ComputedFile, owner)
    listed = COMPUTED.order_by(column, ComputedFile.kind, ComputedFile.id)
    found: dict[int, list[types.ComputedFile]] = defaultdict(list)
    for file in make_computed(reader.rows_by_keys(keys, lambda chunk: listed.where(column.in_(chunk)))):
        found[getattr(file, owner.replace("_id", "_key"))].append(file)
    return found


def computed_by_key(reader: Reader, keys: Iterable[int | None]) -> dict[int, types.ComputedFile]:
    """Computed files by their key."""
    rows = reader.rows_by_keys(keys, lambda chunk: COMPUTED.where(ComputedFile.id.in_(chunk)))
    return {file.key: file for file in make_computed(rows)}


def computed_page(
    reader: Reader, wanted: ComputedFileFilter | None, page: PageRequest
) -> tuple[list[types.ComputedFile], Slice[AnyRow]]:
    """One page of the computed files that fit a filter."""
    found = page_of(reader, COMPUTED.where(*conditions(wanted)), KEYSET, page)
    return make_computed(found.rows), found


def count_computed(reader: Reader, wanted: ComputedFileFilter | None) -> int:
    """Number of computed files that fit a filter."""
    return int(reader.scalar(select(func.count()).select_from(ComputedFile).where(*conditions(wanted))))


def make_originals(rows: Iterable[AnyRow]) -> dict[int, types.OriginalFile]:
    """Rows of ``ORIGINALS`` as siblings, by key; a file may come in several rows."""
    from graphql_api.files.types import OriginalFile

    siblings: Siblings[OriginalFile] = Siblings()
    made: dict[int, OriginalFile] = {}
    for row in rows:
        if row.key not in made:
            values = values_of(row)
            made[row.key] = OriginalFile(id=global_id("OriginalFile", row.key), siblings=siblings, **values)
    siblings.nodes = list(made.values())
    return made


def originals_of_samples(reader: Reader, samples: Sequence[int]) -> dict[int, list[types.OriginalFile]]:
    """Original files of each sample, by the sample's key."""
    owner = OriginalFileSample.sample_id
    listed = (
        ORIGINALS.add_columns(owner.label("loader_owner"))
        .join(OriginalFileSample, OriginalFileSample.original_file_id == OriginalFile.id)
        .order_by(owner, OriginalFile.mate, OriginalFile.id)
    )
    rows = reader.rows_by_keys(samples, lambda chunk: listed.where(owner.in_(chunk)))
    files = make_originals(rows)
    found: dict[int, list[types.OriginalFile]] = defaultdict(list)
    for row in rows:
        found[row.loader_owner].append(files[row.key])
    return found


def originals_by_key(reader: Reader, keys: Iterable[int | None]) -> dict[int, types.OriginalFile]:
    """Original files by their key."""
    return make_originals(reader.rows_by_keys(keys, lambda chunk: ORIGINALS.where(OriginalFile.id.in_(chunk))))


def samples_of_originals(reader: Reader, files: Sequence[int]) -> dict[int, list[Sample]]:
    """Samples of each original file, by the file's key."""
    from graphql_api.samples.loaders import samples_by_key

    link = OriginalFileSample
    listed = select(link.original_file_id, link.sample_id).order_by(link.sample_id)
    pairs = reader.rows_by_keys(files, lambda chunk: listed.where(link.original_file_id.in_(chunk)))
    samples = samples_by_key(reader, [pair.sample_id for pair in pairs])
    found: dict[int, list[Sample]] = defaultdict(list)
    for file, sample in pairs:
        found[file].append(samples[sample])
    return found
