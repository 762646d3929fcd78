"""Scripted faults of the local archive: what the public archives have been seen to do on a bad day."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

FaultKind = Literal["status", "reset", "slow", "html", "truncate", "corrupt", "truncated_gzip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to fail.

    Kinds: ``status`` answers ``status`` (with ``retry_after``, if given); ``reset`` resets the connection half-way
    through the body; ``truncate`` closes it half-way, having announced the whole length; ``slow`` pauses ``seconds``
    half-way; ``html`` answers 200 with a web page; ``corrupt`` flips a bit of the content; ``truncated_gzip`` sends the
    first half of the content as if it were all.

    Args:
        match: Regular expression searched in ``host/path?query``.
        kind: What happens.
        times: How many matching requests it happens to; all of them if None.
        status: For ``status``.
        retry_after: ``Retry-After`` header: seconds, or an HTTP date.
        seconds: For ``slow``.
        method: Only requests of this method; any if None.
    """

    match: str
    kind: FaultKind
    times: int | None = None
    status: int = 500
    retry_after: int | str | None = None
    seconds: float = 1.0
    method: str | None = None


class FaultPlan:
    """Hands out faults to requests, in the order they were planned; threads may share it."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._left: list[tuple[Fault, int | None]] = [(fault, fault.times) for fault in faults]

    def add(self, fault: Fault) -> None:
        """Plan one more."""
        with self._lock:
            self._left.append((fault, fault.times))

    def clear(self) -> None:
        """From now on nothing fails."""
        with self._lock:
            self._left.clear()

    def take(self, method: str, target: str) -> Fault | None:
        """The fault that befalls a request, None if it is spared."""
        with self._lock:
            for position, (fault, left) in enumerate(self._left):
                if left == 0 or fault.method not in (None, method) or not re.search(fault.match, target):
                    continue
                self._left[position] = (fault, None if left is None else left - 1)
                return fault
        return None
