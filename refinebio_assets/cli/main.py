"""The ``refinebio`` command. Only click is imported until a command is chosen, so that ``--help`` answers at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click

from refinebio_assets.cli.common import run_main
from refinebio_assets.cli.lazy_group import LazyCommand, LazyGroup

COMMANDS: dict[str, LazyCommand] = {
    "demo": LazyCommand("demo:demo", "Offline end-to-end run on bundled real data."),
    "dev": LazyCommand("dev:dev", "Dagster UI, GraphQL API and sensors in one terminal."),
    "gather": LazyCommand("gather:gather", "Find studies in the archives, or in a list, and queue them."),
    "survey": LazyCommand("ingest:survey", "Record what the public archives say about experiments."),
    "ingest": LazyCommand("ingest:ingest", "Survey, download and process experiments, to gene expression."),
    "status": LazyCommand("ledger:status", "Where every sample is, with the reason in words."),
    "resolve": LazyCommand("ledger:resolve", "Any accession -> experiments, samples and aliases."),
    "inspect": LazyCommand("inspect:inspect", "What any file is, and what would be stored from it."),
    "index": LazyCommand("index:index", "Transcriptome indices of organisms."),
    "platform": LazyCommand("platforms:platform", "References of array platforms: probes and genes."),
    "tximport": LazyCommand("tximport:tximport", "Gene expression of experiments whose samples are quantified."),
    "qn-target": LazyCommand("qn_target:qn_target", "The distributions that organisms' samples are normalised to."),
    "compendium": LazyCommand("compendium:compendium", "All samples of an organism in one matrix, with its evidence."),
    "export": LazyCommand("export:export", "Genes of any samples, to a file, without reading the rest."),
    "import": LazyCommand("import_matrix:import_", "Your own gene matrix, beside what is made from raw data."),
    "metadata": LazyCommand("metadata:metadata", "Ontologies, contributed metadata, and harmonising anew."),
    "compute": LazyCommand("compute:compute", "Every method on its own: file in, file out, no catalog."),
    "unsurvey": LazyCommand("unsurvey:unsurvey", "Remove experiments and what only they have, after a dry run."),
    "serve": LazyCommand("serve:serve", "The GraphQL API."),
    "config": LazyCommand("config:config", "Every setting, its value and where it comes from."),
    "doctor": LazyCommand("doctor:doctor", "What is installed, what is missing, and the command that installs it."),
}

EPILOG = (
    "Exit status: 0 done, 2 bad usage or bad input, 3 not found, 1 anything else. "
    "Progress goes to standard error; --json puts the result on standard output. "
    "Settings are environment variables REFINEBIO_*; `refinebio config` shows them."
)


def _show_version(ctx: click.Context, _parameter: click.Parameter, wanted: Any) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"refinebio {version('refinebio')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    package="refinebio_assets.cli",
    table=COMMANDS,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def refinebio() -> None:
    """Public transcriptome data as ready-to-use, harmonised expression."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    Args:
        arguments: Words after ``refinebio``; those of this process if not given.
    """
    if "_REFINEBIO_COMPLETE" in os.environ:  # the shell asks for completions: click's own protocol
        refinebio.main(prog_name="refinebio")
    return run_main(refinebio, arguments)
