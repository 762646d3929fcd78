"""What a compendium will be, before a value is read: recipe, QN target, version, and what it may be built upon.

The version is a hash of everything that decides the bytes: the parts of the expression store with their samples, the
recipe, the QN target, the metadata inside, the versions of method and program. Two builds get the same version exactly
if they would get the same bytes, so versions cannot collide and nothing is built twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from refinebio_assets import __version__
from refinebio_assets.compendia.compendium_inputs_run import CompendiumInputs
from refinebio_assets.compendia.extension import CompendiumModel
from refinebio_assets.compendia.filters import CompendiumMethod, FilterOptions
from refinebio_assets.compendia.recipe import CompendiumRecipe, SvdAlgorithm
from refinebio_assets.compendia.run_environment import CompendiumEnvironment
from refinebio_assets.domain.download_metadata import DownloadMetadata
from refinebio_assets.domain.errors import MalformedFileError, NotFoundError
from refinebio_assets.domain.fingerprints import fingerprint_of
from refinebio_assets.domain.vocabulary import CompendiumKind, ComputedFileKind
from resources.catalog import CompendiumInfo, QnTargetInfo
from resources.catalog.download_metadata import download_metadata
from resources.object_store import ObjectStore
from resources.object_store.temporary import temporary_folder
from resources.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

METHOD_VERSION = "1"
VERSION_DIGITS = 12
PROVENANCE = "provenance.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """The compendium that a build goes on from.

    Attributes:
        version: Its version.
        model: Its model.
        model_sha256: Of the model's file.
        target: Values of the QN target that it was normalised to.
        target_facts: Which one that is.
    """

    version: str
    model: CompendiumModel
    model_sha256: str
    target: NDArray[np.float64]
    target_facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompendiumPlan:
    """A compendium that could be built.

    Attributes:
        recipe: How.
        inputs: Of what.
        target: The QN target's values.
        target_facts: Key, sha256, technology, platform and number of samples of the target.
        metadata: Of all its samples, and of those left out.
        formats: Files to write.
        content: Fingerprint of inputs and recipe, however it is built.
        extension: What it goes on from; None if it is built from the start.
        full_because: Why it is not an extension although one was asked for.
    """

    recipe: CompendiumRecipe
    inputs: CompendiumInputs
    target: NDArray[np.float64]
    target_facts: Mapping[str, Any]
    metadata: DownloadMetadata
    formats: tuple[str, ...]
    content: str
    extension: Extension | None = None
    full_because: str | None = None

    @property
    def fingerprint(self) -> str:
        """Identifies everything that decides the bytes."""
        if self.extension is None:
            return self.content
        return fingerprint_of("extension", self.content, self.extension.model_sha256, self.target_facts["sha256"])

    @property
    def version(self) -> str:
        """The name of this version."""
        return self.fingerprint[:VERSION_DIGITS]

    @property
    def organism(self) -> str:
        """The primary organism, which it is named after."""
        return self.inputs.group.primary

    def provenance(self) -> dict[str, Any]:
        """Inputs, versions and parameters, as JSON; nothing in it depends on when or where it is built."""
        extension = self.extension
        return {
            "organism": self.organism,
            "organisms": list(self.inputs.group.members),
            "version": self.version,
            "fingerprint": self.fingerprint,
            "method": self.recipe.filters.method.value,
            "method_version": METHOD_VERSION,
            "refinebio_version": __version__,
            "parameters": self.recipe.to_dict() | {"formats": list(self.formats)},
            "qn_target": dict(self.target_facts),
            "extends": {"version": extension.version, "model_sha256": extension.model_sha256} if extension else None,
            "expression_parts": {
                sha256: {"experiment": experiment, "samples": samples}
                for sha256, (experiment, samples) in sorted(self.inputs.parts.items())
            },
        }


def recipe_of(settings: Settings, *, svd_algorithm: str | None, method: str | None) -> CompendiumRecipe:
    """The recipe that the settings say, but for what is given."""
    return CompendiumRecipe(
        filters=FilterOptions(
            method=CompendiumMethod(method or settings.compendium_method),
            gene_presence=settings.compendium_gene_presence,
            gene_completeness=settings.compendium_gene_completeness,
            sample_completeness=settings.compendium_sample_completeness,
        ),
        svd_algorithm=SvdAlgorithm(svd_algorithm or settings.compendium_svd_algorithm),
    )


def plan_compendium(
    inputs: CompendiumInputs,
    target: tuple[NDArray[np.float64], QnTargetInfo],
    recipe: CompendiumRecipe,
    environment: CompendiumEnvironment,
    *,
    extend: bool,
) -> CompendiumPlan:
    """Say what would be built.

    Args:
        inputs: Of what.
        target: The organism's current QN target.
        recipe: How.
        environment: What the run works with.
        extend: Whether the newest compendium is to be extended, if that can be.
    """
    known = sorted(inputs.samples.keys() | inputs.left_out.keys())
    with environment.catalog.reading() as session:
        metadata = download_metadata(session, known)
    values, info = target
    facts = target_facts(info)
    formats = environment.settings.compendium_formats
    plan = CompendiumPlan(
        recipe=recipe,
        inputs=inputs,
        target=values,
        target_facts=facts,
        metadata=metadata,
        formats=formats,
        content=_content(inputs, recipe, facts, metadata, formats),
    )
    if not extend:
        return plan
    found = _extension(plan, environment)
    if isinstance(found, str):
        return replace(plan, full_because=found)
    return replace(plan, extension=found, target=found.target, target_facts=found.target_facts)


def target_facts(info: QnTargetInfo) -> dict[str, Any]:
    """Which QN target it is."""
    return {
        "key": info.key,
        "sha256": info.sha256,
        "technology": info.technology.value,
        "platform": info.platform,
        "num_samples": info.num_samples,
        "num_genes": info.num_genes,
    }


def _content(
    inputs: CompendiumInputs,
    recipe: CompendiumRecipe,
    target: Mapping[str, Any],
    metadata: DownloadMetadata,
    formats: tuple[str, ...],
) -> str:
    infos = (part.info for part in inputs.store.parts)
    parts = [
        [info.experiment, info.organism, info.technology.value, info.scale, info.gene_space, info.samples]
        for info in infos
    ]
    return fingerprint_of(
        ["compendium", METHOD_VERSION, __version__],
        list(inputs.group.members),
        [inputs.store.identity, parts],
        recipe.to_dict(),
        target,
        metadata_sha256(metadata),
        {name: [one.reason, one.experiment] for name, one in inputs.left_out.items()},
        sorted(formats),
    )


def metadata_sha256(metadata: DownloadMetadata) -> str:
    """One hash of all that is said of samples and experiments, read record by record."""
    found = hashlib.sha256()
    for records in (metadata.samples, metadata.experiments, metadata.memberships):
        for name in sorted(records):
            found.update(json.dumps([name, records[name]], sort_keys=True).encode())
    for name in sorted(metadata.contributed):
        found.update(json.dumps([name, asdict(metadata.contributed[name])], sort_keys=True).encode())
    found.update(json.dumps(dict(metadata.methods), sort_keys=True).encode())
    return found.hexdigest()


def sample_table(plan: CompendiumPlan, order: tuple[str, ...], environment: CompendiumEnvironment) -> pd.DataFrame:
    """What a compendium says of its samples, one row each: where they come from, and their harmonised attributes."""
    import pandas as pd

    samples = [plan.inputs.samples[name] for name in order]
    platforms = _platforms(plan.inputs)
    harmonised = environment.catalog.harmonized_values(list(order))
    columns = {
        "experiment": [one.experiments[0] for one in samples],
        "platform": [platforms[one.accession] or one.platform or "" for one in samples],
        "technology": [one.technology.value for one in samples],
        "organism": [one.organism for one in samples],
        "title": [one.title for one in samples],
        "biosample": [one.biosample or "" for one in samples],
    }
    for name in sorted({name for values in harmonised.values() for name in values} - columns.keys()):
        columns[name] = [harmonised.get(sample, {}).get(name, "") for sample in order]
    table = pd.DataFrame(columns, index=pd.Index(list(order), name="sample"))
    for name in table.columns:  # as AnnData stores columns that repeat themselves
        if table[name].nunique() < len(table):
            table[name] = pd.Categorical(table[name], categories=sorted(set(table[name])))
    return table


def _platforms(inputs: CompendiumInputs) -> dict[str, str]:
    """The platform that the values of each sample are of; empty where nobody knows."""
    store = inputs.store
    return {
        part.info.samples[place]: part.info.platforms[place]
        for part, places in zip(store.parts, store.places, strict=True)
        for place in places
    }


def _extension(plan: CompendiumPlan, environment: CompendiumEnvironment) -> Extension | str:
    """The newest compendium with its model, or why it cannot be extended.

    It goes on with the QN target that it was made with: with another one, all values would move.
    """
    versions = environment.catalog.compendia.compendia(plan.organism, CompendiumKind.COMPENDIUM)
    if not versions:
        return "There is no compendium to extend yet."
    newest, store = versions[0], environment.store
    try:
        model, sha256 = _model(newest, environment)
        provenance: dict[str, Any] = orjson.loads(store.get_bytes(_file(newest, PROVENANCE)))["provenance"]
        facts: dict[str, Any] = provenance["qn_target"]
        target = read_target(store, facts["key"], facts["sha256"])
    except (NotFoundError, MalformedFileError) as error:
        return f"Version {newest.version} cannot be extended: {error.message}"
    if model.recipe != plan.recipe:
        return f"Version {newest.version} was made with other parameters."
    if not set(model.genes) <= set(plan.inputs.store.genes):
        return f"Version {newest.version} has genes that no sample has any more."
    return Extension(version=newest.version, model=model, model_sha256=sha256, target=target, target_facts=facts)


def _model(compendium: CompendiumInfo, environment: CompendiumEnvironment) -> tuple[CompendiumModel, str]:
    file = next((one for one in compendium.files if one.kind is ComputedFileKind.COMPENDIUM_MODEL), None)
    if file is None:
        message = "it was made without imputation."
        raise NotFoundError(message)
    with temporary_folder(environment.settings.scratch, "model") as folder:
        local = environment.store.local_path(file.key) or environment.store.fetch(file.key, folder / file.filename)
        return CompendiumModel.load(Path(local)), file.sha256


def _file(compendium: CompendiumInfo, name: str) -> str:
    for file in compendium.files:
        if file.filename == name:
            return file.key
    message = f"it has no {name}."
    raise NotFoundError(message)


def read_target(store: ObjectStore, key: str, sha256: str) -> NDArray[np.float64]:
    """The values of a QN target that need not be the current one.

    Raises:
        NotFoundError: It is not in the store.
        MalformedFileError: It is not what was stored.
    """
    content = store.get_bytes(key)
    if hashlib.sha256(content).hexdigest() != sha256:
        message = "The QN target is damaged."
        raise MalformedFileError(message, path=key)
    return np.array(content.split(), dtype=np.float64)
