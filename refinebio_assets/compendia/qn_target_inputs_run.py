"""What a QN target is made of, before any value is read: the samples of the catalog, the parts that have them.

Parts are compared with their sha256 as they are read; an experiment with a damaged one is left out, with the reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from refinebio_assets.compendia.checked_parts_run import open_checked_parts
from refinebio_assets.compendia.expression_store import ExpressionStore, gene_space
from refinebio_assets.compendia.qn_target import METHOD_VERSION
from refinebio_assets.compendia.qn_target_samples import TargetChoice, TargetSample, TooFewSamples, choose_samples
from refinebio_assets.compendia.run_environment import CompendiumEnvironment
from refinebio_assets.compendia.store_run import unfit_of
from refinebio_assets.domain.fingerprints import fingerprint_of
from resources.catalog import CompendiumSample, ExpressionPartInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetInputs:
    """What there is to make a target of.

    Attributes:
        organism: UPPER_SNAKE.
        choice: The samples, or why they are too few.
        store: Their expression.
        unreadable: Samples of damaged experiments, with the reason.
    """

    organism: str
    choice: TargetChoice | TooFewSamples
    store: ExpressionStore
    unreadable: Mapping[str, str]

    def parts(self) -> list[tuple[str, str, list[str]]]:
        """Experiment, sha256 and samples of each part, sorted."""
        counted = zip(self.store.parts, self.store.places, strict=True)
        return sorted(
            (part.info.experiment, part.info.sha256, [part.info.samples[place] for place in places])
            for part, places in counted
        )


def fingerprint_of_target(inputs: TargetInputs, choice: TargetChoice) -> str:
    """Of everything that decides the bytes of a target and of the files beside it."""
    genes = gene_space(choice.genes)
    return fingerprint_of(
        "qn target", METHOD_VERSION, inputs.organism, choice.technology, choice.platform, genes, inputs.parts()
    )


def target_inputs(
    organism: str, environment: CompendiumEnvironment, *, damaged: Mapping[str, str], verified: set[str]
) -> TargetInputs:
    """Choose the samples of a target; no value is read yet.

    Args:
        organism: UPPER_SNAKE.
        environment: What the run works with.
        damaged: Experiments whose expression cannot be read, with what is to be said of them.
        verified: Sha256 of parts that were found to be whole; grows as they are read.
    """
    records, settings = environment.catalog.compendia, environment.settings
    infos = records.expression_parts([organism])
    processed = {one.accession: one for one in records.samples([organism])}
    readable = [info for info in infos if info.experiment not in damaged]
    parts, nameless = open_checked_parts(environment.store, readable, verified)
    owners = {name: one.experiments[0] for name, one in processed.items()}
    everything = ExpressionStore.of(parts, processed.keys(), owners=owners)
    unreadable = {**damaged, **nameless}
    choice = choose_samples(
        _samples(processed, everything, readable, include_submitted=settings.compendium_include_submitted),
        {part.info.gene_space: part.info.genes for part in parts},
        least=settings.qn_target_min_samples,
    )
    chosen: Collection[str] = () if isinstance(choice, TooFewSamples) else choice.samples
    return TargetInputs(
        organism=organism,
        choice=choice,
        store=ExpressionStore.of(parts, chosen, owners=owners),
        unreadable={
            name: unreadable[info.experiment]
            for info in infos
            if info.experiment in unreadable
            for name in processed.keys() & set(info.samples).difference(everything.samples)
        },
    )


def _samples(
    processed: Mapping[str, CompendiumSample],
    store: ExpressionStore,
    infos: Iterable[ExpressionPartInfo],
    *,
    include_submitted: bool,
) -> Iterable[TargetSample]:
    """Every processed sample with its genes, on the platform that its values are of."""
    stored: dict[str, tuple[str, str]] = {}
    for part, places in zip(store.parts, store.places, strict=True):
        space = part.info.gene_space  # asked for once: hashing the names of genes costs as much as summing a sample
        stored |= {part.info.samples[place]: (space, part.info.platforms[place]) for place in places}
    unfit = unfit_of(infos, {name for name, one in processed.items() if one.has_raw or include_submitted})
    makers = {one.platform: one.manufacturer for one in processed.values() if one.manufacturer}
    for name, one in processed.items():
        of_sample, shown = stored.get(name, (None, ""))
        platform = shown or one.platform
        yield TargetSample(
            accession=name,
            technology=one.technology,
            platform=platform,
            manufacturer=makers.get(platform, one.manufacturer),
            allowed=one.has_raw or include_submitted,
            gene_space=of_sample,
            unfit=unfit.get(name),
        )
