"""Making an organism's compendium: gathered from the expression store, built out of core, stored, recorded.

The order that makes a compendium trustworthy:

1. inputs are gathered, and everything that decides the bytes becomes the version; a version that is there is taken;
2. filters and imputation run in ``scratch/compendia/{ORGANISM}``; what a killed build left there is gone on with;
3. one pass writes the files, and looks at every value for the QC report;
4. a compendium that fails a blocking check is refused here: nothing of it is stored, the one before stays current;
5. the files are stored, then recorded: from that moment the compendium is the current one of its organism.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from refinebio_assets.compendia.checked_parts_run import DamagedPartError, damage_of, find_damage
from refinebio_assets.compendia.compendium import PreparedCompendium, prepare_compendium
from refinebio_assets.compendia.compendium_files import CompendiumDescription, write_compendium_files
from refinebio_assets.compendia.compendium_inputs_run import (
    CompendiumInputs,
    compendium_inputs,
    organism_group,
)
from refinebio_assets.compendia.compendium_plan_run import (
    METHOD_VERSION,
    CompendiumPlan,
    Extension,
    plan_compendium,
    recipe_of,
    sample_table,
)
from refinebio_assets.compendia.compendium_record_run import Facts, files_of, finished_files, record, recorded
from refinebio_assets.compendia.compendium_result_run import CompendiumRun
from refinebio_assets.compendia.compendium_space import check_disk, check_memory
from refinebio_assets.compendia.extension import CompendiumModel, prepare_extension
from refinebio_assets.compendia.memory import parse_size
from refinebio_assets.compendia.progress import Progress, Report, say_nothing
from refinebio_assets.compendia.qc_report import write_qc_report
from refinebio_assets.compendia.qn_target_run import current_target
from refinebio_assets.compendia.quality import Quality, QualityStatistics, held_out_error
from refinebio_assets.compendia.recipe import SvdAlgorithm
from refinebio_assets.compendia.run_environment import CompendiumEnvironment
from refinebio_assets.compendia.unfit_samples import counted_as
from refinebio_assets.domain.download_metadata import FilteredSample
from refinebio_assets.domain.errors import InputError, LowQualityError, RefinebioError
from refinebio_assets.domain.vocabulary import CompendiumKind, ComputedFileKind
from refinebio_assets.rna_seq.quantification import only_one
from resources.catalog import CompendiumInfo
from resources.object_store.temporary import remove_abandoned, temporary_name

DROPPED = "Sample was dropped because it had less than {limit:.0%} present values ({share:.1%} of the genes)."


class _CannotExtendError(Exception):
    """The samples are such that the newest compendium cannot be extended; the text says why."""


def build_compendium(
    organism: str,
    environment: CompendiumEnvironment,
    *,
    svd_algorithm: str | None = None,
    memory: str | None = None,
    method: str | None = None,
    extend: bool = False,
    report: Report = say_nothing,
) -> CompendiumRun:
    """Build the compendium of an organism, or take the one that is there if it would be the same.

    One process at a time builds an organism. What a killed build left in ``scratch/compendia/{ORGANISM}`` is gone on
    with if it was of the same version.

    Args:
        organism: UPPER_SNAKE.
        environment: What the run works with.
        svd_algorithm: ``arpack``, ``randomized`` or ``none``; the settings' if None.
        memory: How much it may take, as in ``8GiB``; the settings' if None.
        method: ``refinebio-2`` or ``refinebio-1``; the settings' if None.
        extend: Whether to go on from the newest compendium: its samples keep their values, new ones are added. Where
            that cannot be, it is built from the start, and ``full_because`` says why.
        report: Told how far it is.

    Raises:
        InputError: There are too few samples or genes, or not enough memory is allowed or disk is free.
    """
    settings = environment.settings
    group = organism_group(organism, environment)
    skipped = group.skipped(organism)
    if skipped is not None:
        return CompendiumRun(organism=organism, skipped=skipped)
    target = current_target(organism, environment.catalog, environment.store)
    if target is None:
        return CompendiumRun(organism=organism, skipped=_no_target(organism))
    recipe = recipe_of(settings, svd_algorithm=svd_algorithm, method=method)
    limit = parse_size(memory or settings.compendium_memory)
    damaged: dict[str, str] = {}
    verified: set[str] = set()
    why_not: str | None = None
    while True:
        inputs = compendium_inputs(group, environment, damaged=damaged, verified=verified)
        if not inputs.samples:
            return CompendiumRun(organism=organism, skipped=_no_samples(organism, inputs))
        plan = plan_compendium(inputs, target, recipe, environment, extend=extend and why_not is None)
        plan = replace(plan, full_because=plan.full_because or why_not)
        known = _built_before(plan, environment, extend=extend)
        if known is not None:
            return known
        check_memory(inputs.store, recipe, limit)
        try:
            return _build(plan, environment, report)
        except DamagedPartError as error:
            damaged |= {error.experiment: damage_of(error.experiment)} | find_damage(inputs.store.parts)
            environment.log.info("%s: left out, damaged: %s", organism, ", ".join(sorted(damaged)))
        except _CannotExtendError as error:
            why_not = str(error)
            environment.log.info("%s: built from the start: %s", organism, why_not)


def _no_target(organism: str) -> str:
    return (
        f"{organism} has no QN target, which its samples would be normalised to. Make one with `refinebio qn-target "
        f"--organism {organism}`; REFINEBIO_QN_TARGET_MIN_SAMPLES says how many samples it takes."
    )


def _no_samples(organism: str, inputs: CompendiumInputs) -> str:
    return (
        f"{organism} has no sample for a compendium: {len(inputs.left_out)} have expression or should have it, but "
        "none is processed from raw data and readable. Process some with `refinebio ingest`."
    )


def _built_before(plan: CompendiumPlan, environment: CompendiumEnvironment, *, extend: bool) -> CompendiumRun | None:
    """The same compendium, if it is there with all its files."""

    def is_it(found: CompendiumInfo) -> bool:
        return found.fingerprint == plan.fingerprint

    found = recorded(plan.organism, CompendiumKind.COMPENDIUM, is_it, environment)
    if found is None and extend:  # the newest may be of just these samples already
        found = recorded(
            plan.organism,
            CompendiumKind.COMPENDIUM,
            lambda one: one.details.get("content") == plan.content,
            environment,
        )
        found = found if found is not None and found[1] else None
    if found is None:
        return None
    info, is_current = found
    details = info.details
    facts = replace(_facts(plan, details, info.num_samples, info.num_genes), fingerprint=str(info.fingerprint))
    files = files_of(info)
    return CompendiumRun(
        organism=plan.organism,
        files=files,
        commit=None if is_current else lambda: record(files, facts, environment),
        version=info.version,
        reused=True,
        samples=info.num_samples,
        genes=info.num_genes,
        left_out=details["left_out"],
        summary=details["summary"],
        quality=details["quality"],
        checks=tuple(details["checks"]),
        extends=details["extends"],
    )


def _build(plan: CompendiumPlan, environment: CompendiumEnvironment, report: Report) -> CompendiumRun:
    folder = scratch_folder(environment, plan.organism)
    with only_one(folder):
        remove_abandoned(folder.parent)
        check_disk(folder, plan.inputs.store, plan.formats)
        prepared = _prepare(plan, folder, report)
        finished = folder / "files"
        shutil.rmtree(finished, ignore_errors=True)
        finished.mkdir()
        left_out = dict(plan.inputs.left_out) | _dropped(plan, prepared)
        description = _describe(plan, prepared, left_out, environment)
        paths, quality = _write(plan, prepared, description, finished, report)
        run = _run_of(plan, prepared, left_out, quality)
        if quality.blocking:
            run.refused = _refusal(plan, quality, _keep_report(finished, folder))
            shutil.rmtree(folder)
            return run
        # Out of the way of whoever waits for this lock: its files are still to be stored.
        stored_from = finished.rename(folder.with_name(temporary_name(plan.organism)))
    moved = [(stored_from / path.name, kind) for path, kind in paths]
    files = finished_files(plan.organism, CompendiumKind.COMPENDIUM, plan.version, moved)
    facts = _facts(plan, _details(plan, run), run.samples, run.genes)

    def commit() -> None:
        record(files, facts, environment)
        shutil.rmtree(stored_from)
        with only_one(folder):
            shutil.rmtree(folder)

    run.files, run.commit = files, commit
    return run


def scratch_folder(environment: CompendiumEnvironment, organism: str) -> Path:
    """Where the compendium of an organism is built."""
    return environment.settings.scratch / "compendia" / organism


def _prepare(plan: CompendiumPlan, folder: Path, report: Report) -> PreparedCompendium:
    try:
        if plan.extension is not None:
            return _extend(plan, plan.extension, folder, report)
        prepared = prepare_compendium(plan.inputs.store, plan.recipe, folder, target=plan.target, report=report)
        _refuse_few(prepared)
    except ValueError as error:
        message = f"No compendium can be made of {len(plan.inputs.samples)} samples of {plan.organism}: {error}."
        remedy = (
            f"Process more samples (imputation of rank {plan.recipe.rank} needs more than {plan.recipe.rank} samples "
            "and genes that pass the filters), or leave missing values missing with --svd-algorithm none."
        )
        raise InputError(message, remedy=remedy) from error
    return prepared


def _refuse_few(prepared: PreparedCompendium) -> None:
    """As refine.bio, refuse what could not be imputed, also if nothing happens to be missing.

    Else a handful of samples (those of other settings, say) would take the place of a real compendium.

    Raises:
        ValueError: There are too few samples or genes for the rank.
    """
    least, recipe = min(prepared.filtered.shape), prepared.recipe
    if recipe.svd_algorithm is not SvdAlgorithm.NONE and least <= recipe.rank:
        message = f"the rank must be above 0 and below {least}, it is {recipe.rank}"
        raise ValueError(message)


def _extend(plan: CompendiumPlan, extension: Extension, folder: Path, report: Report) -> PreparedCompendium:
    try:
        return prepare_extension(plan.inputs.store, extension.model, folder, target=plan.target, report=report)
    except InputError as error:
        raise _CannotExtendError(error.message) from error


def _dropped(plan: CompendiumPlan, prepared: PreparedCompendium) -> dict[str, FilteredSample]:
    limit = plan.recipe.filters.sample_completeness
    return {
        sample: FilteredSample(
            reason=DROPPED.format(limit=limit, share=share), experiment=plan.inputs.samples[sample].experiments[0]
        )
        for sample, share in prepared.filtered.dropped.items()
    }


def _describe(
    plan: CompendiumPlan,
    prepared: PreparedCompendium,
    left_out: Mapping[str, FilteredSample],
    environment: CompendiumEnvironment,
) -> CompendiumDescription:
    return CompendiumDescription(
        organism=plan.organism,
        organisms=plan.inputs.group.members,
        version=plan.version,
        samples=sample_table(plan, prepared.filtered.samples, environment),
        genes=prepared.filtered.genes,
        summary=prepared.summary(),
        metadata=plan.metadata,
        filtered=dict(left_out),
        provenance=plan.provenance(),
    )


def _write(
    plan: CompendiumPlan,
    prepared: PreparedCompendium,
    description: CompendiumDescription,
    folder: Path,
    report: Report,
) -> tuple[list[tuple[Path, ComputedFileKind]], Quality]:
    """Write all files in one pass over the values, which are looked at for the report on the way."""
    statistics = QualityStatistics(description.samples, prepared.filtered.genes)
    written = write_compendium_files(
        folder, prepared, description, formats=plan.formats, on_block=statistics.add, report=report
    )
    report(Progress(step="testing the imputation", done=0, total=None))
    quality = statistics.finish(prepared, held_out=held_out_error(prepared, description.samples))
    report_page = folder / f"{plan.organism}_qc_report.html"
    write_qc_report(report_page, quality, description)
    paths = [(file.path, file.kind) for file in written] + [(report_page, ComputedFileKind.COMPENDIUM_REPORT)]
    model = folder / f"{plan.organism}_model.npz"
    CompendiumModel.of(prepared).save(model)
    return [*paths, (model, ComputedFileKind.COMPENDIUM_MODEL)], quality


def _run_of(
    plan: CompendiumPlan, prepared: PreparedCompendium, left_out: Mapping[str, FilteredSample], quality: Quality
) -> CompendiumRun:
    samples, genes = prepared.filtered.shape
    counts: dict[str, int] = {}
    for one in left_out.values():
        reason = "too few genes" if one.reason.startswith("Sample was dropped") else counted_as(one.reason)
        counts[reason] = counts.get(reason, 0) + 1
    accounted = left_out.keys() | set(prepared.filtered.samples)
    return CompendiumRun(
        organism=plan.organism,
        version=plan.version,
        samples=samples,
        genes=genes,
        left_out=counts,
        unaccounted=tuple(sorted(plan.inputs.everyone ^ accounted)),
        summary=prepared.summary(),
        quality=quality.summary,
        densities=quality.figures.densities if quality.figures is not None else (),
        checks=tuple(
            {
                "name": check.name,
                "passed": check.passed,
                "blocking": check.blocking,
                "description": check.description,
                "metadata": check.metadata,
            }
            for check in quality.checks
        ),
        extends=plan.extension.version if plan.extension is not None else None,
        full_because=plan.full_because,
    )


def _keep_report(finished: Path, folder: Path) -> Path:
    """The report of a refused compendium stays in scratch space."""
    (page,) = finished.glob("*_qc_report.html")
    return page.replace(folder.with_name(f"{folder.name}_refused.html"))


def _refusal(plan: CompendiumPlan, quality: Quality, page: Path) -> RefinebioError:
    failed = "; ".join(f"{check.name}: {check.description}" for check in quality.blocking)
    message = f"The compendium of {plan.organism} (version {plan.version}) is not published. {failed}"
    return LowQualityError(message, remedy=f"The report {page} shows more; mend or unsurvey the experiments it names.")


def _details(plan: CompendiumPlan, run: CompendiumRun) -> dict[str, Any]:
    return {
        "content": plan.content,
        "organisms": list(plan.inputs.group.members),
        "method": plan.recipe.filters.method.value,
        "summary": dict(run.summary),
        "quality": dict(run.quality),
        "checks": [dict(check) for check in run.checks],
        "left_out": dict(run.left_out),
        "qn_target": dict(plan.target_facts),
        "extends": run.extends,
        "full_because": run.full_because,
    }


def _facts(plan: CompendiumPlan, details: Mapping[str, Any], samples: int, genes: int) -> Facts:
    return Facts(
        fingerprint=plan.fingerprint,
        method_version=METHOD_VERSION,
        svd_algorithm=plan.recipe.svd_algorithm.value,
        samples=samples,
        genes=genes,
        details=details,
        parameters=plan.recipe.to_dict() | {"formats": list(plan.formats)},
        inputs={"expression_parts": len(plan.inputs.parts), "qn_target": plan.target_facts["sha256"]},
    )
