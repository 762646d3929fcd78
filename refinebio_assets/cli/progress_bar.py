"""The progress bar of a terminal. Apart from :mod:`refinebio_assets.cli.common` because importing rich takes time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from refinebio_assets.cli.common import Progress


class TerminalProgress(Progress):
    """One line with a bar on standard error.

    Args:
        bars: The running display.
        task: The line in it.
    """

    def __init__(self, bars: RichProgress, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def advance(self, amount: float = 1) -> None:
        """``amount`` more of the total is done."""
        self._bars.advance(self._task, amount)

    def describe(self, text: str) -> None:
        """Say what is being done now."""
        self._bars.update(self._task, description=text)


@contextmanager
def progress_bar(description: str, total: float | None) -> Iterator[TerminalProgress]:
    """Show a bar while the block runs.

    Args:
        description: What is being done.
        total: Steps to do; None shows a moving bar without an end.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # Results that are printed meanwhile belong on standard output; a terminal shows them above the bar.
    shown = sys.stdout.isatty()
    with (
        _terminal() as terminal,
        RichProgress(*columns, console=Console(file=terminal), redirect_stdout=shown) as bars,
    ):
        yield TerminalProgress(bars, bars.add_task(description, total=total))


@contextmanager
def _terminal() -> Iterator[IO[str]]:
    """A way of its own to where standard error leads now: while a Dagster step works, that goes into the step's log."""
    try:
        descriptor = os.dup(sys.stderr.fileno())
    except OSError:  # no file behind it
        yield sys.stderr
        return
    with os.fdopen(descriptor, "w") as terminal:
        yield terminal
