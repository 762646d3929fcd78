"""Which organisms share a compendium."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.compendia.grouping import (
    OrganismGroup,
    OrganismSamples,
    genus_of,
    group_of,
    group_organisms,
)


def organism(name: str, samples: int, *platforms: str) -> OrganismSamples:
    return OrganismSamples(organism=name, samples=samples, platforms=frozenset(platforms))


def members(*organisms: OrganismSamples) -> list[tuple[str, ...]]:
    return [group.members for group in group_organisms(organisms)]


def test_species_of_one_genus_that_share_a_platform_share_a_compendium_named_after_the_largest():
    wild, tame = organism("BOS_GRUNNIENS", 3, "GPL2112"), organism("BOS_TAURUS", 900, "GPL2112", "GPL1")
    (group,) = group_organisms([wild, tame])
    assert group == OrganismGroup(primary="BOS_TAURUS", members=("BOS_TAURUS", "BOS_GRUNNIENS"))
    assert group.skipped("BOS_TAURUS") is None
    assert "BOS_TAURUS" in group.skipped("BOS_GRUNNIENS")


def test_another_genus_or_another_platform_stays_apart():
    found = members(
        organism("BOS_TAURUS", 9, "GPL1"), organism("BOSEA_TAURUS", 9, "GPL1"), organism("BOS_INDICUS", 9, "GPL2"),
        organism("BOS_MUTUS", 9),
    )  # fmt: skip
    assert found == [("BOSEA_TAURUS",), ("BOS_INDICUS",), ("BOS_MUTUS",), ("BOS_TAURUS",)]


def test_who_has_most_platforms_absorbs_first_and_the_absorbed_absorb_nobody():
    chain = [organism("A_ONE", 1, "P1", "P2", "P3"), organism("A_TWO", 50, "P3", "P4"), organism("A_THREE", 9, "P4")]
    assert members(*chain) == [("A_THREE",), ("A_TWO", "A_ONE")]


def test_ties_are_broken_by_name():
    assert members(organism("A_B", 5, "P1"), organism("A_A", 5, "P1")) == [("A_A", "A_B")]
    # both have two platforms and share one with A_C: the first by name has it
    assert members(organism("A_B", 9, "P1", "P3"), organism("A_C", 1, "P1", "P2"), organism("A_A", 9, "P2", "P4")) == [
        ("A_A", "A_C"), ("A_B",),
    ]  # fmt: skip


def test_an_organism_that_nobody_knows_is_a_group_of_its_own():
    groups = group_organisms([organism("A_A", 1, "P1"), organism("A_B", 1, "P1")])
    assert group_of("A_B", groups).primary == "A_A"
    assert group_of("DANIO_RERIO", groups) == OrganismGroup(primary="DANIO_RERIO", members=("DANIO_RERIO",))


def test_an_organism_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        group_organisms([organism("A_A", 1), organism("A_A", 2)])


organisms = st.lists(
    st.builds(
        OrganismSamples,
        organism=st.builds("_".join, st.tuples(st.sampled_from("AB"), st.sampled_from("STUVWXYZ"))),
        samples=st.integers(0, 4),
        platforms=st.frozensets(st.sampled_from(["P1", "P2", "P3", "P4"])),
    ),
    unique_by=lambda one: one.organism,
)


@given(organisms, st.randoms(use_true_random=False))
def test_the_order_in_which_organisms_come_changes_nothing(found, random):
    shuffled = list(found)
    random.shuffle(shuffled)
    assert group_organisms(shuffled) == group_organisms(found)


@given(organisms)
def test_every_organism_is_in_one_group_with_some_of_its_genus(found):
    groups = group_organisms(found)
    assert sorted(one for group in groups for one in group.members) == sorted(one.organism for one in found)
    size = {one.organism: one.samples for one in found}
    for group in groups:
        assert len({genus_of(one) for one in group.members}) == 1
        assert group.primary == group.members[0] == min(group.members, key=lambda one: (-size[one], one))
