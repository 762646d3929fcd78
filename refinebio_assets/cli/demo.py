"""``refinebio demo``: the main job on bundled real data, offline.

The production assets and clients run against a local archive that serves studies in the public archives' URL shapes;
then all human samples, with those of two published matrices, become a compendium.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import emit, json_option, progress, read_settings, say, table
from refinebio_assets.cli.demo_compendium import (
    DEMO_SETTINGS,
    build_human_compendium,
    describe_compendium,
    describe_matrices,
)

if TYPE_CHECKING:
    from refinebio_assets.cli.common import Progress
    from refinebio_assets.runs import Session
    from resources.catalog import Catalog
    from resources.settings import Settings

STUDY = "SRP010938"
SERIES = "GSE1074"
ARRAYS = "E-MTAB-3050"
ARRAY_PLATFORM, ARRAY_REFERENCE = "hgu95av2", "hgu95av2_ensg_probe.tsv.xz"


@click.command()
@click.option("--serve", "serving", is_flag=True, help="Afterwards keep the Dagster UI and the GraphQL API running.")
@json_option
def demo(serving: bool, as_json: bool) -> None:
    """Offline end-to-end run: real studies from accession to gene expression, and to a human compendium.

    Arabidopsis thaliana infected with Pseudomonas (SRP010938, Howard et al. 2013): 5 paired-end samples, reads of
    the first 100 kb of each chromosome. Then a real Affymetrix array (E-MTAB-3050) is normalised with
    SCAN, and a GEO series (GSE1074, two platforms of mouse arrays) surveyed. Two published matrices (128 arrays,
    Chiaretti et al. 2004; 69 RNA-seq samples, Pickrell et al. 2010) are imported, and all human samples become one
    compendium, with a report of its quality. Run again, it finds everything done.
    """
    started = time.monotonic()
    say(
        f"Study {STUDY}: survey, transcriptome index, Salmon, tximport; {ARRAYS}: SCAN; a compendium of all human "
        "samples. Offline; about a minute.",
        as_json=as_json,
    )
    with bundled_archive() as settings:
        summary = _run(settings, as_json=as_json)
        summary |= {"seconds": round(time.monotonic() - started, 1), "peak_memory_bytes": peak_memory()}
        emit(summary, as_json, text=lambda: describe(summary, settings, serving=serving))
        failed = bool(summary["failures"])
        if serving and not failed:
            from refinebio_assets.cli.dev import run_services

            raise SystemExit(run_services(settings))
    raise SystemExit(1 if failed else 0)


@contextmanager
def bundled_archive() -> Iterator[Settings]:
    """Serve the bundled studies on this machine, point the archive clients at them, and set what the demo lowers."""
    from examples.local_archive import LocalArchive
    from resources.settings import get_settings

    with LocalArchive().serve() as archive:
        own = {"REFINEBIO_ARCHIVE_MIRROR_URL": archive.url} | DEMO_SETTINGS
        before = {name: os.environ.get(name) for name in own}
        os.environ.update(own)
        get_settings.cache_clear()
        try:
            yield read_settings()
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
            get_settings.cache_clear()


def _run(settings: Settings, *, as_json: bool) -> dict[str, Any]:
    from refinebio_assets.bundled_studies import claim_catalog
    from refinebio_assets.runs import ingest_experiment, open_session, survey_experiment

    with open_session(settings) as session:
        claim_catalog(session.catalog, settings)
        before = fingerprints(session.catalog)
        with progress("Starting", total=None, as_json=as_json) as bar, followed(session.catalog, bar):
            failures = ingest_experiment(session, STUDY, early=False, report=bar.describe)
            bar.describe(f"{ARRAY_PLATFORM}: importing probes and genes")
            import_array_reference(session)
            failures += ingest_experiment(session, ARRAYS, early=False, report=bar.describe)
            bar.describe(f"{SERIES}: asking the archives")
            failed = survey_experiment(session, SERIES)
            human = build_human_compendium(session, bar)
        everything = [*map(str, failures), *([str(failed)] if failed is not None else []), *human.pop("failures")]
        summary = summarize(session, before, everything)
        return summary | {"arrays": describe_arrays(session), "series": describe_series(session)} | human


def import_array_reference(session: Session) -> None:
    """Import the bundled probes of the array platform; the same file again changes nothing."""
    from importlib.resources import as_file, files

    from refinebio_assets.microarray.references_run import import_reference, read_chip_annotation, supported_platform
    from resources.object_store import ObjectStore

    settings = session.settings
    source, version = "org.Hs.eg.db", "3.16.0"
    platform = supported_platform(ARRAY_PLATFORM)
    store = ObjectStore.from_url(settings.store_url, endpoint_url=settings.s3_endpoint_url)
    with as_file(files("examples") / "platforms" / ARRAY_REFERENCE) as table:
        content = read_chip_annotation(platform, table, None, organism=None, source=source, version=version)
    import_reference(platform, content, source=source, version=version, catalog=session.catalog, store=store)


def fingerprints(catalog: Catalog) -> dict[str, str | None]:
    """The quant file (sha256) each sample of the study has now."""
    return {info.sample: info.sha256 for info in catalog.quant_files(STUDY)}


@contextmanager
def followed(catalog: Catalog, bar: Progress) -> Iterator[None]:
    """Show in the bar how many samples are done, as the ledger tells."""
    done = threading.Event()

    def follow() -> None:
        while not done.wait(0.5):
            counts = catalog.ledger.counts(STUDY)
            finished = counts.get("quantified", 0) + counts.get("processed", 0)
            if finished:
                bar.describe(f"{STUDY}: {finished} of {sum(counts.values())} samples quantified")

    watcher = threading.Thread(target=follow, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def summarize(session: Session, before: dict[str, str | None], failures: Sequence[str]) -> dict[str, Any]:
    """What there is now: samples with their mapping rates, expression and its files."""
    catalog = session.catalog
    entries = {entry.accession: entry for entry in catalog.ledger.of_experiment(STUDY)}
    quants = {info.sample: info for info in catalog.quant_files(STUDY)}
    files = catalog.experiment_files(STUDY)
    samples = [
        {
            "sample": sample,
            "title": catalog.titles([sample]).get(sample, ""),
            "state": entries[sample].state,
            "reads": info.metrics.get("num_processed"),
            "mapped_percent": round(float(info.metrics.get("percent_mapped") or 0.0), 1),
            "quantified_now": before.get(sample) != info.sha256,
        }
        for sample, info in sorted(quants.items())
    ]
    expression = next((file for file in files if file.filename.endswith(".h5ad")), None)
    return {
        "experiment": STUDY,
        "title": catalog.titles([STUDY]).get(STUDY, ""),
        "samples": samples,
        "samples_processed": sum(sample["state"] == "processed" for sample in samples),
        "genes": int(expression.metrics.get("num_genes", 0)) if expression is not None else 0,
        "files": [f"{session.settings.store_url}/{file.key}" for file in files],
        "failures": list(failures),
    }


def describe_arrays(session: Session) -> dict[str, Any]:
    """The array study: its samples with what became of them, and its files."""
    catalog = session.catalog
    statuses = catalog.sample_statuses([entry.accession for entry in catalog.ledger.of_experiment(ARRAYS)])
    samples = [
        {"sample": status.accession, "title": status.title, "state": status.state.value, "message": status.message}
        for status in sorted(statuses.values(), key=lambda status: status.accession)
    ]
    files = [f"{session.settings.store_url}/{file.key}" for file in catalog.experiment_files(ARRAYS)]
    return {"experiment": ARRAYS, "title": catalog.titles([ARRAYS]).get(ARRAYS, ""), "samples": samples, "files": files}


def describe_series(session: Session) -> dict[str, Any]:
    """What the survey of the GEO series recorded: its platforms with the state and reason of their samples."""
    catalog = session.catalog
    entries = catalog.ledger.of_experiment(SERIES)
    statuses = catalog.sample_statuses([entry.accession for entry in entries])
    groups: dict[tuple[str, str], list[str]] = {}
    for status in statuses.values():
        groups.setdefault((status.platform or "", status.state.value), []).append(status.message)
    rows = [
        {"platform": platform, "samples": len(messages), "state": state, "why": messages[0]}
        for (platform, state), messages in sorted(groups.items())
    ]
    return {"experiment": SERIES, "title": catalog.titles([SERIES]).get(SERIES, ""), "platforms": rows}


def peak_memory() -> int:
    """Peak resident memory in bytes of the largest process so far: this one or a program it ran."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024
    return max(own, children) * unit


def describe(summary: dict[str, Any], settings: Settings, *, serving: bool) -> str:
    """The summary for a person: samples, files, where to look further, one line of truth."""
    columns = ["sample", "title", "state", "reads", "mapped_percent"]
    lines = ["", f"{STUDY}  {summary['title']}", "", table(summary["samples"], columns), ""]
    lines += ["Files", *(f"  {file}" for file in summary["files"]), ""]
    arrays = summary["arrays"]
    lines += [f"{arrays['experiment']}  {arrays['title']}", ""]
    lines += [table(arrays["samples"], ["sample", "title", "state", "message"]), ""]
    lines += ["Files", *(f"  {file}" for file in arrays["files"]), ""]
    series = summary["series"]
    lines += [f"{series['experiment']}  {series['title']} (surveyed)", ""]
    lines += [table(series["platforms"], ["platform", "samples", "state", "why"]), ""]
    lines += [*describe_matrices(summary), *describe_compendium(summary)]
    lines += [f"Failed: {failure}" for failure in summary["failures"]]
    lines += ["Look further", *(f"  {line}" for line in _further(settings, serving=serving)), ""]
    kept = sum(not sample["quantified_now"] for sample in summary["samples"])
    lines.append(
        f"{summary['samples_processed']} samples processed ({kept} kept from before), {summary['genes']} genes, "
        f"{summary['seconds']} seconds, peak memory {summary['peak_memory_bytes'] / 2**20:.0f} MiB (largest process)"
    )
    return "\n".join(lines)


def _further(settings: Settings, *, serving: bool) -> list[str]:
    """Commands and addresses to go on with, the commands as this shell can run them."""
    from refinebio_assets.cli.dev import addresses

    program = program_name()
    commands = [
        (f"{program} status {STUDY}", "every sample, its state and why"),
        (f"{program} resolve SRR446027 E-GEOD-1074", "any accession, as any archive calls it"),
        (f"{program} export --gene ENSG00000141510 --organism 'Homo sapiens'", "a gene in all samples"),
        (f"{program} dev", "Dagster UI and GraphQL API"),
    ]
    when = "" if serving else f"  (after `{program} dev`)"
    places = [(address, f"{name}{when}") for name, address in addresses(settings).items()]
    width = max(len(first) for first, _ in [*commands, *places])
    return [f"{first.ljust(width)}  {what}" for first, what in [*commands, *places]]


def program_name() -> str:
    """``refinebio`` if the shell finds this installation under that name, else the path it was started by."""
    started = Path(sys.argv[0])
    found = shutil.which("refinebio")
    if found is not None and Path(found).resolve() == started.resolve():
        return "refinebio"
    return os.path.relpath(started) if started.name == "refinebio" else "refinebio"
