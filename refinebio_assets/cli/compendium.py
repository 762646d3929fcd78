"""``refinebio compendium``: all samples of organisms in one matrix, or all their quant files in one archive."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import Progress as Bar
from refinebio_assets.cli.common import emit, json_option, progress, read_settings, say, table
from refinebio_assets.cli.organism_names import item_of_organism

if TYPE_CHECKING:
    from refinebio_assets.compendia.progress import Progress
    from refinebio_assets.runs import Session
    from resources.settings import Settings

ALGORITHMS = ("arpack", "randomized", "none")
METHODS = ("refinebio-2", "refinebio-1")
COLUMNS = ("organism", "outcome", "version", "samples", "genes", "filtered", "imputed", "iterations", "message")
QUANT_COLUMNS = ("organism", "outcome", "version", "samples", "experiments", "filtered", "message")
STATUSES = {"not_found": 3, "skipped": 2}
PERCENT = 100


@click.command()
@click.option("--organism", "organisms", multiple=True, help="Scientific name; all that are ready if none is given.")
@click.option(
    "--svd-algorithm",
    type=click.Choice(ALGORITHMS),
    help="How exact the decompositions of the imputation are; none leaves missing values missing.",
)
@click.option("--quant-only", is_flag=True, help="The quant files of all RNA-seq samples, without any matrix.")
@click.option("--memory", metavar="SIZE", help="Memory that it may take, as in 8GiB.")
@click.option("--method", type=click.Choice(METHODS), help="refinebio-1 repeats the original's order and its defects.")
@click.option("--extend", is_flag=True, help="Go on from the newest compendium: its samples keep their values.")
@json_option
def compendium(
    organisms: tuple[str, ...],
    svd_algorithm: str | None,
    quant_only: bool,
    memory: str | None,
    method: str | None,
    extend: bool,
    as_json: bool,
) -> None:
    """Build the compendium of organisms: filtered, imputed, quantile-normalised, with a report of its quality.

    A version is a hash of everything that goes in: what is there already is not built again. An interrupted build is
    gone on with by the same command. What is not given is as the settings say (`refinebio config`).
    """
    from refinebio_assets.compendia.memory import parse_size
    from refinebio_assets.runs import open_session

    given = {"svd_algorithm": svd_algorithm, "memory": memory, "method": method}
    _refuse_contradictions(given, quant_only=quant_only, extend=extend)
    if memory is not None:
        parse_size(memory)
    settings = read_settings()
    with open_session(settings) as session:
        named = [item_of_organism(session, name) for name in dict.fromkeys(organisms)]
        items = named or _ready(session, quant_only=quant_only)
        waiting = [item for item in items if "outcome" not in item]
        with progress("compendium", total=PERCENT * len(waiting), as_json=as_json) as bar:
            for item in waiting:
                options = None if quant_only else {**given, "extend": extend}
                item.update(_build(session, item["organism"], options, bar))
    statuses = [item.pop("exit_status", STATUSES.get(item["outcome"], 0)) for item in items]
    emit({"items": items}, as_json, text=lambda: _as_text(items, quant_only=quant_only))
    if not items:
        say(_nothing_ready(settings, quant_only=quant_only), as_json=as_json)
    raise SystemExit(max(statuses, default=0))


def _refuse_contradictions(given: Mapping[str, str | None], *, quant_only: bool, extend: bool) -> None:
    from refinebio_assets.domain.errors import InputError

    named = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None]
    named += ["--extend"] if extend else []
    if quant_only and named:
        message = f"{', '.join(named)} say how a matrix is made; --quant-only makes none."
        raise InputError(message, remedy="Leave out one or the other.")


def _ready(session: Session, *, quant_only: bool) -> list[dict[str, Any]]:
    """Organisms with enough samples that have a compendium of their own; for a matrix they need a QN target, too."""
    from refinebio_assets.compendia.grouping_run import organism_groups, samples_by_organism

    records, settings = session.catalog.compendia, session.settings
    least, submitted = settings.compendium_min_samples, settings.compendium_include_submitted
    if quant_only:
        return [{"organism": one.organism} for one in records.organisms() if one.quant_files >= least]
    counted = samples_by_organism(records.platforms(), include_submitted=submitted)
    samples = {one.organism: one.samples for one in counted}
    groups = organism_groups(session.catalog, include_submitted=submitted)
    enough = [group.primary for group in groups if sum(samples[one] for one in group.members) >= least]
    return [{"organism": organism} for organism in enough if records.current_qn_target(organism) is not None]


def _nothing_ready(settings: Settings, *, quant_only: bool) -> str:
    least = f"{settings.compendium_min_samples} samples (REFINEBIO_COMPENDIUM_MIN_SAMPLES)"
    needs = "quant files of" if quant_only else "a QN target (refinebio qn-target) and"
    return f"No organism is ready: it takes {needs} {least}. --organism builds one with fewer."


class _Watch:
    """Moves the bar, and remembers what came of the build (see :mod:`refinebio_assets.compendia.watching`)."""

    def __init__(self, bar: Bar) -> None:
        from refinebio_assets.compendia.watching import Estimate

        self._bar = bar
        self._estimate = Estimate()
        self._started = time.monotonic()
        self._shown = 0.0
        self.outcome: dict[str, Any] = {}

    def progress(self, organism: str, progress: Progress, /) -> None:
        """A build is so far."""
        from refinebio_assets.compendia.watching import in_words

        share = self._estimate.share(progress)
        rest = self._estimate.rest(share, time.monotonic() - self._started)
        left = f", {in_words(rest)} left" if rest is not None else ""
        self._bar.describe(f"{organism}: {progress.step}{left}")
        self._bar.advance(PERCENT * share - self._shown)
        self._shown = PERCENT * share

    def finished(self, _organism: str, outcome: Mapping[str, Any], /) -> None:
        """A build has ended."""
        self.outcome = dict(outcome)
        self._bar.advance(PERCENT - self._shown)
        self._shown = PERCENT


def _build(session: Session, organism: str, options: Mapping[str, Any] | None, bar: Bar) -> dict[str, Any]:
    from refinebio_assets.compendia.watching import watched_by

    watch = _Watch(bar)
    bar.describe(organism)
    with watched_by(watch):
        failed = session.quantpendium(organism) if options is None else session.compendium(organism, **options)
    item = watch.outcome
    item["files"] = [f"{session.settings.store_url}/{key}" for key in item.get("files", ()) if failed is None]
    if failed is None:
        return item
    outcome = "refused" if item.get("outcome") == "refused" else "failed"
    return item | {"outcome": outcome, "message": failed.message, "exit_status": failed.exit_status}


def _as_text(items: list[dict[str, Any]], *, quant_only: bool) -> str:
    rows = []
    for item in items:
        share = item.get("share_imputed")
        filtered = sum(item.get("left_out", {}).values())
        rows.append(item | {"filtered": filtered, "imputed": None if share is None else f"{share:.1%}"})
    lines = [table(rows, QUANT_COLUMNS if quant_only else COLUMNS)]
    for item in items:
        lines += [f"  {count:,} not in it: {reason}" for reason, count in item.get("left_out", {}).items()]
        lines += [f"  check not passed: {name}" for name in item.get("failed_checks", ())]
        lines += [f"  {file}" for file in item.get("files", ())]
    return "\n".join(lines)
