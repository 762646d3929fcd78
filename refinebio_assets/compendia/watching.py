"""Whoever started a build in this process hears how far it is, and what came of it.

A command materialises assets in its own process: Dagster stands between the command and the build, and carries neither
progress nor the outcome of a partition for which nothing was made. So a build tells whoever watches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from refinebio_assets.compendia.progress import Progress


class Watcher(Protocol):
    """Hears of builds."""

    def progress(self, organism: str, progress: Progress, /) -> None:
        """A build of an organism is so far."""
        ...

    def finished(self, organism: str, outcome: Mapping[str, Any], /) -> None:
        """A build of an organism has ended; ``outcome`` is JSON."""
        ...


class Nobody:
    """The watcher of a build that nobody watches."""

    def progress(self, organism: str, progress: Progress, /) -> None:
        """Not listened to."""

    def finished(self, organism: str, outcome: Mapping[str, Any], /) -> None:
        """Not listened to."""


_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Let ``watcher`` hear of builds of this thread while the block runs."""
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def watcher() -> Watcher:
    """Who watches builds of this thread."""
    return _WATCHER.get() or Nobody()


STEP_SHARES = {
    "counting genes": 0.08,
    "filtering": 0.10,
    "sketching": 0.05,
    "imputing": 0.32,
    "placing samples": 0.03,
    "writing": 0.22,
    "writing parquet": 0.03,
    "writing text": 0.12,
    "testing the imputation": 0.05,
}
"""About which share of a build's time each step takes, in their order."""
ITERATIONS = 40
"""Iterations that an imputation often needs; nobody knows before."""
LEAST_SHARE = 0.02
"""So much must be done before a guess is worth anything."""


class Estimate:
    """How much of a build is done, and how long the rest takes if all goes on as it went."""

    def __init__(self) -> None:
        self._share = 0.0
        self._first: tuple[float, float] | None = None

    def share(self, progress: Progress) -> float:
        """Share of the build that is done, between 0 and 1; never less than it said before."""
        if progress.step in STEP_SHARES:
            steps = list(STEP_SHARES)
            before = sum(STEP_SHARES[step] for step in steps[: steps.index(progress.step)])
            self._share = max(self._share, before + STEP_SHARES[progress.step] * _share_of_step(progress))
        return min(self._share, 1.0)

    def rest(self, share: float, seconds: float) -> float | None:
        """Seconds left when ``share`` is done at a moment; None while too little was done since the first one.

        What an interrupted build had done before does not count as done in no time.
        """
        if self._first is None:
            self._first = share, seconds
        done, taken = share - self._first[0], seconds - self._first[1]
        return taken * (1 - share) / done if done >= LEAST_SHARE else None


def _share_of_step(progress: Progress) -> float:
    if progress.step == "imputing" or not progress.total:
        return 1.0 - float(0.5 ** (2 * progress.done / ITERATIONS))
    return progress.done / progress.total


def in_words(seconds: float) -> str:
    """A duration that is only an estimate: ``about 3 min``."""
    if seconds < 90:
        return f"about {max(1, round(seconds / 10) * 10 if seconds > 15 else round(seconds))} s"
    minutes = seconds / 60
    return f"about {round(minutes)} min" if minutes < 90 else f"about {minutes / 60:.1f} h"
