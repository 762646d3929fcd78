"""Which organisms share a compendium: species of one genus whose arrays are of the same platforms.

refine.bio takes organisms in the order of how many platforms they were measured on; each absorbs all species of its
genus that share a platform with it, and names the outcome after whichever species its database gives back first. Here
ties are broken by name and a group is named after the species with most samples, so that the same samples always make
the same groups.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganismSamples:
    """What decides an organism's group.

    Attributes:
        organism: UPPER_SNAKE.
        samples: How many samples it could give to a compendium.
        platforms: Accessions of the platforms of its processed microarray samples.
    """

    organism: str
    samples: int
    platforms: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganismGroup:
    """Organisms that share a compendium.

    Attributes:
        primary: The one that the compendium is named after.
        members: All of them, the primary first, the others by name.
    """

    primary: str
    members: tuple[str, ...]

    def skipped(self, organism: str) -> str | None:
        """Why a member has no compendium of its own; None for the primary."""
        if organism == self.primary:
            return None
        return (
            f"{organism} is part of the compendium of {self.primary}: both are of one genus, their arrays share a "
            f"platform, and {self.primary} has more samples (or as many, and is first by name)."
        )


def genus_of(organism: str) -> str:
    """The first word of an UPPER_SNAKE name."""
    return organism.partition("_")[0]


def group_organisms(organisms: Iterable[OrganismSamples]) -> list[OrganismGroup]:
    """Put each organism into exactly one group; groups are in the order of their primary organisms.

    An organism that is absorbed does not absorb others itself.

    Args:
        organisms: In any order, each once.

    Raises:
        ValueError: An organism is there twice.
    """
    waiting = sorted(organisms, key=lambda one: (-len(one.platforms), one.organism))
    if len({one.organism for one in waiting}) != len(waiting):
        message = "an organism is there twice"
        raise ValueError(message)
    groups = []
    while waiting:
        first, *others = waiting
        absorbed = [one for one in others if _shares_a_platform(first, one)]
        waiting = [one for one in others if one not in absorbed]
        groups.append(_group([first, *absorbed]))
    return sorted(groups, key=lambda group: group.primary)


def group_of(organism: str, groups: Iterable[OrganismGroup]) -> OrganismGroup:
    """The group of an organism; one of its own if none has it."""
    found = (group for group in groups if organism in group.members)
    return next(found, OrganismGroup(primary=organism, members=(organism,)))


def _shares_a_platform(one: OrganismSamples, other: OrganismSamples) -> bool:
    return genus_of(one.organism) == genus_of(other.organism) and not one.platforms.isdisjoint(other.platforms)


def _group(members: list[OrganismSamples]) -> OrganismGroup:
    by_size = sorted(members, key=lambda one: (-one.samples, one.organism))
    primary = by_size[0].organism
    others = sorted(one.organism for one in by_size[1:])
    return OrganismGroup(primary=primary, members=(primary, *others))
