"""Trying again: how often, how long to wait, and when an archive asked to be left alone."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from refinebio_assets.domain.errors import TransientArchiveError

_log = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST_BACKOFF_SECONDS = 60.0
"""No back-off between two tries is longer."""

LONGEST_RETRY_AFTER_SECONDS = 300.0
"""An archive that asks for a longer pause is not waited for in a worker: the request fails as transient at once."""


class PauseRequestedError(TransientArchiveError):
    """An archive answered with ``Retry-After``.

    Args:
        message: What happened.
        seconds: The pause it asked for.
        url: What was asked.
    """

    def __init__(self, message: str, *, seconds: float, url: str | None = None) -> None:
        super().__init__(
            message, url=url, remedy=f"The archive asks for a pause of {seconds:.0f} s before the next try."
        )
        self.seconds = seconds


def retry_after_seconds(header: str | None, *, now: datetime | None = None) -> float | None:
    """Seconds to wait by a ``Retry-After`` header (RFC 9110 §10.2.3), None if it is absent or unreadable.

    Args:
        header: Seconds, or an HTTP date.
        now: The present, for tests.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Bounded tries with exponential back-off and jitter.

    Args:
        attempts: How often something is tried at most.
        first_wait_seconds: Upper end of the first wait; doubles up to :data:`LONGEST_BACKOFF_SECONDS`.
        sleep: Waits some seconds.
        uniform: Random number in [0, 1): the jitter keeps workers that failed together from coming back together.
    """

    attempts: int = 5
    first_wait_seconds: float = 1.0
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[], float] = random.random

    def wait_before(self, attempt: int, error: TransientArchiveError) -> float:
        """Seconds to wait before try number ``attempt`` (2, 3, …) after ``error``."""
        if isinstance(error, PauseRequestedError):
            return error.seconds
        longest = min(LONGEST_BACKOFF_SECONDS, self.first_wait_seconds * 2.0 ** min(attempt - 2, 30))
        return longest * (0.5 + 0.5 * self.uniform())

    def run(self, action: Callable[[], T]) -> T:
        """The result of ``action``, tried again while it raises :class:`TransientArchiveError`.

        Raises:
            TransientArchiveError: The error of the last try, or a pause was asked for that is longer than
                :data:`LONGEST_RETRY_AFTER_SECONDS`.
        """
        for attempt in range(1, self.attempts):
            try:
                return action()
            except TransientArchiveError as error:
                wait = self.wait_before(attempt + 1, error)
                if wait > LONGEST_RETRY_AFTER_SECONDS:
                    raise
                _log.warning("%s Trying again in %.1f s (try %d of %d).", error, wait, attempt + 1, self.attempts)
                self.sleep(wait)
        return action()
