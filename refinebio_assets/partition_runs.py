"""Running an asset over one or several partitions so that one bad partition never costs the others.

An asset's output marks either all partitions of a run as materialised or none. An asset that runs over a batch
therefore stores each value as soon as it is made; if all went well it gives one output for the batch, otherwise a
materialisation per good partition and a failure at the end: the good ones stay, the bad ones are shown as failed,
exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import dagster as dg

from io_managers.base import ALREADY_STORED
from refinebio_assets.dagster_instance import PROCESS_TAG, this_process
from refinebio_assets.domain.errors import RefinebioError

ERROR_CODE, EXIT_STATUS = "refinebio/error_code", "refinebio/exit_status"
"""Metadata of a failure: what kind it is, and what a command that ran into it exits with."""

AssetEvents = Iterator[dg.Output[Any] | dg.AssetMaterialization | dg.AssetCheckResult]


class Saver(Protocol):
    """An IO manager that can store one partition's value by itself."""

    def save(self, partition_key: str, value: Any) -> Mapping[str, Any]:
        """Store the value and return its metadata."""
        ...


@dataclass(frozen=True, slots=True)
class PartitionResult:
    """What an asset made of one partition.

    ``value`` goes to the IO manager; None means there is nothing to store. ``skipped`` says why nothing was made
    (the partition then stays as it was). ``checks`` are its asset checks. ``refused`` says why a value must not be
    used: nothing is stored, its checks are told, and the partition fails.
    """

    value: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    data_version: str | None = None
    checks: Sequence[dg.AssetCheckResult] = ()
    commit: Callable[[], object] | None = None
    skipped: str | None = None
    refused: RefinebioError | None = None


def each_partition(
    context: dg.AssetExecutionContext, process: Callable[[str], PartitionResult], *, saver: Saver | None = None
) -> AssetEvents:
    """Run ``process`` for every partition of this run.

    With one partition its value goes through the asset's IO manager as usual. With several, values are saved one by
    one as they are made; the outcome is exact per partition (see the module's docstring).

    Args:
        context: Context of the running asset (its output must be optional).
        process: Makes one partition; raises a :class:`RefinebioError` if it cannot.
        saver: IO manager of the asset, None if its values are not stored.

    Yields:
        Outputs, materialisations and check results for Dagster.

    Raises:
        dg.Failure: Some partition failed; retrying is allowed if all failures are transient.
    """
    if PROCESS_TAG not in context.run.tags:
        # Runs that the daemon launches: if their process is killed, nobody else would know that they ended.
        context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: this_process()})
    done: dict[str, PartitionResult] = {}
    refused: dict[str, PartitionResult] = {}
    failures: list[tuple[str, RefinebioError]] = []
    crash: Exception | None = None  # trouble with the machine, which would fail the other partitions too
    for key in context.partition_keys:
        try:
            result = process(key)
            if result.skipped is not None:
                context.log.info("%s: %s", key, result.skipped)
                continue
            _stop_if_refused(key, result, refused)
            done[key] = _store(str(key), result, saver)
        except RefinebioError as error:
            context.log.error("%s: %s", key, error)  # noqa: TRY400  a data problem, not a crash: no stack trace
            failures.append((str(key), error))
        except Exception as error:  # noqa: BLE001  raised again below, when what is done is told
            crash = error
            break
    if done and len(done) == len(context.partition_keys):
        yield from _one_output(context, done)
        return
    for key, result in done.items():
        yield dg.AssetMaterialization(
            asset_key=context.asset_key,
            partition=key,
            metadata=result.metadata,
            tags={"dagster/data_version": result.data_version} if result.data_version else None,
        )
    yield from _checks({**done, **refused})
    if crash is not None:
        raise crash
    if failures:
        raise failure(failures) from failures[0][1]


def _stop_if_refused(key: str, result: PartitionResult, refused: dict[str, PartitionResult]) -> None:
    """Keep what is to be told of a value that must not be used, and end the work on its partition."""
    if result.refused is not None:
        refused[key] = result
        raise result.refused


def _store(key: str, result: PartitionResult, saver: Saver | None) -> PartitionResult:
    """Store a value, then let the catalog know; what is kept of the result is small."""
    saved = saver.save(key, result.value) if saver is not None else {}
    if result.commit is not None:
        result.commit()
    return replace(result, value=None, commit=None, metadata={**saved, **result.metadata})


def _one_output(context: dg.AssetExecutionContext, done: Mapping[str, PartitionResult]) -> AssetEvents:
    """One output for all partitions of the run, each with its own metadata, and their checks.

    Dagster takes one data version per output: those of several partitions are in their metadata.
    """
    name = context.assets_def.get_output_name_for_asset_key(context.asset_key)
    if len(done) == 1:
        ((_, result),) = done.items()
        version = dg.DataVersion(result.data_version) if result.data_version else None
        yield dg.Output(ALREADY_STORED, output_name=name, metadata=result.metadata, data_version=version)
    else:
        for key, result in done.items():
            version_of = {"data_version": result.data_version} if result.data_version else {}
            context.add_asset_metadata({**result.metadata, **version_of}, partition_key=key)
        yield dg.Output(ALREADY_STORED, output_name=name)
    yield from _checks(done)


def _checks(done: Mapping[str, PartitionResult]) -> Iterator[dg.AssetCheckResult]:
    """The checks of the partitions: one result per check, passed if it passed for all of them.

    Dagster keeps results of a check per asset, not per partition; which partitions did not pass is in its metadata.
    """
    if len(done) == 1:
        ((_, only),) = done.items()
        yield from only.checks
        return
    by_name: dict[str, dict[str, dg.AssetCheckResult]] = {}
    for key, result in done.items():
        for check in result.checks:
            by_name.setdefault(str(check.check_name), {})[key] = check
    for name, checks in by_name.items():
        failed = {key: check for key, check in checks.items() if not check.passed}
        metadata: dict[str, Any] = {"partitions": len(checks), "not passed": ", ".join(failed)}
        for key, check in failed.items():
            metadata[key] = ", ".join(f"{label}: {value.value}" for label, value in check.metadata.items())
        severity = next(iter(checks.values())).severity
        yield dg.AssetCheckResult(check_name=name, passed=not failed, severity=severity, metadata=metadata)


def failure(failures: Sequence[tuple[str, RefinebioError]]) -> dg.Failure:
    """The Dagster failure of one or several partitions, with every message in its metadata."""
    first = failures[0]
    more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    return dg.Failure(
        description=f"{first[0]}: {first[1]}{more}",
        metadata={key: dg.MetadataValue.text(str(error)) for key, error in failures}
        | {ERROR_CODE: dg.MetadataValue.text(first[1].code), EXIT_STATUS: dg.MetadataValue.int(first[1].exit_status)},
        allow_retries=all(error.retryable for _, error in failures),
    )
