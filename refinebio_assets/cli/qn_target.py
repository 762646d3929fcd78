"""``refinebio qn-target``: the distributions that organisms' samples are normalised to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from refinebio_assets.cli.common import emit, json_option, progress, read_settings, say, table
from refinebio_assets.cli.organism_names import item_of_organism

if TYPE_CHECKING:
    from refinebio_assets.runs import Session

COLUMNS = ("organism", "outcome", "technology", "platform", "samples", "genes", "reused", "agreement", "message")
STATUSES = {"not_found": 3, "skipped": 2}


@click.command(name="qn-target")
@click.option(
    "--organism", "organisms", multiple=True, help='"Danio rerio" or DANIO_RERIO; all with enough samples if none.'
)
@json_option
def qn_target(organisms: tuple[str, ...], as_json: bool) -> None:
    """Make the QN target of organisms: the mean of their samples' sorted values.

    Of the arrays of the most common Affymetrix platform, or of RNA-seq samples where there are too few arrays. Samples
    that came in addition are added to what was summed before; with the same samples nothing is written.
    """
    settings = read_settings()
    from refinebio_assets.runs import open_session

    with open_session(settings) as session:
        items = [item_of_organism(session, name) for name in dict.fromkeys(organisms)] if organisms else _ready(session)
        waiting = [item for item in items if "outcome" not in item]
        with progress("QN targets", total=len(waiting), as_json=as_json) as bar:
            for item in waiting:
                bar.describe(item["organism"])
                item.update(_make(session, item["organism"]))
                bar.advance()
    statuses = [item.pop("exit_status", STATUSES.get(item["outcome"], 0)) for item in items]
    emit({"items": items}, as_json, text=lambda: _as_text(items))
    if not items:
        least = f"{settings.qn_target_min_samples} samples (REFINEBIO_QN_TARGET_MIN_SAMPLES)"
        say(f"No organism has the {least} that a QN target takes.", as_json=as_json)
    raise SystemExit(max(statuses, default=0))


def _ready(session: Session) -> list[dict[str, Any]]:
    """The organisms that have enough samples, as far as counting them tells."""
    from refinebio_assets.compendia.grouping_run import eligible_samples

    submitted = session.settings.compendium_include_submitted
    counted = eligible_samples(session.catalog.compendia.platforms(), include_submitted=submitted)
    least = session.settings.qn_target_min_samples
    return [{"organism": organism} for organism, counts in sorted(counted.items()) if max(counts) >= least]


class _Listener:
    """Remembers what came of a run (see :mod:`refinebio_assets.compendia.watching`)."""

    outcome: Mapping[str, Any] = {}

    def progress(self, _organism: str, _progress: object, /) -> None:
        """Targets are made in one step."""

    def finished(self, _organism: str, outcome: Mapping[str, Any], /) -> None:
        """A run has ended."""
        self.outcome = outcome


def _make(session: Session, organism: str) -> dict[str, Any]:
    from refinebio_assets.compendia.watching import watched_by

    listener = _Listener()
    with watched_by(listener):
        failed = session.qn_target(organism)
    if failed is not None:
        return {"outcome": "failed", "message": failed.message, "exit_status": failed.exit_status}
    made = listener.outcome["outcome"] != "skipped"
    info = session.catalog.compendia.current_qn_target(organism) if made else None
    return {**listener.outcome, "file": None if info is None else f"{session.settings.store_url}/{info.key}"}


def _as_text(items: list[dict[str, Any]]) -> str:
    rows = []
    for item in items:
        agreement = item.get("agreement")
        said = None if agreement is None else f"{agreement['statistic']:.4f} (p {agreement['p_value']:.3g})"
        rows.append(item | {"agreement": said})
    lines = [table(rows, COLUMNS)]
    for item in items:
        lines += [f"  {count:,} left out: {reason}" for reason, count in item.get("left_out", {}).items()]
        lines += [f"  {item['file']}"] if item.get("file") else []
    return "\n".join(lines)
