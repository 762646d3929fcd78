"""How far a build is, and how long it will take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a build is: which step, and how much of it.

    Attributes:
        step: ``counting genes``, ``filtering``, ``sketching``, ``imputing``, ``placing samples``, ``writing``.
        done: Samples, or iterations while imputing.
        total: Of the same; the most iterations while imputing. None if it is not known.
        seconds_left: Of the step, if it can be said.
    """

    step: str
    done: int
    total: int | None
    seconds_left: float | None = None


Report = Callable[[Progress], None]


def say_nothing(_progress: Progress) -> None:
    """The default of who is told."""


def with_estimates(report: Report, *, clock: Callable[[], float] = time.monotonic) -> Report:
    """Tells ``report`` how long each step will take, from how fast it was so far in this process."""
    began: dict[str, tuple[float, int]] = {}

    def estimated(now: Progress) -> None:
        if now.step not in began:
            began[now.step] = (clock(), now.done)
        since, at = began[now.step]
        if now.seconds_left is None and now.total is not None and now.done > at:
            seconds = (clock() - since) / (now.done - at) * max(0, now.total - now.done)
            now = replace(now, seconds_left=seconds)
        report(now)

    return estimated


def iterations_left(changes: Sequence[float], tolerance: float, most: int) -> int | None:
    """How many iterations an imputation will still take, if its changes go on falling as in the last ones.

    Args:
        changes: Relative squared change of each iteration but the last.
        tolerance: Below which it ends.
        most: Iterations that are left at most.
    """
    last = [change for change in changes[-5:] if math.isfinite(change) and change > 0]
    if len(last) < 2:
        return None
    fall = math.log(last[0] / last[-1]) / (len(last) - 1)
    if last[-1] <= tolerance:
        return 0
    return most if fall <= 0 else min(most, math.ceil(math.log(last[-1] / tolerance) / fall))
