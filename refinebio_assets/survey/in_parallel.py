"""Doing many small things that wait for archives at the same time, with results in order and nothing swallowed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from refinebio_assets.domain.errors import RefinebioError

T = TypeVar("T")

_AHEAD = 2


def in_parallel(
    calls: Iterable[tuple[str, Callable[[], T]]], *, workers: int
) -> Iterator[tuple[str, T | RefinebioError]]:
    """Call functions in threads and give their results in the order of the calls.

    Only a few calls are ahead of the result that is given out, so that thousands of them need little memory and stop
    soon when nobody takes the results any more.

    Args:
        calls: A name for each call, and the call.
        workers: Calls at the same time.

    Returns:
        The name, and what the call returned or which of our errors it raised.
    """
    pool = ThreadPoolExecutor(workers)
    under_way: deque[tuple[str, Future[T]]] = deque()
    try:
        for name, call in calls:
            under_way.append((name, pool.submit(call)))
            if len(under_way) >= workers * _AHEAD:
                yield _first_outcome(under_way)
        while under_way:
            yield _first_outcome(under_way)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _first_outcome(under_way: deque[tuple[str, Future[Any]]]) -> tuple[str, Any]:
    name, future = under_way.popleft()
    try:
        return name, future.result()
    except RefinebioError as error:
        return name, error
