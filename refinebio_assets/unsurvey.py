"""Removing an experiment: from the catalog, the object store, scratch space, and Dagster's partitions, in this order.

A process that is killed on the way leaves objects and a partition that nothing refers to, never a record of what is
not there. The same call again finds and removes them; :func:`refinebio_assets.leftovers.forgotten_experiments` lists
experiments of which such objects are left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from refinebio_assets.dagster_instance import open_instance
from refinebio_assets.domain.accessions import is_local, mirrored_series, own_archive
from refinebio_assets.domain.errors import (
    AmbiguousAccessionError,
    InputError,
    NotFoundError,
    RefinebioError,
    RunUnderWayError,
)
from refinebio_assets.leftovers import EXPERIMENT_ASSETS, EXPRESSION_PARTS, experiment_of_part, remove_if_free
from refinebio_assets.partitions import EXPERIMENTS
from refinebio_assets.runs import tidy_up_after_the_dead
from resources.catalog import Catalog, Removal, Resolution
from resources.dagster_adapters import shared_catalog
from resources.object_store import ObjectStore
from resources.settings import Settings

SUBJECT_TAG = "refinebio/subject"
PARTITION_TAG = "dagster/partition"
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True, slots=True)
class Workspace:
    """What an experiment is removed from."""

    settings: Settings
    catalog: Catalog
    store: ObjectStore
    instance: dg.DagsterInstance


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """Everything that there is of an experiment.

    ``removal`` is None if the catalog has forgotten it already, ``objects`` are keys in the store that nothing else
    refers to, ``partition`` says whether Dagster has its partition.
    """

    experiment: str
    removal: Removal | None
    objects: tuple[str, ...]
    partition: bool


@contextmanager
def open_workspace(settings: Settings) -> Iterator[Workspace]:
    """Open catalog, store and Dagster instance; what killed processes left is removed and their runs are closed."""
    store = ObjectStore.from_url(settings.store_url, endpoint_url=settings.s3_endpoint_url)
    with open_instance(settings) as instance:
        catalog = shared_catalog(settings.catalog_url)
        tidy_up_after_the_dead(settings, instance, catalog)
        yield Workspace(settings, catalog, store, instance)


def experiment_named(catalog: Catalog, query: str) -> str:
    """The one experiment that an accession names.

    An experiment's own accession (SRP…, GSE…, E-…) names only that: a superseded series goes itself, not the studies
    that it leads to; and a study that is gone already is not taken for the series that still names it. A project
    names the experiment that has it as an alias.

    Raises:
        NotFoundError: The catalog does not know it.
        AmbiguousAccessionError: It names several experiments.
        InputError: It names samples, or nothing.
    """
    name = query.strip().upper()
    name = mirrored_series(name) or name
    if own_archive(name) is not None:
        return name
    (found,) = catalog.resolve([query], samples=False)
    if found.outcome == "found" and not found.samples:
        return found.experiments[0]
    if found.outcome != "found" and is_local(name):
        return name
    raise _no_experiment(query, found)


def _no_experiment(query: str, found: Resolution) -> RefinebioError:
    if found.outcome == "found":
        remedy = f"Give its experiment: {', '.join(found.experiments)}"
        return InputError(f"{query} names samples; experiments are removed as a whole.", remedy=remedy)
    if found.outcome == "ambiguous":
        return AmbiguousAccessionError(found.message or f"{query} names several experiments.", remedy="Give one.")
    if found.outcome == "not_found":
        return NotFoundError(found.message or f"{query} is not in the catalog.")
    return InputError(found.message or f"{query} names no experiment.", remedy="Give one experiment's accession.")


def belongings(workspace: Workspace, experiment: str, *, after: Iterable[str] = ()) -> Belongings:
    """What removing an experiment would take along.

    Args:
        workspace: What it would be removed from.
        experiment: Its own accession.
        after: Experiments that will have been removed before it: samples that only they share with it go, too.

    Raises:
        NotFoundError: There is nothing of it, anywhere.
        ObjectStoreError: The store cannot be listed.
    """
    try:
        removal = workspace.catalog.plan_removal(experiment, after=after)
    except NotFoundError:
        removal = None
    found = Belongings(
        experiment=experiment,
        removal=removal,
        objects=tuple(_objects(workspace, experiment, removal)),
        partition=workspace.instance.has_dynamic_partition(EXPERIMENTS, experiment),
    )
    if removal is None and not found.objects and not found.partition:
        message = f"There is nothing of {experiment}: neither records, nor objects, nor a partition."
        raise NotFoundError(message, remedy=f"See what is there: refinebio resolve {experiment}")
    return found


def unsurvey(workspace: Workspace, experiment: str, *, report: Callable[[str], None] = lambda _: None) -> Belongings:
    """Remove an experiment and what only it has. Can be repeated after a failure, to the same end.

    Samples that other experiments have too stay, with their results; so do transcriptome indices and linked studies.

    Args:
        workspace: Where it is removed from.
        experiment: Its own accession.
        report: Told what is being done.

    Returns:
        What was removed.

    Raises:
        NotFoundError: There is nothing of it, anywhere.
        RunUnderWayError: A run works on it.
        ObjectStoreError: The store refused; what is left can be removed by the same call.
    """
    _refuse_if_busy(workspace.instance, experiment)
    before = belongings(workspace, experiment)
    removal = before.removal
    if removal is not None:
        report(f"{experiment}: records")
        removal = workspace.catalog.remove_experiment(experiment)
    # Listed again: what a run stored meanwhile goes as well, and nothing that the catalog refers to now.
    objects = _objects(workspace, experiment, removal)
    for number, key in enumerate(objects, start=1):
        report(f"{experiment}: object {number} of {len(objects)}")
        workspace.store.delete(key)
    for sample in removal.samples if removal is not None else ():
        _remove_downloads(workspace.settings.scratch / "samples", sample)
    _remove_downloads(workspace.settings.scratch / "arrays", experiment)
    if before.partition:
        workspace.instance.delete_dynamic_partition(EXPERIMENTS, experiment)
    return Belongings(experiment=experiment, removal=removal, objects=tuple(objects), partition=before.partition)


def _objects(workspace: Workspace, experiment: str, removal: Removal | None) -> list[str]:
    """Keys below the experiment's prefixes, and of its samples' files, that belong to nothing that stays."""
    going = set() if removal is None else set(removal.files)
    listed = {key for asset in EXPERIMENT_ASSETS for key in workspace.store.list_keys(f"{asset}/{experiment}")}
    listed |= set(_of_samples(going, () if removal is None else removal.samples))
    listed |= set(_parts(workspace.store, experiment, going))
    return sorted(listed - (workspace.catalog.recorded_keys(sorted(listed)) - going))


def _parts(store: ObjectStore, experiment: str, going: Iterable[str]) -> Iterator[str]:
    """Its parts of the expression store: below the organisms of those that go, of any if the catalog forgot them."""
    organisms = {key.split("/")[1] for key in going if experiment_of_part(key) == experiment}
    folders = [f"{EXPRESSION_PARTS}/{organism}/{experiment}" for organism in sorted(organisms)] or [EXPRESSION_PARTS]
    for folder in folders:
        yield from (key for key in store.list_keys(folder) if experiment_of_part(key) == experiment)


def _of_samples(keys: Iterable[str], samples: Sequence[str]) -> Iterator[str]:
    """Files of the samples below another experiment's prefix: of the one that owned the sample before."""
    names = set(samples)
    for key in keys:
        asset, _, *rest = [*key.split("/"), "", ""]
        of_sample = {"quant_files": rest[0], "array_expression": rest[0].removesuffix(".parquet")}
        if of_sample.get(asset) in names:
            yield key


def _refuse_if_busy(instance: dg.DagsterInstance, experiment: str) -> None:
    for tag in (SUBJECT_TAG, PARTITION_TAG):
        wanted = dg.RunsFilter(statuses=UNFINISHED, tags={tag: experiment})
        for run in instance.get_runs(filters=wanted, limit=1):
            message = f"Run {run.run_id} works on {experiment}."
            raise RunUnderWayError(
                message, remedy="Wait for its end, or terminate it in the Dagster UI; then try again."
            )


def _remove_downloads(parent: Path, name: str) -> None:
    folder = parent / name
    if "/" not in name and (folder.exists() or folder.with_name(f"{name}.lock").exists()):
        remove_if_free(folder)
