"""What the catalog's counts say of organisms: who shares a compendium, who has enough samples for a QN target."""

from __future__ import annotations

from refinebio_assets.compendia.grouping import OrganismGroup, OrganismSamples, group_organisms
from refinebio_assets.compendia.qn_target_samples import is_affymetrix
from refinebio_assets.domain.vocabulary import Technology
from resources.catalog import Catalog, PlatformCounts


def organism_groups(catalog: Catalog, *, include_submitted: bool) -> list[OrganismGroup]:
    """Every organism with a processed sample, in its group.

    Args:
        catalog: Knows the samples.
        include_submitted: Whether samples count that were not processed from raw data.
    """
    return group_organisms(samples_by_organism(catalog.compendia.platforms(), include_submitted=include_submitted))


def samples_by_organism(platforms: list[PlatformCounts], *, include_submitted: bool) -> list[OrganismSamples]:
    """How many samples each organism could give to a compendium, and the platforms of its arrays."""
    samples: dict[str, int] = {}
    arrays: dict[str, set[str]] = {}
    for one in platforms:
        usable = usable_samples(one, include_submitted=include_submitted)
        samples[one.organism] = samples.get(one.organism, 0) + usable
        known = arrays.setdefault(one.organism, set())
        if usable and one.technology is Technology.MICROARRAY and one.platform is not None:
            known.add(one.platform)
    return [
        OrganismSamples(organism=organism, samples=count, platforms=frozenset(arrays[organism]))
        for organism, count in samples.items()
    ]


def eligible_samples(platforms: list[PlatformCounts], *, include_submitted: bool) -> dict[str, tuple[int, int]]:
    """Samples for a QN target by organism: of its most common Affymetrix platform, and of RNA-seq."""
    found: dict[str, tuple[int, int]] = {}
    for one in platforms:
        arrays, rna_seq = found.get(one.organism, (0, 0))
        usable = usable_samples(one, include_submitted=include_submitted)
        if one.technology is Technology.RNA_SEQ:
            rna_seq += usable
        elif is_affymetrix(one.manufacturer):
            arrays = max(arrays, usable)
        found[one.organism] = arrays, rna_seq
    return found


def usable_samples(counts: PlatformCounts, *, include_submitted: bool) -> int:
    """Those of a platform's samples that may go into QN targets and compendia."""
    return counts.processed if include_submitted else counts.with_raw
