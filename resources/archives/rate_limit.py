"""How often a host is asked: one token bucket per host, shared by all threads of the process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

NCBI_REQUESTS_PER_SECOND = 3.0
"""E-utilities without an API key (https://www.ncbi.nlm.nih.gov/books/NBK25497/)."""

NCBI_REQUESTS_PER_SECOND_WITH_KEY = 10.0
"""E-utilities with an API key (same page)."""

EUTILS_HOST = "eutils.ncbi.nlm.nih.gov"


class TokenBucket:
    """Tokens drip in at ``per_second`` up to ``capacity``; whoever wants one waits for it.

    A token is reserved before the wait: threads are served in the order they came, and nobody waits with the lock held.
    """

    def __init__(
        self,
        per_second: float,
        *,
        capacity: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._per_second = per_second
        self._capacity = capacity
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._tokens = capacity
        self._filled_at = clock()

    def take(self) -> float:
        """Take one token, waiting for it if there is none; returns the seconds waited."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self._per_second)
            self._filled_at = now
            self._tokens -= 1
            wait = max(0.0, -self._tokens / self._per_second)
        if wait > 0:
            self._sleep(wait)
        return wait


class HostRateLimits:
    """The token buckets of all hosts, made on first use.

    Limits hold per process: several workers behind one address need a limit divided by their number.

    Args:
        per_second: Limit of a host that is not in ``of_host``; None for no limits at all (a mirror on this machine).
        of_host: Limits of particular hosts.
        clock: Monotonic seconds.
        sleep: Waits some seconds.
    """

    def __init__(
        self,
        per_second: float | None,
        *,
        of_host: dict[str, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._per_second = per_second
        self._of_host = of_host or {}
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._buckets: dict[str, TokenBucket] = {}

    def wait(self, host: str) -> None:
        """Wait until ``host`` may be asked once more."""
        if self._per_second is None:
            return
        with self._lock:
            bucket = self._buckets.get(host)
            if bucket is None:
                per_second = self._of_host.get(host, self._per_second)
                bucket = self._buckets[host] = TokenBucket(per_second, clock=self._clock, sleep=self._sleep)
        bucket.take()
