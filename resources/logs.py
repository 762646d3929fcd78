"""Structured logging: events with named values, on standard error, as text for people or JSON for machines.

Everything goes through the standard library's root logger, so that log lines of libraries look the same and Dagster's
``managed_python_loggers`` can collect them.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from resources.settings import Settings

# One line per request, statement or column: wanted only when somebody looks for a fault.
CHATTY_LIBRARIES = (
    "anndata", "botocore", "boto3", "urllib3", "s3transfer", "alembic", "matplotlib", "uvicorn.access",
)  # fmt: skip

# Their lines hold whole addresses: a mirror's password, NCBI's key. Ours say what was asked without them.
TELL_SECRETS = ("httpx", "httpcore")

_COMMON: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


class StandardErrorHandler(logging.StreamHandler[TextIO]):
    """Writes to what ``sys.stderr`` is at that moment, not to what it was when logging was set up."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        self.stream = sys.stderr
        super().emit(record)


def configure_logging(settings: Settings) -> None:
    """Send log lines of this process to standard error, as ``log_level`` and ``log_format`` say. May be called again.

    Args:
        settings: The settings of this process.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_COMMON,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = StandardErrorHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=list(_COMMON),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_colour_copy,
                *_renderers(settings),
            ],
        )
    )
    root = logging.getLogger()
    for earlier in [present for present in root.handlers if isinstance(present, StandardErrorHandler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(settings.log_level)
    chatty_level = logging.NOTSET if settings.log_level == "DEBUG" else logging.WARNING
    for name in CHATTY_LIBRARIES:
        logging.getLogger(name).setLevel(chatty_level)
    for name in TELL_SECRETS:
        logging.getLogger(name).setLevel(logging.WARNING)


def _without_colour_copy(_logger: object, _name: str, event: EventDict) -> EventDict:
    """Uvicorn attaches its message a second time, with terminal colours in it."""
    event.pop("color_message", None)
    return event


def _renderers(settings: Settings) -> list[Processor]:
    if settings.log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(sort_keys=True, default=str)]
    # A plain traceback: the decorated one prints local variables, and those may hold a password.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]


def get_logger(name: str) -> FilteringBoundLogger:
    """The logger of a module: ``get_logger(__name__).info("sample quantified", mapping_rate=91.2)``.

    Args:
        name: Usually ``__name__``.
    """
    return cast("FilteringBoundLogger", structlog.stdlib.get_logger(name))


@contextmanager
def log_context(**values: object) -> Iterator[None]:
    """Every log line of the block carries these values, also those of called functions and async tasks.

    Args:
        **values: For example ``run_id=…, accession=…``; a None is left out.
    """
    with structlog.contextvars.bound_contextvars(**{key: value for key, value in values.items() if value is not None}):
        yield
