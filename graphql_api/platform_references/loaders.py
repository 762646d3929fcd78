"""References of platforms and detected platforms from the catalog."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import select

from graphql_api.context import Reader, Statement, values_of
from graphql_api.siblings import Siblings
from graphql_api.vocabulary import PlatformReferenceKind
from resources.catalog import models

if TYPE_CHECKING:
    from graphql_api.platform_references.types import DetectedPlatform, PlatformReference

_REFERENCE = models.PlatformReference
REFERENCES: Statement = select(
    _REFERENCE.id.label("key"),
    _REFERENCE.platform_id.label("platform_key"),
    _REFERENCE.organism_id.label("organism_key"),
    _REFERENCE.kind,
    _REFERENCE.source,
    _REFERENCE.version,
    _REFERENCE.sha256,
    _REFERENCE.key.label("object_key"),
    _REFERENCE.filename,
    _REFERENCE.size_bytes,
    _REFERENCE.num_probes,
    _REFERENCE.num_genes,
    _REFERENCE.is_current,
    _REFERENCE.created_at,
).order_by(_REFERENCE.platform_id, _REFERENCE.is_current.desc(), _REFERENCE.kind, _REFERENCE.id.desc())


def references_of_platforms(reader: Reader, platforms: Sequence[int]) -> dict[int, list[PlatformReference]]:
    """References of each platform, current ones first, by the platform's key."""
    from graphql_api.platform_references.types import PlatformReference

    siblings: Siblings[PlatformReference] = Siblings()
    found: dict[int, list[PlatformReference]] = defaultdict(list)
    for row in reader.rows_by_keys(platforms, lambda chunk: REFERENCES.where(_REFERENCE.platform_id.in_(chunk))):
        values = values_of(row) | {"kind": PlatformReferenceKind(row.kind)}
        reference = PlatformReference(siblings=siblings, **values)
        siblings.nodes.append(reference)
        found[reference.platform_key].append(reference)
    return found


def detected_of_samples(reader: Reader, samples: Sequence[int]) -> dict[int, DetectedPlatform]:
    """The array that the raw file of each sample shows, by the sample's key."""
    from graphql_api.platform_references.types import DetectedPlatform

    row = models.DetectedPlatform
    query = select(row.sample_id, row.platform_id, row.named, row.evidence, row.share)
    siblings: Siblings[DetectedPlatform] = Siblings()
    found = {}
    for one in reader.rows_by_keys(samples, lambda chunk: query.where(row.sample_id.in_(chunk))):
        found[one.sample_id] = DetectedPlatform(
            siblings=siblings,
            platform_key=one.platform_id,
            named=one.named,
            evidence=one.evidence,
            share=one.share,
        )
    siblings.nodes = list(found.values())
    return found
