"""Automation of whole organisms: QN targets and compendia are made when there are enough samples, and as they grow.

What there is comes from the catalog's counts. A target is asked for first; the compendium of an organism waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import dagster as dg

from refinebio_assets.compendia.compendium_inputs_run import NO_RAW_DATA, NOT_PROCESSED
from refinebio_assets.compendia.grouping import group_organisms
from refinebio_assets.compendia.grouping_run import eligible_samples, samples_by_organism
from refinebio_assets.dagster_instance import close_runs, dead_runs
from refinebio_assets.domain.vocabulary import CompendiumKind, Technology
from refinebio_assets.partitions import add_organisms
from resources.catalog import Catalog, CompendiumInfo, QnTargetInfo
from resources.dagster_adapters import CatalogResource, SettingsResource
from resources.settings import Settings
from sensors.jobs import build_compendium, build_qn_target, build_quantpendium
from sensors.requests import SUBJECT_TAG, first_of_each, hour_of, under_way

REQUESTS_PER_TICK = 20
JOBS = {"qn_target": build_qn_target, "compendium": build_compendium, "quantpendium": build_quantpendium}
NOT_COUNTED = frozenset({NO_RAW_DATA, NOT_PROCESSED})
"""Reasons of samples that the counts of today do not have either."""


def build_organism_readiness(settings: Settings) -> dg.SensorDefinition:
    """The sensor that asks for targets and compendia; runs unless it is stopped."""

    @dg.sensor(
        name="organism_readiness",
        jobs=list(JOBS.values()),
        minimum_interval_seconds=settings.automation_interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Makes the QN target of an organism, then its compendium and quantpendium, as soon as enough of its "
            "samples are processed, and again when these have grown by the share that the settings name."
        ),
    )
    def organism_readiness(
        context: dg.SensorEvaluationContext, catalog: CatalogResource, settings: SettingsResource
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        close_runs(context.instance, dead_runs(context.instance))  # or their organisms would count as under way
        wanted = list(readiness_requests(catalog.connect(), settings.get(), moment=datetime.now(UTC)))
        requests = list(not_under_way(wanted, busy=under_way(context.instance)))
        add_organisms(context.instance, (str(one.partition_key) for one in requests))
        if not requests:
            yield dg.SkipReason(
                f"{len(wanted)} are under way already."
                if wanted
                else "No organism has enough samples, or enough new ones, for a QN target, compendium or quantpendium."
            )
        yield from requests

    return organism_readiness


def not_under_way(requests: Iterable[dg.RunRequest], *, busy: set[str]) -> Iterator[dg.RunRequest]:
    """The requests of a tick: none for what runs are busy with, no compendium while its target is being made."""

    def is_free(request: dg.RunRequest) -> bool:
        organism = str(request.partition_key)
        waits = request.tags[SUBJECT_TAG] == subject_of("compendium", organism)
        return organism not in busy and not (waits and subject_of("qn_target", organism) in busy)

    yield from first_of_each(filter(is_free, requests), busy=busy, most=REQUESTS_PER_TICK)


def subject_of(asset: str, organism: str) -> str:
    """What a run of an organism's asset is about."""
    return f"{organism}|{asset}"


def readiness_requests(catalog: Catalog, settings: Settings, *, moment: datetime) -> Iterator[dg.RunRequest]:
    """All that could be made now, targets first.

    The run keys hold the counts and a time: a run that changed nothing is asked for again, a target at most once an
    hour, what takes long (a compendium whose checks refuse it is built in vain) at most once a day.
    """
    readiness = _Readiness(catalog, settings)
    for asset, counted in (
        ("qn_target", readiness.targets()),
        ("compendium", readiness.compendia()),
        ("quantpendium", readiness.quantpendia()),
    ):
        period = hour_of(moment) if asset == "qn_target" else moment.date().isoformat()
        for organism, count in counted:
            yield dg.RunRequest(
                run_key=f"{asset}:{organism}:{count}:{period}",
                job_name=JOBS[asset].name,
                partition_key=organism,
                asset_selection=[dg.AssetKey(asset)],
                tags={SUBJECT_TAG: subject_of(asset, organism)},
            )


class _Readiness:
    """Which organisms have enough samples, or enough new ones, with how many these are."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self._records = catalog.compendia
        self._settings = settings
        self._platforms = self._records.platforms()
        submitted = settings.compendium_include_submitted
        self._eligible = eligible_samples(self._platforms, include_submitted=submitted)
        self._current: dict[str, QnTargetInfo | None] = {}

    def targets(self) -> Iterator[tuple[str, str]]:
        """Organisms that need a target, with their arrays and RNA-seq samples."""
        for organism, (arrays, rna_seq) in self._eligible.items():
            if self._needs_target(organism):
                yield organism, f"{arrays}+{rna_seq}"

    def compendia(self) -> Iterator[tuple[str, str]]:
        """Organisms that need a compendium, with the samples of their group."""
        submitted = self._settings.compendium_include_submitted
        samples = samples_by_organism(self._platforms, include_submitted=submitted)
        counts = {one.organism: one.samples for one in samples}
        for group in group_organisms(samples):
            count = sum(counts[organism] for organism in group.members)
            ready = count >= self._settings.compendium_min_samples and self._has_target(group.primary)
            if ready and self._grown(group.primary, CompendiumKind.COMPENDIUM, count):
                yield group.primary, str(count)

    def quantpendia(self) -> Iterator[tuple[str, str]]:
        """Organisms that need a quantpendium, with their quant files."""
        for one in self._records.organisms():
            enough = one.quant_files >= self._settings.compendium_min_samples
            if enough and self._grown(one.organism, CompendiumKind.QUANTPENDIUM, one.quant_files):
                yield one.organism, str(one.quant_files)

    def _needs_target(self, organism: str) -> bool:
        """Whether there is none although there could be, or more arrays (or RNA-seq samples) than it was made of."""
        arrays, rna_seq = self._eligible.get(organism, (0, 0))
        least, growth = self._settings.qn_target_min_samples, self._settings.qn_target_growth
        if max(arrays, rna_seq) < least:
            return False
        target = self._target(organism)
        if target is None:
            return True
        if arrays >= least and has_grown(target.details.get("arrays", 0), arrays, growth):
            return True
        of_rna_seq = target.technology is Technology.RNA_SEQ
        return of_rna_seq and has_grown(target.details.get("rna_seq", 0), rna_seq, growth)

    def _has_target(self, organism: str) -> bool:
        """Whether there is a target that is not about to be made anew."""
        return self._target(organism) is not None and not self._needs_target(organism)

    def _target(self, organism: str) -> QnTargetInfo | None:
        if organism not in self._current:
            self._current[organism] = self._records.current_qn_target(organism)
        return self._current[organism]

    def _grown(self, organism: str, kind: CompendiumKind, count: int) -> bool:
        """Whether there is none yet, or enough samples more than there were for the newest."""
        versions = self._records.compendia(organism, kind)
        return not versions or has_grown(_counted(versions[0]), count, self._settings.compendium_growth)


def has_grown(before: int, now: int, growth: float) -> bool:
    """Whether there are more than before, by at least the share ``growth``."""
    return now > before and now - before >= round(before * growth, 6)  # 70 * 0.1 is a little more than 7


def _counted(compendium: CompendiumInfo) -> int:
    """The samples there were when it was made, whether they are in it or not."""
    left_out: dict[str, int] = compendium.details.get("left_out", {})
    return compendium.num_samples + sum(count for reason, count in left_out.items() if reason not in NOT_COUNTED)
