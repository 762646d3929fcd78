"""``refinebio doctor``: what is installed, what is missing, and the command that installs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from refinebio_assets.cli.common import emit, json_option, progress, read_settings

if TYPE_CHECKING:
    from refinebio_assets.cli.installation import Finding

MARKS = {"ok": "ok      ", "missing": "MISSING ", "optional": "optional"}


@click.command()
@click.pass_context
@json_option
def doctor(ctx: click.Context, as_json: bool) -> None:
    """What is installed, what is missing, and the command that installs it.

    Exit status 1 if anything needed is missing.
    """
    from refinebio_assets.cli.installation import examine

    findings = []
    with progress("Looking", as_json=as_json) as bar:
        for finding in examine(read_settings()):
            bar.describe(finding.name)
            bar.advance()
            findings.append(finding)
    healthy = all(finding.status != "missing" for finding in findings)
    value = {"ok": healthy, "checks": [finding._asdict() for finding in findings]}
    emit(value, as_json, text=lambda: _report(findings, healthy=healthy))
    ctx.exit(0 if healthy else 1)


def _report(findings: Sequence[Finding], *, healthy: bool) -> str:
    lines = []
    for finding in findings:
        lines.append(f"{MARKS[finding.status]}  {finding.name}: {finding.detail}")
        if finding.remedy:
            lines.append(f"          -> {finding.remedy}")
    lines.append("")
    lines.append("Everything needed is here." if healthy else "Something needed is missing: see the arrows above.")
    return "\n".join(lines)
