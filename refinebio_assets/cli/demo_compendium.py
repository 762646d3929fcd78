"""The demo's last steps: two published matrices are imported, and all human samples become one compendium."""

from __future__ import annotations

import csv
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refinebio_assets.cli.common import table
from refinebio_assets.cli.import_matrix import describe_import

if TYPE_CHECKING:
    from refinebio_assets.cli.common import Progress
    from refinebio_assets.compendia.import_run import MatrixToImport
    from refinebio_assets.compendia.progress import Progress as BuildProgress
    from refinebio_assets.runs import Session
    from resources.object_store import ObjectStore

ORGANISM, SCIENTIFIC_NAME = "HOMO_SAPIENS", "Homo sapiens"
DEMO_SETTINGS = {
    "REFINEBIO_COMPENDIUM_INCLUDE_SUBMITTED": "true",
    "REFINEBIO_COMPENDIUM_GENE_COMPLETENESS": "0.6",
}
"""What the demo sets for itself, see :data:`REASONS`."""
REASONS = {
    "REFINEBIO_COMPENDIUM_INCLUDE_SUBMITTED": "imported matrices have no raw data and would not take part",
    "REFINEBIO_COMPENDIUM_GENE_COMPLETENESS": "two of three samples are arrays, which some genes are of alone",
}
SAMPLE_TABLE = "samples.tsv"
WORDS = {"MICROARRAY": "arrays", "RNA_SEQ": "RNA-seq"}


def build_human_compendium(session: Session, bar: Progress) -> dict[str, Any]:
    """Import the matrices, make QN target and compendium; what is there already is kept.

    Returns:
        ``matrices``, ``qn_target`` and ``compendium`` of the demo's summary, and ``failures``.
    """
    from refinebio_assets.compendia.watching import watched_by

    matrices = []
    with bundled_matrices() as found:
        for matrix in found:
            bar.describe(f"{matrix.experiment}: importing its matrix")
            matrices.append(_import(session, matrix))
    bar.describe(f"{ORGANISM}: QN target")
    failures = [session.qn_target(ORGANISM)]
    watch = _Watch(bar)
    with watched_by(watch):
        failures.append(failed := session.compendium(ORGANISM))
    return {
        "matrices": matrices,
        "qn_target": _describe_target(session),
        "compendium": _describe_compendium(session, watch.outcome, is_stored=failed is None),
        "failures": [str(failure) for failure in failures if failure is not None],
    }


@contextmanager
def bundled_matrices() -> Iterator[list[MatrixToImport]]:
    """The two data sets, with what their owners say of them (``examples/matrices/SOURCE.md``), as files."""
    from importlib.resources import as_file, files

    from refinebio_assets.compendia.import_run import MatrixToImport
    from refinebio_assets.compendia.imported_matrix import Scale
    from refinebio_assets.domain.vocabulary import Technology

    folder = files("examples") / "matrices"
    with ExitStack() as stack:

        def local(name: str) -> Path:
            return stack.enter_context(as_file(folder / name))

        yield [
            MatrixToImport(
                path=local("chiaretti2004_log2.tsv.gz"),
                experiment="LOCAL-CHIARETTI-2004",
                organism=SCIENTIFIC_NAME,
                technology=Technology.MICROARRAY,
                scale=Scale.LOG2,
                platform="hgu95av2",
                samples=local("chiaretti2004_samples.tsv"),
                title="Acute lymphoblastic leukemia in 128 adults (Chiaretti et al. 2004)",
            ),
            MatrixToImport(
                path=local("pickrell2010_counts.tsv.gz"),
                experiment="LOCAL-PICKRELL-2010",
                organism=SCIENTIFIC_NAME,
                technology=Technology.RNA_SEQ,
                scale=Scale.LINEAR,
                platform="Illumina Genome Analyzer II",
                samples=local("pickrell2010_samples.tsv"),
                title="Lymphoblastoid cell lines of 69 Nigerian individuals (Pickrell et al. 2010)",
                aliases=("GSE19480",),
            ),
        ]


def _import(session: Session, matrix: MatrixToImport) -> dict[str, Any]:
    from refinebio_assets.compendia.import_run import import_matrix
    from refinebio_assets.compendia.run_environment import CompendiumEnvironment

    environment = CompendiumEnvironment(
        catalog=session.catalog,
        store=_store(session),
        settings=session.settings,
        run_id=None,
        log=logging.getLogger(__name__),
    )
    described = describe_import(import_matrix(matrix, environment))
    return {"experiment": matrix.experiment, "title": matrix.title, "technology": matrix.technology.value} | described


def _store(session: Session) -> ObjectStore:
    from resources.object_store import ObjectStore

    return ObjectStore.from_url(session.settings.store_url, endpoint_url=session.settings.s3_endpoint_url)


class _Watch:
    """Shows the step a build is at, and remembers what came of it."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self.outcome: dict[str, Any] = {}

    def progress(self, organism: str, progress: BuildProgress) -> None:
        """A build is so far."""
        self._bar.describe(f"{organism}: compendium, {progress.step}")

    def finished(self, organism: str, outcome: Mapping[str, Any]) -> None:  # noqa: ARG002  a watcher's signature
        """A build has ended."""
        self.outcome = dict(outcome)


def _describe_target(session: Session) -> dict[str, Any]:
    info = session.catalog.compendia.current_qn_target(ORGANISM)
    if info is None:
        return {}
    return {
        "technology": info.technology.value,
        "platform": info.platform,
        "samples": info.num_samples,
        "genes": info.num_genes,
        "file": f"{session.settings.store_url}/{info.key}",
    }


def _describe_compendium(session: Session, outcome: Mapping[str, Any], *, is_stored: bool) -> dict[str, Any]:
    keys = [str(key) for key in outcome.get("files", ()) if is_stored]
    files = [f"{session.settings.store_url}/{key}" for key in keys]
    left_out = dict(outcome.get("left_out", {}))
    return {
        "organism": ORGANISM,
        "outcome": outcome.get("outcome", "failed"),
        "version": outcome.get("version"),
        "samples": outcome.get("samples", 0),
        "technologies": _technologies(session, keys),
        "genes": outcome.get("genes", 0),
        "share_imputed": outcome.get("share_imputed"),
        "iterations": outcome.get("iterations"),
        "filtered": sum(left_out.values()),
        "left_out": left_out,
        "failed_checks": list(outcome.get("failed_checks", ())),
        "files": files,
        "report": next((file for file in files if file.endswith(".html")), None),
        "message": outcome.get("message", ""),
        "settings": dict(DEMO_SETTINGS),
    }


def _technologies(session: Session, keys: Sequence[str]) -> dict[str, int]:
    """Samples of the compendium by technology, as its own table of samples says."""
    table_key = next((key for key in keys if key.endswith(f"/{SAMPLE_TABLE}")), None)
    if table_key is None:
        return {}
    rows = csv.DictReader(_store(session).get_bytes(table_key).decode().splitlines(), delimiter="\t")
    return dict(sorted(Counter(row["technology"] for row in rows).items()))


def describe_matrices(summary: Mapping[str, Any]) -> list[str]:
    """The imported matrices for a person."""
    lines = ["Two published matrices, imported", ""]
    return [*lines, table(summary["matrices"], ["experiment", "title", "samples", "genes", "outcome"]), ""]


def describe_compendium(summary: Mapping[str, Any]) -> list[str]:
    """QN target and compendium for a person: what is in it, what was lowered for it, and where to look."""
    made, target = summary["compendium"], summary["qn_target"]
    lines = [f"{SCIENTIFIC_NAME}: one compendium of arrays and RNA-seq", ""]
    if target:
        lines.append(f"  QN target   {target['samples']} samples of {target['platform']}, {target['genes']} genes")
    if made["version"] is None:
        return [*lines, f"  Compendium  {made['outcome']}. {made['message']}".rstrip(), ""]
    kinds = ", ".join(f"{count} {WORDS[name]}" for name, count in made["technologies"].items())
    share = "nothing" if made["share_imputed"] is None else f"{made['share_imputed']:.1%}"
    what = f"{made['samples']} samples ({kinds}) x {made['genes']} genes"
    lines += [
        f"  Compendium  {what}, version {made['version']}, {made['outcome']}",
        f"  Imputed     {share} of the values, in {made['iterations']} iterations",
    ]
    lines += [f"  Left out    {count}: {reason}" for reason, count in made["left_out"].items()]
    lines += [f"  Check       {name} does not pass; the report says why" for name in made["failed_checks"]]
    lines += [
        f"  Setting     {name}={value}, for the demo only: {REASONS[name]}" for name, value in made["settings"].items()
    ]
    return [*lines, f"  QC report   {made['report']}", "", "Files", *(f"  {file}" for file in made["files"]), ""]
