"""Running one function over many samples, a bounded number at a time.

The interface is what matters: assets hand a function and its items to a :class:`FanOut` and get outcomes back as
they finish. :class:`LocalFanOut` runs them in threads of this process, which is right when the work is an external
program; other implementations may send batches of samples to tasks of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class FanOut(Protocol):
    """Runs a function over items."""

    def run(self, function: Callable[[Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """Yield each item's outcome as it finishes, in any order; the function's exceptions pass through."""
        ...


class LocalFanOut:
    """At most ``workers`` items at the same time, in threads of this process."""

    def __init__(self, workers: int) -> None:
        self.workers = max(1, workers)

    def run(self, function: Callable[[Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """Yield outcomes as they finish; what has not started is dropped when the caller stops or a call raises."""
        pool = ThreadPoolExecutor(max_workers=self.workers, thread_name_prefix="sample")
        futures: list[Future[Outcome]] = []
        try:
            futures = [pool.submit(function, item) for item in items]
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()
            pool.shutdown(wait=True)
