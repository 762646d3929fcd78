"""What goes into a compendium: its organisms, who of their samples is in and why others are not, their expression.

In are samples in ledger state ``processed`` that were processed from raw data (or all, if the settings say so), have a
part in the expression store, and are neither empty nor copies. A sample counts once. Parts are checked against their
sha256 when they are first read: an experiment with a damaged part is left out, with the reason, and costs nobody else
anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from refinebio_assets.compendia.checked_parts_run import open_checked_parts
from refinebio_assets.compendia.expression_store import ExpressionStore
from refinebio_assets.compendia.grouping import OrganismGroup, group_of
from refinebio_assets.compendia.grouping_run import organism_groups
from refinebio_assets.compendia.run_environment import CompendiumEnvironment
from refinebio_assets.compendia.store_run import unfit_of
from refinebio_assets.domain.download_metadata import FilteredSample
from resources.catalog import CompendiumSample, ExpressionPartInfo

NO_RAW_DATA = (
    "This sample was not processed from raw data: its values are its submitter's, or those of an imported matrix "
    "(REFINEBIO_COMPENDIUM_INCLUDE_SUBMITTED takes such samples in)."
)
NO_EXPRESSION = "The catalog has no expression of this sample: materialise the expression of its experiment again."
NOT_PROCESSED = "This sample has expression, but does not count as processed any more: refinebio status says why."


@dataclass(frozen=True, slots=True, kw_only=True)
class CompendiumInputs:
    """What a compendium is made of.

    Attributes:
        group: Its organisms.
        samples: Who is in, by accession; the filters of the compendium may still drop some.
        store: Their expression.
        left_out: Who else of these organisms has expression or should have it, and why they are not in.
        everyone: All that have expression or should have it.
        parts: Experiment and number of samples of each part, by its sha256.
    """

    group: OrganismGroup
    samples: Mapping[str, CompendiumSample]
    store: ExpressionStore
    left_out: Mapping[str, FilteredSample]
    everyone: frozenset[str]
    parts: Mapping[str, tuple[str, int]]


def organism_group(organism: str, environment: CompendiumEnvironment) -> OrganismGroup:
    """The organisms that share a compendium with one."""
    submitted = environment.settings.compendium_include_submitted
    return group_of(organism, organism_groups(environment.catalog, include_submitted=submitted))


def compendium_inputs(
    group: OrganismGroup, environment: CompendiumEnvironment, *, damaged: dict[str, str], verified: set[str]
) -> CompendiumInputs:
    """Gather what a compendium is made of; no value is read yet.

    Args:
        group: Its organisms.
        environment: What the run works with.
        damaged: Experiments whose expression cannot be read, with the reason.
        verified: Sha256 of parts that were found to be whole; grows while the store is read.
    """
    catalog, settings = environment.catalog, environment.settings
    processed = {one.accession: one for one in catalog.compendia.samples(group.members)}
    infos = catalog.compendia.expression_parts(group.members)
    allowed = {name: one for name, one in processed.items() if one.has_raw or settings.compendium_include_submitted}
    unfit = unfit_of((info for info in infos if info.experiment not in damaged), allowed)
    fit = {name: one for name, one in allowed.items() if name not in unfit}
    readable = [info for info in infos if info.experiment not in damaged and not fit.keys().isdisjoint(info.samples)]
    parts, nameless = open_checked_parts(environment.store, readable, verified)
    owners = {name: one.experiments[0] for name, one in fit.items()}
    store = ExpressionStore.of(parts, frozenset(fit), owners=owners)
    samples = {name: fit[name] for name in store.samples}
    counted = zip(store.parts, store.places, strict=True)
    return CompendiumInputs(
        group=group,
        samples=samples,
        store=store,
        left_out=dict(
            _left_out(
                processed, samples, infos, reasons=_reasons(processed, allowed, unfit), damaged=damaged | nameless
            )
        ),
        everyone=frozenset(processed).union(*(info.samples for info in infos)),
        parts={part.info.sha256: (part.info.experiment, len(places)) for part, places in counted},
    )


def _reasons(processed: Iterable[str], allowed: Collection[str], unfit: Mapping[str, str]) -> Mapping[str, str]:
    """Why processed samples may not be in, whatever is in the store."""
    return {name: NO_RAW_DATA for name in processed if name not in allowed} | dict(unfit)


def _left_out(
    processed: Mapping[str, CompendiumSample],
    samples: Mapping[str, CompendiumSample],
    infos: Iterable[ExpressionPartInfo],
    *,
    reasons: Mapping[str, str],
    damaged: Mapping[str, str],
) -> Iterator[tuple[str, FilteredSample]]:
    experiment_of = {sample: info.experiment for info in infos for sample in info.samples}
    for name in sorted((processed.keys() | experiment_of.keys()) - samples.keys()):
        known = processed.get(name)
        experiment = known.experiments[0] if known is not None else experiment_of[name]
        broken = next((one for one in (experiment, experiment_of.get(name)) if one in damaged), None)
        if known is None:
            reason = NOT_PROCESSED
        elif name in reasons:
            reason = reasons[name]
        else:
            reason = damaged[broken] if broken is not None else NO_EXPRESSION
        yield name, FilteredSample(reason=reason, experiment=experiment)
