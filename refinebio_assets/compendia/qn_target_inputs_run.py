"""What a QN target is made of, before any value is read: the samples of the catalog, the parts that have them.

Parts are compared with their sha256 as they are read; an experiment with a damaged one is left out, with the reason.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from refinebio_assets.compendia.expression_store import ExpressionStore, Part, gene_space
from refinebio_assets.compendia.qn_target import METHOD_VERSION
from refinebio_assets.compendia.qn_target_samples import TargetChoice, TargetSample, TooFewSamples, choose_samples
from refinebio_assets.compendia.run_environment import CompendiumEnvironment
from refinebio_assets.compendia.store_run import open_parts
from refinebio_assets.domain.errors import MalformedFileError, NotFoundError
from refinebio_assets.domain.fingerprints import fingerprint_of
from resources.catalog import CompendiumSample, ExpressionPartInfo
from resources.object_store import ObjectStore


class DamagedPartError(Exception):
    """A part is not there, or is not what was stored."""

    def __init__(self, experiment: str) -> None:
        super().__init__(experiment)
        self.experiment = experiment


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


def target_inputs(organism: str, environment: CompendiumEnvironment, damaged: set[str]) -> TargetInputs:
    """Choose the samples of a target.

    Args:
        organism: UPPER_SNAKE.
        environment: What the run works with.
        damaged: Experiments to leave out; gets those whose genes have no names.
    """
    records, settings = environment.catalog.compendia, environment.settings
    processed = {one.accession: one for one in records.samples([organism])}
    infos = records.expression_parts([organism])
    parts = _open_parts(environment.store, [info for info in infos if info.experiment not in damaged], damaged)
    owners = {name: one.experiments[0] for name, one in processed.items()}
    everything = ExpressionStore.of(parts, processed.keys(), owners=owners)
    unreadable = {
        name: f"The stored expression of {info.experiment} is damaged or missing: materialise it again."
        for info in infos
        if info.experiment in damaged
        for name in set(info.samples).intersection(processed).difference(everything.samples)
    }
    choice = choose_samples(
        _samples(processed, everything, include_submitted=settings.compendium_include_submitted),
        {part.info.gene_space: part.info.genes for part in parts},
        least=settings.qn_target_min_samples,
    )
    chosen: Collection[str] = () if isinstance(choice, TooFewSamples) else choice.samples
    return TargetInputs(
        organism=organism,
        choice=choice,
        store=ExpressionStore.of(parts, chosen, owners=owners),
        unreadable=unreadable,
    )


def _samples(
    processed: Mapping[str, CompendiumSample], store: ExpressionStore, *, include_submitted: bool
) -> Iterable[TargetSample]:
    """Every processed sample with its genes, on the platform that its values are of."""
    stored = {
        part.info.samples[place]: (part.info.gene_space, part.info.platforms[place])
        for part, places in zip(store.parts, store.places, strict=True)
        for place in places
    }
    makers = {one.platform: one.manufacturer for one in processed.values() if one.manufacturer}
    for name, one in processed.items():
        space, shown = stored.get(name, (None, ""))
        platform = shown or one.platform
        yield TargetSample(
            accession=name,
            technology=one.technology,
            platform=platform,
            manufacturer=makers.get(platform, one.manufacturer),
            allowed=one.has_raw or include_submitted,
            gene_space=space,
        )


def _open_parts(store: ObjectStore, infos: Sequence[ExpressionPartInfo], damaged: set[str]) -> list[Part]:
    """Parts that are compared with their sha256 as they are read."""
    spaces: dict[str, list[ExpressionPartInfo]] = {}
    for info in infos:
        spaces.setdefault(info.gene_space, []).append(info)
    parts = []
    for space, of_space in spaces.items():
        try:
            opened = open_parts(store, of_space)
        except MalformedFileError:
            opened = []
        if opened and opened[0].info.gene_space == space:
            parts += [Part(part.info, _checked(part)) for part in opened]
        else:
            damaged.update(info.experiment for info in of_space)
    return [part for part in parts if part.info.experiment not in damaged]


def _checked(part: Part) -> Callable[[], BinaryIO]:
    def opened() -> BinaryIO:
        try:
            with part.open() as file:
                content = file.read()
        except (NotFoundError, FileNotFoundError) as error:
            raise DamagedPartError(part.info.experiment) from error
        if hashlib.sha256(content).hexdigest() != part.info.sha256:
            raise DamagedPartError(part.info.experiment)
        return io.BytesIO(content)

    return opened
